"""Trainings that differ in one setting: what is said of them."""

import json
import math

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from fgclep.config.ablation import COARSE, REFERENCE
from fgclep.config.load import validate_config
from fgclep.config.pretraining import EcgEncoderSection
from fgclep.errors import UserError
from fgclep.evaluation.ablation import interval, summarize
from fgclep.evaluation.scores import read_scores, score_table
from fgclep.evaluation.task_records import TaskRecords
from fgclep.evaluation.tasks import Task, TaskClass
from fgclep.report.results.run import ABLATION, read_csv
from fgclep.report.tables.ablation import ablation_table, differences_table
from fgclep.schemas.class_scores import CLASS_SCORES
from fgclep.schemas.comparisons import MEAN
from fgclep.stages import summarize_ablation
from fgclep.tables import write_table


def evaluation(task, protocol="zero_shot", setting="synonyms"):
    return task, "s", protocol, setting


RUNS = {"a0": ("a", 0), "a1": ("a", 1), "a2": ("a", 2), "b0": ("b", 0), "b1": ("b", 1), "b2": ("b", 2)}
VALUES = {"a0": (0.8, 0.6), "a1": (0.9, 0.6), "a2": (0.7, 0.6), "b0": (0.85, 0.5), "b1": (0.95, 0.5), "b2": (0.75, 0.5)}
NOISE = np.random.default_rng(0).normal(scale=0.02, size=(len(RUNS), 2, 400))  # of the resamples
MACROS = {
    model: {
        evaluation(task): np.concatenate([[value], value + noise])
        for task, value, noise in zip("xy", VALUES[model], NOISE[number], strict=True)
    }
    for number, model in enumerate(RUNS)
}


def summary(macros=MACROS, runs=RUNS):
    return {(row["variant"], row["task"]): row for row in summarize(macros, runs, "a")}


def test_the_interval_is_that_of_students_t():
    values = np.array([0.8, 0.9, 0.7, 0.75])
    mean, low, high = interval(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (mean, low, high) == pytest.approx((values.mean(), expected.low, expected.high))
    assert all(map(math.isnan, interval(np.array([0.5]))[1:]))
    assert all(map(math.isnan, interval(np.array([0.5, 0.5, 0.5]))[1:]))


def test_variants_are_compared_seed_by_seed():
    found = summary()
    assert found["b", "x"]["mean"] == pytest.approx(0.85) and found["b", "x"]["seeds"] == 3
    assert found["b", "x"]["ci_high"] - found["b", "x"]["ci_low"] > 0.4  # the seeds differ
    assert found["b", "x"]["difference"] == pytest.approx(0.05)
    assert math.isnan(found["b", "x"]["difference_high"])  # and all by the same
    assert found["a", "x"]["difference"] == 0
    assert math.isnan(found["a", "x"]["difference_patients_high"])  # as it does not differ from itself


def test_and_resample_by_resample():
    row = summary()["b", "x"]
    by_hand = 0.05 + np.mean([NOISE[number + 3, 0] - NOISE[number, 0] for number in range(3)], axis=0)
    expected = np.percentile(by_hand, [2.5, 97.5])
    assert [row["difference_patients_low"], row["difference_patients_high"]] == pytest.approx(expected)
    of_value = np.percentile(0.85 + NOISE[3:, 0].mean(axis=0), [2.5, 97.5])
    assert [row["patients_low"], row["patients_high"]] == pytest.approx(of_value)


def test_the_mean_is_over_the_tasks_of_each_run():
    found = summary()
    assert found["a", MEAN]["mean"] == pytest.approx((0.8 + 0.6) / 2)
    assert found["b", MEAN]["difference"] == pytest.approx((0.05 - 0.1) / 2)


def test_a_task_that_some_run_does_not_define_is_left_out():
    missing = {**MACROS, "b1": {**MACROS["b1"], evaluation("x"): np.full(401, np.nan)}}
    found = summary(missing)
    assert ("a", "x") not in found and found["a", MEAN]["mean"] == pytest.approx(0.6)


def test_without_resamples_there_is_no_interval_over_the_patients():
    found = summary({model: {key: values[:1] for key, values in own.items()} for model, own in MACROS.items()})
    assert math.isnan(found["b", "x"]["difference_patients_low"]) and found["b", "x"]["ci_low"] < 0.8


def test_prompt_sets_and_protocols_stand_apart():
    both = {
        model: own | {evaluation(task, "linear_probe", ""): own[evaluation(task)] + 0.1 for task in "xy"}
        for model, own in MACROS.items()
    }
    rows = summarize(both, RUNS, "a")
    assert {(row["protocol"], row["setting"]) for row in rows} == {("zero_shot", "synonyms"), ("linear_probe", "")}
    means = {(row["protocol"], row["variant"]): row["mean"] for row in rows if row["task"] == MEAN}
    assert means["linear_probe", "b"] == pytest.approx(means["zero_shot", "b"] + 0.1)


def test_the_stage_reads_the_scores_of_every_run(tmp_path):
    rng = np.random.default_rng(0)
    classes = tuple(TaskClass(name, name, (name,), (name,)) for name in "uv")
    tasks = [Task(name, "csn", "s", classes) for name in ("x", "y")]
    labels = rng.random((60, 2)) < 0.4
    ids = np.array([f"r{number}" for number in range(60)])
    records = TaskRecords(ids, ids, np.full(60, "test"), np.zeros((60, 1)), labels)
    runs = {f"{variant}-{seed}": (variant, seed) for variant in (COARSE, REFERENCE) for seed in (0, 1)}
    for model, (variant, _) in runs.items():
        tables = []
        for task in tasks:
            scores = rng.normal(size=(60, 2)) + (2 if variant == REFERENCE else 1) * labels
            tables.append(score_table(model, task, "zero_shot", "both", records, scores))
        write_table(pa.concat_tables(tables), tmp_path / f"{model}.parquet", CLASS_SCORES)
    options = ["--scores", *(str(tmp_path / f"{model}.parquet") for model in runs), "--runs", json.dumps(runs)]
    options += ["--settings", json.dumps({"bootstrap": 50, "seed": 0}), "--output", str(tmp_path / "ablation.csv")]
    summarize_ablation.main(summarize_ablation.arguments().parse_args(options))
    rows = read_csv(tmp_path / "ablation.csv", ABLATION).to_dicts()
    assert [(row["variant"], row["task"]) for row in rows] == [
        (variant, task) for variant in (COARSE, REFERENCE) for task in ("x", "y", MEAN)
    ]
    own = read_scores([tmp_path / "fine-0.parquet"])["fine-0", ("x", "s", "zero_shot", "both")]
    other = read_scores([tmp_path / "fine-1.parquet"])["fine-1", ("x", "s", "zero_shot", "both")]
    expected = np.mean([roc_auc_score(one.labels, one.scores) for one in (own, other)])
    assert rows[3]["mean"] == pytest.approx(expected)
    assert rows[0]["difference_patients_low"] < rows[0]["difference"] < rows[0]["difference_patients_high"]
    assert rows[2]["difference"] < 0


# -- the config --------------------------------------------------------------------------------------------------------


def config(**variants):
    return validate_config({"ablation": {"variants": variants}})


def test_a_variant_changes_what_it_names_and_nothing_else():
    made = config(mine={"pretraining": {"loss": "clip", "ecg_encoder": {"width": 32}}})
    variant, plain = made.variant("mine"), made.variant(REFERENCE)
    encoder = EcgEncoderSection(kind="resnet18", width=32)
    assert variant.pretraining == plain.pretraining.model_copy(update={"loss": "clip", "ecg_encoder": encoder})
    assert variant.similarity == plain.similarity and variant.verification == plain.verification


def test_what_holds_throughout_may_change_the_coarse_stage():
    made = config(mine={"pretraining": {"coarse_epochs": 3}, "throughout": True})
    assert made.variant("mine").pretraining.coarse_epochs == 3
    assert made.variant("mine").throughout and not made.variant(REFERENCE).throughout


def test_a_variant_can_be_left_out():
    assert config(clip=None).ablation.variants["clip"] is None


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        ({"mine": {"pretraining": {"los": "clip"}}}, "ablation.variants.mine.pretraining.los"),
        ({"mine": {"pretraining": {"loss": "best"}}}, "ablation.variants.mine.pretraining.loss"),
        (
            {"mine": {"pretraining": {"coarse_epochs": 3}}},
            "coarse_epochs is no setting of the fine stage; add throughout",
        ),
        ({"mine": {"verification": {"folds": 3}}}, "only features can be changed"),
        ({"fine": {"pretraining": {"loss": "clip"}}}, "the name fine is taken"),
        ({"Mine": {"pretraining": {"loss": "clip"}}}, "ablation.variants"),
        ({"mine": {"evaluation": {"seeds": 3}}}, "ablation.variants.mine"),
    ],
)
def test_a_mistake_in_a_variant_is_named(variants, message):
    with pytest.raises(UserError, match=message.replace(".", r"\.")):
        config(**variants)


# -- the report --------------------------------------------------------------------------------------------------------


def ablation_rows(variant_of, macros=MACROS):
    runs = {model: (variant_of[variant], seed) for model, (variant, seed) in RUNS.items() if model in macros}
    both = {
        model: own | {evaluation(t, "linear_probe", ""): own[evaluation(t)] for t in "xy"}
        for model, own in macros.items()
    }
    return summarize(both, runs, REFERENCE)


def test_the_report_shows_means_differences_and_what_differs():
    rows = ablation_rows({"a": REFERENCE, "b": "my_loss"})
    variants = {"my_loss": {"pretraining": {"loss": "clip"}, "throughout": True}, "other": None}
    fine, mine = ablation_table(rows, variants).rows
    assert (fine.name, fine.cells[0].text) == ("fine", "the settings of this report")
    assert (mine.name, mine.cells[0].text) == ("my loss", "pretraining: {loss: clip}; in the coarse stage as well")
    assert [cell.text for cell in mine.cells[1:]] == ["67.5", "67.5"]
    table = differences_table(rows, variants)
    assert [head.name for head in table.heads[1:]] == [
        "zero-shot by wordings of reports", "linear probe, all training records",
    ]  # fmt: skip
    (mine,) = table.rows  # fine does not differ from itself
    assert mine.cells[1].text == "−2.5"
    assert mine.cells[1].detail.startswith("patients −")  # the seeds all give the same


def test_one_seed_has_no_interval_over_the_seeds():
    rows = ablation_rows({"a": COARSE, "b": REFERENCE}, {model: MACROS[model] for model in ("a0", "b0")})
    coarse, _ = ablation_table(rows, {}).rows
    assert coarse.cells[0].text == "no fine stage" and coarse.cells[1].detail == ""
    assert differences_table(rows, {}).rows[0].cells[1].detail.startswith("patients ")
