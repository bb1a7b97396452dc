#!/usr/bin/env bash
# pyarrow 26.0.1 and polars 2.1.0: rows given as dictionaries lose, in silence, every key that the schema does not name.
#
# Guessed before: a schema beside the rows is a check; a key that it does not name raises, as a value of another type
#   does, or as a table whose columns have other names does in Table.cast.
# Seen: the key is left out and the column of the schema is null, in pyarrow and in polars alike. Without a schema pyarrow
#   takes the names of the first row alone, polars those of its first 100 rows; keys that come later are gone as well.
#
#       schema (name, threshold), row {"name": "a", "limit": 1.5}      pyarrow, polars: {"name": "a", "threshold": null}
#       no schema, rows {"name": "a"}, {"name": "b", "score": 1.5}      pyarrow: [{"name": "a"}, {"name": "b"}]
#       no schema, 100 rows {"name": "a"}, then {"name": "b", "score": 1.5}      polars: the only column is name
#
# Who is hurt: whoever renames a column of a table that is written from rows, or collects rows of which only some have a
#   measurement: the file is valid, its types are right, and the values are null. A test that writes its own input with
#   the old name goes on passing.
# Exits with another status than 0 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pyarrow==26.0.1 polars==2.1.0
"$folder/venv/bin/python" - <<'PYTHON'
import polars as pl
import pyarrow as pa

print("pyarrow", pa.__version__, "polars", pl.__version__)
renamed = [{"name": "a", "limit": 1.5}]
by_arrow = pa.Table.from_pylist(renamed, schema=pa.schema([("name", pa.string()), ("threshold", pa.float64())]))
by_polars = pl.DataFrame(renamed, schema={"name": pl.String, "threshold": pl.Float64})
print("with a schema:   ", by_arrow.to_pylist(), by_polars.to_dicts())
assert by_arrow.to_pylist() == by_polars.to_dicts() == [{"name": "a", "threshold": None}], "changed"

later = [{"name": "a"}, {"name": "b", "score": 1.5}]
print("without, pyarrow:", pa.Table.from_pylist(later).column_names)
assert pa.Table.from_pylist(later).column_names == ["name"], "changed: pyarrow takes the names of all rows"

many = pl.DataFrame([{"name": "a"}] * 100 + [{"name": "b", "score": 1.5}])
print("without, polars: ", many.columns)
assert many.columns == ["name"] and pl.DataFrame(later).columns == ["name", "score"], "changed in polars"
PYTHON
