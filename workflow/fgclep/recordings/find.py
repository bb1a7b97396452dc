"""The recordings that a name stands for: a file, a WFDB record, or all below a folder."""

from pathlib import Path

from fgclep.recordings.csv_file import names_leads

WFDB, EDF, CSV, NPY = (".hea", ".dat", ".mat"), (".edf",), (".csv", ".tsv"), (".npy",)
READ = "a WFDB record (.hea), EDF (.edf), CSV (.csv, .tsv) or NumPy array (.npy)"


def find_recordings(name: str | Path) -> tuple[list[Path], list[Path]]:
    """Return the recordings that a name stands for.

    Parameters
    ----------
    name
        A file, a WFDB record with or without extension, or a folder: then all recordings in it and its subfolders, in
        sorted order. Hidden files are left out.

    Returns
    -------
    list of Path, list of Path
        Recordings, for ``read_recording``; and CSV files of the folder that are left out because no column is a lead.

    Raises
    ------
    ValueError
        If a folder holds no recordings.
    """
    folder = Path(name)
    if not folder.is_dir():
        return [folder], []
    found: list[Path] = []
    others: list[Path] = []
    for path in sorted(folder.rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        extension = path.suffix.lower()
        if extension not in {".hea", *EDF, *CSV, *NPY} or not path.is_file():
            continue
        (others if extension in CSV and not names_leads(path) else found).append(path)
    if not found:
        more = f" ({len(others)} CSV files without leads)" if others else ""
        raise ValueError(f"the folder holds no recordings{more}; read are {READ}")
    return found, others


def kind_of(path: Path) -> tuple[str, Path]:
    """Return the format of a recording (``wfdb``, ``edf``, ``csv`` or ``npy``) and its path, of WFDB without extension.

    Raises
    ------
    ValueError
        If there is no such file, or its extension is none of those that are read.
    """
    extension = path.suffix.lower()
    if extension in WFDB:
        return "wfdb", path.with_suffix("")
    if path.with_name(f"{path.name}.hea").is_file():  # a name with a dot in it
        return "wfdb", path
    for kind, extensions in (("edf", EDF), ("csv", CSV), ("npy", NPY)):
        if extension in extensions:
            if not path.is_file():
                raise ValueError("there is no such file")
            return kind, path
    if path.exists():
        raise ValueError(f"the extension {path.suffix!r} is not known; read are {READ}")
    return "wfdb", path
