"""The label set `published` of CSN, against the benchmark's files and the records' true codes."""

import csv
import shutil

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from conftest import ROOT

from fgclep.errors import UserError
from fgclep.evaluation.compare_labels import as_markdown, compare, read_rows
from fgclep.evaluation.task_records import splits_of_tasks, task_records
from fgclep.evaluation.tasks import load_task
from fgclep.schemas.embeddings import EMBEDDINGS
from fgclep.schemas.splits import SPLIT
from fgclep.sources.source import last_part
from fgclep.stages import fetch_split
from fgclep.tables import read_table

TASK_FILE = ROOT / "resources" / "tasks" / "csn_published.yaml"
TABLES = ROOT.parent / "shared" / "tables"
MERL = TABLES / "merl"
SPLITS = ("train", "val", "test")
TRANSFER = '{"parallel": 2, "timeout_seconds": 5, "retries": 0}'

shared = pytest.mark.skipif(not MERL.is_dir(), reason="needs the tables of ../shared")


@pytest.fixture(scope="module")
def task():
    return load_task(TASK_FILE)


@pytest.fixture(scope="module")
def rows():
    return read_rows([MERL / "data_split" / "chapman" / f"chapman_{split}.csv" for split in SPLITS])


@pytest.fixture(scope="module")
def code_of():
    """Acronym -> SNOMED-CT code."""
    with (TABLES / "chapman" / "ConditionNames_SNOMED-CT.csv").open(newline="", encoding="utf-8-sig") as file:
        return {row["AcronymName"].strip(): row["Snomed_CT"].strip() for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def codes(code_of):
    """True codes of all records of the database."""
    table = pl.read_csv(TABLES / "chapman" / "js_labels.csv", infer_schema=False)
    return {
        name: {code_of[part] if part in code_of else part.removeprefix("UNK_") for part in (labels or "").split(",")}
        for name, labels in table.iter_rows()
    }


def record_of(row):
    return last_part(row["ecg_path"]).removesuffix(".mat")


@shared
def test_the_classes_are_the_columns_and_their_codes(task, rows, code_of):
    columns = list(rows[0])[3:]
    assert task.class_names == columns and len(columns) == 38
    assert [item.codes for item in task.classes] == [(code_of[name],) for name in columns]


@shared
def test_the_benchmark_names_the_true_codes_of_every_record(rows, codes, code_of):
    # so only its columns are wrong, not the acronyms beside them
    assert all({code_of[part] for part in row["diagnose"].split(",")} == codes[record_of(row)] for row in rows)


@shared
def test_the_wrong_labels_of_the_benchmark_are_counted(rows):
    found, records = compare(rows)
    assert (len(rows), records, sum(item.wrong for item in found.values())) == (23026, 3817, 5125)
    wrong = {name: (item.published, item.exact, dict(item.within)) for name, item in found.items() if item.wrong}
    assert wrong == {
        "AF": (4753, 3340, {"AFIB": 1413}),
        "ST": (6338, 5154, {"STTC": 418, "STE": 355, "STDD": 323, "STTU": 88}),
        "VB": (916, 3, {"1AVB": 702, "AVB": 174, "2AVB": 21, "2AVB1": 14, "3AVB": 2}),
        "AVB": (913, 176, {"1AVB": 702, "2AVB": 19, "2AVB1": 14, "3AVB": 2}),
        "SA": (2828, 2107, {"LVQRSAL": 721}),
        "CR": (216, 75, {"CCR": 141}),
        "2AVB": (38, 22, {"2AVB1": 16}),
    }
    assert all(item.other == 0 for item in found.values())  # every wrong label is a substring
    assert as_markdown(found) in (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")


@shared
def test_the_labels_are_the_columns_but_for_the_wrong_ones(task, rows, codes):
    ours = task.labels([codes[record_of(row)] for row in rows])
    theirs = np.array([[row[name] == "1" for name in task.class_names] for row in rows])
    assert (theirs & ~ours).sum() == 5125 and not (ours & ~theirs).any()
    without = ~ours.any(axis=1)
    sizes = {"train": 16546, "val": 1860, "test": 4620}
    ends = np.cumsum(list(sizes.values()))
    assert [int(part.sum()) for part in np.split(without, ends[:-1])] == [116, 12, 19]
    test = slice(ends[1], ends[2])
    assert (
        not ours[test, task.class_names.index("VB")].any() and theirs[test, task.class_names.index("VB")].sum() == 169
    )


def test_a_label_that_no_substring_explains_is_counted_apart():
    found, records = compare(
        [{"diagnose": "SB", "SA": "1"}, {"diagnose": "SA", "SA": "0"}, {"diagnose": "SA", "SA": "1"}]
    )
    assert (found["SA"].other, found["SA"].wrong, records) == (2, 2, 2)
    assert as_markdown(found).splitlines()[-1] == "| SA | 2 | 2 | 2 | other 2 |"


def fetch(base, output, task_file=TASK_FILE):
    options = ["--task-file", task_file, "--base", base, "--settings", TRANSFER, "--output", output]
    fetch_split.main(fetch_split.arguments().parse_args(list(map(str, options))))
    return read_table(output, SPLIT)


@shared
def test_the_split_is_the_benchmark_s_from_a_folder_and_from_a_server(tmp_path, httpserver, rows):
    for file in (MERL / "data_split" / "chapman").iterdir():
        httpserver.expect_request(f"/at/data_split/chapman/{file.name}").respond_with_data(file.read_bytes())
    here, there = fetch(MERL, tmp_path / "here.parquet"), fetch(httpserver.url_for("/at"), tmp_path / "there.parquet")
    assert here == there
    assert here["record_id"].to_pylist() == sorted(record_of(row) for row in rows)
    counts = {item["values"]: item["counts"] for item in here["split"].value_counts().to_pylist()}
    assert counts == {"train": 16546, "val": 1860, "test": 4620}
    assert set(here["source"].to_pylist()) == {"csn"}


@shared
def test_a_changed_split_is_refused(tmp_path):
    shutil.copytree(MERL / "data_split" / "chapman", tmp_path / "data_split" / "chapman")
    with (tmp_path / "data_split" / "chapman" / "chapman_val.csv").open("a") as file:
        file.write("/chapman/WFDBRecords/01/010/JS99999.mat,12,SR" + ",0" * 38 + "\n")
    with pytest.raises(UserError, match=r"chapman_val.csv: wrong checksum.*Is evaluation.splits_base right"):
        fetch(tmp_path, tmp_path / "split.parquet")
    assert not (tmp_path / "split.parquet").exists()


def test_a_folder_that_does_not_exist_is_an_error_for_the_user(tmp_path):
    with pytest.raises(UserError, match=r"nowhere does not exist.*\n\n    evaluation:\n      splits_base: "):
        fetch(tmp_path / "nowhere", tmp_path / "split.parquet")


def test_a_task_without_a_split_is_an_error_for_the_user(tmp_path):
    with pytest.raises(UserError, match=r"csn.yaml names no split"):
        fetch(tmp_path, tmp_path / "split.parquet", TASK_FILE.with_name("csn.yaml"))


def embeddings(splits):
    rows = [
        {"source": "csn", "record_id": name, "patient_id": name, "split": split, "codes": ["426783006"]}
        | {"features": [float(number)], "embedding": [0.0]}
        for number, (name, split) in enumerate(splits.items())
    ]
    return pa.Table.from_pylist(rows, schema=EMBEDDINGS)


def test_the_published_split_replaces_that_of_the_source(task, caplog):
    caplog.set_level("INFO")
    rows = [{"source": "csn", "record_id": name, "split": split} for name, split in (("a", "test"), ("x", "val"))]
    splits = {"csn_published": pa.Table.from_pylist(rows, schema=SPLIT)}
    records = task_records(embeddings({"b": "test", "a": "train"}), task, "features", splits)
    assert (records.patients.tolist(), records.splits.tolist()) == (["a"], ["test"])
    assert records.vectors.tolist() == [[1.0]]
    assert "of the 2 records in the published split, 1 are here and 1 are not; 1 others are left out" in caplog.text


def test_a_task_whose_split_is_not_given_is_refused(task):
    with pytest.raises(UserError, match=r"csn_published names a split; give its table, csn_published.parquet"):
        task_records(embeddings({"a": "test"}), task, "features")


@shared
def test_a_split_is_found_by_the_name_of_its_task(tmp_path, task):
    fetch(MERL, tmp_path / "csn_published.parquet")
    splits = splits_of_tasks([str(tmp_path / "csn_published.parquet")])
    records = task_records(embeddings({"JS08246": "test", "JS10387": "test"}), task, "features", splits)
    assert records.splits.tolist() == ["train", "train"]
