"""A head on embeddings: what cross-validation over patients says of it, and the file that it is kept in."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from fgclep.errors import UserError
from fgclep.evaluation.head import FOLDS, Head, fit_head, fit_probe, folds_of
from fgclep.evaluation.metrics import macro_auroc

OF = ("mine", "shipped", "0" * 16, "300 records of mine")
NAMES = ["AF", "BBB"]


def data(n: int, patients: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings of which two columns tell the classes, the second of which is rare."""
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(n, 8))
    chance = 1 / (1 + np.exp(-(2 * embeddings[:, :2] + [0, -2])))
    return embeddings, rng.random((n, 2)) < chance, np.array([f"p{k}" for k in rng.integers(patients, size=n)])


def test_no_patient_is_in_two_folds_and_each_class_in_all():
    _, labels, patients = data(300, 90)
    labels = np.column_stack([labels, patients == patients[0], np.isin(patients, [f"p{k}" for k in range(5)])])
    folds = folds_of(labels, patients, 0)
    assert all(len(set(folds[patients == patient])) == 1 for patient in set(patients))
    for column in (0, 1, 3):
        assert set(folds[labels[:, column]]) == set(range(FOLDS))
    assert max(np.bincount(folds)) < 2 * min(np.bincount(folds))


def test_the_best_c_is_taken():
    embeddings, labels, patients = data(300, 150)
    chosen, _ = fit_probe(embeddings, labels, patients, [1e-6, 1.0], 0)
    assert chosen.regularization == 1.0
    scaled = (embeddings - embeddings.mean(axis=0)) / embeddings.std(axis=0)
    expected = LogisticRegression(C=1.0, tol=1e-8, max_iter=1000).fit(scaled, labels[:, 0])
    np.testing.assert_allclose(chosen.coefficients[:, 0], expected.coef_[0], atol=1e-4)


def test_cross_validation_says_what_others_will_find_and_its_probabilities_hold():
    head = fit_head(*data(600, 300), NAMES, [0.01, 1.0], OF, 200)
    embeddings, labels, _ = data(20_000, 5000, seed=1)
    probabilities = head.probabilities(embeddings)
    value, low, high = head.macro
    assert low < macro_auroc(probabilities, labels) < high and low < value < high
    for own, true in zip(probabilities.T, labels.T, strict=True):
        for least, most in ((0, 0.2), (0.2, 0.5), (0.5, 0.8)):
            some = (least <= own) & (own < most)
            assert abs(own[some].mean() - true[some].mean()) < 0.08


def test_labels_by_chance_are_told_by_chance():
    """With more features than records all are told apart among those it was fitted to."""
    rng = np.random.default_rng(0)
    patients = np.repeat([f"p{k}" for k in range(40)], 2)
    embeddings, labels = rng.normal(size=(80, 200)), rng.random((80, 1)) < 0.5
    head = fit_head(embeddings, labels, patients, ["AF"], [1.0], OF, 100)
    assert macro_auroc(head.probabilities(embeddings), labels) > 0.99
    assert 0.3 < head.macro[0] < 0.7


def test_records_of_one_patient_help_none_of_the_same():
    """All records of a patient are alike; labels by patient are by chance."""
    rng = np.random.default_rng(0)
    place = np.repeat(np.arange(40), 10)
    embeddings = rng.normal(size=(40, 60))[place] + rng.normal(size=(400, 60)) / 10
    head = fit_head(embeddings, (rng.random((40, 1)) < 0.5)[place], place.astype(str), ["AF"], [1.0], OF, 100)
    assert 0.25 < head.macro[0] < 0.75
    assert head.macro[2] - head.macro[1] > 0.2  # 40 patients, not 400


def test_the_file_is_the_head(tmp_path):
    embeddings, labels, patients = data(300, 150)
    head = fit_head(embeddings, labels, patients, NAMES, [1.0], OF, 50)
    head.write(tmp_path / "mine.json")
    found = Head.read(tmp_path / "mine.json")
    np.testing.assert_allclose(found.probabilities(embeddings), head.probabilities(embeddings), atol=1e-4)
    assert (found.name, found.model, found.digest, found.population) == OF
    assert [item.name for item in found.classes] == NAMES
    assert found.macro == pytest.approx(head.macro, abs=1e-4)
    assert found.prevalences == pytest.approx(labels.mean(axis=0), abs=1e-6)
    replace(head, macro=(0.5, np.nan, np.nan)).write(tmp_path / "mine.json")
    assert "0.500" in Head.read(tmp_path / "mine.json").remark() and "nan" not in (tmp_path / "mine.json").read_text()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text[:90], "is no head of fgclep fit"),
        (lambda text: text.replace('"model"', '"modell"'), "'model'"),
        (lambda text: text.replace('"offset": ', '"offset": 1e999, "x": '), "not finite"),
        (lambda text: json.dumps(json.loads(text) | {"classes": []}), "lacks classes"),
    ],
)
def test_another_file_is_refused(tmp_path, change, reason):
    path = tmp_path / "mine.json"
    fit_head(*data(100, 50), NAMES, [1.0], OF, 0).write(path)
    path.write_text(change(path.read_text()))
    with pytest.raises(UserError, match=reason) as refused:
        Head.read(path)
    assert str(path) in str(refused.value) and "fgclep fit" in str(refused.value)
