"""What is known of every feature of a record, proposed or not: present, absent, or unknown."""

import numpy as np

from fgclep.measurement.rules import LIKELY, REFUTED, UNLIKELY


def label_features(
    stated: np.ndarray, excluded: np.ndarray, accepted: np.ndarray, verdicts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Tell the features that a record has from those that it does not have; those in neither are unknown.

    Present is what the report states, what the checks of the recovery accepted, and what the measurement supports or
    finds likely, unless the measurement refutes it. Absent is what the measurement refutes or finds unlikely, or the
    report excludes, if the report does not state it and the measurement does not find it likely.

    Parameters
    ----------
    stated, excluded
        bool of shape (records, features): the report states the feature; it denies it, or names what it cannot go with.
    accepted
        bool of that shape: the feature was proposed and accepted (the audit).
    verdicts
        int8 of that shape, see ``fgclep.measurement.rules``.

    Returns
    -------
    present, absent
        bool of that shape; no feature is both.
    """
    present = (stated | accepted | (verdicts >= LIKELY)) & (verdicts != REFUTED)
    absent = ((verdicts <= UNLIKELY) | (excluded & (verdicts < LIKELY))) & ~stated & ~present
    return present, absent
