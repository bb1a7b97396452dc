"""Recall at k counts equal reports as hits, as a plain loop does."""

import numpy as np
import pytest

from fgclep.retrieval import recall_at_k


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
