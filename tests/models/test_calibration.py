"""Calibration: curves that are fitted, kept in a model's folder, and turn scores into probabilities."""

import json
import math
import shutil

import numpy as np
import pytest
import torch
from training_data import SETTINGS, made_model

from fgclep.config.pretraining import TrainingSettings
from fgclep.errors import UserError
from fgclep.leads import LEADS
from fgclep.models.build import model_to_continue
from fgclep.models.calibration import FEWEST, Calibration, Curve, fit
from fgclep.models.fgclep import FGCLEP

CURVES = {("sinus rhythm",): Curve(0.5, -1.25, 0.7), ("afib", "atrial fibrillation"): Curve(2.0, 0.5, 0.06)}
GOOD = {"texts": ["a", "b"], "slope": 1, "offset": 0, "prevalence": 0.5}


def logistic(x):
    return 1 / (1 + math.exp(-x))


def damaged(also=(), population="x", weights=None, **changes):
    row = {name: value for name, value in (GOOD | changes).items() if value is not None}
    return json.dumps({"population": population, "weights": weights, "curves": [row, *also]})


def drawn(slope, offset, n=40_000):
    rng = np.random.default_rng(0)
    scores = 20 * rng.standard_normal(n) + 5
    return scores.astype(np.float32), rng.random(n) < 1 / (1 + np.exp(-(slope * scores + offset)))


def test_the_curve_that_labels_were_drawn_from_is_found():
    scores, labels = drawn(0.12, -2.0)
    found = fit(scores, labels)
    assert found.slope == pytest.approx(0.12, rel=0.05) and found.offset == pytest.approx(-2.0, rel=0.05)
    assert found.prevalence == labels.mean()
    # at the maximum of the likelihood the mean probability is the share of the labels, as Platt counts these
    probabilities = 1 / (1 + np.exp(-(found.slope * scores + found.offset)))
    true, false = labels.sum(), (~labels).sum()
    counted = true * (true + 1) / (true + 2) + false / (false + 2)
    assert probabilities.sum() == pytest.approx(counted, rel=1e-4)


def test_no_other_curve_is_more_likely():
    scores, labels = drawn(0.05, 0.4, n=300)
    true, false = labels.sum(), (~labels).sum()
    target = np.where(labels, (true + 1) / (true + 2), 1 / (false + 2))

    def loss(slope, offset):
        z = slope * scores.astype(float) + offset
        return (np.logaddexp(0, z) - target * z).sum()

    found = fit(scores, labels)
    for slope, offset in [(1e-3, 0), (-1e-3, 0), (0, 1e-2), (0, -1e-2)]:
        assert loss(found.slope, found.offset) < loss(found.slope + slope, found.offset + offset)


def test_scores_that_separate_have_a_finite_slope():
    labels = np.arange(200) < 50
    found = fit(np.where(labels, 4.0, -4.0).astype(np.float32), labels)
    assert 0 < found.slope < 10
    high, low = (logistic(found.slope * score + found.offset) for score in (4, -4))
    assert high == pytest.approx(51 / 52, abs=1e-3) and low == pytest.approx(1 / 152, abs=1e-3)


def test_a_score_that_falls_with_the_truth_says_nothing():
    scores, labels = drawn(0.1, -1.0)
    assert fit(-scores, labels) == Curve(
        0.0, pytest.approx(math.log(labels.mean() / (1 - labels.mean()))), labels.mean()
    )


@pytest.mark.parametrize("count", [0, FEWEST - 1, 200 - FEWEST + 1, 200])
def test_a_curve_needs_enough_of_both_labels(count):
    assert fit(np.arange(200.0), np.arange(200) < count) is None


def test_probabilities_are_those_of_the_curves_and_else_of_the_model():
    calibration = Calibration("a town", CURVES)
    scores = np.array([[1.0, 1.0, 1.0], [-800.0, 0.0, 800.0]])
    asked = [["Sinus  rhythm"], ("afib", "atrial fibrillation"), ("afib",)]
    expected = [
        [1 / (1 + math.exp(0.75)), 1 / (1 + math.exp(-2.5)), 1 / (1 + math.exp(-1))],
        [0, 1 / (1 + math.exp(-0.5)), 1],
    ]
    assert calibration.probabilities(scores, asked) == pytest.approx(np.array(expected))
    assert calibration.of(asked)[:, 2].tolist() == [0.7, 0.06, pytest.approx(math.nan, nan_ok=True)]


def test_a_model_keeps_its_calibration(tmp_path):
    model = made_model(["sinus rhythm", "atrial fibrillation"])
    model.calibration = Calibration("a town", CURVES)
    model.save_pretrained(tmp_path)
    read = FGCLEP.from_pretrained(tmp_path)
    assert read.calibration == Calibration("a town", CURVES)
    sizes = np.linspace(0.2, 0.4, 12)[:, None]  # of leads, which differ in hearts
    signal = (sizes * np.random.default_rng(0).normal(size=(12, 5000))).astype(np.float32)
    logit = read.score(read.embed(signal, 500, LEADS), ["sinus rhythm", "afib"])[0]
    found = read.predict(signal, 500, ["sinus rhythm", "afib"])
    assert found == pytest.approx(
        [1 / (1 + math.exp(-(0.5 * logit[0] - 1.25))), 1 / (1 + math.exp(-logit[1]))], rel=1e-5
    )
    read.calibration = Calibration()
    read.save_pretrained(tmp_path)
    assert not (tmp_path / "calibration.json").exists()


def test_training_on_leaves_the_calibration_behind(tmp_path):
    model = made_model(["sinus rhythm"])
    model.calibration = Calibration("a town", CURVES)
    model.save_pretrained(tmp_path)
    settings = TrainingSettings.model_validate(SETTINGS)
    continued = model_to_continue(str(tmp_path), settings, settings.signal, ["sinus rhythm"])
    assert continued.calibration == Calibration()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "is no calibration"),
        ("[]", "is no calibration"),
        ('{"population": "x", "weights": null}', "'curves'"),
        (damaged(prevalence=None), "'prevalence'"),
        (damaged(slope="much"), "much"),
        (damaged(slope=-1), "curve of 'a, b'"),
        (damaged(offset=math.nan), "curve of 'a, b'"),
        (damaged(prevalence=1), "curve of 'a, b'"),
        (damaged(weights="0123456789abcdef"), "is for other weights"),
        (damaged(population=" "), "the population is ' '"),
        (damaged(population=7), "the population is 7"),
        (damaged(texts="ab"), "the texts 'ab'"),
        (damaged(texts=[]), r"the texts []"),
        (damaged(texts=["A"]), "the texts ['A']"),
        (damaged(texts=["b", "a"]), "the texts ['b', 'a']"),
        (damaged(also=[GOOD]), "the texts ['a', 'b']"),
    ],
)
def test_a_damaged_calibration_is_refused(tmp_path, text, said):
    (tmp_path / "calibration.json").write_text(text)
    with pytest.raises(UserError, match=r"calibration\.json") as caught:
        Calibration.read(tmp_path)
    assert said in str(caught.value) and "delete the file" in str(caught.value)


def test_curves_are_for_the_weights_beside_them(tmp_path):
    model = made_model(["sinus rhythm"])
    model.calibration = Calibration("a town", CURVES)
    model.save_pretrained(tmp_path / "one")
    with torch.no_grad():
        model.bias += 1
    model.save_pretrained(tmp_path / "other")
    assert FGCLEP.from_pretrained(tmp_path / "other").calibration.curves
    shutil.copy(tmp_path / "one/calibration.json", tmp_path / "other")
    with pytest.raises(UserError, match="for other weights than those beside it; delete the file"):
        FGCLEP.from_pretrained(tmp_path / "other")


def test_a_question_is_the_same_in_any_order_and_case():
    calibration = Calibration("a town", CURVES)
    assert calibration.of([["Atrial fibrillation", "AFIB"]])[0].tolist() == list(CURVES["afib", "atrial fibrillation"])


def test_the_file_is_json_with_a_line_per_question(tmp_path):
    Calibration('with "quotes"', CURVES).write(tmp_path)
    text = (tmp_path / "calibration.json").read_text()
    assert len(text.splitlines()) == 2 + len(CURVES) and len(json.loads(text)["curves"]) == 2
    assert Calibration.read(tmp_path) == Calibration('with "quotes"', CURVES)
