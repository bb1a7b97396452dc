"""One recording of any format, checked and repaired."""

from collections.abc import Sequence
from pathlib import Path

from fgclep.config.quality import QualitySection
from fgclep.errors import of_the_machine
from fgclep.recordings.clinical_file import read_clinical
from fgclep.recordings.csv_file import read_csv
from fgclep.recordings.edf_file import read_edf
from fgclep.recordings.find import kind_of
from fgclep.recordings.labels import check_once
from fgclep.recordings.npy_file import read_npy
from fgclep.recordings.wfdb_file import read_record
from fgclep.signals.quality import usable_record
from fgclep.signals.record import LONGEST_SECONDS, Record


def read_recording(
    path: str | Path, fs: float | None = None, leads: Sequence[str] | None = None, units: str | None = None
) -> Record:
    """Read a recording, and repair or refuse it as the workflow does (``fgclep.signals.quality``), with any leads.

    Arguments and errors as for ``read_file``, and leads are in canonical order, at least one.
    """
    return usable_record(read_file(path, fs, leads, units), QualitySection(), all_leads=False)


def read_file(
    path: str | Path, fs: float | None = None, leads: Sequence[str] | None = None, units: str | None = None
) -> Record:
    """Read a recording as it is.

    Of a longer recording the middle 60 s are taken.

    Parameters
    ----------
    path
        A WFDB record with or without extension, or a file of another kind of ``fgclep.recordings.formats``.
    fs
        Sampling rate in Hz of a CSV or NPY file, and of a WFDB record whose header says none; a CSV file may have a
        column of time in its place.
    leads
        Canonical names of the leads of a file that names none, in its order; of NPY, ``None`` is
        ``fgclep.leads.LEADS``.
    units
        mV, uV or V, where the file has no unit, or one that is none of these; ``None``: guessed by the amplitude.
        A CSV's is overruled.

    Returns
    -------
    Record
        ``remarks`` say what was guessed or left out.

    Raises
    ------
    ValueError
        With the reason why it cannot be read or used, which does not name the path; also if ``fs``, ``leads`` or
        ``units`` is another than the file's own.
    OSError, MemoryError
        Of the machine, as ``read_record``.
    """
    kind, path = kind_of(Path(path))
    if leads is not None:
        check_once(leads, leads)
    try:
        if kind != "wfdb" and not path.stat().st_size:
            raise ValueError("it is empty")
        return READERS[kind](path, fs, leads, units)
    except OSError as error:
        if of_the_machine(error):
            raise
        raise ValueError(f"it cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a library's words on a file are a reason like ours
        raise ValueError(str(error)) from error


def _wfdb(path: Path, fs: float | None, leads: Sequence[str] | None, units: str | None) -> Record:
    return _with_own_rate(read_record(path, LONGEST_SECONDS, leads=leads, units=units, fs=fs), fs)


def _edf(path: Path, fs: float | None, leads: Sequence[str] | None, units: str | None) -> Record:
    return _with_own_rate(read_edf(path, leads, units), fs)


def _clinical(path: Path, fs: float | None, leads: Sequence[str] | None, units: str | None) -> Record:
    return _with_own_rate(read_clinical(path, leads, units), fs)


def _with_own_rate(record: Record, fs: float | None) -> Record:
    if fs is not None and fs != record.sampling_rate:
        raise ValueError(f"the sampling rate is {record.sampling_rate:g} Hz by its header; leave --fs {fs:g} out")
    return record


READERS = {
    "wfdb": _wfdb,
    "edf": _edf,
    "csv": read_csv,
    "npy": read_npy,
    "xml": _clinical,
    "dicom": _clinical,
    "scp": _clinical,
    "ishne": _clinical,
}  # of FORMATS
