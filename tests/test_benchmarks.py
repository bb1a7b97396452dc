"""The programs that made the figures of docs/performance.md and docs/similarity.md run, and end with a line of JSON."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SMALL = {
    "codecs": ["--records", "6"],
    "ingest": ["--records", "8", "--rounds", "1"],
    "loader": [
        *("--records", "300", "--wfdb-records", "4", "--memmap-records", "8"), *("--memory-mb", "32", "--rounds", "1"),
    ],
    "loss_memory": ["--batches", "512", "1024", "--losses", "fg_clep"],
    "manifest": ["--records", "500"],
    "recovery": ["--records", "60"],
    "soak": ["--records", "60", "--pool", "10", "--per-chunk", "30"],
    "verification": ["--records", "300", "600"],
    "pretrain": [
        *("--batch", "4", "--records", "24", "--width", "8", "--steps", "1", "--rounds", "1"),
        *("--no-warm-baseline", "--no-compiled", "--statements", "none"),
    ],
    "probe": ["--records", "40", "--widths", "4", "--epochs", "2"],
    "simulation": ["--records", "30"],
    "similarity": ["--texts", "300", "600", "--plain-texts", "300", "--neighbors", "30"],
}  # fmt: skip


@pytest.mark.benchmark
@pytest.mark.parametrize("name", SMALL)
def test_a_benchmark_ends_with_its_figures(name):
    command = [sys.executable, str(BENCHMARKS / f"{name}.py"), *SMALL[name]]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=BENCHMARKS.parent)
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["name"] == name and figures["ratio"] > 0


@pytest.mark.benchmark
def test_the_model_of_simulated_ecgs_is_trained_and_measured_on_real_ones(physionet, tmp_path):
    model = tmp_path / "model"
    command = [sys.executable, str(BENCHMARKS / "simulated_large.py"), "--records", "120", "--work", str(tmp_path)]
    small = ["fine_epochs=1", "batch_size=16", "threads=1", "ecg_encoder={kind: resnet18, width: 4}"]
    done = subprocess.run([*command, "--output", str(model), "--set", *small], check=True, stdout=subprocess.PIPE)
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["records"] == 120 and figures["ratio"] > 1
    card = (model / "README.md").read_text(encoding="utf-8")
    assert "python benchmarks/simulated_large.py --install --records 120" in card
    other = subprocess.run([*command, "--set", "batch_size=8"], capture_output=True, text=True, check=False)
    assert other.returncode == 1 and f"{tmp_path} was made with other settings" in other.stderr
    command = [sys.executable, str(BENCHMARKS / "real_ecgs.py"), "--model", str(model), "--base", str(physionet)]
    done = subprocess.run([*command, "--bootstrap", "20"], check=True, stdout=subprocess.PIPE)
    aurocs = json.loads(done.stdout.splitlines()[-1])["auroc"]
    assert list(aurocs) == ["ptbxl_super", "ptbxl_sub", "ptbxl_rhythm", "ptbxl_form", "csn_cpsc2018_georgia"]
    assert all(0.2 < low <= value <= high < 1 for value, low, high in aurocs.values())


@pytest.mark.benchmark
def test_measurements_agree_with_the_marks_of_cardiologists(physionet):
    command = [sys.executable, str(BENCHMARKS / "measurements.py"), "--ecgs", str(physionet / "ludb/1.0.1/data")]
    figures = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    assert figures["verdicts"] > 2500 and figures["agreement"] >= 0.95
    assert figures["qrs_median_ms"] <= 10 and figures["pr_median_ms"] <= 15 and figures["qt_median_ms"] <= 25


@pytest.mark.benchmark
def test_simulated_statements_are_as_frequent_as_real_ones(physionet):
    table = physionet / "ptb-xl/1.0.3/ptbxl_database.csv"
    command = [sys.executable, str(BENCHMARKS / "prevalence.py"), "--table", str(table), "--records", "1500"]
    figures = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    assert figures["drawn"]["statements"] > 15 and figures["drawn"]["median_error"] < 0.5


@pytest.mark.benchmark
def test_what_a_run_took_is_less_than_its_rules_ask_for(finished):
    command = [sys.executable, str(BENCHMARKS / "resources.py"), *TINY[2:]]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=finished.checkout.folder)
    assert "| `pretrain` | 4 |" in done.stdout
    assert json.loads(done.stdout.splitlines()[-1])["ratio"] > 1.5


def test_every_benchmark_is_tried():
    assert {path.stem for path in BENCHMARKS.glob("*.py")} == {
        *SMALL,
        "measurements",
        "prevalence",
        "simulated_large",
        "real_ecgs",
        "resources",
        "ecgs",
        "marks",
        "scripted_llm",
    }
