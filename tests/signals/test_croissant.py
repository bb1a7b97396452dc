"""The Croissant description of shards: their files, columns and licences, as they are."""

import hashlib
import json

import pytest
from training_data import write_shards

from fgclep.schemas.shards import SHARD
from fgclep.signals.croissant import MEANINGS
from fgclep.stages import describe_shards


def test_every_file_and_column_is_described(tmp_path):
    shards = []
    for source in ("ptb-xl", "mimic-iv-ecg", "csn"):
        (tmp_path / source).mkdir()
        shards += write_shards(tmp_path / source, (3, 2))
    options = ["--shards", *map(str, shards), "--simulated", "csn", "--output", str(tmp_path / "croissant.json")]
    describe_shards.main(describe_shards.arguments().parse_args(options))
    document = json.loads((tmp_path / "croissant.json").read_text())
    files = {file["contentUrl"]: file for file in document["distribution"] if file["@type"] == "cr:FileObject"}
    assert sorted(files) == sorted(str(path.relative_to(tmp_path)) for path in shards)
    for place, file in files.items():
        content = (tmp_path / place).read_bytes()
        assert file["sha256"] == hashlib.sha256(content).hexdigest() and file["contentSize"] == f"{len(content)} B"
    by_set = {file["@id"]: file["includes"] for file in document["distribution"] if file["@type"] == "cr:FileSet"}
    for records in document["recordSet"]:
        assert [field["name"] for field in records["field"]] == SHARD.names == list(MEANINGS)
        for field in records["field"]:
            own = by_set[field["source"]["fileSet"]["@id"]]
            assert own == [f"{records['name']}/0.parquet", f"{records['name']}/1.parquet"]
    types = {field["name"]: (field["dataType"], field.get("repeated", False)) for field in records["field"]}
    assert types["gain"] == ("sc:Float", True) and types["n_samples"] == ("sc:Integer", False)
    assert document["license"] == [
        "https://creativecommons.org/licenses/by/4.0/",
        "https://opendatacommons.org/licenses/odbl/1-0/",
    ]
    assert "csn: simulated, no patient's." in document["description"]
    assert document["isBasedOn"] == [
        "https://physionet.org/content/ptb-xl/1.0.3/",
        "https://physionet.org/content/mimic-iv-ecg/1.0/",
    ]


def test_a_file_that_is_no_shard_is_refused(tmp_path):
    (tmp_path / "csn").mkdir()
    (tmp_path / "csn/0.parquet").write_bytes(b"PAR1")
    options = ["--shards", str(tmp_path / "csn/0.parquet"), "--output", str(tmp_path / "croissant.json")]
    with pytest.raises(Exception, match="is truncated or damaged"):
        describe_shards.main(describe_shards.arguments().parse_args(options))
    assert not (tmp_path / "croissant.json").exists()
