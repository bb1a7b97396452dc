"""S between texts, against values worked out by hand."""

from pathlib import Path

import numpy as np
import pytest

from fgclep.similarity import concept_similarity, similarity_of, summarize
from fgclep.statements import Statement, parse_statements
from fgclep.vocabulary import Diagnosis, Feature, Vocabulary, load_vocabulary

ROOT = Path(__file__).parent.parent
SMALL = Vocabulary(
    1,
    {name: Feature(name, name, "x") for name in ("f", "g", "h")},
    {
        "a": Diagnosis("a", "a", "one", "x", typical=("f", "g")),
        "b": Diagnosis("b", "b", "one", "x", typical=("g",), alternative=("h",)),
        "c": Diagnosis("c", "c", "two", "x", typical=("g",)),
        "d": Diagnosis("d", "d", "one", "x", typical=("f",), incompatible=("g",)),
    },
    (),
)


def say(diagnoses="", features="", negated="", certainty="certain"):
    kind = "diagnosis" if diagnoses else "feature" if features or negated else "unknown"
    return Statement("text", kind, tuple(diagnoses), tuple(features), tuple(negated), certainty)


def similar(one, other, related=0.5):
    matrix = concept_similarity([one, other], SMALL, related)
    assert matrix[0, 0] == matrix[1, 1] == 1
    assert matrix[0, 1] == matrix[1, 0]
    return float(matrix[0, 1])


def test_equal_findings_are_the_same_in_any_words_and_order():
    assert similar(say("ac"), say("ca")) == 1
    assert similar(say("a", "f"), say("a", "f")) == 1


def test_shared_findings_grade_the_similarity():
    # {a, c} and {a}: a finds itself from both sides, c finds nothing: (1 + 0 + 1) / 3
    assert similar(say("ac"), say("a")) == pytest.approx(2 / 3)


def test_a_diagnosis_and_its_features_are_related():
    assert similar(say("a"), say(features="f")) == pytest.approx(0.5)
    assert similar(say("b"), say(features="h")) == pytest.approx(0.25)  # an alternative feature counts half
    assert similar(say("a"), say(features="h")) == 0
    assert similar(say("a"), say(features="f"), related=0.8) == pytest.approx(0.8)


def test_diagnoses_of_a_group_share_as_much_as_their_typical_features():
    assert similar(say("a"), say("b")) == pytest.approx(0.5 * 1 / 2)  # g of f, g
    assert similar(say("a"), say("c")) == 0  # another group
    assert similar(say("a"), say("d")) == 0  # d excludes g, which is typical of a


def test_a_denied_finding_is_not_the_finding():
    assert similar(say("a"), say(negated="a")) == 0
    assert similar(say(negated="a"), say(negated="a")) == 1


def test_uncertainty_costs_little():
    assert 0.95 < similar(say("a"), say("a", certainty="possible")) < 1


def test_unknown_texts_are_similar_to_themselves_only():
    assert similar(say(), say()) == 0
    assert similar(say(), say("a")) == 0


def test_left_and_right_bundle_branch_block_are_far_apart():
    vocabulary = load_vocabulary(ROOT / "resources" / "vocabulary")
    texts = ["left bundle branch block", "right bundle branch block", "rbbb", "atrial fibrillation"]
    matrix = concept_similarity(parse_statements(texts, vocabulary), vocabulary, 0.5)
    assert matrix[0, 1] < 0.2
    assert matrix[1, 2] == 1
    assert matrix[1, 3] == 0


def test_identity_knows_no_relation():
    assert np.array_equal(similarity_of([say("a"), say("a")], SMALL, "identity", 0.5), np.eye(2))


def test_the_summary_counts_pairs_once_and_leaves_the_diagonal_out():
    statements = [say("a"), say("a"), say(features="f"), say("c")]
    summary = summarize(similarity_of(statements, SMALL, "concepts", 0.5), statements, "concepts")
    # pairs: a-a 1; a-f 0.5 twice; a-c, a-c, f-c 0
    assert summary["texts"] == 4
    assert sum(summary["histogram"]["counts"]) == 6
    assert len(summary["histogram"]["edges"]) == 21
    assert summary["share_above_half"] == pytest.approx(1 / 6)
    assert summary["mean_without_shared_finding"] == pytest.approx((0.5 + 0.5) / 5)
