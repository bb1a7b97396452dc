"""The worked example of docs/new-source.md, in a copy of the package."""

import json
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from conftest import ROOT
from wfdb_files import heart, write_lists, write_record

from fgclep.config.quality import QualitySection
from fgclep.schemas.manifest import MANIFEST
from fgclep.schemas.shards import SHARD
from fgclep.tables import read_table

DOCUMENT = (ROOT / "docs" / "new-source.md").read_text(encoding="utf-8")
TRANSFER = '{"parallel": 2, "timeout_seconds": 5, "retries": 0}'


def block(language):
    [text] = re.findall(rf"```{language}\n(.*?)```", DOCUMENT, flags=re.DOTALL)
    return text


@pytest.fixture
def package(tmp_path):
    """Folder with a copy of the package in which the example stands as the document says."""
    shutil.copytree(ROOT / "workflow" / "fgclep", tmp_path / "fgclep", ignore=shutil.ignore_patterns("__pycache__"))
    [name] = re.findall(r"`workflow/(fgclep/sources/\w+\.py)`:\n\n```python", DOCUMENT)
    (tmp_path / name).write_text(block("python"), encoding="utf-8")
    return tmp_path


@pytest.fixture
def base(tmp_path):
    database = tmp_path / "base" / "ward-ecg" / "1.0.0"
    for number in range(1, 4):
        write_record(database / "ecgs", f"e{number}", heart(seed=number))
    (database / "exams.csv").write_text(f"{block('csv')}e2,p7,,M,\ne3,p8,50,M,Sinus rhythm\ne4,p9,,,\n")
    write_lists(database)
    return tmp_path / "base"


def python(package, *arguments):
    command = [sys.executable, *map(str, arguments)]
    run = subprocess.run(command, cwd=package, env={"PYTHONPATH": str(package)}, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_the_example_is_as_short_as_a_module_should_be():
    assert len(block("python").strip().splitlines()) <= 45


def test_the_example_s_config_entry_is_enough(package):
    code = "import sys, yaml; from fgclep.config.load import validate_config; "
    code += "print(validate_config(yaml.safe_load(sys.argv[1])).data.sources['ward'].model_dump_json())"
    section = json.loads(python(package, "-c", code, block("yaml")))
    given = yaml.safe_load(block("yaml"))["data"]["sources"]["ward"]
    rest = {"sampling_rate": None, "test_fold": None, "limit": None, "in_place": False}
    assert section == {"version": "1.0.0", "chunks": 1, **rest, **given}


def test_the_example_travels_to_the_shard(package, base, tmp_path):
    def stage(name, *options):
        python(package, "-m", f"fgclep.stages.{name}", "--source", "ward", *options)

    out, address = tmp_path / "out", ("--base", base, "--version", "1.0.0", "--settings", TRANSFER)
    stage("fetch_metadata", *address, "--output", out / "metadata")
    tables = ("--output", out / "manifest.parquet", "--quarantine", out / "q-manifest.parquet")
    stage("build_manifest", "--metadata", out / "metadata", "--chunks", "1", "--settings", "{}", *tables)
    chunk = ("--chunk", "0")
    archive = ("--output", out / "0.tar", "--quarantine", out / "q-fetch.parquet")
    stage("fetch_records", *address, "--metadata", out / "metadata", *chunk, "--chunks", "1", *archive)
    quality = ("--settings", QualitySection().model_dump_json())
    shard = ("--output", out / "0.parquet", "--quarantine", out / "q-shards.parquet")
    lists = ("--manifest", out / "manifest.parquet", "--unavailable", out / "q-fetch.parquet")
    stage("build_shards", "--archive", out / "0.tar", *lists, *chunk, *quality, *shard)

    manifest = {row["record_id"]: row for row in read_table(out / "manifest.parquet", MANIFEST).to_pylist()}
    assert sorted(manifest) == ["e1", "e2", "e3"]  # e4 has no files
    assert manifest["e1"]["report"] == manifest["e1"]["codes"] == ["Sinus rhythm", "Left axis deviation"]
    assert (manifest["e1"]["age"], manifest["e1"]["sex"], manifest["e2"]["report"]) == (61, "F", [])
    assert manifest["e1"]["split"] == manifest["e2"]["split"]
    rows = {row["record_id"]: row for row in read_table(out / "0.parquet", SHARD).to_pylist()}
    assert sorted(rows) == ["e1", "e2", "e3"]
    assert rows["e1"]["codes"] == ["Sinus rhythm", "Left axis deviation"] and rows["e1"]["sampling_rate"] == 500


def test_two_modules_of_one_key_are_refused(package):
    sources = package / "fgclep" / "sources"
    shutil.copy(sources / "ludb.py", sources / "another.py")
    with pytest.raises(AssertionError, match=r"another and fgclep\.sources\.ludb have the same key 'ludb'"):
        python(package, "-c", "import fgclep.sources")
