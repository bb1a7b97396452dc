"""The programs that made the figures of docs/performance.md and docs/similarity.md run, and end with a line of JSON."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import torch
from conftest import TINY

from fgclep.models.fgclep import FGCLEP

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SMALL = {
    "codecs": ["--records", "6"],
    "default_run": ["--", "results/evaluation/prompts.parquet"],
    "evaluating": [
        *("--records", "60", "--features", "4", "--tasks", "cpsc2018", "--seeds", "1"),
        *("--resamples", "5", "--tested", "30", "--rounds", "1"),
    ],
    "fit": [
        *("--simulated", "120", "--records", "60", "--draws", "1", "--tasks", "ptbxl_super"),
        *("--width", "4", "--epochs", "1"),
    ],
    "gpu_memory": ["--batch", "4"],
    "ingest": ["--records", "8", "--rounds", "1"],
    "loader": [
        *("--records", "300", "--wfdb-records", "4", "--memmap-records", "8"), *("--memory-mb", "32", "--rounds", "1"),
    ],
    "leads": ["--records", "40", "--fold", "0", "--resamples", "5"],
    "loss_memory": ["--batches", "512", "1024", "--losses", "fg_clep"],
    "manifest": ["--records", "500"],
    "measuring": ["--records", "4", "--rounds", "1"],
    "recovery": ["--records", "60"],
    "soak": ["--records", "60", "--pool", "10", "--per-chunk", "30"],
    "verification": ["--records", "300", "600"],
    "pretrain": [
        *("--batch", "4", "--records", "24", "--width", "8", "--steps", "1", "--rounds", "1"),
        *("--no-warm-baseline", "--no-compiled", "--statements", "none"),
    ],
    "predicting": ["--asked", "wrong_path", "help", "--rounds", "1"],
    "probe": ["--records", "40", "--widths", "4", "--epochs", "2"],
    "preparing": ["--records", "20", "--rounds", "1"],
    "simulating": ["--records", "10", "--rounds", "1"],
    "simulation": ["--records", "30"],
    "training": ["--records", "200", "--settings", "default", "--epochs", "4"],
    "units": ["--records", "4"],
    "similarity": ["--texts", "300", "600", "--plain-texts", "300", "--neighbors", "30"],
}  # fmt: skip


SLOW = {"loader", "preparing", "pretrain", "recovery", "soak", "training"}  # of more than half a minute each

# with the code of an earlier commit
COMPARED = {"default_run", "evaluating", "measuring", "predicting", "preparing", "simulating", "training"}


def has_history() -> bool:
    commit = re.search(r'^COMMIT = "(\w+)"', (BENCHMARKS / "before.py").read_text(encoding="utf-8"), re.MULTILINE)
    command = ["git", "-C", str(BENCHMARKS), "cat-file", "-e", commit[1]]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def printed(monkeypatch, capfd):
    """Call the ``main`` of a program with arguments, and return what it prints."""
    environment, threads = dict(os.environ), torch.get_num_threads()
    monkeypatch.chdir(BENCHMARKS.parent)
    monkeypatch.syspath_prepend(BENCHMARKS)  # for what they share
    monkeypatch.syspath_prepend(BENCHMARKS.parent)

    def call(name: str, *arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        capfd.readouterr()
        importlib.import_module(f"benchmarks.{name}").main()  # one has the name of a standard module
        return capfd.readouterr().out

    yield call
    torch.set_num_threads(threads)  # which programs set as they need it
    os.environ.clear()
    os.environ.update(environment)


@pytest.fixture
def figures(printed):
    """Call a program, and return what its last line says."""
    return lambda *command: json.loads(printed(*command).splitlines()[-1])


@pytest.mark.benchmark
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.nightly if name in SLOW else ()) for name in SMALL]
)
def test_a_benchmark_ends_with_its_figures(name, figures):
    if name in COMPARED and not has_history():
        pytest.skip("needs the history of the project, whose code of before it runs")
    found = figures(name, *SMALL[name])
    assert found["name"] == name and found["ratio"] > 0


@pytest.mark.benchmark
@pytest.mark.nightly
def test_the_model_of_simulated_ecgs_is_trained_and_measured_on_real_ones(physionet, tmp_path, figures):
    model = tmp_path / "model"
    command = ["simulated_large", "--records", 120, "--work", tmp_path]
    small = ["fine_epochs=1", "batch_size=16", "threads=1", "ecg_encoder={kind: resnet18, width: 4}"]
    found = figures(*command, "--output", model, "--set", *small)
    assert found["records"] == 120 and found["ratio"] > 1
    card = (model / "README.md").read_text(encoding="utf-8")
    assert "python benchmarks/simulated_large.py --install --records 120" in card
    with pytest.raises(SystemExit, match=f"{tmp_path} was made with other settings"):
        figures(*command, "--set", "batch_size=8")
    aurocs = figures("real_ecgs", "--model", model, "--base", physionet, "--bootstrap", 20)["auroc"]
    assert list(aurocs) == ["ptbxl_super", "ptbxl_sub", "ptbxl_rhythm", "ptbxl_form", "csn_cpsc2018_georgia"]
    assert all(0.2 < low <= value <= high < 1 for value, low, high in aurocs.values())


@pytest.mark.benchmark
def test_measurements_agree_with_the_marks_of_cardiologists(physionet, figures):
    found = figures("measurements", "--ecgs", physionet / "ludb/1.0.1/data")
    assert found["verdicts"] > 2500 and found["agreement"] >= 0.95
    assert found["qrs_median_ms"] <= 10 and found["pr_median_ms"] <= 15 and found["qt_median_ms"] <= 25


@pytest.mark.benchmark
def test_simulated_statements_are_as_frequent_as_real_ones(physionet, figures):
    # the whole table: the first records of it are no sample
    table = physionet.parents[1] / "tables/ptbxl/ptbxl_database_full_v1.0.3.csv"
    if not table.is_file():
        pytest.skip(f"needs the whole table of PTB-XL at {table}")
    found = figures("prevalence", "--table", table, "--records", 1500)
    assert found["drawn"]["statements"] > 20 and found["drawn"]["median_error"] < 0.3


@pytest.mark.benchmark
def test_classes_of_patients_are_compared_with_simulated_ones(physionet, figures):
    options = ["--classes", "NORM", "MI", "--most", 30, "--others", 60, "--records", 250, "--shown", 3]
    found = figures("classes", "--ecgs", physionet / "ptb-xl/1.0.3", *options)
    assert set(found["classes"]) == {"NORM", "MI"} and found["classes"]["NORM"]["carried"] > 0.6


@pytest.mark.benchmark
def test_the_reports_of_ptb_xl_are_read(physionet, printed):
    table = ["--table", physionet / "ptb-xl/1.0.3/ptbxl_database.csv"]
    output = printed("reports", *table)
    found = json.loads(output.splitlines()[-1])
    assert found["name"] == "reports" and found["ratio"] > 0.95 and found["aside"] > 0.9
    assert "| German |" in output and "| Swedish |" in output
    rows = [line.strip("| ").split(" | ") for line in output.splitlines() if line.startswith("| ")]
    named = {row[0]: float(row[2].rstrip("%")) for row in rows if len(row) == 7 and row[2].endswith("%")}
    assert named["SR"] > 95 and named["ABQRS"] > 95
    sample = printed("reports", *table, "--sample", 3)
    assert len(sample.splitlines()) == 6 and "sinus_" in printed("reports", *table, "--sample", 20)


@pytest.mark.benchmark
def test_what_a_run_took_is_less_than_its_rules_ask_for(finished, printed, monkeypatch):
    monkeypatch.chdir(finished.checkout.folder)
    output = printed("resources", *TINY[2:])
    assert "| `pretrain` | 4 |" in output
    assert json.loads(output.splitlines()[-1])["ratio"] > 1.5


@pytest.mark.benchmark
def test_ways_to_join_prompts_are_compared_on_the_shards_of_a_run(finished, figures):
    results = finished.checkout.folder / "results"
    shards = sorted((results / "shards/ptb-xl").glob("*.parquet"))
    found = figures("any_prompt", "--model", results / "models/fine", "--shards", *shards)["figures"]["simulated"]
    assert list(found) == ["largest", "mean", "any", "averaged"]
    assert all(0 < value < 100 for row in found.values() for value in row)
    assert found["largest"] != found["any"]


@pytest.mark.benchmark
def test_a_model_is_calibrated_on_simulated_ecgs_and_judged_on_others(finished, figures, tmp_path):
    results = finished.checkout.folder / "results"
    model = shutil.copytree(results / "models/fine", tmp_path / "model")
    command = ["calibrate", "--model", model, "--ecgs", results / "simulation/files", "--fold", 0, "--classes", 5]
    found = figures(*command, "--records", 300)
    curves = json.loads((model / "calibration.json").read_text())["curves"]
    assert found["curves"] == len(curves) > 100 and 0 < found["ratio"] < 1
    assert {"texts", "slope", "offset", "prevalence"} == set(curves[0])
    # the curves say how frequent findings are, which a model of ECGs and texts in batches does not know
    assert found["ece"]["moved"] < found["ece"]["as it is"]
    assert FGCLEP.from_pretrained(model).calibration.of([["atrial fibrillation"], ["no such words"]])[0, 0] > 0


@pytest.mark.benchmark
def test_encoders_are_trained_and_asked_side_by_side(finished, printed, tmp_path):
    options = ["--results", finished.checkout.folder / "results", "--work", tmp_path, "--records", 60, "--epochs", 2]
    small = ["--encoders", "resnet18:4+crop=0.3+noise=0.05", "s4d:8", "--probe-records", 50, "--seeds", 0, 1]
    output = printed("encoders", *options, *small)
    found = json.loads(output.splitlines()[-1])
    assert list(found["ecg_per_s"]) == ["resnet18:4+crop=0.3+noise=0.05", "s4d:8"]
    rates = list(found["ecg_per_s"].values())  # so few may be too short to time
    assert found["ratio"] == (None if None in rates else pytest.approx(rates[1] / rates[0]))
    assert output.count("| s4d:8 | 0 |") == output.count("| s4d:8 | 1 |") == 1


@pytest.mark.benchmark
def test_saved_models_are_probed_as_the_run_probes(finished, printed):
    results = finished.checkout.folder / "results"
    small = ["--bootstrap", 5, "--regularization", 0.1, 1.0]  # as tests/config/tiny.yaml
    output = printed("probed", "--results", results, "--models", results / "models/fine", *small)
    rows = pl.read_csv(results / "evaluation/linear_probe/fine.csv", schema_overrides={"setting": pl.String})
    rows = rows.filter(protocol="linear_probe", fraction=1, metric="auroc", **{"class": "macro"})
    lines = [line.split("|") for line in output.splitlines() if line.startswith("| ")]
    told = dict(zip(*([cell.strip() for cell in cells[3:-2]] for cells in lines[:2]), strict=True))
    assert len(rows) == len(told) > 1
    for row in rows.iter_rows(named=True):
        assert float(told[row["task"]].split()[0]) == pytest.approx(100 * row["value"], abs=0.051)


@pytest.mark.benchmark
def test_models_with_masked_leads_are_trained_once_and_compared(finished, figures, tmp_path):
    results = finished.checkout.folder / "results"
    files = results / "simulation/files"
    command = ["masked", "--results", results, "--ecgs", files, "--work", tmp_path, "--seeds", 1, "--fold", 0]
    small = ["--records", 20, "--epochs", 1, "--width", 4, "--resamples", 5]
    found = figures(*command, *small)
    masked, plain = (
        json.loads((tmp_path / f"models/{name}-1/config.json").read_text()) for name in ("masked", "plain")
    )
    assert masked["lead_masking"] == 0.5 and "lead_masking" not in plain
    assert list(found["means"]) == list(found["losses"]) == ["plain", "masked"]
    assert figures(*command, *small) == found


@pytest.mark.benchmark
def test_variants_are_asked_as_the_run_asks(finished, printed, tmp_path):
    results = finished.checkout.folder / "results"
    for variant in ("coarse", "fine"):
        for seed in (0, 1):
            (tmp_path / f"{variant}-{seed}").symlink_to(results / "models" / variant)
    options = ["--split", "test", "--variants", "fine", "coarse", "--seeds", 0, 1, "--resamples", 20]
    output = printed("variants", "--models", tmp_path, "--results", results, *options)
    asked = pl.read_csv(results / "evaluation/comparisons.csv", schema_overrides={"setting": pl.String})
    asked = asked.filter(task="mean", protocol="zero_shot", model_a="coarse", model_b="fine")
    means = {
        (model, row["setting"]): 100 * row[value]
        for row in asked.iter_rows(named=True)
        for model, value in (("coarse", "value_a"), ("fine", "value_b"))
    }
    rows = [line.strip("| ").split(" | ") for line in output.splitlines() if line.startswith(("| fine", "| coarse"))]
    for model, (name, *found) in zip(("fine", "coarse"), rows, strict=False):
        expected = [means[model, kind] for kind in ("synonyms", "features", "both")]
        assert name == model and [float(value) for value in found] == pytest.approx(
            [*expected, max(expected)], abs=0.051
        )
    name, *differences = rows[-1]
    assert name == "coarse" and float(differences[0].split()[0]) == pytest.approx(
        means["fine", "synonyms"] - means["coarse", "synonyms"], abs=0.051
    )


def test_every_benchmark_is_tried():
    assert {path.stem for path in BENCHMARKS.glob("*.py")} == {
        *SMALL,
        "any_prompt",
        "before",
        "calibrate",
        "classes",
        "continued",
        "encoders",
        "losses",
        "measured",
        "measurements",
        "probed",
        "reader",
        "reports",
        "prevalence",
        "ratchet",
        "simulated_large",
        "real_ecgs",
        "real_llm",
        "resources",
        "ecgs",
        "marks",
        "masked",
        "scripted_llm",
        "trained",
        "variants",
    }


@pytest.mark.benchmark
def test_the_ratchet_names_the_stages_that_grew(printed, monkeypatch, tmp_path):
    stages = [("pretrain", [40.0, 40.0]), ("measure_waveforms", [20.0, 30.0]), ("build_prompts", [1.0, 0.9])]
    runs = [{name: seconds[number] for name, seconds in stages} for number in (0, 1)]
    ratchet, whole_run = (importlib.import_module(name) for name in ("benchmarks.ratchet", "default_run"))
    monkeypatch.setattr(ratchet, "FILE", tmp_path / "ratchet.json")
    monkeypatch.setattr(ratchet, "calibrate", lambda: 0.5)
    took = iter([runs[0], runs[1], runs[1], {**runs[1], "pretrain": 60.0}])

    def one(code, arguments):
        cpu = next(took)
        whole = whole_run.Took(99.0, 10.0 + sum(cpu.values()), 0.0, "")
        return whole_run.Run(whole, {name: whole_run.Stage(1, 9.0, value, 0.0) for name, value in cpu.items()}, {})

    monkeypatch.setattr(ratchet, "run", one)
    assert json.loads(printed("ratchet", "--accept").splitlines()[-1])["units"] == 142
    more = printed("ratchet").splitlines()
    assert "| measure_waveforms |" in more[2] and json.loads(more[-1])["ratio"] == 1.139
    printed("ratchet", "--accept")
    with pytest.raises(SystemExit, match=r"1\.25 times the accepted processor time"):
        printed("ratchet")
