"""An ECG in a NumPy file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fgclep.leads import LEADS
from fgclep.recordings.volts import to_record
from fgclep.signals.record import Record, middle_part


def read_npy(path: Path, fs: float | None, leads: Sequence[str] | None, units: str | None) -> Record:
    """Read an array of shape (leads, samples) or (samples, leads).

    Which of the two it is, is told by the side that has as many entries as there are leads. Arguments as for
    ``read_recording``; raises ``ValueError`` with the reason.
    """
    if fs is None:
        raise ValueError("a NPY file does not say its sampling rate; give --fs in Hz")
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a broken header provokes what Python's parser has: SyntaxError, TokenError, ...
        raise ValueError(f"it is no NPY file of numbers: {error}") from error
    if not (np.issubdtype(values.dtype, np.integer) or np.issubdtype(values.dtype, np.floating)):
        raise ValueError(f"it holds {values.dtype}, not real numbers")
    remarks = []
    if leads is None:
        leads = LEADS
        remarks.append(f"leads are taken as {', '.join(LEADS)}; --leads if they are others")
    if values.ndim == 1 and len(leads) == 1:
        values = values[None]
    if values.ndim != 2 or len(leads) not in values.shape:
        raise ValueError(
            f"its shape {values.shape} has no side of {len(leads)}, the number of leads ({', '.join(leads)}); "
            "--leads names those that it has, in their order"
        )
    if values.shape[0] == values.shape[1]:
        raise ValueError(f"its shape {values.shape} does not tell leads from samples")
    rows = values if values.shape[0] == len(leads) else values.T
    part, more = middle_part(rows.shape[1], fs)
    return to_record(np.asarray(rows[:, part]), leads, fs, units, [*remarks, *more])
