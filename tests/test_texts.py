"""Which texts belong to which ECG in a batch, and how similar they are to its report."""

import numpy as np
import pytest

from fgclep.texts import TextBank

#             0 lbbb  1 left bundle...  2 wide qrs  3 afib
S = np.array([[1, 0.97, 0.5, 0], [0.97, 1, 0.5, 0], [0.5, 0.5, 1, 0], [0, 0, 0, 1]], dtype=np.float16)
TEXTS = ["lbbb", "left bundle branch block", "wide qrs", "afib"]


def test_a_text_that_says_the_same_is_a_positive_and_a_related_one_is_not():
    bank = TextBank(TEXTS, [[0], [1, 3], [2]], S)
    batch = bank.statements(np.array([0, 1, 2]), 4, np.random.default_rng(0))
    assert batch.texts == TEXTS
    assert batch.targets.tolist() == [[1, 1, 0, 0], [1, 1, 0, 1], [0, 0, 1, 0]]
    assert batch.similarity[0].tolist() == pytest.approx([1, 0.97, 0.5, 0], abs=1e-3)


def test_no_more_statements_than_asked_for_are_drawn():
    bank = TextBank(TEXTS, [[0, 2, 3]], S)
    drawn = {tuple(bank.statements(np.array([0]), 1, np.random.default_rng(i)).texts) for i in range(20)}
    assert drawn == {("lbbb",), ("wide qrs",), ("afib",)}


def test_equal_reports_are_one_text_with_two_ecgs():
    bank = TextBank(TEXTS, [[0, 3], [2], [0, 3]], S)
    batch = bank.reports(np.array([0, 1, 2]))
    assert batch.texts == ["lbbb. afib", "wide qrs"]
    assert batch.targets.tolist() == [[1, 0], [0, 1], [1, 0]]
    # {lbbb, afib} against {wide qrs}: best matches 0.5 and 0 one way, 0.5 the other way
    assert batch.similarity[0].tolist() == pytest.approx([1, 1 / 3], abs=1e-3)


def test_a_similarity_matrix_of_other_texts_is_refused():
    with pytest.raises(ValueError, match=r"shape \(4, 4\), there are 3 texts"):
        TextBank(TEXTS[:3], [[0]], S)
