"""The whole road on a tiny config: from simulated raw ECGs to the report."""

import csv
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import TINY

from fgclep.cli import main
from fgclep.config.ablation import DEFAULT_VARIANTS, TEXT_TOWER
from fgclep.evaluation.scores import read_scores
from fgclep.schemas.audit import AUDIT
from fgclep.schemas.comparisons import MEAN
from fgclep.schemas.metrics import METRICS
from fgclep.schemas.quarantine import QUARANTINE
from fgclep.schemas.truth import TRUTH
from fgclep.tables import read_table

TASKS = {"ptbxl_super", "ptbxl_sub", "ptbxl_form", "ptbxl_rhythm", "cpsc2018", "csn"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def checkout(finished):
    return finished.checkout


@pytest.fixture(scope="module")
def run(finished):
    return finished.run


@pytest.fixture(scope="module")
def results(checkout):
    return checkout.folder / "results"


def test_the_last_line_says_where_the_report_is(run, results):
    assert run.stdout.splitlines()[-1] == f"The report is {results / 'report.html'}"


def test_the_report_stands_alone(results):
    html = (results / "report.html").read_text(encoding="utf-8")
    assert html.lstrip().lower().startswith("<!doctype html>")
    for task in TASKS:
        assert task in html
    assert 'src="http' not in html


def test_figures_and_tables_are_files_for_a_paper(results):
    figures, tables = ({path.name for path in (results / name).iterdir()} for name in ("figures", "tables"))
    for name in (
        "auroc_zero_shot",
        "roc_linear_probe",
        "reliability",
        "few_shot",
        "training",
        "ecg_1",
        "retrieved_1_1",
    ):
        assert {f"{name}.svg", f"{name}.pdf", f"{name}.csv"} <= figures
    assert {"headline.tex", "comparisons.tex", "retrieval.csv", "classes_csn_corrected.tex"} <= tables


def test_snakemake_makes_its_own_report_without_network(run, checkout):
    made = checkout.snakemake("--report", "run.zip", *TINY)
    assert made.returncode == 0, made.stdout[-3000:]
    with zipfile.ZipFile(checkout.folder / "run.zip") as archive:
        names = {Path(name).name for name in archive.namelist()}
    assert {"report.html", "metrics.csv", "auroc_zero_shot.svg", "headline.csv"} <= names


def test_the_review_sheet_asks_about_two_hundred_decisions(results):
    html = (results / "review.html").read_text(encoding="utf-8")
    first, later = (html.count(f'<article class="{kind}"') for kind in ("decision", "decision later"))
    assert (first, later) == (50, 150)  # the first fifty may be all that somebody has time for
    assert len(html) < 15_000_000


def test_metrics_cover_every_model_task_and_protocol(results):
    with (results / "evaluation" / "metrics.csv").open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    assert reader.fieldnames == METRICS.names
    found = {(row["model"], row["task"], row["protocol"], row["setting"]) for row in rows}
    models = ("coarse", "fine", "random", "measurements", "fine_measurements")
    probes = {
        (model, task, protocol, setting)
        for model in models
        for task in TASKS
        for protocol, setting in (("linear_probe", ""), ("few_shot", "1"), ("few_shot", "4"))
    }
    zero_shot = {
        (model, task, protocol, prompts)
        for model in models[:2]
        for task in TASKS
        for protocol in ("zero_shot", "zero_shot_leads")
        for prompts in ("synonyms", "names", "features", "both")
    }
    transfer = {(model, "csn", "transfer", "cpsc2018") for model in models}
    retrieval = {
        (model, "mimic-iv-ecg", "retrieval", way) for model in models[:2] for way in ("ecg_to_text", "text_to_ecg")
    }
    assert probes | zero_shot | transfer | retrieval <= found


def test_models_are_compared_on_every_task(results):
    with (results / "evaluation" / "comparisons.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    pairs = {(row["task"], row["model_a"], row["model_b"]) for row in rows if row["protocol"] == "linear_probe"}
    assert len(pairs) == (len(TASKS) + 1) * 10  # of five models, with the mean over the tasks
    assert {row["task"] for row in rows if row["protocol"] == "zero_shot" and row["setting"] == "names"} == {
        *TASKS,
        MEAN,
    }


def test_broken_records_are_in_the_quarantine_with_a_reason(results):
    rows = read_table(results / "quarantine.parquet", QUARANTINE).to_pylist()
    assert {row["source"] for row in rows} == {"mimic-iv-ecg", "ptb-xl", "cpsc2018", "csn"}
    assert all(row["reason"] for row in rows)


def test_no_record_is_lost(results):
    for source in ("mimic-iv-ecg", "ptb-xl", "cpsc2018", "csn"):
        listed = pq.read_metadata(results / "manifest" / f"{source}.parquet").num_rows
        shards = sum(pq.read_metadata(path).num_rows for path in (results / "shards" / source).glob("*.parquet"))
        dropped = sum(
            pq.read_metadata(path).num_rows
            for stage in ("fetch", "shards")
            for path in (results / "quarantine" / source).glob(f"{stage}-*.parquet")
        )
        assert listed == shards + dropped, source


def test_audit_and_truth_are_there(results):
    assert read_table(results / "recovery" / "audit.parquet", AUDIT).num_rows > 0
    sources = read_table(results / "simulation" / "truth.parquet", TRUTH)["source"].unique().to_pylist()
    assert sorted(sources) == ["cpsc2018", "csn", "mimic-iv-ecg", "ptb-xl"]


def test_controls_are_verified_as_the_run_was(checkout, results, monkeypatch, capsys):
    monkeypatch.chdir(results.parent)
    main(["score-recovery", "--controls"])
    lines = capsys.readouterr().out.partition("proposed by")[2].splitlines()[1:]
    rows = {line.rsplit("  ", 1)[0].split("  ")[0].strip(): re.findall(r"[\d,.]+%?", line[36:]) for line in lines}
    assert rows["this run (knowledge)"] == rows["knowledge table"] and len(rows) == 7
    # what is measured is proposed for all, and most of it is not there
    features, before, _, after, _ = rows["everything that is measured"]
    assert float(before[:-1]) < 40 < 85 < float(after[:-1]) and int(features.replace(",", "")) > 10_000


def test_models_are_in_hugging_face_format(results):
    for name in ("coarse", "fine"):
        files = {path.name for path in (results / "models" / name).iterdir()}
        assert {
            "config.json",
            "model.safetensors",
            "tokenizer.json",
            "training.csv",
            "throughput.csv",
            "README.md",
        } <= files


def test_a_second_run_has_nothing_to_do(run, checkout, results):
    again = checkout.snakemake(*TINY)
    assert again.returncode == 0, again.stdout
    assert "Nothing to be done" in again.stdout
    assert again.stdout.splitlines()[-1] == f"The report is {results / 'report.html'}"


@pytest.fixture(scope="module")
def ablation(run, checkout):
    """The ablation with one seed and three variants, after the run whose results it builds on."""
    variants = dict.fromkeys(DEFAULT_VARIANTS)
    variants |= {name: DEFAULT_VARIANTS[name] for name in ("features_random", "clip")}
    variants["similarity_raw"] = {
        "similarity": {"source": "raw", "encoder": TEXT_TOWER},
        "pretraining": {"loss": "fg_clep"},
    }
    overlay = checkout.folder / "ablation.json"
    overlay.write_text(json.dumps({"ablation": {"seeds": 1, "variants": variants}}))
    options = (*TINY, str(overlay), "--", "ablation")
    finished = checkout.snakemake(*options)
    assert finished.returncode == 0, finished.stdout[-5000:]
    assert "Nothing to be done" in checkout.snakemake(*options).stdout
    return checkout.folder / "results" / "ablation"


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.exhaustive
def test_the_ablation_evaluates_as_the_workflow_does(ablation, results):
    """Its coarse model of the first seed is the workflow's: so is what it scores, zero-shot and by all records."""
    own = {key: found for (_, key), found in read_scores([ablation / "scores" / "coarse-0.parquet"]).items()}
    folder = results / "evaluation" / "scores"
    paths = [folder / protocol / "coarse.parquet" for protocol in ("zero_shot", "linear_probe")]
    theirs = {key: found for (_, key), found in read_scores(paths).items()}
    assert {(task, protocol, setting) for task, _, protocol, setting in own} == {
        (task, protocol, setting)
        for task in TASKS
        for protocol, setting in (*(("zero_shot", s) for s in ("synonyms", "features", "both")), ("linear_probe", ""))
    }
    for key, found in own.items():
        np.testing.assert_array_equal(found.ids, theirs[key].ids)
        # texts are embedded with others at a time, whose length decides of the last digits
        np.testing.assert_allclose(found.scores, theirs[key].scores, rtol=0, atol=1e-5)


@pytest.mark.exhaustive
def test_the_ablation_compares_its_variants_in_a_report(ablation):
    rows = rows_of(ablation / "ablation.csv")
    assert {row["variant"] for row in rows} == {"coarse", "fine", "similarity_raw", "features_random", "clip"}
    assert {row["difference"] for row in rows if row["variant"] == "fine"} == {"0.0"}
    assert any(row["difference"] != "0.0" for row in rows if row["variant"] == "features_random")
    html = (ablation / "report.html").read_text(encoding="utf-8")
    assert (ablation / "models" / "coarse-clip-0").is_dir()
    assert "pretraining: {loss: clip}; in the coarse stage as well" in html
    assert 'id="ablation"' in html and "verification: {features: random}" in html
