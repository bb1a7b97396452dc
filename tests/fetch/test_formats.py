"""The layouts of what is fetched, each beside its number: a new layout under the old number is a failure.

Raise the number in ``fgclep/fetch/formats.py``, by which Snakemake knows that all must be fetched again, and put the
new hash beside it.
"""

import hashlib
import json
from pathlib import Path

import pytest

from fgclep.errors import UserError
from fgclep.fetch import formats
from fgclep.schemas.quarantine import QUARANTINE
from fgclep.schemas.splits import SPLIT
from fgclep.stages import build_manifest, build_shards, fetch_metadata, fetch_records, fetch_split
from fgclep.tables import read_table

TRANSFER = '{"parallel": 2, "timeout_seconds": 5, "retries": 0}'
LAYOUTS = {
    "metadata": {1: "f665a21c78a9cedc"},
    "archive": {1: "68e33c03e30d5f78"},
    "split": {1: "53e67be6752684a7"},
}
TASK = """
name: made_up
source: ptb-xl
label_set: published
overlapping: []
split:
  column: path
  files:
    train: {path: train.csv, sha256: TRAIN}
    test: {path: test.csv, sha256: TEST}
classes:
  - {name: SR, title: sinus rhythm, codes: [SR], prompts: [sinus rhythm]}
"""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def run(stage, *options) -> None:
    stage.main(stage.arguments().parse_args(list(map(str, options))))


def rows_of(path: Path, schema) -> str:
    return json.dumps([str(schema), read_table(path, schema).to_pylist()])


def files_of(folder: Path) -> str:
    return json.dumps({file.name: file.read_text() for file in sorted(folder.iterdir())}).replace(
        str(folder.parent), ""
    )


@pytest.fixture
def database(tmp_path):
    """Seven records as CSN lays them out, one of them with a wrong checksum and one without signals; the base."""
    folder = tmp_path / "base/ecg-arrhythmia/1.0.0"
    lists = []
    for number in range(1, 8):
        for suffix in ("hea", "mat") if number < 7 else ("hea",):
            path = f"WFDBRecords/01/010/JS{number:05d}.{suffix}"
            content = f"{number} {suffix}\n".encode()
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
            lists.append(f"{sha256(content if number != 2 else b'else')} {path}\n")
    (folder / "RECORDS").write_text("WFDBRecords/01/010/\n")
    (folder / "SHA256SUMS.txt").write_text("".join(lists))
    return tmp_path / "base"


@pytest.fixture
def csn(database):
    return "--source", "csn", "--base", database, "--version", "1.0.0", "--settings", TRANSFER


@pytest.fixture
def metadata(csn, tmp_path):
    run(fetch_metadata, *csn, "--output", tmp_path / "metadata")
    return tmp_path / "metadata"


@pytest.fixture
def archives(csn, metadata, tmp_path):
    """Archive and quarantine of each of two chunks."""
    outputs = [(tmp_path / f"{chunk}.tar", tmp_path / f"fetch-{chunk}.parquet") for chunk in range(2)]
    for chunk, (archive, quarantine) in enumerate(outputs):
        options = ("--metadata", metadata, "--chunk", chunk, "--chunks", 2)
        run(fetch_records, *csn, *options, "--output", archive, "--quarantine", quarantine)
    return outputs


def test_the_layout_of_metadata_has_its_number(metadata, database, tmp_path):
    own = tmp_path / "own"
    (database / "ecg-arrhythmia/1.0.0/WFDBRecords").rename(own)
    (own / "records.csv").write_text("id,patient,report\nr1,p1,Sinus rhythm\n")
    local = (
        "--source",
        "local",
        "--base",
        own,
        "--version",
        "",
        "--settings",
        TRANSFER,
        "--output",
        tmp_path / "local",
    )
    run(fetch_metadata, *local)
    layout = files_of(metadata) + files_of(tmp_path / "local")
    assert {formats.METADATA: sha256(layout.encode())[:16]} == LAYOUTS["metadata"]


def test_the_layout_of_archives_has_its_number(archives, tmp_path):
    layout = [[sha256(archive.read_bytes()), rows_of(table, QUARANTINE)] for archive, table in archives]
    text = json.dumps(layout).replace(str(tmp_path), "")
    assert {formats.ARCHIVE: sha256(text.encode())[:16]} == LAYOUTS["archive"]


def test_the_layout_of_splits_has_its_number(tmp_path):
    task = TASK
    for split, number in (("train", 1), ("test", 2)):
        content = f"path\nrecords500/00000/0000{number}_hr.hea\n".encode()
        (tmp_path / f"{split}.csv").write_bytes(content)
        task = task.replace(split.upper(), sha256(content))
    (tmp_path / "made_up.yaml").write_text(task)
    options = ("--task-file", tmp_path / "made_up.yaml", "--base", tmp_path, "--settings", TRANSFER)
    run(fetch_split, *options, "--output", tmp_path / "made_up.parquet")
    assert {formats.SPLIT: sha256(rows_of(tmp_path / "made_up.parquet", SPLIT).encode())[:16]} == LAYOUTS["split"]


def test_a_record_that_an_archive_should_have_is_missed(metadata, archives, tmp_path):
    """As after an update by which a record belongs to another chunk than when it was fetched."""
    manifest = tmp_path / "manifest.parquet"
    lists = ("--source", "csn", "--metadata", metadata, "--chunks", 2, "--settings", "{}")
    run(build_manifest, *lists, "--output", manifest, "--quarantine", tmp_path / "q.parquet")
    shard = ("--source", "csn", "--manifest", manifest, "--chunk", 0, "--settings", "{}")
    outputs = ("--output", tmp_path / "shard.parquet", "--quarantine", tmp_path / "q-shards.parquet")
    (_, quarantine), (other, _) = archives
    with pytest.raises(UserError, match=r"1\.tar lacks WFDBRecords/01/010/JS\d+, which .* Delete it and run snakemake"):
        run(build_shards, *shard, "--archive", other, "--unavailable", quarantine, *outputs)
