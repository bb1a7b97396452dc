"""Embeddings of anyone's encoder, read from a file and put beside the records of a task by their keys."""

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fgclep.errors import UserError
from fgclep.evaluation.known_records import KnownRecords
from fgclep.evaluation.task_records import in_published_split
from fgclep.evaluation.tasks import Task
from fgclep.keys import KEY
from fgclep.recordings.formats import FORMATS as RECORDINGS
from fgclep.tables import as_lists

FORMATS = (".npz", ".parquet")
_SHOWN = 5  # keys in a message
_SUFFIXES = {
    extension for kind in RECORDINGS.values() for extension in kind.extensions
}  # with which a recording's file may be given as key
_WAY = (
    "write an NPZ with the arrays keys (text, shape (n,)) and embeddings (numbers, shape (n, d)), or Parquet with the "
    "columns key and embedding"
)


@dataclass(frozen=True)
class GivenEmbeddings:
    """What a file has.

    Attributes
    ----------
    name
        Of the encoder in tables: that of the file without extension, of a run's file that of its folder.
    path
        The file, for messages.
    keys
        As given, shape (n,), text.
    vectors
        Float32, shape (n, d), finite.
    """

    name: str
    path: Path
    keys: np.ndarray
    vectors: np.ndarray


def read_embeddings(path: Path) -> GivenEmbeddings:
    """Read an NPZ with ``keys`` and ``embeddings``, or Parquet: ``key`` and ``embedding``, or a run's ``EMBEDDINGS``.

    Raises
    ------
    UserError
        Naming the file and the array, column or keys: it is of another format or damaged, of other shapes or types, a
        key is given twice, or a value is not finite.
    """
    if path.suffix not in FORMATS:
        raise UserError(f"{path}: embeddings are read from {' and '.join(FORMATS)}; {_WAY}")
    if not path.is_file():
        raise UserError(f"{path} does not exist")
    name = path.stem
    try:
        if path.suffix == ".npz":
            keys, vectors = _from_npz(path)
        else:
            keys, vectors, is_of_run = _from_parquet(path)
            name = path.absolute().parent.name if is_of_run else name
    except (zipfile.BadZipFile, zlib.error, pa.ArrowException, EOFError, OSError) as error:
        raise UserError(f"{path} is truncated or damaged ({error}); {_WAY}") from error
    if vectors.ndim != 2 or not vectors.shape[1] or len(vectors) != len(keys):
        raise UserError(
            f"{path}: {len(keys):,} keys and embeddings of shape {vectors.shape}, which must be (keys, dimensions); "
            f"{_WAY}"
        )
    wrong = ~np.isfinite(vectors).all(axis=1)
    if wrong.any():
        raise UserError(
            f"{path}: {_named(keys[wrong])} NaN, infinite or beyond float32; give finite numbers for every record, or "
            "leave these out of the file and add --allow-missing"
        )
    names, counts = np.unique(keys, return_counts=True)
    if (counts > 1).any():
        raise UserError(f"{path}: {_named(names[counts > 1])} given more than once; give each record one embedding")
    return GivenEmbeddings(name, path, keys, vectors)


def _from_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if missing := [name for name in ("keys", "embeddings") if name not in arrays]:
                raise UserError(f"{path} has no array {missing[0]!r}, but {sorted(arrays)}; {_WAY}")
            keys, vectors = arrays["keys"], arrays["embeddings"]
    except ValueError as error:  # of arrays of objects, which are not loaded
        raise UserError(f"{path}: {error}; {_WAY}") from error
    if keys.ndim != 1 or keys.dtype.kind != "U":
        raise UserError(f"{path}: keys are {keys.dtype} of shape {keys.shape}, and must be text of shape (n,); {_WAY}")
    if vectors.dtype.kind not in "fiu":
        raise UserError(f"{path}: embeddings are {vectors.dtype}, and must be real numbers; {_WAY}")
    return keys, _single(vectors)


def _from_parquet(path: Path) -> tuple[np.ndarray, np.ndarray, bool]:
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        is_of_run = {*KEY, "features"} <= set(names)
        wanted = [*KEY, "features"] if is_of_run else ["key", "embedding"]
        if missing := [name for name in wanted if name not in names]:
            raise UserError(f"{path} has no column {missing[0]!r}, but {', '.join(names)}; {_WAY}")
        table = file.read(wanted)
    if is_of_run:
        keys = [f"{source}/{record}" for source, record in zip(*(table[name].to_pylist() for name in KEY), strict=True)]
    else:
        keys = table["key"].to_pylist()
        if not pa.types.is_string(table["key"].type) and not pa.types.is_large_string(table["key"].type):
            raise UserError(f"{path}: the column key is {table['key'].type}, and must be text; {_WAY}")
        if None in keys:
            raise UserError(f"{path}: row {keys.index(None) + 1:,} has no key; {_WAY}")
    column = table[wanted[-1]].combine_chunks()
    try:
        lists = column.cast(pa.list_(pa.float32()), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UserError(
            f"{path}: the column {wanted[-1]} is {column.type}, and must be lists of numbers; {_WAY}"
        ) from error
    sizes = lists.value_lengths().fill_null(-1).to_numpy(zero_copy_only=False)
    if len(set(sizes.tolist())) > 1 or (sizes == -1).any():
        odd = int(np.argmax(sizes != np.bincount(np.maximum(sizes, 0)).argmax()))
        raise UserError(
            f"{path}: {keys[odd]} has {max(0, int(sizes[odd]))} numbers, unlike others; give all records embeddings of "
            "one length"
        )
    flat = lists.flatten().to_numpy(zero_copy_only=False)
    return np.array(keys, dtype=str), flat.reshape(len(keys), len(flat) // max(1, len(keys))), is_of_run


def _single(vectors: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # what becomes infinite is told with its key
        return vectors.astype(np.float32)


def _named(keys: Sequence[str] | np.ndarray, verb: tuple[str, str] = ("is", "are")) -> str:
    """Some keys in words, with a verb: ``00001, 00002 and 3 more are``."""
    shown, more = ", ".join(map(str, keys[:_SHOWN])), len(keys) - _SHOWN
    return f"{shown}{f' and {more:,} more' if more > 0 else ''} {verb[len(keys) > 1]}"


def _record_id(key: str, known: KnownRecords, ids: set[str]) -> str | None:
    """Id of the record of a source that a key names: an id, ``source/id``, or the path of a recording."""
    plain = key.removesuffix(PurePosixPath(key).suffix) if PurePosixPath(key).suffix.lower() in _SUFFIXES else key
    names = (key, key.removeprefix(f"{known.source.key}/"), known.source.record_id(plain.replace("\\", "/")))
    return next((name for name in names if name in ids), None)


def places_of(given: GivenEmbeddings, known: Sequence[KnownRecords]) -> list[dict[str, int]]:
    """Find the records that the keys name.

    Returns
    -------
    For each source the row of the embeddings by record id.

    Raises
    ------
    UserError
        Naming keys that no source has, that two sources have, or that name one record twice.
    """
    ids = [{*some.table["record_id"].to_pylist(), *some.unused} for some in known]
    places: list[dict[str, int]] = [{} for _ in known]
    strange: list[str] = []
    unclear: list[str] = []
    twice: list[str] = []
    for row, key in enumerate(given.keys.tolist()):
        found = [(own, _record_id(key, some, every)) for own, some, every in zip(places, known, ids, strict=True)]
        named = [(own, name) for own, name in found if name is not None]
        if len(named) != 1:
            (unclear if named else strange).append(key)
        elif named[0][1] in named[0][0]:
            twice.append(key)
        else:
            named[0][0][named[0][1]] = row
    sources = ", ".join(some.source.key for some in known)
    for keys, what, way in (
        (strange, f"no record of {sources}", "give the ids of its records, source/id, or the paths of its recordings"),
        (unclear, "of more than one source", f"write them as source/id, with one of {sources}"),
        (twice, "of a record that another key names, too", "give each record one embedding"),
    ):
        if keys:
            raise UserError(f"{given.path}: {_named(keys)} {what}; {way}")
    return places


def ids_of_task(known: KnownRecords, task: Task, published: Mapping[str, pa.Table]) -> list[str]:
    """Ids of the records that a task is made of: those with a class of it, in its published split if it has one."""
    table = known.table
    if task.split is not None and task.name in published:
        table = in_published_split(table, published[task.name], task)
    member = task.labels(table["codes"].to_pylist()).any(axis=1)
    return list(table["record_id"].filter(pa.array(member)).to_pylist())


def check_complete(given: GivenEmbeddings, places: dict[str, int], wanted: Sequence[str], task: Task) -> None:
    """Raise ``UserError`` naming the records of a task that the file lacks."""
    if missing := [name for name in wanted if name not in places]:
        raise UserError(
            f"{given.path}: {_named(missing)} missing, of the {len(wanted):,} records of {task.name}; embed these as "
            "well, or add --allow-missing to leave them out of every file"
        )


def embeddings_table(given: GivenEmbeddings, places: dict[str, int], known: KnownRecords, common: set[str]) -> pa.Table:
    """Return the records of a source that are ``common``, for ``task_records``: their columns, and ``features``."""
    kept = [name in common for name in known.table["record_id"].to_pylist()]
    table = known.table.filter(pa.array(kept, pa.bool_()))
    rows = [places[name] for name in table["record_id"].to_pylist()]
    return table.append_column("features", as_lists(given.vectors[rows]))
