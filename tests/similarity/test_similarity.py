"""S between texts, against values worked out by hand and against plain loops in double precision."""

import numpy as np
import pytest
from similarity_data import FULL, SMALL, concepts, random_statements, say, whole

from fgclep.language.parser import parse_statements
from fgclep.similarity.build import IdentitySimilarity
from fgclep.similarity.concepts import relatedness


def similar(one, other, related=0.5):
    matrix = whole(concepts([one, other], SMALL, related), 2)
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
    assert similar(say("a"), say("a", certainty="possible")) == pytest.approx(0.97)
    assert similar(say("a", certainty="probable"), say("a", certainty="possible")) == pytest.approx(0.97)
    assert similar(say("a", certainty="possible"), say("a", certainty="possible")) == 1


def test_unknown_texts_are_similar_to_themselves_only():
    assert similar(say(), say()) == 0
    assert similar(say(), say("a")) == 0


def test_statements_of_the_vocabulary_are_as_alike_as_a_reader_expects():
    texts = [
        *("left bundle branch block", "right bundle branch block", "rbbb", "atrial fibrillation"),
        *("no atrial fibrillation", "inferior infarct", "possible inferior infarct"),
    ]
    matrix = whole(concepts(parse_statements(texts, FULL)), len(texts))
    assert matrix[0, 1] < 0.2
    assert matrix[1, 2] == 1
    assert matrix[1, 3] == 0
    assert matrix[3, 4] == 0
    assert matrix[5, 6] == pytest.approx(0.97)


def plain_concepts(statements, related):
    """The definition, pair by pair and finding by finding."""
    names, between = relatedness(FULL, related)
    relation = {(a, b): float(between[i, j]) for i, a in enumerate(names) for j, b in enumerate(names)}
    sets = [[*((f, True) for f in (*s.diagnoses, *s.features)), *((f, False) for f in s.negated)] for s in statements]

    def closest(finding, others):
        name, made = finding
        values = [relation[name, other] if made else float(name == other) for other, also in others if also == made]
        return max(values, default=0.0)

    result = np.eye(len(sets))
    for i, mine in enumerate(sets):
        for j, theirs in enumerate(sets):
            if i != j and mine and theirs:
                matches = [*(closest(f, theirs) for f in mine), *(closest(f, mine) for f in theirs)]
                factor = 1 if statements[i].certainty == statements[j].certainty else 0.97
                result[i, j] = factor * sum(matches) / len(matches)
    return result


def test_concepts_are_those_of_a_plain_double_loop():
    statements = random_statements(60)
    expected = plain_concepts(statements, 0.4)
    assert 0.02 < expected[~np.eye(60, dtype=bool)].mean() < 0.5
    assert whole(concepts(statements, related=0.4), 60) == pytest.approx(expected, abs=1e-6)


def test_a_block_is_a_part_of_the_whole():
    statements = random_statements(50)
    source = concepts(statements)
    matrix = whole(source, 50)
    rows, columns = np.array([7, 3, 41]), np.array([0, 49, 3, 3])
    assert np.array_equal(source.block(rows, columns), matrix[np.ix_(rows, columns)])
    assert np.array_equal(matrix, matrix.T)
    assert matrix.min() >= 0 and matrix.max() <= 1 and (matrix.diagonal() == 1).all()


def test_identity_knows_no_relation():
    assert np.array_equal(whole(IdentitySimilarity(), 3), np.eye(3))
    assert IdentitySimilarity().block(np.array([2, 0]), np.array([1, 2])).tolist() == [[0, 1], [0, 0]]
