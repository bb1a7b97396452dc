"""S in random batches, against batches worked out by hand and against what training looks up."""

import numpy as np
import pyarrow as pa
import pytest
from similarity_data import FULL, SMALL, concepts, random_statements, say, whole

from fgclep.ragged import Ragged
from fgclep.similarity import batches
from fgclep.similarity.batches import in_batches
from fgclep.similarity.matrix import SimilarityMatrix
from fgclep.similarity.soft_overlap import largest, soft_overlap
from fgclep.training.text_batches import TextBank


def described(statements, text_ids, vocabulary=SMALL, seed=0):
    source = concepts(statements, vocabulary)
    matrix = SimilarityMatrix(whole(source, len(statements)).astype(np.float16))
    return in_batches(matrix, source.findings, pa.array(text_ids, type=pa.list_(pa.int32())), seed)


def test_the_similarity_of_two_reports_is_their_soft_overlap():
    similarity = np.array([[1, 0.5, 0], [0.5, 1, 0.25], [0, 0.25, 1]], dtype=np.float32)
    reports = Ragged.of([[0, 2], [1]])
    assert largest(similarity, reports).tolist() == [[1, 0.5, 1], [0.5, 1, 0.25]]
    # {0, 2} and {1}: 0.5 and 0.25 one way, 0.5 the other way
    assert soft_overlap(similarity, reports, reports) == pytest.approx(np.array([[1, 1.25 / 3], [1.25 / 3, 1]]))


def test_a_batch_pairs_every_ecg_with_the_texts_of_the_others(monkeypatch):
    monkeypatch.setattr(batches, "BATCHES", 1)
    # a | {a, c} in one text and f | f
    result = described([say("a"), say("ac"), say(features="f")], [[0], [1, 2], [2]])
    # a with {a, c} 2/3, a negative, and with f 0.5; {a, c} and f: a belongs; f with a 0.5, with {a, c} (0.5 + 0.5) / 3
    statements = result["statements"]
    assert sum(statements["histogram"]["counts"]) == 5
    expected = np.array([2 / 3, 0.5, 2 / 3, 0.5, 1 / 3])
    assert statements["mean"] == pytest.approx(expected.mean(), abs=1e-3)
    assert statements["share_above_half"] == pytest.approx(2 / 5)
    assert statements["negatives_above_half"] == pytest.approx(1 / 4)
    assert statements["mean_without_shared_finding"] == pytest.approx((0.5 + 0.5 + 1 / 3) / 3, abs=1e-3)
    # reports: {0} {1, 2}: (2/3 + 2/3 + 0.5) / 3; {0} {2}: 0.5; {1, 2} {2}: (1/3 + 1 + 1) / 3
    reports = np.array([(2 / 3 + 2 / 3 + 0.5) / 3, 0.5, (1 / 3 + 2) / 3])
    assert result["reports"]["mean"] == pytest.approx(reports.mean(), abs=1e-3)
    assert result["reports"]["negatives_above_half"] == pytest.approx(2 / 3)
    assert result["reports"]["mean_without_shared_finding"] == pytest.approx(0.5)


def test_equal_reports_are_not_each_other_s_negatives():
    result = described([say("a"), say("c")], [[0], [0], [1]])
    for unit in ("statements", "reports"):
        assert sum(result[unit]["histogram"]["counts"]) == 3 * batches.BATCHES
        assert result[unit]["mean"] == 0


@pytest.mark.parametrize("unit", ["statement", "report"])
def test_values_are_those_that_training_looks_up(monkeypatch, unit):
    monkeypatch.setattr(batches, "BATCHES", 1)
    statements = random_statements(60)
    rng = np.random.default_rng(1)
    text_ids = [rng.choice(60, rng.integers(1, 5), replace=False).tolist() for _ in range(40)]
    names = [[*s.diagnoses, *s.features, *(f"no {name}" for name in s.negated)] for s in statements]
    source = concepts(statements)
    bank = TextBank([str(i) for i in range(60)], names, text_ids, whole(source, 60))
    batch = bank.batch(unit, np.arange(40), 60, 60, rng)
    result = in_batches(
        SimilarityMatrix(whole(source, 60)), source.findings, pa.array(text_ids, type=pa.list_(pa.int32())), 0
    )[{"statement": "statements", "report": "reports"}[unit]]
    everything = slice(None), slice(None)
    targets, similarity = batch.targets(*everything)[0], batch.similarity(*everything)
    similarity = np.maximum(similarity, targets)
    negative = similarity[targets == 0]
    assert len(negative) > 500
    assert result["negatives_above_half"] == pytest.approx((negative.astype(np.float16) > 0.5).mean())


def test_the_seed_draws_the_batches_and_empty_reports_are_left_out(monkeypatch):
    monkeypatch.setattr(batches, "ECGS", 5)
    statements = random_statements(60)
    text_ids = [[], *([i, (7 * i) % 60] for i in range(60))]
    first, again, other = (described(statements, text_ids, FULL, seed) for seed in (0, 0, 1))
    assert first == again != other
