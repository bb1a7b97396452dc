"""The AUROC of texts against scikit-learn's, over the ECGs of which it is known whether they have the text."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from fgclep.evaluation.ranks import text_auroc


def test_the_auroc_of_texts_is_the_mean_of_scikit_learns():
    rng = np.random.default_rng(0)
    cosines = rng.random((80, 6)).round(1)  # with ties
    has, known = rng.random((80, 6)) < 0.3, rng.random((80, 6)) < 0.7
    has &= known
    has[:, 4] = False  # of nobody
    known[:, 5] = has[:, 5]  # of nobody is it known that they are without it
    expected = np.mean([roc_auc_score(has[known[:, j], j], cosines[known[:, j], j]) for j in range(4)])
    assert text_auroc(cosines, has, known) == pytest.approx(expected, abs=1e-12)


def test_texts_of_few_ecgs_do_not_count():
    has = np.zeros((30, 1), dtype=bool)
    has[:9] = True
    assert text_auroc(np.arange(30.0)[:, None], has, np.ones((30, 1), dtype=bool)) is None
    has[9] = True
    assert text_auroc(-np.arange(30.0)[:, None], has, np.ones((30, 1), dtype=bool)) == 1
