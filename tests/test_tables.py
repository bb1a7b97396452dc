"""Tables are written as their schema says, or not at all."""

import pyarrow as pa
import pytest

from fgclep.tables import read_table, write_table

SCHEMA = pa.schema([pa.field("name", pa.string(), nullable=False), pa.field("score", pa.float32())])


def test_a_value_that_is_not_given_is_null(tmp_path):
    write_table([{"name": "a"}, {"name": "b", "score": 1.0}], tmp_path / "t.parquet", SCHEMA)
    assert read_table(tmp_path / "t.parquet", SCHEMA)["score"].to_pylist() == [None, 1.0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"name": "a", "score": 1.0}, {"name": "b", "logit": 1.0}], "column 'logit' is not expected"),
        ([{"score": 1.0}], "'name'.* null"),
        (pa.table({"name": ["a"], "logit": [1.0]}), "column 'score' is missing; column 'logit' is not expected"),
    ],
)
def test_a_column_of_another_name_is_refused_and_no_file_appears(tmp_path, rows, message):
    with pytest.raises(ValueError, match=message):
        write_table(rows, tmp_path / "t.parquet", SCHEMA)
    assert not list(tmp_path.iterdir())
