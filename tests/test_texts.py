"""Which texts belong to which ECG in a batch, and how similar they are to its report."""

import numpy as np
import pytest

from fgclep.texts import TextBank

#             0 lbbb  1 left bundle...  2 wide qrs  3 afib  4 afib with lbbb
S = np.array(
    [[1, 1, 0.5, 0, 0.7], [1, 1, 0.5, 0, 0.7], [0.5, 0.5, 1, 0, 0.3], [0, 0, 0, 1, 0.7], [0.7, 0.7, 0.3, 0.7, 1]],
    dtype=np.float16,
)
TEXTS = ["lbbb", "left bundle branch block", "wide qrs", "afib", "afib with lbbb"]
FINDINGS = [["lbbb"], ["lbbb"], ["wide_qrs"], ["afib"], ["afib", "lbbb"]]


def test_a_text_belongs_to_an_ecg_whose_report_names_all_its_findings():
    bank = TextBank(TEXTS, FINDINGS, [[0], [1, 3], [2], [4]], S)
    batch = bank.batch("statement", np.array([0, 1, 2, 3]), 4, np.random.default_rng(0))
    assert batch.texts == TEXTS
    targets, similarity = batch.block(slice(None), slice(None))
    assert targets.tolist() == [[1, 1, 0, 0, 0], [1, 1, 0, 1, 1], [0, 0, 1, 0, 0], [1, 1, 0, 1, 1]]
    assert similarity[0].tolist() == pytest.approx([1, 1, 0.5, 0, 0.7], abs=1e-3)
    assert similarity[3].tolist() == pytest.approx([1, 1, 0.3, 1, 1], abs=1e-3)


def test_a_text_without_known_findings_belongs_to_its_own_record_only():
    bank = TextBank(["a remark", "another"], [[], []], [[0], [1]], np.eye(2))
    batch = bank.batch("statement", np.array([0, 1]), 4, np.random.default_rng(0))
    assert batch.block(slice(None), slice(None))[0].tolist() == [[1, 0], [0, 1]]


def test_no_more_statements_than_asked_for_are_drawn():
    bank = TextBank(TEXTS, FINDINGS, [[0, 2, 3]], S)
    drawn = {tuple(bank.batch("statement", np.array([0]), 1, np.random.default_rng(i)).texts) for i in range(20)}
    assert drawn == {("lbbb",), ("wide qrs",), ("afib",)}


def test_equal_reports_are_one_text_with_two_ecgs():
    bank = TextBank(TEXTS, FINDINGS, [[0, 3], [2], [0, 3]], S)
    batch = bank.batch("report", np.array([0, 1, 2]), 4, np.random.default_rng(0))
    assert batch.texts == ["lbbb. afib", "wide qrs"]
    targets, similarity = batch.block(slice(None), slice(None))
    assert targets.tolist() == [[1, 0], [0, 1], [1, 0]]
    # {lbbb, afib} against {wide qrs}: best matches 0.5 and 0 one way, 0.5 the other way
    assert similarity[0].tolist() == pytest.approx([1, 1 / 3], abs=1e-3)


def test_a_similarity_matrix_of_other_texts_is_refused():
    with pytest.raises(ValueError, match=r"shape \(5, 5\), there are 3 texts"):
        TextBank(TEXTS[:3], FINDINGS[:3], [[0]], S)
