"""Trainings that differ in one setting: what is said of them."""

import math

import numpy as np
import pytest
from scipy import stats

from fgclep.config.ablation import COARSE, REFERENCE
from fgclep.config.load import validate_config
from fgclep.config.pretraining import EcgEncoderSection
from fgclep.errors import UserError
from fgclep.evaluation.ablation import MEAN, interval, summarize
from fgclep.report.results.estimate import difference
from fgclep.report.tables.ablation import comparison


def metric(model, task, value, protocol="zero_shot", **changes):
    row = {"model": model, "task": task, "protocol": protocol, "class": "macro", "metric": "auroc", "value": value}
    return row | changes


RUNS = {"a0": ("a", 0), "a1": ("a", 1), "a2": ("a", 2), "b0": ("b", 0), "b1": ("b", 1), "b2": ("b", 2)}
VALUES = {"a0": (0.8, 0.6), "a1": (0.9, 0.6), "a2": (0.7, 0.6), "b0": (0.85, 0.5), "b1": (0.95, 0.5), "b2": (0.75, 0.5)}
ROWS = [metric(model, task, str(v)) for model, pair in VALUES.items() for task, v in zip("xy", pair, strict=True)]


def summary(rows=ROWS, runs=RUNS):
    return {(row["variant"], row["task"]): row for row in summarize(rows, runs, "a")}


def test_the_interval_is_that_of_students_t():
    values = np.array([0.8, 0.9, 0.7, 0.75])
    mean, low, high = interval(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (mean, low, high) == pytest.approx((values.mean(), expected.low, expected.high))
    assert all(map(math.isnan, interval(np.array([0.5]))[1:]))


def test_variants_are_compared_seed_by_seed():
    found = summary()
    assert found["b", "x"]["mean"] == pytest.approx(0.85) and found["b", "x"]["seeds"] == 3
    assert found["b", "x"]["ci_high"] - found["b", "x"]["ci_low"] > 0.4  # the seeds differ
    assert found["b", "x"]["difference"] == pytest.approx(0.05)
    assert found["b", "x"]["difference_high"] == pytest.approx(0.05)  # and all by the same
    assert found["a", "x"]["difference"] == 0


def test_the_mean_is_over_the_tasks_of_each_run():
    found = summary()
    assert found["a", MEAN]["mean"] == pytest.approx((0.8 + 0.6) / 2)
    assert found["b", MEAN]["difference"] == pytest.approx((0.05 - 0.1) / 2)


def test_a_task_that_some_run_does_not_define_is_left_out():
    rows = [row | {"value": ""} if (row["model"], row["task"]) == ("b1", "x") else row for row in ROWS]
    found = summary(rows)
    assert ("a", "x") not in found and found["a", MEAN]["mean"] == pytest.approx(0.6)


def test_only_macro_aurocs_count():
    other = [metric(model, "x", "0.1", metric="auprc") for model in RUNS]
    other += [metric(model, "x", "0.1", **{"class": "AF"}) for model in RUNS]
    assert summary([*ROWS, *other]) == summary()


# -- the config --------------------------------------------------------------------------------------------------------


def config(**variants):
    return validate_config({"ablation": {"variants": variants}})


def test_a_variant_changes_what_it_names_and_nothing_else():
    made = config(mine={"pretraining": {"loss": "clip", "ecg_encoder": {"width": 32}}})
    variant, plain = made.variant("mine"), made.variant(REFERENCE)
    encoder = EcgEncoderSection(kind="resnet18", width=32)
    assert variant.pretraining == plain.pretraining.model_copy(update={"loss": "clip", "ecg_encoder": encoder})
    assert variant.similarity == plain.similarity and variant.verification == plain.verification


def test_a_variant_can_be_left_out():
    assert config(clip=None).ablation.variants["clip"] is None


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        ({"mine": {"pretraining": {"los": "clip"}}}, "ablation.variants.mine.pretraining.los"),
        ({"mine": {"pretraining": {"loss": "best"}}}, "ablation.variants.mine.pretraining.loss"),
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


def test_the_report_shows_means_differences_and_what_differs():
    rows = summarize(
        [row | {"protocol": protocol} for row in ROWS for protocol in ("zero_shot", "linear_probe")],
        {model: ({"a": REFERENCE, "b": "my_loss"}[variant], seed) for model, (variant, seed) in RUNS.items()},
        REFERENCE,
    )
    fine, mine = comparison(rows, {"my_loss": {"pretraining": {"loss": "clip"}}, "other": None})
    assert (fine["name"], fine["differences"]) == ("fine", [None, None])
    assert (mine["name"], mine["change"], mine["seeds"]) == ("my loss", "pretraining: {loss: clip}", 3)
    assert mine["values"][0].value == pytest.approx((0.85 + 0.5) / 2)
    assert mine["differences"][1].value == pytest.approx(-0.025)
    assert difference(mine["differences"][1]).startswith("−2.5 (")


def test_one_seed_has_no_interval():
    rows = summarize(
        [metric(model, "x", "0.8", protocol) for model in ("c0", "d0") for protocol in ("zero_shot", "linear_probe")],
        {"c0": (COARSE, 0), "d0": (REFERENCE, 0)},
        REFERENCE,
    )
    coarse, _ = comparison(rows, {})
    assert coarse["change"] == "no fine stage" and coarse["values"][0].low is None
    assert difference(coarse["differences"][0]) == "+0.0"
