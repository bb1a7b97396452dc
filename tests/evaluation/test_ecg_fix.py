"""The protocol of ecg-fix against scikit-learn, and its bootstrap and permutations against plain ones."""

from itertools import product

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fgclep.evaluation.ecg_fix import choose, difference, draw, evaluate, log_loss, permutation_test
from fgclep.evaluation.logistic import sigmoid


def example(n=160, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    features = scale * rng.normal(size=(n, 5))
    margins = features[:, :3] / scale + rng.normal(size=(n, 3))
    return features, margins > [0.0, 1.0, 1.8]


@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
def test_the_probe_is_the_one_that_a_grid_of_scikit_learn_finds(scale):
    train, val, test = (example(seed=seed, scale=scale) for seed in (1, 2, 3))
    best = None
    for scaled, c, weight in product((True, False), (0.01, 0.1, 1.0, 10.0), (None, "balanced")):
        regression = LogisticRegression(C=c, class_weight=weight, solver="newton-cholesky", tol=1e-8, max_iter=10_000)
        steps = ([StandardScaler()] if scaled else []) + [OneVsRestClassifier(regression)]
        fitted = make_pipeline(*steps).fit(train[0], train[1].astype(int))
        p = np.clip(fitted.predict_proba(val[0]), 1e-15, 1 - 1e-15)
        loss = -np.mean(np.where(val[1], np.log(p), np.log(1 - p)))
        if best is None or loss < best[0] - 1e-9:
            words = ["scaled" if scaled else "not scaled", f"C = {c:g}", *(["balanced"] if weight else [])]
            best = loss, ", ".join(words), fitted
    found = choose(train, val)
    assert found.setting == best[1] and found.loss == pytest.approx(best[0], abs=1e-6)
    np.testing.assert_allclose(sigmoid(found.probe.scores(test[0])), best[2].predict_proba(test[0]), atol=1e-5)


def test_without_records_to_choose_by_the_first_probe_of_the_grid_is_taken():
    features, labels = example()
    assert choose((features, labels), (features[:0], labels[:0])).setting == "scaled, C = 0.01"


def test_the_loss_of_a_score_that_is_sure_and_wrong_is_finite():
    assert log_loss(np.array([[1e4]]), np.array([[False]])) == pytest.approx(-np.log(1e-15), rel=0.05)


def test_a_draw_has_its_size_and_repeats():
    assert len(draw(250, 0.01, 0)) == 2 and len(draw(50, 0.01, 0)) == 1 and len(draw(50, 1, 0)) == 50
    assert draw(1000, 0.1, 3).tolist() == draw(1000, 0.1, 3).tolist() != draw(1000, 0.1, 4).tolist()


def test_the_areas_are_those_of_scikit_learn_and_undefined_classes_are_left_out_of_the_mean():
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(120, 4)), rng.random((120, 4)) < [0.5, 0.1, 0.3, 0.0]
    rows = {
        (row["metric"], row["class"]): row
        for row in evaluate(scores, labels, np.arange(120).astype(str), list("abcd"), 200, 0)
    }
    for metric, expected in (("auroc", roc_auc_score), ("auprc", average_precision_score)):
        each = [expected(labels[:, k], scores[:, k]) for k in range(3)]
        assert [rows[metric, name]["value"] for name in "abc"] == pytest.approx(each)
        assert rows[metric, "macro"]["value"] == pytest.approx(np.mean(each)) and rows[metric, "macro"]["n_pos"] == 3
        assert rows[metric, "d"]["value"] is rows[metric, "d"]["ci_low"] is None
        assert rows[metric, "macro"]["ci_low"] < rows[metric, "macro"]["value"] < rows[metric, "macro"]["ci_high"]


def test_resamples_keep_positives_and_negatives_in_number():
    """With one positive its score never changes: the interval is that of the negatives alone."""
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(400, 1)), np.zeros((400, 1), dtype=bool)
    labels[np.argsort(scores[:, 0])[300]] = True
    [row] = [
        row
        for row in evaluate(scores, labels, np.arange(400).astype(str), ["a"], 2000, 0)
        if (row["metric"], row["class"]) == ("auroc", "a")
    ]
    below = row["value"]
    spread = 1.96 * np.sqrt(below * (1 - below) / 399)
    assert row["ci_low"] == pytest.approx(below - spread, abs=0.01)
    assert row["ci_high"] == pytest.approx(below + spread, abs=0.01)


def test_the_p_of_exchanges_is_that_of_all_of_them():
    """Of six records there are 64 exchanges: the share of these that differ as much is what many permutations find."""
    labels = np.array([[True], [True], [True], [False], [False], [False]])
    one, other = np.array([0.9, 0.8, 0.6, 0.3, 0.5, 0.1]), np.array([0.2, 0.7, 0.4, 0.35, 0.75, 0.6])

    def difference(swap):
        a, b = np.where(swap, other, one), np.where(swap, one, other)
        return abs(roc_auc_score(labels[:, 0], a) - roc_auc_score(labels[:, 0], b))

    observed = difference(np.zeros(6, dtype=bool))
    exact = np.mean([difference(np.array(swap)) >= observed - 1e-12 for swap in product((False, True), repeat=6)])
    found = permutation_test(one[:, None], other[:, None], labels, 4000, 0)
    assert found["auroc"] == pytest.approx(exact, abs=0.02)


def test_equal_models_do_not_differ_and_a_better_one_does():
    rng = np.random.default_rng(0)
    labels = rng.random((200, 2)) < 0.3
    good, noise = labels * 0.5 + 0.4 * rng.random((200, 2)), rng.random((200, 2))
    assert permutation_test(good, good, labels, 99, 0) == {"auroc": 1.0, "auprc": 1.0}
    assert permutation_test(good, noise, labels, 99, 0) == {"auroc": 0.01, "auprc": 0.01}
    undefined = permutation_test(good, noise, np.zeros_like(labels), 9, 0)
    assert np.isnan(list(undefined.values())).all()


def test_the_difference_is_that_of_both_models_on_the_same_resampled_records():
    rng = np.random.default_rng(5)
    labels = rng.random((80, 2)) < 0.4
    one, other = (labels * strength + rng.normal(size=labels.shape) for strength in (1.5, 1.0))
    found = difference(one, other, labels, 300, 3)
    draws = np.random.default_rng(3)
    apart = []  # AUROC of each class by scikit-learn, on records that are drawn as often as they count
    for column in range(2):
        own = labels[:, column]
        counts = np.zeros((80, 300), dtype=int)
        for kind in (own, ~own):
            counts[kind] = draws.multinomial(kind.sum(), np.full(kind.sum(), 1 / kind.sum()), size=300).T
        each = [np.repeat(np.arange(80), counts[:, k]) for k in range(300)]
        apart.append([roc_auc_score(own[r], one[r, column]) - roc_auc_score(own[r], other[r, column]) for r in each])
    whole = roc_auc_score(labels, one, average="macro") - roc_auc_score(labels, other, average="macro")
    low, high = np.percentile(np.mean(apart, axis=0), [2.5, 97.5])
    np.testing.assert_allclose(found["auroc"], (whole, low, high), atol=1e-9)
    same = difference(one, one, labels, 20, 0)
    assert same["auroc"][0] == same["auprc"][0] == 0.0
    assert np.isnan(difference(one, other, np.zeros_like(labels), 5, 0)["auroc"]).all()
