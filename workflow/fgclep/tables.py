"""Parquet tables of a known schema, checked on write and on read (``fgclep.schemas``)."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fgclep.errors import UserError, damaged
from fgclep.files import whole_file

ROWS_PER_GROUP = 2**14  # of a table written in parts


def leave_out_pandas() -> None:
    """Keep pyarrow from importing pandas, in a process that is ours alone.

    With the first array that it makes, pyarrow imports pandas to tell whether it was given a series, 0.3 s and 60 MB in
    every process. It asks once; afterwards, NaN in a series of pandas that becomes an array is no null any more.
    """
    sys.meta_path.insert(0, _NoPandas)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(_NoPandas)


class _NoPandas:
    """As if pandas were not installed, to what imports it."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        if name == "pandas":
            raise ModuleNotFoundError(name)
        return None


def _mismatch(found: pa.Schema, schema: pa.Schema) -> str:
    problems = [f"column {f.name!r} is missing" for f in schema if f.name not in found.names]
    problems += [f"column {n!r} is not expected" for n in found.names if n not in schema.names]
    problems += [
        f"column {f.name!r} is {found.field(f.name).type}, expected {f.type}"
        for f in schema
        if f.name in found.names and found.field(f.name).type != f.type
    ]
    return "; ".join(problems) or "the columns are in another order"


def _checked(table: pa.Table | list[dict], path: Path, schema: pa.Schema) -> pa.Table:
    if not isinstance(table, pa.Table):
        # from_pylist would leave them out in silence, and a column that was renamed be null
        if unknown := {name for row in table for name in row.keys() - set(schema.names)}:
            raise ValueError(f"{path}: {'; '.join(f'column {name!r} is not expected' for name in sorted(unknown))}")
        table = pa.Table.from_pylist(table, schema=schema)
    if table.schema.names != schema.names:
        raise ValueError(f"{path}: {_mismatch(table.schema, schema)}")
    try:
        table = table.cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error
    for field in schema:
        if not field.nullable and table.column(field.name).null_count:
            raise ValueError(f"{path}: column {field.name!r} holds nulls")
    return table


def _leaves(schema: pa.Schema) -> list[str]:
    """Names of a schema's columns as Parquet knows them: those of lists have two parts more."""
    return [f"{field.name}.list.element" if pa.types.is_nested(field.type) else field.name for field in schema]


@contextmanager
def table_writer(path: str | Path, schema: pa.Schema) -> Iterator[Callable[[pa.Table | list[dict]], None]]:
    """Write a Parquet file in pieces, each a row group; it appears under its name when all is written.

    Yields a function that takes rows or a table and raises ``ValueError``, which names the file and the column, when
    names or types differ from ``schema`` or a null stands where none may.
    """
    path = Path(path)
    # what is large is packed already (fgclep.signals.encoding), hardly ever equal, and would fill the footer
    large = {field.name for field in schema if field.type == pa.large_binary()}
    small = [field.name for field in schema if field.name not in large and not pa.types.is_nested(field.type)]
    codecs = {column: "none" if column in large else "zstd" for column in _leaves(schema)}
    with (
        whole_file(path) as partial,
        pq.ParquetWriter(partial, schema, compression=codecs, use_dictionary=small, write_statistics=small) as writer,
    ):

        def write(rows: pa.Table | list[dict]) -> None:
            table = _checked(rows, path, schema)
            writer.write_table(table, row_group_size=max(1, len(table)))

        yield write


def write_table(
    table: pa.Table | list[dict], path: str | Path, schema: pa.Schema, row_group_size: int | None = None
) -> None:
    """Write rows or a table as Parquet at once; see ``table_writer``."""
    with table_writer(path, schema) as write:
        rows = _checked(table, Path(path), schema)
        size = row_group_size or 2**20
        for start in range(0, max(1, len(rows)), size):
            write(rows.slice(start, size))


def write_parts(parts: Iterable[pa.Table], path: str | Path, schema: pa.Schema) -> None:
    """Write a table that comes in parts and is never in memory as a whole; see ``table_writer``.

    Parts are joined to row groups of ``ROWS_PER_GROUP`` rows or a little more.
    """
    with table_writer(path, schema) as write:
        waiting, written = [schema.empty_table()], False
        for part in parts:
            waiting.append(_checked(part, Path(path), schema))
            if sum(map(len, waiting)) >= ROWS_PER_GROUP:
                write(pa.concat_tables(waiting))
                waiting, written = [schema.empty_table()], True
        if len(waiting) > 1 or not written:
            write(pa.concat_tables(waiting))


def check_table(path: str | Path, schema: pa.Schema) -> None:
    """Check names and types of a Parquet file against ``schema``; only its footer is read.

    Raises ``ValueError`` that names the file and the columns when it was written by something else, and ``UserError``
    when it is truncated or damaged.
    """
    with _damage_explained(path):
        found = pq.read_schema(path).remove_metadata()
    if found.names != schema.names or [f.type for f in found] != [f.type for f in schema]:
        raise ValueError(f"{path}: {_mismatch(found, schema)}; delete it and run snakemake again")


def read_table(path: str | Path, schema: pa.Schema, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a Parquet file after ``check_table``; ``columns`` limits what is read."""
    check_table(path, schema)
    # pq.read_table would import pyarrow.dataset, 0.04 s in every process
    with _damage_explained(path), pq.ParquetFile(path) as file:
        return file.read(list(columns) if columns else None)


@contextmanager
def _damage_explained(path: str | Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise damaged(path, error) from error


def fixed_lists(column: pa.ChunkedArray, length: int, path: str) -> np.ndarray:
    """Return a list column as float32 of shape (rows, length); a null list, or a null in it, is NaN."""
    lists = column.combine_chunks()
    lists = lists.cast(pa.list_(pa.float32()))
    sizes = lists.value_lengths().to_numpy(zero_copy_only=False)
    if wrong := sorted(set(sizes[~np.isnan(sizes) & (sizes != length)].tolist())):
        raise UserError(f"{path}: a list of {wrong[0]:g} values where {length} belong; delete it and run again")
    result = np.full((len(lists), length), np.nan, dtype=np.float32)
    result[lists.is_valid().to_numpy(zero_copy_only=False)] = (
        lists.flatten().to_numpy(zero_copy_only=False).reshape(-1, length)
    )
    return result


def as_lists(values: np.ndarray) -> pa.Array:
    """Rows of an array (records, values) as an Arrow array of lists."""
    bounds = pa.array(np.arange(len(values) + 1) * values.shape[1], pa.int32())
    return pa.ListArray.from_arrays(bounds, pa.array(values.ravel()))
