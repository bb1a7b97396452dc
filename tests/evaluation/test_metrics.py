import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve, roc_auc_score

from fgclep.evaluation.metrics import (
    areas,
    best_thresholds,
    calibration_errors,
    evaluate,
    f1_scores,
    limits,
    macro_auroc,
    patient_weights,
    patients_of,
)


def test_auroc_counts_a_tie_as_half():
    # pairs (positive, negative): 3>1, 3>2, 2>1 are right, 2=2 is a tie: 3.5 of 4
    value, _ = areas(np.array([[1.0, 2.0, 2.0, 3.0]]).T, np.array([[False, False, True, True]]).T, np.ones((4, 1)))
    assert value == pytest.approx(np.array([[0.875]]))


def test_auprc_is_the_stepwise_area():
    # above 3: precision 1 at recall 1/2; above 2: precision 2/3 at recall 1
    _, value = areas(np.array([[1.0, 2.0, 2.0, 3.0]]).T, np.array([[False, False, True, True]]).T, np.ones((4, 1)))
    assert value == pytest.approx(np.array([[0.5 * 1 + 0.5 * 2 / 3]]))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 80), st.integers(1, 12), st.floats(0.02, 0.98), st.booleans())
def test_both_areas_equal_scikit_learn_with_ties_and_weights(seed, n, levels, share, whole):
    rng = np.random.default_rng(seed)
    scores = rng.integers(levels, size=(n, 3)).astype(np.float32) / 3
    labels = rng.random((n, 3)) < [share, 0.0, 1 - share]  # of the second class no positive
    weights = rng.integers(0, 4, size=(n, 2)).astype(float) * (1 if whole else 0.3)
    auroc, auprc = areas(scores, labels, weights)
    for column, resample in np.ndindex(3, 2):
        w, positive, own = weights[:, resample], labels[:, column], scores[:, column]
        found = auroc[column, resample], auprc[column, resample]
        if w[positive].sum() == 0 or w[~positive].sum() == 0:
            assert np.isnan(found).all()
        else:
            assert found[0] == pytest.approx(roc_auc_score(positive, own, sample_weight=w), abs=1e-9)
            assert found[1] == pytest.approx(average_precision_score(positive, own, sample_weight=w), abs=1e-9)


def test_many_resamples_at_once_are_what_each_is_by_itself():
    scores, labels, patients = example()
    weights = patient_weights(patients, 200, seed=3)
    for measure, what in ((areas, scores), (f1_scores, scores > 0), (calibration_errors, expit(scores))):
        together = measure(what, labels, weights)
        for resample in (0, 77, 199):
            alone = measure(what, labels, weights[:, [resample]])
            np.testing.assert_allclose(together[..., [resample]], alone, rtol=1e-12)


def test_f1_by_hand():
    # called 3 of 4, of which 2 are right, of 2 positives: 2 * 2 / (3 + 2)
    called, labels = np.array([[True, True, True, False]]).T, np.array([[True, False, True, False]]).T
    assert f1_scores(called, labels, np.ones((4, 1))) == pytest.approx(np.array([[0.8]]))


def test_the_calibration_error_by_hand():
    # in the bin to 0.1: mean probability 0.05, no positive; in the bin to 0.9: 0.85 and one of two
    probabilities, labels = np.array([[0.0, 0.1, 0.81, 0.89]]).T, np.array([[False, False, True, False]]).T
    found = calibration_errors(probabilities, labels, np.ones((4, 1)))
    assert found == pytest.approx(np.array([[0.5 * 0.05 + 0.5 * 0.35]]))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 80), st.floats(0.02, 0.98))
def test_f1_and_calibration_error_equal_scikit_learn(seed, n, share):
    rng = np.random.default_rng(seed)
    scores, labels = rng.normal(size=n).round(1), rng.random(n) < share
    weights = rng.integers(0, 4, size=(n, 3)).astype(float)
    two = np.stack([labels, ~labels], axis=1)  # a second class beside it
    (f1, _), (ece, _) = (
        measure(np.stack([what, what], axis=1), two, weights)
        for measure, what in ((f1_scores, scores > 0.3), (calibration_errors, expit(scores)))
    )
    for column in range(3):
        rows = np.repeat(np.arange(n), weights[:, column].astype(int))
        if not labels[rows].any() or labels[rows].all():
            assert np.isnan([f1[column], ece[column]]).all()
            continue
        assert f1[column] == pytest.approx(f1_score(labels[rows], scores[rows] > 0.3), abs=1e-9)
        true, predicted = calibration_curve(labels[rows], expit(scores[rows]), n_bins=10)
        edges = np.linspace(0, 1, 11)
        counts = np.histogram(np.searchsorted(edges[1:-1], expit(scores[rows])), np.arange(11))[0]
        expected = (np.abs(true - predicted) * counts[counts > 0]).sum() / len(rows)
        assert ece[column] == pytest.approx(expected, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 60))
def test_no_other_threshold_has_a_higher_f1(seed, n):
    rng = np.random.default_rng(seed)
    labels = rng.random((n, 1)) < 0.3
    scores = rng.normal(size=(n, 1)).round(1) + labels
    threshold = best_thresholds(scores, labels)[0]
    if labels.all() or not labels.any():
        assert np.isnan(threshold)
        return
    precision, recall, _ = precision_recall_curve(labels[:, 0], scores[:, 0])
    best = np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12))
    assert threshold in scores
    assert f1_score(labels[:, 0], scores[:, 0] >= threshold) == pytest.approx(best, abs=1e-9)


def test_without_a_threshold_f1_is_not_defined():
    scores, labels, patients = example()
    for thresholds in (None, np.full(3, np.nan)):
        rows = evaluate(scores, labels, patients, ["x", "y", "z"], thresholds, resamples=5)
        assert {row["value"] for row in rows if row["metric"] == "f1"} == {None}
    rows = evaluate(scores, labels, patients, ["x", "y", "z"], np.array([0.5, np.nan, 0.5]), resamples=5)
    defined = {row["class"]: row["value"] is not None for row in rows if row["metric"] == "f1"}
    assert defined == {"macro": True, "macro_supported": True, "x": True, "y": False, "z": False}


def test_of_scores_that_are_no_logits_the_calibration_error_is_not_defined_and_all_else_is_the_same():
    scores, labels, patients = example()
    every, without = (
        {
            (row["metric"], row["class"]): row["value"]
            for row in evaluate(scores, labels, patients, ["x", "y", "z"], np.zeros(3), resamples=5, logits=logits)
        }
        for logits in (True, False)
    )
    assert {key for key in every if every[key] != without[key]} == {
        ("ece", name) for name in ("macro", "macro_supported", "x", "y")
    }
    assert {value for (metric, _), value in without.items() if metric == "ece"} == {None}


def test_records_of_a_patient_are_drawn_together():
    weights = patient_weights(["a", "b", "a", "c"], 200, seed=1)
    np.testing.assert_array_equal(weights[0], weights[2])
    np.testing.assert_array_equal(weights[0] + weights[1] + weights[3], 3)  # as many patients as there are
    assert (weights[0] != weights[1]).any()
    np.testing.assert_array_equal(weights, patient_weights(["a", "b", "a", "c"], 200, seed=1))


def example(n=400, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.random((n, 3)) < [0.5, 0.1, 0.0]
    scores = rng.normal(size=(n, 3)) + labels
    return scores, labels, np.arange(n) // 2


def test_rows_give_averages_first_and_support_counts():
    scores, labels, patients = example()
    own_patients = [len(np.unique(patients[labels[:, column]])) for column in range(3)]
    assert own_patients[0] < labels[:, 0].sum()  # some patients have two positives
    rows = evaluate(scores, labels, patients, ["x", "y", "z"], resamples=50, min_positives=own_patients[0])
    assert [row["patients_pos"] for row in rows[:5]] == [None, None, *own_patients]
    assert [row["metric"] for row in rows] == [name for name in ("auroc", "auprc", "f1", "ece") for _ in range(5)]
    assert [row["class"] for row in rows[:5]] == ["macro", "macro_supported", "x", "y", "z"]
    assert [row["n_pos"] for row in rows[:5]] == [2, 1, *labels.sum(axis=0)]
    assert {row["n"] for row in rows} == {400}
    macro, supported, x, y, _ = (row["value"] for row in rows[:5])
    assert macro == pytest.approx((x + y) / 2)
    assert supported == x
    assert macro == pytest.approx(macro_auroc(scores, labels))


def test_a_class_without_positives_has_no_value():
    scores, labels, patients = example()
    for row in evaluate(scores, labels, patients, ["x", "y", "z"], resamples=20):
        if row["class"] == "z":
            assert row["value"] is row["ci_low"] is row["ci_high"] is None


def test_a_class_without_negatives_has_no_value():
    rows = evaluate(np.arange(3.0)[:, None], np.ones((3, 1), dtype=bool), ["a", "b", "c"], ["x"], resamples=5)
    assert all(row["value"] is None for row in rows)
    assert [row["n_pos"] for row in rows[:3]] == [0, 0, 3]


def test_no_records_give_rows_without_values():
    rows = evaluate(np.empty((0, 2)), np.empty((0, 2), dtype=bool), [], ["x", "y"], resamples=10)
    assert len(rows) == 16
    assert all(row["value"] is None and row["n"] == 0 for row in rows)


def test_no_resamples_give_values_without_intervals():
    scores, labels, patients = example()
    row = evaluate(scores, labels, patients, ["x", "y", "z"], resamples=0)[0]
    assert row["value"] is not None
    assert row["ci_low"] is row["ci_high"] is None


def test_the_interval_has_the_width_of_the_known_standard_error():
    # Hanley and McNeil 1982: standard error of the AUROC of 200 positives and 200 negatives at 0.76: about 0.024
    rng = np.random.default_rng(3)
    labels = np.repeat([True, False], 200)[:, None]
    scores = rng.normal(size=(400, 1)) + labels
    row = evaluate(scores, labels, np.arange(400), ["x"], resamples=1000)[2]
    assert row["ci_low"] < row["value"] < row["ci_high"]
    assert (row["ci_high"] - row["ci_low"]) / 3.92 == pytest.approx(0.024, abs=0.004)


def test_several_records_per_patient_widen_the_interval():
    scores, labels, _ = example(200)
    repeated = [np.repeat(part, 5, axis=0) for part in (scores, labels)]
    patients = np.repeat(np.arange(200), 5)
    by_patient = evaluate(*repeated, patients, ["x", "y", "z"], resamples=300)[2]
    by_record = evaluate(*repeated, np.arange(1000), ["x", "y", "z"], resamples=300)[2]
    assert by_patient["ci_high"] - by_patient["ci_low"] > 1.5 * (by_record["ci_high"] - by_record["ci_low"])


def by_patients(positive, negative, records_each=1, seed=0):
    """Scores, labels and patients of a class that so many patients have and have not, each with some records."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([True] * positive + [False] * negative, records_each)[:, None]
    return rng.normal(size=labels.shape) + labels, labels, np.repeat(np.arange(positive + negative), records_each)


@pytest.mark.parametrize(
    ("positive", "negative", "records_each", "is_told"),
    [(1, 499, 1, False), (4, 40, 1, False), (4, 40, 20, False), (40, 4, 20, False), (5, 40, 1, True), (40, 5, 1, True)],
)
def test_there_is_no_interval_with_fewer_than_five_patients_on_either_side(positive, negative, records_each, is_told):
    scores, labels, patients = by_patients(positive, negative, records_each)
    rows = evaluate(scores, labels, patients, ["x"], np.zeros(1), resamples=100)
    for row in rows:
        if row["class"] != "macro_supported":  # which has such a class only with ten patients
            assert row["value"] is not None
            assert (row["ci_low"] is not None, row["ci_high"] is not None) == (is_told, is_told), row
    assert [row["patients_pos"] for row in rows if row["class"] == "x"] == [positive] * 4


def test_twenty_records_of_one_patient_do_not_make_a_class_supported():
    scores, labels, patients = by_patients(30, 30)
    patients[:20] = 0
    supported = next(row for row in evaluate(scores, labels, patients, ["x"]) if row["class"] == "macro_supported")
    assert supported["n_pos"] == 1  # 11 patients
    patients[:22] = 0
    supported = next(row for row in evaluate(scores, labels, patients, ["x"]) if row["class"] == "macro_supported")
    assert (supported["n_pos"], supported["value"]) == (0, None)


def test_an_average_over_a_class_without_an_interval_has_none_and_the_supported_one_has():
    many, few = by_patients(100, 100), by_patients(3, 197, seed=1)
    scores, labels = (np.hstack(parts) for parts in zip(many[:2], few[:2], strict=True))
    macro, supported, x, y = evaluate(scores, labels, many[2], ["x", "y"], resamples=100)[:4]
    assert macro["value"] == pytest.approx((x["value"] + y["value"]) / 2)
    assert macro["ci_low"] is macro["ci_high"] is y["ci_low"] is None
    assert (supported["ci_low"], supported["ci_high"]) == (x["ci_low"], x["ci_high"]) != (None, None)


def test_where_all_resamples_give_the_same_there_is_no_interval():
    _, labels, patients = by_patients(40, 40)
    row = evaluate(labels.astype(float), labels, patients, ["x"], resamples=200)[2]
    assert (row["value"], row["ci_low"], row["ci_high"]) == (1.0, None, None)


def test_resamples_without_a_positive_are_left_out():
    scores, labels, patients = by_patients(5, 995)
    weights = patient_weights(patients, 1000, 0)
    without = weights[labels[:, 0]].sum(axis=0) == 0
    assert without.any()
    row = evaluate(scores, labels, patients, ["x"], resamples=1000)[2]
    values = areas(scores, labels, weights[:, ~without])[0, 0]
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(tuple(np.percentile(values, [2.5, 97.5])))


def test_scores_that_are_not_finite_are_refused():
    scores, labels, patients = example()
    scores[7, 1] = np.nan
    with pytest.raises(ValueError, match="1 records have scores that are not finite"):
        evaluate(scores, labels, patients, ["x", "y", "z"])


def test_limits_are_the_percentiles_of_what_is_defined():
    rng = np.random.default_rng(0)
    for size in (2, 3, 40, 41, 1000):
        values = rng.normal(size=size)
        values[rng.random(size) < 0.1] = np.nan
        known = values[~np.isnan(values)]
        if len(known) > 1:
            assert limits(values) == pytest.approx(tuple(np.percentile(known, [2.5, 97.5])), abs=1e-12)
    assert np.isnan(limits(np.full(5, np.nan))).all() and np.isnan(limits(np.empty(0))).all()
    assert np.isnan(limits(np.array([np.nan, 1.0]))).all()


def test_patients_are_counted_on_either_side():
    labels = np.array([[True, False], [False, False], [True, False], [True, True]])
    np.testing.assert_array_equal(patients_of(labels, ["b", "b", "a", "a"]), [[2, 1], [1, 2]])
    np.testing.assert_array_equal(patients_of(labels[:0], []), np.zeros((2, 2)))
