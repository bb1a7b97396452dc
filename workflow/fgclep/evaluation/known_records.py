"""Records of a task's source with their patients, splits and codes: of a finished run, or of the database itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from fgclep.errors import UserError
from fgclep.fetch.lists import listed_records
from fgclep.fetch.manifest import build_manifest
from fgclep.header import read_header
from fgclep.keys import KEY
from fgclep.recordings.wfdb_file import codes_of
from fgclep.schemas.quarantine import QUARANTINE
from fgclep.schemas.shards import SHARD
from fgclep.sources.source import Source
from fgclep.tables import read_table

COLUMNS = [*KEY, "patient_id", "split", "codes"]


@dataclass(frozen=True)
class KnownRecords:
    """The records of a source.

    Attributes
    ----------
    source
        Whose ``record_id`` makes an id of a path.
    table
        The columns ``COLUMNS`` of those that can be used.
    unused
        Ids of those that cannot: damaged, or in no split.
    """

    source: Source
    table: pa.Table
    unused: frozenset[str]


def records_of_run(source: Source, results: Path, shards: Sequence[Path]) -> KnownRecords:
    """Read the records of a run's shards.

    Parameters
    ----------
    source
        The database.
    results
        Folder of the run.
    shards
        Those of the source, of the schema ``SHARD``.

    Raises
    ------
    UserError
        If there are none.
    """
    if not shards:
        raise UserError(
            f"{results / 'shards' / source.key} has no shards; give the results of a run that has {source.key}, or "
            "--base with the folder of the database"
        )
    table = pa.concat_tables([read_table(path, SHARD, COLUMNS) for path in shards])
    left = [read_table(path, QUARANTINE) for path in sorted((results / "quarantine" / source.key).glob("*.parquet"))]
    return KnownRecords(source, table, frozenset(name for some in left for name in some["record_id"].to_pylist()))


def records_of_base(source: Source, base: Path, test_fold: int | None) -> KnownRecords:
    """Read the tables of a database, and its headers if the codes stand there; no signal is read.

    Parameters
    ----------
    source
        The database.
    base
        Folder that holds it as PhysioNet does, ``<slug>/<version>/``.
    test_fold
        See ``Source.at``; ``None``: the official one.

    Raises
    ------
    UserError
        If a file is missing or damaged, or the source is none of PhysioNet's.
    """
    if source.is_own_folder or source.streamed:
        raise UserError(f"the source {source.key} is no database of PhysioNet: give the results of a run, --results")
    folder = base / source.slug / str(source.version)
    for name in ("SHA256SUMS.txt", "RECORDS", *source.tables):
        if not (folder / name).is_file():
            raise UserError(
                f"{folder / name} does not exist; --base is the folder that holds {source.slug}/{source.version}/ as "
                "PhysioNet has it"
            )
    fold = source.at(None, test_fold).test_fold
    found = [one for one in (source, *source.others) if one.test_fold == fold]
    chosen = next((one for one in found if listed_records(folder, one.folder)[0]), found[0])
    manifest, quarantine = build_manifest(chosen, folder, 1)
    codes = [_codes(folder, path) if own is None else own for path, own in manifest.select("path", "codes").iter_rows()]
    columns = {name: manifest[name].to_list() for name in COLUMNS[:-1]} | {"codes": codes}
    table = pa.table(columns, schema=pa.schema([SHARD.field(name) for name in COLUMNS]))
    return KnownRecords(chosen, table, frozenset(quarantine["record_id"].to_list()))


def _codes(folder: Path, path: str) -> list[str]:
    header = folder / f"{path}.hea"
    try:
        return list(codes_of(read_header(header)))
    except (OSError, ValueError) as error:
        raise UserError(f"{header} cannot be read, which has the codes of the record: {error}") from error
