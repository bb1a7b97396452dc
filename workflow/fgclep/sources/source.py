"""What the workflow needs to know about a database."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from fgclep.errors import UserError
from fgclep.folds import stable_bucket

RECORD_COLUMNS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "record_id": pl.String,
    "patient_id": pl.String,
    "path": pl.String,
    "split": pl.String,
    "age": pl.Float32,
    "sex": pl.String,
    "report": pl.List(pl.String),
    "codes": pl.List(pl.String),
}
INTERVAL_COLUMNS = ("heart_rate", "pr_ms", "qrs_ms", "qt_ms", "qtc_ms", "p_ms", "p_axis", "qrs_axis", "t_axis")


@dataclass(frozen=True)
class Published:
    """Size of a database as published, for plans made before its lists are fetched.

    Attributes
    ----------
    records
        Recordings.
    record_bytes
        Mean size of a record's files, header and signals.
    statements
        Distinct statements that leave features out, of its reports; ``None`` if nobody has counted them.
    """

    records: int
    record_bytes: int
    statements: int | None = None


@dataclass(frozen=True)
class Source:
    """A database: where its files lie and how its tables are read.

    Attributes
    ----------
    key
        Its name in the config and in the column ``source``.
    slug
        Its name in PhysioNet's addresses; empty for a folder of the user's own, which ``base`` names itself and which
        has neither versions nor lists: ``fetch_metadata`` makes ``RECORDS`` and ``SHA256SUMS.txt``.
    version
        The version that the module was written for, the default of the config; ``None`` if it has no versions.
    folder
        Where its records lie below the version's folder; empty: anywhere.
    tables
        Files of metadata beside ``RECORDS`` and ``SHA256SUMS.txt``.
    records
        From the folder of metadata and the paths of all complete records to the rows of the manifest
        (``RECORD_COLUMNS``), before they are compared with the paths; a record without a split is in none.
    record_id
        From a path to the record's id.
    intervals
        From the folder of metadata to the database's own measurements (``record_id`` and ``INTERVAL_COLUMNS``, null
        where missing); ``None`` if it has none.
    published
        Its size as published; ``None`` if it is not one database, but whatever the user has.
    gain
        ADC units per mV that the database's documentation states for all records; a header that says otherwise is
        wrong. ``None`` if nothing is documented.
    sampling_rate
        Hz, if all records have the same by the documentation; a record with another one is refused.
    test_fold
        Number of the official fold whose records are the test split, as ``records`` gives it; those of later folds are
        in no split. ``None`` if the database has no folds to choose from.
    license
        Address of the licence that it is published under; ``None`` if it has none, or only the user knows it.
    streamed
        Its records are simulated straight into the shards: it has neither files nor lists nor versions.
    others
        The same database in files of another sampling rate, or with another test fold; ``at`` chooses among them.
    """

    key: str
    slug: str
    version: str | None
    folder: str
    tables: tuple[str, ...]
    records: Callable[[Path, set[str]], pl.DataFrame]
    record_id: Callable[[str], str]
    intervals: Callable[[Path], pl.DataFrame] | None = None
    published: Published | None = None
    gain: float | None = None
    sampling_rate: float | None = None
    test_fold: int | None = None
    license: str | None = None
    streamed: bool = False
    others: tuple["Source", ...] = ()

    def at(self, sampling_rate: float | None = None, test_fold: int | None = None) -> "Source":
        """Return the database in its files of a sampling rate (Hz), with a test fold; ``None``: those of this one.

        Raises ``UserError`` that names what there is, if it has no such rate or fold.
        """
        found = (self, *self.others)
        rate, fold = sampling_rate or self.sampling_rate, test_fold or self.test_fold
        for name, value, known in (
            ("sampling_rate", rate, [source.sampling_rate for source in found]),
            ("test_fold", fold, [source.test_fold for source in found]),
        ):
            if value not in known:
                given = [f"{one:g}" for one in dict.fromkeys(known) if one is not None]
                raise UserError(
                    f"{name} is {value}, and {self.key} has {' and '.join(given) or 'none to choose'}. Write\n\n"
                    f"    data:\n      sources:\n        {self.key}:\n          {name}: {(given or ['null'])[0]}"
                )
        return next(source for source in found if (source.sampling_rate, source.test_fold) == (rate, fold))

    @property
    def knows_patients(self) -> bool:
        """Whether it says, or it is known, whose its records are; without it splits are by record alone."""
        return self.streamed or self.records is not records_with_headers

    @property
    def is_own_folder(self) -> bool:
        """Whether it is a folder of the user's own, and no database as PhysioNet publishes them."""
        return not self.slug

    def chunk_of(self, path: str, chunks: int) -> int:
        """Chunk of a record, 0 to ``chunks - 1``: a hash of the id in its path, so that a new record moves no other.

        It depends on no table: the records of a chunk can be fetched by the list of files alone.
        """
        return stable_bucket(self.record_id(path), chunks)


def csv_columns(path: Path) -> list[str]:
    """Return the column names of a CSV file.

    Raises ``UserError`` that names the file if it cannot be read.
    """
    try:
        return pl.read_csv(path, n_rows=0, infer_schema=False).columns
    except FileNotFoundError:
        raise UserError(
            f"{path} does not exist. Delete the folder {path.parent} and run snakemake again: it is fetched anew, and "
            "the records after it"
        ) from None
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UserError(f"{path} cannot be read as CSV: {error}") from error


def read_csv(path: Path, columns: tuple[str, ...]) -> pl.DataFrame:
    """Read columns of a CSV file as text; an empty cell is null.

    Raises ``UserError`` that names the file and the columns that are missing, or why it cannot be read.
    """
    header = csv_columns(path)
    if missing := [name for name in columns if name not in header]:
        raise UserError(
            f"{path}: column {', '.join(map(repr, missing))} is missing; expected are {', '.join(columns)}, "
            f"found are {', '.join(header)}. Is data.sources.<source>.version one that the workflow knows?"
        )
    try:
        return pl.read_csv(path, columns=list(columns), infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UserError(f"{path} cannot be read as CSV: {error}") from error


def last_part(path: str) -> str:
    """Return the file name of a record's path, which is its id in most databases."""
    return path.rpartition("/")[2]


def records_with_headers(metadata: Path, paths: set[str]) -> pl.DataFrame:
    """Rows of a database without tables: age, sex and codes stand in the records' headers.

    No patient ids are published, so each record counts as a patient of its own. A hash of the record id divides them
    into train (7/10), val (1/10) and test (2/10).
    """
    ordered = sorted(paths)
    ids = [last_part(path) for path in ordered]
    rows = {
        "record_id": ids,
        "patient_id": ids,
        "path": ordered,
        "split": [split_of(name) for name in ids],
        "report": [[] for _ in ids],
    }
    return pl.DataFrame(
        {name: rows.get(name, [None] * len(ids)) for name in RECORD_COLUMNS}, schema=dict(RECORD_COLUMNS)
    )


def split_of(patient_id: str) -> str:
    """Split of a patient where none is published, by a hash: train (7/10), val (1/10) or test (2/10)."""
    bucket = stable_bucket(f"split/{patient_id}", 10)
    return "test" if bucket < 2 else "val" if bucket == 2 else "train"
