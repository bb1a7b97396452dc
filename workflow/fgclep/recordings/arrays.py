"""An ECG that a program has in memory, checked and repaired as a file is."""

import math
import warnings
from collections.abc import Iterable, Sequence

import numpy as np

from fgclep.config.quality import QualitySection
from fgclep.leads import LEADS, canonical_leads
from fgclep.recordings.volts import to_record
from fgclep.signals.quality import usable_record

# A shorter recording than a file's is repeated to the length of the model, and whose limb leads contradict each other
# the caller may know.
_QUALITY = QualitySection(min_seconds=1.0, max_limb_error_mv=1e9)


def usable_array(
    signal: np.ndarray, fs: float | None, leads: Sequence[str] = LEADS
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Check and repair an ECG with the defaults of the config's ``quality``, and any leads.

    Parameters
    ----------
    signal
        Millivolts, shape (leads, samples).
    fs
        Sampling rate in Hz.
    leads
        Names of the rows, in any order.

    Returns
    -------
    numpy.ndarray, tuple of str
        Millivolts, float32 (leads, samples), and canonical names in the order of ``fgclep.leads.LEADS``: limb leads
        that can be computed are there as well. The samples are the given ones where nothing had to be repaired; what
        was is told as a warning.

    Raises
    ------
    ValueError
        With what is wrong and what to give instead.
    """
    if isinstance(leads, str):
        raise ValueError(f"leads is the text {leads!r}; give a list of names, such as ['I', 'II']")
    if not isinstance(leads, Iterable) or not all(isinstance(lead, str) for lead in leads):
        raise ValueError(f"leads is {leads!r}; give a list of names, such as ['I', 'II']")
    if np.ma.is_masked(signal):
        raise ValueError("the signal holds masked samples; fill or cut these first")
    values = np.asarray(signal)
    if values.dtype.kind != "f":
        raise ValueError(f"signal holds {values.dtype}; give millivolts as floating-point numbers")
    if values.ndim != 2 or len(values) != len(leads):
        turned = " (turn it: signal.T)" if values.ndim == 2 and values.shape[1] == len(leads) else ""
        raise ValueError(
            f"signal has shape {values.shape}, expected ({len(leads)}, samples) for leads {list(leads)}{turned}"
        )
    if not isinstance(fs, int | float | np.number) or not math.isfinite(fs) or fs <= 0:
        raise ValueError(f"fs is {fs!r}; give the sampling rate in Hz, such as 500")
    names = canonical_leads(leads)
    if not names:
        return values.astype(np.float32), ()
    missing = np.count_nonzero(~np.isfinite(values), axis=1)
    if missing.any():
        where = ", ".join(f"{lead} ({count})" for lead, count in zip(names, missing, strict=True) if count)
        raise ValueError(f"the signal holds NaN or infinite values in {where}; fill or cut these samples first")
    record = to_record(values, names, float(fs), "mV")
    usable = usable_record(record, _QUALITY, all_leads=False)
    for remark in usable.remarks:
        warnings.warn(remark, stacklevel=2)
    if usable.digital is not record.digital:
        return usable.millivolts(), usable.leads
    return values[[names.index(lead) for lead in usable.leads]].astype(np.float32), usable.leads
