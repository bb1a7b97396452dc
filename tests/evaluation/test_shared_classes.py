"""A probe of one database meets its classes in another one under other names and in other places."""

import json

import numpy as np
import pyarrow as pa
import pytest
import yaml
from conftest import ROOT

from fgclep.evaluation.metrics_csv import read_metrics
from fgclep.evaluation.shared_classes import shared_classes
from fgclep.evaluation.tasks import load_task
from fgclep.language.vocabulary import load_vocabulary
from fgclep.schemas.embeddings import EMBEDDINGS
from fgclep.stages import evaluate_linear_probe
from fgclep.tables import write_table

VOCABULARY = str(ROOT / "resources" / "vocabulary")
LBBB = "left bundle branch block"
TITLES = {
    "here": {
        "AFIB": "atrial fibrillation",
        "SB": "sinus bradycardia",
        "LBBB": "left bundle branch block",
        "ONLY": "wpw",
    },
    "there": {
        "CLBBB": "left bundle branch block",
        "AF": "afib",
        "X": "sinus tachycardia",
        "SBRAD": "sinus bradycardia",
    },
}
SOURCES = {"here": "ptb-xl", "there": "csn"}


@pytest.fixture
def task_files(tmp_path):
    paths = {}
    for name, titles in TITLES.items():
        classes = [{"name": key, "title": title, "codes": [key], "prompts": [title]} for key, title in titles.items()]
        document = {"name": name, "source": SOURCES[name], "label_set": "s", "overlapping": [], "classes": classes}
        paths[name] = tmp_path / f"{name}.yaml"
        paths[name].write_text(yaml.safe_dump(document), encoding="utf-8")
    return paths


def test_classes_are_the_same_by_their_finding_whatever_they_are_called(task_files):
    here, there = (load_task(path) for path in task_files.values())
    expected = [("LBBB", "CLBBB"), ("AFIB", "AF"), ("SB", "SBRAD")]
    assert shared_classes(here, there, load_vocabulary(VOCABULARY)) == expected


def write_embeddings(path, name):
    """Each class of ``TITLES`` has a feature of its own: the same finding the same one in both databases."""
    feature = {LBBB: 0, "atrial fibrillation": 1, "afib": 1, "sinus bradycardia": 2}
    rng = np.random.default_rng(len(name))
    rows = []
    for number in range(300):
        key, title = list(TITLES[name].items())[number % 4]
        vector = rng.normal(size=4)
        vector[feature.get(title, 3)] += 8
        split = ("train", "val", "test")[number // 4 % 3]
        rows.append(
            {"source": SOURCES[name], "record_id": f"{number:03}", "patient_id": f"{number}", "split": split}
            | {"codes": [key], "features": vector.tolist(), "embedding": None, "patches": None}
        )
    write_table(pa.Table.from_pylist(rows, schema=EMBEDDINGS), path, EMBEDDINGS)


def run(task_files, folder, transfer_classes):
    embeddings = []
    for name in task_files:
        embeddings.append(folder / f"{name}.parquet")
        write_embeddings(embeddings[-1], name)
    options = ["--model", "fine", "--vocabulary", VOCABULARY, "--output", str(folder / "probes.csv")]
    options += ["--scores", str(folder / "scores.parquet")]
    options += ["--task-files", *map(str, task_files.values()), "--embeddings", *map(str, embeddings)]
    settings = {"transfer_classes": transfer_classes, "regularization": [0.1, 1.0, 10.0], "bootstrap": 5}
    settings |= {"fractions": [1.0], "shots": [], "seeds": 1}
    options += ["--settings", json.dumps({**settings, "min_positives": 3, "seed": 0})]
    evaluate_linear_probe.main(evaluate_linear_probe.arguments().parse_args(options))
    rows = read_metrics(folder / "probes.csv")
    assert {row["task"] for row in rows if row["protocol"] == "linear_probe"} == set(task_files)
    return [row for row in rows if row["protocol"] == "transfer"]


def test_each_class_is_tested_by_the_probe_of_its_own_finding(task_files, tmp_path):
    rows = run(task_files, tmp_path, transfer_classes=3)
    assert {(row["setting"], row["task"], row["protocol"]) for row in rows} == {
        ("here", "there", "transfer"),
        ("there", "here", "transfer"),
    }
    values = {(row["task"], row["class"]): float(row["value"]) for row in rows if row["metric"] == "auroc"}
    assert {name for task, name in values if task == "there"} == {"macro", "macro_supported", "CLBBB", "AF", "SBRAD"}
    assert min(values.values()) > 0.99
    f1 = [float(row["value"]) for row in rows if row["metric"] == "f1" and row["class"] == "macro"]
    assert min(f1) > 0.95  # at thresholds of the database trained on
    assert {row["n"] for row in rows} == {"100"}  # the test records of the other database


def test_tasks_with_too_little_in_common_are_left_out(task_files, tmp_path):
    assert run(task_files, tmp_path, transfer_classes=4) == []
