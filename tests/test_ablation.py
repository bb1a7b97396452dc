"""Trainings that differ in one setting: what is said of them."""

import math

import numpy as np
import pytest
from scipy import stats

from fgclep.evaluation.ablation import MEAN, interval, summarize


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
