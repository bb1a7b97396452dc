"""One recording of any format, checked and repaired."""

from collections.abc import Sequence
from pathlib import Path

from fgclep.config.quality import QualitySection
from fgclep.errors import of_the_machine
from fgclep.recordings.csv_file import read_csv
from fgclep.recordings.edf_file import read_edf
from fgclep.recordings.find import kind_of
from fgclep.recordings.labels import check_once
from fgclep.recordings.npy_file import read_npy
from fgclep.recordings.wfdb_file import read_record
from fgclep.signals.quality import usable_record
from fgclep.signals.record import LONGEST_SECONDS, MISSING, Record

_MANY_LEADS = 4
_SATURATED = 32767
_SAME = 0.005  # of the peak-to-peak; in hearts the leads differ by more than half of it


def read_recording(
    path: str | Path, fs: float | None = None, leads: Sequence[str] | None = None, units: str | None = None
) -> Record:
    """Read a recording, and repair or refuse it as the workflow does (``fgclep.signals.quality``), with any leads.

    Of a longer recording the middle 60 s are taken.

    Parameters
    ----------
    path
        A WFDB record with or without extension, or an EDF, CSV or NPY file.
    fs
        Sampling rate in Hz of a CSV or NPY file; a CSV file may have a column of time in its place.
    leads
        Canonical names of the columns of a CSV file without a header, or of the rows or columns of an NPY file, whose
        default is ``fgclep.leads.LEADS``.
    units
        mV, uV or V: those of a CSV or NPY file, or of an EDF file that does not say; ``None``: guessed by the
        amplitude.

    Returns
    -------
    Record
        With leads in canonical order, at least one; ``remarks`` say what was guessed, left out or repaired.

    Raises
    ------
    ValueError
        With the reason why it cannot be read or used, which does not name the path.
    """
    kind, path = kind_of(Path(path))
    if leads is not None:
        check_once(leads, leads)
    if kind == "wfdb":
        record = read_record(path, LONGEST_SECONDS)
    else:
        try:
            if not path.stat().st_size:
                raise ValueError("it is empty")
            if kind == "edf":
                record = read_edf(path, units)
            else:
                record = (read_csv if kind == "csv" else read_npy)(path, fs, leads, units)
        except OSError as error:
            if of_the_machine(error):
                raise
            raise ValueError(f"it cannot be read: {error.strerror or error}") from error
        except ValueError as error:  # a library's words on a file are a reason like ours
            raise ValueError(str(error)) from error
    _check_scale(record)
    return usable_record(record, QualitySection(), all_leads=False)


def _check_scale(record: Record) -> None:
    """Refuse leads that were scaled one by one to the same peak-to-peak, as LUDB's headers and min-max scaling do."""
    spans = []
    for row, gain in zip(record.digital, record.gain, strict=True):
        known = row[row != MISSING]
        if len(known) and max(known.max(), -int(known.min())) == _SATURATED:
            return
        spans.append((int(known.max()) - int(known.min())) / abs(gain) if len(known) else 0.0)
    if len(spans) >= _MANY_LEADS and 0 < max(spans) <= (1 + _SAME) * min(spans):
        raise ValueError(
            f"every lead has the same peak-to-peak ({min(spans):.3g} mV): each was scaled for itself, and what "
            "millivolts they had is lost"
        )
