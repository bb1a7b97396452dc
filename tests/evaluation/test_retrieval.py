"""Recall at k counts equal reports as hits, as a plain loop does."""

import numpy as np
import pytest

from fgclep.evaluation.ranks import ranks, recall_at_k
from fgclep.evaluation.retrieval import retrieval_metrics


def by_loops(cosines, report_of, k):
    ecgs, reports = cosines.shape
    first = 0
    for ecg in range(ecgs):
        right = report_of[ecg]
        rank = sum(cosines[ecg, r] >= cosines[ecg, right] for r in range(reports) if r != right)
        first += rank < k
    second = 0
    for asked in report_of:  # each ECG's report looks for ECGs
        hit = max(cosines[e, asked] for e in range(ecgs) if report_of[e] == asked)
        rank = sum(cosines[e, asked] >= hit for e in range(ecgs) if report_of[e] != asked)
        second += rank < k
    return first / ecgs, second / ecgs


@pytest.mark.parametrize("k", [1, 3, 10])
@pytest.mark.parametrize("seed", range(5))
def test_recall_equals_plain_loops(seed, k):
    rng = np.random.default_rng(seed)
    report_of = rng.permutation(np.arange(30) % 17)
    cosines = rng.normal(size=(30, 17)).round(1)  # with ties
    assert recall_at_k(cosines, report_of, k) == pytest.approx(by_loops(cosines, report_of, k))


def test_by_hand():
    # ECGs 0 and 1 have report 0, ECG 2 has report 1. ECG 1 prefers report 1, and report 1 prefers ECG 1.
    cosines = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    assert recall_at_k(cosines, np.array([0, 0, 1]), 1) == pytest.approx((2 / 3, 2 / 3))
    assert recall_at_k(cosines, np.array([0, 0, 1]), 2) == (1.0, 1.0)


def test_a_model_that_says_the_same_of_everything_finds_nothing():
    assert recall_at_k(np.zeros((20, 20)), np.arange(20), 10) == (0.0, 0.0)


def test_ranks_by_hand():
    # ECG 1 finds its report second; report 1 finds ECG 2 behind ECG 1
    to_text, to_ecg = ranks(np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]), np.array([0, 0, 1]))
    assert (to_text.tolist(), to_ecg.tolist()) == ([1, 2, 1], [1, 1, 2])


def test_metrics_by_hand():
    rows = retrieval_metrics(np.array([1, 7, 3, 20]), np.array(["a", "b", "c", "d"]), resamples=0, seed=0)
    assert {row["metric"]: row["value"] for row in rows} == {
        "recall@1": 0.25,
        "recall@5": 0.5,
        "recall@10": 0.75,
        "median_rank": 3.0,
    }
    assert {(row["class"], row["n"], row["ci_low"]) for row in rows} == {("all", 4, None)}


def test_intervals_resample_the_patients():
    rng = np.random.default_rng(0)
    found = rng.integers(1, 30, size=400)
    rows = {row["metric"]: row for row in retrieval_metrics(found, np.arange(400).astype(str), 500, 0)}
    share = (found <= 10).mean()
    width = 2 * 1.96 * np.sqrt(share * (1 - share) / 400)  # of a binomial share
    assert rows["recall@10"]["ci_high"] - rows["recall@10"]["ci_low"] == pytest.approx(width, rel=0.15)
    assert rows["median_rank"]["ci_low"] <= np.median(found) <= rows["median_rank"]["ci_high"]


def test_there_is_no_interval_of_what_few_patients_find():
    found = np.array([1] * 4 + [7] * 6 + [30] * 90)
    rows = {row["metric"]: row for row in retrieval_metrics(found, np.arange(100).astype(str), 200, 0)}
    told = {name: row["ci_low"] is not None for name, row in rows.items()}
    assert told == {"recall@1": False, "recall@5": False, "recall@10": True, "median_rank": False}  # always 30
    rows = retrieval_metrics(np.arange(100), np.repeat(["a", "b", "c", "d"], 25), 200, 0)
    assert {(row["ci_low"], row["patients_pos"]) for row in rows} == {(None, 4)}


def test_without_queries_nothing_is_defined():
    rows = retrieval_metrics(np.array([], dtype=int), np.array([], dtype=str), 10, 0)
    assert {(row["value"], row["ci_low"], row["n"]) for row in rows} == {(None, None, 0)}
