"""An ECG in a NumPy file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fgclep.leads import LEADS
from fgclep.recordings.volts import to_record
from fgclep.signals.record import LONGEST_SECONDS, Record, middle_part

_LARGE = 2**23  # numbers, of more of which only the part that is used is read, and checked


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
    if not isinstance(values, np.ndarray):
        values.close()
        raise ValueError("it is an archive of arrays (NPZ) by its content; save the ECG's array with numpy.save")
    if not (np.issubdtype(values.dtype, np.integer) or np.issubdtype(values.dtype, np.floating)):
        raise ValueError(f"it holds {values.dtype}, not real numbers")
    remarks = []
    if leads is None:
        leads = LEADS
        remarks.append(f"leads are taken as {', '.join(LEADS)}; --leads if they are others")
    if values.ndim == 1 and len(leads) == 1:
        values = values[None]
    while values.ndim > 2 and 1 in (values.shape[0], values.shape[-1]):  # one recording of a batch
        values = values[0] if values.shape[0] == 1 else values[..., 0]
    if values.ndim > 2:
        raise ValueError(f"its shape {values.shape} is of many recordings; write each to a file of its own")
    if values.ndim != 2 or len(leads) not in values.shape:
        usual = ", which for eight are usually --leads I,II,V1,V2,V3,V4,V5,V6" if 8 in values.shape else ""
        raise ValueError(
            f"its shape {values.shape} has no side of {len(leads)}, the number of leads ({', '.join(leads)}); "
            f"--leads names those that it has, in their order{usual}"
        )
    if values.shape[0] == values.shape[1]:
        raise ValueError(f"its shape {values.shape} does not tell leads from samples")
    rows = values if values.shape[0] == len(leads) else values.T
    if values.size > _LARGE:
        part, more = middle_part(rows.shape[1], fs)
        rows, remarks = rows[:, part], [*remarks, *more]
    whole = np.issubdtype(values.dtype, np.integer)
    return to_record(np.asarray(rows), leads, fs, units, remarks, whole, LONGEST_SECONDS)
