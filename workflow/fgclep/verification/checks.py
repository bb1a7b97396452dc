"""The checks that a proposed feature must pass, cheapest first, and the decision they come to.

Each check gives a verdict of its own: ``REFUTED``, ``SUPPORTED``, or ``UNTESTABLE`` where it cannot say; a measured
value that is closer to the limit than its error makes a feature ``LIKELY`` or ``UNLIKELY``. The first two look at
statements and answers, before any record is known; the others work on arrays over candidates, pairs of a record and a
feature, so that some hundred thousand records take minutes.

    administrative   a statement about the recording or the patient is never asked about
                     (``fgclep.recovery.backend.is_asked``)
    vocabulary       an answer must be a feature of the vocabulary (``fgclep.recovery.answers.map_answer``)
    votes            enough answers must name the feature
    measurement      the measured intervals, axes and amplitudes of the record must not refute it
                     (``fgclep.measurement.rules.RuleTable.verdicts``)
    contradiction    the report must not exclude it
    reader           a model that has not been trained on the patient must see it
"""

import numpy as np

from fgclep.config.verification import ChecksSection
from fgclep.measurement.rules import LIKELY, REFUTED, SUPPORTED, UNLIKELY, UNTESTABLE
from fgclep.verification.reasons import Reason

REASONS = tuple(Reason)
NEAR_LIMIT = 2.0  # logits that the side counts for on which a measured value lies near its limit
ACCEPTING = np.array([reason.accepted for reason in REASONS])


def votes(named: np.ndarray, min_votes: int) -> np.ndarray:
    """Refute what fewer than ``min_votes`` answers name; ``named`` counts the answers."""
    return np.where(named < min_votes, REFUTED, UNTESTABLE).astype(np.int8)


def contradiction(excluded_by: np.ndarray) -> np.ndarray:
    """Refute what the report excludes: ``excluded_by`` is 0, or names the finding that does (``TextEvidence``)."""
    return np.where(excluded_by > 0, REFUTED, UNTESTABLE).astype(np.int8)


def reader(score: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Support what the reader scores at its threshold or above, and refute what it scores below.

    Parameters
    ----------
    score, threshold
        Logits. NaN: the reader has not scored the record, or is not calibrated for the feature, which cannot be tested
        then.
    """
    verdict = np.where(score >= threshold, SUPPORTED, REFUTED)
    return np.where(np.isnan(score) | np.isnan(threshold), UNTESTABLE, verdict).astype(np.int8)


def decide(
    by_votes: np.ndarray,
    by_measurement: np.ndarray,
    by_contradiction: np.ndarray,
    score: np.ndarray,
    threshold: np.ndarray,
    settings: ChecksSection,
) -> np.ndarray:
    """Decide on candidates by the verdicts of the checks.

    Parameters
    ----------
    by_votes, by_measurement, by_contradiction
        Verdicts.
    score, threshold
        What ``reader`` judges.
    settings
        The settings ``measurement``, ``contradiction`` and ``reader`` of the section ``verification``.

    Notes
    -----
    A measurement that leaves no doubt outweighs the votes. Where its value is closer to the limit than its error, the
    reader decides by a threshold that is ``NEAR_LIMIT`` lower or higher, by the side on which the value lies; without a
    calibrated reader the side decides.

    Returns
    -------
    numpy.ndarray
        int64 per candidate, the place in ``REASONS``; ``ACCEPTING`` of it tells whether the candidate is accepted.
    """
    measured = by_measurement if settings.measurement else np.zeros_like(by_measurement)
    near = np.select([measured == LIKELY, measured == UNLIKELY], [-NEAR_LIMIT, NEAR_LIMIT], 0.0)
    read = reader(score, threshold + near) if settings.reader != "none" else np.zeros_like(by_votes)
    conditions = {
        Reason.TOO_FEW_VOTES: (by_votes == REFUTED) & (measured != SUPPORTED),
        Reason.REFUTED: measured == REFUTED,
        Reason.UNLIKELY: (measured == UNLIKELY) & (read != SUPPORTED),
        Reason.EXCLUDED: (by_contradiction == REFUTED) & settings.contradiction,
        Reason.SUPPORTED: measured == SUPPORTED,
        Reason.LIKELY: (measured == LIKELY) & (read != REFUTED),
        Reason.UNCHECKED: np.full(len(by_votes), settings.reader == "none"),
        Reason.NO_SCORE: np.isnan(score),
        Reason.NOT_CALIBRATED: np.isnan(threshold),
        Reason.SEEN: read == SUPPORTED,
    }
    places = [REASONS.index(reason) for reason in conditions]
    return np.select(list(conditions.values()), places, REASONS.index(Reason.NOT_SEEN)).astype(np.int64)
