"""What is said of the distribution of S, against counts by hand."""

import numpy as np
import pytest
from similarity_data import SMALL, concepts, say, whole

from fgclep.similarity.summary import Summary


def described(statements, matrix=None):
    source = concepts(statements, SMALL)
    summary = Summary(source.findings)
    matrix = whole(source, len(statements)) if matrix is None else np.asarray(matrix)
    summary.add(np.arange(len(statements)), matrix.astype(np.float16))
    return summary.result()


def test_every_pair_counts_from_both_sides_and_the_diagonal_not():
    result = described([say("a"), say("a"), say(features="f"), say("c")])
    # pairs: a-a 1; a-f 0.5 twice; a-c, a-c, f-c 0
    assert result["texts"] == 4
    distinct = result["distinct"]
    assert distinct["histogram"]["counts"] == [6, *[0] * 9, 4, *[0] * 8, 2]
    assert distinct["histogram"]["edges"] == pytest.approx(np.linspace(0, 1, 21))
    assert distinct["mean"] == pytest.approx(2 / 6)
    assert (distinct["p10"], distinct["p50"], distinct["p95"]) == (0, 0, 1)
    assert distinct["share_above_half"] == pytest.approx(1 / 6)
    assert distinct["mean_without_shared_finding"] == pytest.approx((0.5 + 0.5) / 5)
    assert distinct["negatives_above_half"] == 0  # the only pair above is a-a, where either text belongs


def test_a_text_that_belongs_is_no_negative():
    # {a, c} has S = 2/3 with {a}. To an ECG with {a, c}, {a} belongs; to one with {a}, {a, c} does not.
    result = described([say("ac"), say("a"), say("d")])
    assert result["distinct"]["share_above_half"] == pytest.approx(1 / 3)
    assert result["distinct"]["negatives_above_half"] == pytest.approx(1 / 5)


def test_a_denial_in_common_is_a_finding_in_common():
    result = described([say(negated="a"), say(negated="a"), say("a")])
    assert result["distinct"]["mean_without_shared_finding"] == 0


def test_administrative_remarks_do_not_count():
    statements = [say("a"), say("c"), say("a", kind="administrative"), say(kind="administrative")]
    result = described(statements)
    assert result["texts"] == 2
    assert sum(result["distinct"]["histogram"]["counts"]) == 2


def test_quantiles_are_values_that_occur():
    matrix = np.full((5, 5), 0.25)
    matrix[0, 1] = matrix[1, 0] = 0
    matrix[3, 4] = matrix[4, 3] = 0.75
    distinct = described([say("a")] * 5, matrix)["distinct"]
    assert (distinct["p10"], distinct["p50"], distinct["p95"]) == (0, 0.25, 0.75)


def test_without_pairs_nothing_is_said():
    distinct = described([say("a")])["distinct"]
    assert distinct["mean"] is None and distinct["share_above_half"] is None and distinct["p50"] is None


def test_counting_in_parts_is_counting_at_once():
    statements = [say("a"), say("ab", "f"), say("b"), say(features="g"), say()] * 3
    source = concepts(statements, SMALL)
    matrix = whole(source, 15).astype(np.float16)
    summary = Summary(source.findings)
    for start in range(0, 15, 4):
        rows = np.arange(start, min(start + 4, 15))
        summary.add(rows, matrix[rows], columns=2)
    assert summary.result() == described(statements)
