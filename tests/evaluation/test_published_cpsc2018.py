"""The label set `published` of CPSC2018, against the benchmark's files and the labels of the challenge."""

import csv

import pytest
from conftest import ROOT

from fgclep.evaluation.tasks import load_task
from fgclep.schemas.splits import SPLIT
from fgclep.stages import fetch_split
from fgclep.tables import read_table

TASKS = ROOT / "resources" / "tasks"
TABLES = ROOT.parent / "shared" / "tables"
MERL = TABLES / "merl"
SIZES = {"train": 4950, "val": 551, "test": 1376}
CHALLENGE = ["NORM", "AFIB", "1AVB", "CLBBB", "CRBBB", "PAC", "VPC", "STD", "STE"]  # labels 1 to 9

shared = pytest.mark.skipif(not MERL.is_dir(), reason="needs the tables of ../shared")


@pytest.fixture(scope="module")
def rows():
    """Rows of the benchmark by split."""
    found = {}
    for split in SIZES:
        with (MERL / "data_split" / "icbeb" / f"icbeb_{split}.csv").open(newline="", encoding="utf-8") as file:
            found[split] = list(csv.DictReader(file))
    return found


def test_only_the_split_and_its_name_tell_the_two_tasks_apart():
    own, published = load_task(TASKS / "cpsc2018.yaml"), load_task(TASKS / "cpsc2018_published.yaml")
    assert published.classes == own.classes
    assert (published.source, published.label_set, own.split) == ("cpsc2018", "published", None)


@shared
def test_the_split_is_the_benchmark_s(rows, tmp_path):
    options = ["--task-file", TASKS / "cpsc2018_published.yaml", "--base", MERL, "--output", tmp_path / "s.parquet"]
    options += ["--settings", '{"parallel": 2, "timeout_seconds": 5, "retries": 0}']
    fetch_split.main(fetch_split.arguments().parse_args(list(map(str, options))))
    table = read_table(tmp_path / "s.parquet", SPLIT)
    found = dict(zip(table["record_id"].to_pylist(), table["split"].to_pylist(), strict=True))
    assert found == {row["filename"]: split for split, some in rows.items() for row in some}
    assert {split: list(found.values()).count(split) for split in SIZES} == SIZES
    assert set(found) == {f"A{number:04d}" for number in range(1, 6878)}  # every record of the database


@shared
def test_the_labels_of_the_benchmark_are_those_of_the_challenge(rows):
    # and those are ours: test_cpsc2018_labels_are_those_of_the_original_challenge
    with (TABLES / "cpsc2018" / "REFERENCE.csv").open(newline="", encoding="utf-8") as file:
        reference = {
            row["Recording"]: {CHALLENGE[int(row[key]) - 1] for key in row if key.endswith("_label") and row[key]}
            for row in csv.DictReader(file)
        }
    theirs = {
        row["filename"]: {name for name in CHALLENGE if row[name] == "1"} for some in rows.values() for row in some
    }
    assert theirs == reference
