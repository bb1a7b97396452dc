"""Which texts belong to which ECG in a batch, and how similar they are to its report."""

import numpy as np
import pytest

from fgclep.ragged import Ragged
from fgclep.training.text_batches import TextBank

#             0 lbbb  1 left bundle...  2 wide qrs  3 afib  4 afib with lbbb
S = np.array(
    [[1, 1, 0.5, 0, 0.7], [1, 1, 0.5, 0, 0.7], [0.5, 0.5, 1, 0, 0.3], [0, 0, 0, 1, 0.7], [0.7, 0.7, 0.3, 0.7, 1]],
    dtype=np.float16,
)
TEXTS = ["lbbb", "left bundle branch block", "wide qrs", "afib", "afib with lbbb"]
FINDINGS = [["lbbb"], ["lbbb"], ["wide_qrs"], ["afib"], ["afib", "lbbb"]]
WHOLE = slice(None), slice(None)


def test_a_text_belongs_to_an_ecg_whose_report_names_all_its_findings():
    bank = TextBank(TEXTS, FINDINGS, [[0], [1, 3], [2], [4]], S)
    batch = bank.batch("statement", np.array([0, 1, 2, 3]), 4, 4, np.random.default_rng(0))
    assert batch.texts == TEXTS
    (targets, known), similarity = batch.targets(*WHOLE), batch.similarity(*WHOLE)
    assert known.all()
    assert targets.tolist() == [[1, 1, 0, 0, 0], [1, 1, 0, 1, 1], [0, 0, 1, 0, 0], [1, 1, 0, 1, 1]]
    assert similarity[0].tolist() == pytest.approx([1, 1, 0.5, 0, 0.7], abs=1e-3)
    assert similarity[3].tolist() == pytest.approx([0.7, 0.7, 0.3, 0.7, 1], abs=1e-3)


def test_a_text_without_known_findings_belongs_to_its_own_record_only():
    bank = TextBank(["a remark", "another"], [[], []], [[0], [1]], np.eye(2))
    batch = bank.batch("statement", np.array([0, 1]), 4, 4, np.random.default_rng(0))
    assert batch.targets(*WHOLE)[0].tolist() == [[1, 0], [0, 1]]


def test_no_more_statements_than_asked_for_are_drawn():
    bank = TextBank(TEXTS, FINDINGS, [[0, 2, 3]], S)
    drawn = {tuple(bank.batch("statement", np.array([0]), 1, 1, np.random.default_rng(i)).texts) for i in range(20)}
    assert drawn == {("lbbb",), ("wide qrs",), ("afib",)}


#             0 lbbb (a diagnosis)  1 wide qrs  2 wide qrs, other words  3 absent p  4 wide qrs, absent p
WORDS = ["lbbb", "wide qrs", "qrs above 120 ms", "absent p", "wide qrs without p"]
NAMED = [["lbbb"], ["wide"], ["wide"], ["absent_p"], ["wide", "absent_p"]]
FEATURES = [[], [0], [0], [1], [0, 1]]


def test_of_a_feature_that_is_neither_present_nor_absent_nobody_knows():
    absent = np.array([[False, True], [True, False], [False, False]])
    bank = TextBank(WORDS, NAMED, [[0, 1], [3], [0]], np.eye(5), FEATURES, absent)
    batch = bank.batch("statement", np.arange(3), 4, 4, np.random.default_rng(0)).with_keys({(i,) for i in range(5)})
    targets, known = batch.targets(*WHOLE)
    # a wide QRS in whatever words; of both together it is known that they are not there if one of them is not
    assert targets.tolist() == [[1, 1, 1, 0, 0], [0, 0, 0, 1, 0], [1, 0, 0, 0, 0]]
    assert known.tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]]
    part, part_known = batch.targets(slice(1, 3), slice(2, 5))
    assert part.tolist() == targets[1:, 2:].tolist() and part_known.tolist() == known[1:, 2:].tolist()


def test_without_labels_a_feature_that_is_not_there_is_absent():
    bank = TextBank(WORDS, NAMED, [[0, 1], [3], [0]], np.eye(5), FEATURES)
    batch = bank.batch("statement", np.arange(3), 4, 4, np.random.default_rng(0))
    assert batch.targets(*WHOLE)[1].all()


def test_statements_and_features_are_drawn_apart():
    bank = TextBank(WORDS, NAMED, [[0, 1, 2, 3, 4]], np.eye(5), FEATURES)
    for seed in range(10):
        drawn = bank.batch("statement", np.array([0]), 4, 2, np.random.default_rng(seed)).texts
        assert "lbbb" in drawn and len(drawn) == 3
    assert bank.batch("statement", np.array([0]), 4, 0, np.random.default_rng(0)).texts == ["lbbb"]


def test_equal_reports_are_one_text_with_two_ecgs():
    bank = TextBank(TEXTS, FINDINGS, [[0, 3], [2], [0, 3]], S)
    batch = bank.batch("report", np.array([0, 1, 2]), 4, 4, np.random.default_rng(0))
    assert batch.texts == ["lbbb. afib", "wide qrs"]
    (targets, known), similarity = batch.targets(*WHOLE), batch.similarity(*WHOLE)
    assert known.all()
    assert targets.tolist() == [[1, 0], [0, 1], [1, 0]]
    # {lbbb, afib} against {wide qrs}: best matches 0.5 and 0 one way, 0.5 the other way
    assert similarity[0].tolist() == pytest.approx([1, 1 / 3], abs=1e-3)


def statement_pair(bank, ids, text):
    names = {finding for i in ids for finding in np.flatnonzero(bank.names[i])}
    asked = set(np.flatnonzero(bank.names[text]).tolist())
    belongs = text in ids or bool(asked and asked <= names)
    return belongs, max(bank.similarity.values[i, text] for i in ids)


def report_pair(bank, ids, other):
    best = [max(bank.similarity.values[i, j] for j in other) for i in ids] + [
        max(bank.similarity.values[i, j] for i in ids) for j in other
    ]
    return ids == other, sum(best) / len(best)


@pytest.mark.parametrize(("unit", "of_pair"), [("statement", statement_pair), ("report", report_pair)])
def test_a_block_is_what_each_pair_alone_would_be(unit, of_pair):
    rng = np.random.default_rng(0)
    s = rng.random((30, 30)).astype(np.float32)
    s = np.maximum(s, s.T)
    np.fill_diagonal(s, 1)
    findings = [[f"f{number}" for number in rng.choice(8, size=rng.integers(0, 4), replace=False)] for _ in range(30)]
    reports = [rng.choice(30, size=rng.integers(1, 7), replace=False).tolist() for _ in range(40)]
    bank = TextBank([f"t{number}" for number in range(30)], findings, reports, s)
    places = rng.permutation(40)[:25]
    batch = bank.batch(unit, places, 3, 3, rng)
    rows, columns = slice(4, 20), slice(2, 17)
    (targets, known), similarity = batch.targets(rows, columns), batch.similarity(rows, columns)
    assert known.shape == targets.shape and known.all()
    assert targets.shape == similarity.shape == (16, 15) and targets.dtype == similarity.dtype == np.float32
    for row, place in enumerate(places[rows]):
        for column, key in enumerate(batch.keys[columns]):
            other = list(key) if unit == "report" else key[0]
            belongs, value = of_pair(bank, reports[place], other)
            assert targets[row, column] == belongs
            assert similarity[row, column] == pytest.approx(value, abs=1e-6)


def test_texts_of_others_can_be_added_to_a_batch():
    bank = TextBank(TEXTS, FINDINGS, [[0], [3]], S)
    batch = bank.batch("report", np.array([0, 1]), 4, 4, np.random.default_rng(0)).with_keys({(0,), (3,), (1, 3)})
    assert batch.texts == ["lbbb", "left bundle branch block. afib", "afib"]
    assert batch.targets(*WHOLE)[0].tolist() == [[1, 0, 0], [0, 0, 1]]


def test_lists_of_different_lengths_are_taken_and_filled_up():
    lists = Ragged.of([[5, 6], [7], [8, 9, 4]])
    some = lists.take(np.array([2, 1]))
    assert [some[0].tolist(), some[1].tolist()] == [[8, 9, 4], [7]]
    assert some.columns().tolist() == [[8, 7], [9, 7], [4, 7]]
    assert some.owners.tolist() == [0, 0, 0, 1]
    assert [one.tolist() for one in map(lists.take(slice(0, 2)).__getitem__, (0, 1))] == [[5, 6], [7]]


def test_a_similarity_matrix_of_other_texts_is_refused():
    with pytest.raises(ValueError, match=r"shape \(5, 5\), there are 3 texts"):
        TextBank(TEXTS[:3], FINDINGS[:3], [[0]], S)
