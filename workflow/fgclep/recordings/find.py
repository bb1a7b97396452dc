"""The recordings that a name stands for: a file, a WFDB record, or all below a folder."""

from collections import Counter
from pathlib import Path

from fgclep.header import header_file
from fgclep.recordings.formats import FORMATS

READ = (
    "a WFDB record (.hea), EDF (.edf), BDF (.bdf), CSV (.csv, .tsv), NumPy array (.npy), XML of MUSE, Sierra, aECG or "
    "Mortara (.xml), DICOM (.dcm), SCP-ECG (.scp) or ISHNE (.ecg)"
)
_WFDB = FORMATS["wfdb"].extensions
_SIGNALS = {".dat", ".mat", ".xyz", ".flac"}  # which a header in their folder or above names


def find_recordings(name: str | Path) -> tuple[list[Path], list[str]]:
    """Return the recordings that a name stands for.

    Parameters
    ----------
    name
        A file, a WFDB record with or without extension, or a folder: then all recordings in it and its subfolders, in
        sorted order. Hidden files are left out.

    Returns
    -------
    list of Path, list of str
        Recordings, for ``read_recording``; and remarks on the files of the folder that are left out: CSV files in which
        no column is a lead, and files of other kinds.

    Raises
    ------
    ValueError
        If a folder holds no recordings.
    """
    folder = Path(name)
    if not folder.is_dir():
        return [folder], []
    # loaded on demand: a file's name tells enough without readers
    from fgclep.recordings.clinical_file import is_ecg_xml
    from fgclep.recordings.csv_file import names_leads

    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    paths = [path for path in paths if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    headers = {path.with_suffix("") for path in paths if path.suffix.lower() == ".hea"}
    with_headers = {header.parent for header in headers}
    found: list[Path] = []
    tables: list[Path] = []
    others: Counter[str] = Counter()
    for path in paths:
        extension = path.suffix.lower()
        kind = next((kind for kind, known in FORMATS.items() if extension in known.extensions), None)
        if kind == "csv" and not names_leads(path):
            tables.append(path)
        elif kind == "xml" and not is_ecg_xml(path):
            others[extension] += 1
        elif kind is not None and extension not in _SIGNALS:
            found.append(path)
        elif path.with_suffix("") not in headers and (
            extension not in _SIGNALS or with_headers.isdisjoint(path.parents)
        ):
            others[extension or "without extension"] += 1  # neither signals nor annotations of a record
    remarks = []
    if tables:
        shown = ", ".join(path.name for path in tables[:3]) + (", ..." if len(tables) > 3 else "")
        remarks.append(f"left out {len(tables):,} CSV files in which no column is a lead ({shown})")
    if others:
        remarks.append(f"left out {others.total():,} files of other kinds ({', '.join(sorted(others))})")
    if not found:
        more = f" ({'; '.join(remarks)})" if remarks else ""
        raise ValueError(f"the folder holds no recordings{more}; read are {READ}")
    return found, remarks


def kind_of(path: Path) -> tuple[str, Path]:
    """Return the format of a recording, of ``FORMATS``, and its path, of WFDB without extension.

    Raises
    ------
    ValueError
        If there is no such file, or its extension is none of those that are read.
    """
    extension = path.suffix.lower()
    record = path.with_suffix("") if extension in _WFDB else path
    if header_file(record) is not None:
        return "wfdb", record
    for kind, known in FORMATS.items():
        if kind != "wfdb" and extension in known.extensions:
            if not path.is_file():
                raise ValueError("there is no such file")
            return kind, path
    if path.exists() and extension not in _WFDB:
        raise ValueError(f"the extension {path.suffix!r} is not known; read are {READ}")
    raise ValueError(f"record {record.name}: the file {record.name}.hea is missing")
