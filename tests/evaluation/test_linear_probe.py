import json
import logging

import numpy as np
import pyarrow as pa
import pytest
import yaml
from conftest import ROOT
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from fgclep.errors import UserError
from fgclep.evaluation import logistic
from fgclep.evaluation.linear_probe import choose_probe, draw_records, draw_shots, fit_probes
from fgclep.evaluation.metrics import macro_auroc
from fgclep.evaluation.metrics_csv import collect, read_metrics, write_metrics
from fgclep.evaluation.scores import read_scores
from fgclep.schemas.embeddings import EMBEDDINGS
from fgclep.schemas.metrics import METRICS
from fgclep.stages import collect_metrics, evaluate_linear_probe
from fgclep.tables import write_table


def example(n=300, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, 8)) * [1, 5, 0.1, 1, 1, 1, 1, 1] + 3
    labels = np.stack([features[:, 0] + rng.normal(size=n) > 3, features[:, 2] > 3.1, np.zeros(n)], axis=1)
    return features, labels.astype(bool)


def fit_probe(features, labels, c):
    (probe,) = fit_probes(features, labels, [c])
    return probe


def minimum(standardized, positive, c, coefficients, intercept):
    """Coefficients and intercept of the minimum, by Newton's method in full from where a probe has ended.

    scikit-learn ends up to 0.0005 away from it in the scores, by newton-cholesky with tol=1e-10.
    """
    records = np.hstack([standardized, np.ones((len(standardized), 1))])
    penalty = np.append(np.full(standardized.shape[1], 1 / c), 0)
    found = np.append(coefficients, intercept)
    for _ in range(20):
        p = expit(records @ found)
        hessian = records.T @ (records * (p * (1 - p))[:, None]) + np.diag(penalty)
        found -= np.linalg.solve(hessian, records.T @ (p - positive) + penalty * found)
    return found[:-1], found[-1]


def hard_cases():
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(120, 12))
    rare = np.zeros((120, 2), dtype=bool)
    rare[5, 0] = rare[:119, 1] = True
    outliers = normal.copy()
    outliers[::7] *= 1000
    mixed = normal @ rng.normal(size=(12, 40)) + 1e-3 * rng.normal(size=(120, 40))
    wide = rng.normal(size=(30, 90))
    constant = np.hstack([normal, np.full((120, 2), 1e6), normal[:, :2], normal[:, :1] * 1e-9])
    return {
        "separable": (normal, normal @ rng.normal(size=(12, 3)) > 0),
        "one positive, one negative": (normal, rare),
        "constant and equal features": (constant, normal[:, :3] + rng.normal(size=(120, 3)) > 0),
        "features of one kind": (mixed, normal[:, :3] > 0.5),
        "more features than records": (wide, rng.random((30, 3)) < 0.3),
        "outliers": (outliers, rng.random((120, 3)) < 0.2),
        "two records": (normal[:2], np.array([[True], [False]])),
    }


@pytest.mark.parametrize("name", hard_cases())
def test_each_class_has_the_scores_of_the_minimum(name):
    features, labels = hard_cases()[name]
    for probe in fit_probes(features, labels, [1e-4, 1.0, 1e4]):
        assert probe.not_converged == ()
        standardized = (features - probe.mean) / probe.scale
        scores = probe.scores(features)
        for column in set(range(labels.shape[1])) - set(probe.untrained):
            start = probe.coefficients[:, column], probe.intercepts[column]
            exact, intercept = minimum(standardized, labels[:, column], probe.regularization, *start)
            np.testing.assert_allclose(scores[:, column], standardized @ exact + intercept, atol=1e-6)


@pytest.mark.parametrize("c", [0.01, 0.3, 10.0])
def test_each_class_is_the_logistic_regression_of_scikit_learn_on_standardized_features(c):
    features, labels = example()
    standardized = StandardScaler().fit_transform(features)
    for probe in (fit_probe(features, labels, c), fit_probes(features, labels, [0.001, c])[1]):
        for column in (0, 1):
            reference = LogisticRegression(C=c, tol=1e-10, solver="newton-cholesky")
            reference.fit(standardized, labels[:, column])
            np.testing.assert_allclose(
                probe.scores(features)[:, column], reference.decision_function(standardized), atol=1e-6
            )


def test_a_class_without_positives_gets_a_constant_score():
    features, labels = example()
    probe = fit_probe(features, labels, 1.0)
    assert probe.untrained == (2,)
    # log odds of none of 300, with half a record more of either kind
    np.testing.assert_allclose(probe.scores(features)[:, 2], np.log(0.5 / 300.5))
    everyone = fit_probe(features, np.ones_like(labels), 1.0)
    assert everyone.untrained == (0, 1, 2)


def test_a_probe_of_some_classes_scores_as_the_whole():
    features, labels = example()
    probe = fit_probe(features, labels, 1.0)
    part = probe.of([2, 0])
    np.testing.assert_array_equal(part.scores(features), probe.scores(features)[:, [2, 0]])
    assert (part.untrained, part.not_converged) == ((0,), ())


def test_a_constant_feature_does_no_harm():
    features, labels = example()
    features[:, 4] = 1e6
    assert np.isfinite(fit_probe(features, labels, 1.0).scores(features)).all()


def test_no_training_records_give_constant_scores():
    probe = fit_probe(np.empty((0, 4)), np.empty((0, 2), dtype=bool), 1.0)
    np.testing.assert_array_equal(probe.scores(np.ones((3, 4))), np.zeros((3, 2)))


def test_classes_that_do_not_converge_are_reported(monkeypatch):
    monkeypatch.setattr(logistic, "MAX_STEPS", 1)
    assert fit_probe(*example(), 100.0).not_converged == (0, 1)


def test_the_best_regularization_on_the_validation_records_is_taken():
    rng = np.random.default_rng(0)
    train, val = rng.normal(size=(40, 60)), rng.normal(size=(500, 60))
    truth = np.zeros(60)
    truth[:3] = 2
    labels, val_labels = ((part @ truth + rng.normal(size=len(part)) > 0)[:, None] for part in (train, val))
    values = {c: macro_auroc(fit_probe(train, labels, c).scores(val), val_labels) for c in (1e-4, 1, 1e4)}
    chosen = choose_probe(fit_probes(train, labels, [1, 1e4, 1e-4]), val, val_labels)
    assert values[chosen.regularization] == max(values.values())
    assert len(set(values.values())) > 1


def test_without_validation_positives_the_middle_regularization_is_taken_and_logged(caplog):
    features, labels = example()
    with caplog.at_level(logging.INFO):
        probes = fit_probes(features, labels, [10.0, 0.1, 1.0])
        assert choose_probe(probes, features[:5], np.zeros((5, 3), dtype=bool)).regularization == 1.0
    assert "C = 1, the middle one" in caplog.text


def test_draws_are_of_the_asked_size_and_repeatable():
    labels = np.random.default_rng(0).random((1000, 4)) < 0.2
    drawn = draw_records(labels, 0.1, seed=5)
    assert len(drawn) == len(set(drawn)) == 100
    np.testing.assert_array_equal(drawn, draw_records(labels, 0.1, seed=5))
    assert set(drawn) != set(draw_records(labels, 0.1, seed=6))
    np.testing.assert_array_equal(draw_records(labels, 1.0, seed=5), np.arange(1000))
    assert len(draw_records(labels, 0.00001, seed=5)) == 1
    assert len(draw_records(labels[:0], 0.1, seed=5)) == 0


@pytest.mark.parametrize("seed", range(20))
def test_rare_classes_keep_a_positive(seed):
    labels = np.zeros((1000, 12), dtype=bool)
    labels[:, 0] = True
    for column in range(1, 11):  # the last class has no positive at all
        labels[column * 7, column] = True
    assert labels[draw_records(labels, 0.02, seed)].any(axis=0)[:11].all()


def test_draws_keep_the_prevalence_of_common_classes():
    labels = np.random.default_rng(0).random((2000, 3)) < [0.5, 0.3, 0.1]
    shares = np.mean([labels[draw_records(labels, 0.1, seed)].mean(axis=0) for seed in range(100)], axis=0)
    np.testing.assert_allclose(shares, labels.mean(axis=0), atol=0.015)


@pytest.mark.parametrize("seed", range(10))
def test_every_class_has_its_shots_and_no_more_than_it_needs(seed):
    labels = np.random.default_rng(seed).random((500, 4)) < [0.6, 0.3, 0.05, 0.0]
    labels[:, 2] = False
    labels[:3, 2] = True
    drawn = draw_shots(labels, 4, seed)
    counts = labels[drawn].sum(axis=0)
    assert (counts[:2] >= 4).all() and counts[2] == 3 and counts[3] == 0  # all that there are
    assert len(drawn) <= 4 + 4 + 3
    np.testing.assert_array_equal(drawn, draw_shots(labels, 4, seed))
    assert set(draw_shots(labels, 1, seed)) != set(draw_shots(labels, 1, seed + 100))


def test_records_drawn_for_one_class_count_for_another():
    labels = np.array([[True, True], [True, False], [True, False]])
    np.testing.assert_array_equal(draw_shots(labels, 1, 0), [0])


def run(folder, splits, informative=True, **changes):
    """Run the stage on a toy task of two classes; ``splits`` gives the number of records of each split."""
    rng = np.random.default_rng(1)
    classes = [
        {"name": "A", "title": "a", "codes": ["a"], "prompts": ["x"]},
        {"name": "B", "title": "b", "codes": ["b"], "prompts": ["y"]},
    ]
    task = {"name": "toy", "source": "csn", "label_set": "s", "overlapping": [], "classes": classes}
    (folder / "toy.yaml").write_text(yaml.safe_dump(task), encoding="utf-8")
    rows = []
    for split, size in splits.items():
        for number in range(size):
            first = bool(rng.random() < 0.5)
            vector = rng.normal(size=3)
            vector[1] += 6 * first * informative
            rows.append(
                {
                    "source": "csn",
                    "record_id": f"{split}{number}",
                    "patient_id": f"{split}{number // 2}",
                    "split": split,
                    "codes": ["a"] if first else ["b"],
                    "features": vector.tolist(),
                    "embedding": [1.0],
                }
            )
    write_table(pa.Table.from_pylist(rows, schema=EMBEDDINGS), folder / "e.parquet", EMBEDDINGS)
    output = folder / "probe.csv"
    options = ["--model", "random", "--task-files", str(folder / "toy.yaml"), "--embeddings", str(folder / "e.parquet")]
    options += ["--vocabulary", str(ROOT / "resources/vocabulary")]
    options += ["--output", str(output), "--scores", str(folder / "scores.parquet")]
    settings = {
        "fractions": [1.0, 0.1],
        "shots": [2],
        "seeds": 2,
        "transfer_classes": 1,
        "regularization": [0.1, 1.0],
        "bootstrap": 30,
        "min_positives": 3,
        "seed": 5,
        **changes,
    }
    options += ["--settings", json.dumps(settings)]
    evaluate_linear_probe.main(evaluate_linear_probe.arguments().parse_args(options))
    return output


def test_the_stage_finds_what_the_features_hold(tmp_path):
    rows = read_metrics(run(tmp_path, {"train": 100, "val": 40, "test": 60}))
    macro = {
        (row["protocol"], row["setting"], float(row["fraction"]), int(row["seed"])): float(row["value"])
        for row in rows
        if row["class"] == "macro" and row["metric"] == "auroc"
    }
    assert sorted(macro) == [
        ("few_shot", "2", 0.0, 5),
        ("few_shot", "2", 0.0, 6),
        ("linear_probe", "", 0.1, 5),
        ("linear_probe", "", 0.1, 6),
        ("linear_probe", "", 1.0, 5),
    ]
    assert min(macro.values()) > 0.9
    f1 = [float(row["value"]) for row in rows if row["class"] == "macro" and row["metric"] == "f1"]
    assert min(f1) > 0.8  # at the threshold of the validation records
    (own,) = read_scores([tmp_path / "scores.parquet"]).values()
    assert np.mean([roc_auc_score(own.labels[:, k], own.scores[:, k]) for k in range(2)]) == pytest.approx(
        macro["linear_probe", "", 1.0, 5]
    )


def test_noise_stays_at_chance(tmp_path):
    rows = read_metrics(run(tmp_path, {"train": 100, "val": 40, "test": 200}, informative=False))
    values = [
        float(row["value"])
        for row in rows
        if row["class"] == "macro" and row["metric"] == "auroc" and row["protocol"] == "linear_probe"
    ]
    assert max(abs(value - 0.5) for value in values) < 0.13


@pytest.mark.parametrize("splits", [{}, {"train": 6}, {"test": 3}, {"train": 1, "val": 1, "test": 1}, {"val": 2}])
def test_tiny_collections_complete(tmp_path, splits):
    rows = read_metrics(run(tmp_path, splits))
    assert {int(row["n"]) for row in rows} == {splits.get("test", 0)}
    if splits.get("test", 0) < 2:
        assert {row["value"] for row in rows} == {""}


def test_two_runs_give_the_same_bytes(tmp_path):
    sizes = {"train": 60, "val": 20, "test": 30}
    assert run(tmp_path, sizes).read_bytes() == run(tmp_path, sizes).read_bytes()


def metric_row(**changes):
    numbers = {
        "fraction": 0.1,
        "seed": 0,
        "value": 1 / 3,
        "ci_low": None,
        "ci_high": None,
        "n": 4,
        "n_pos": 2,
        "patients_pos": 2,
    }
    return {**dict.fromkeys(METRICS.names, "x"), **numbers, **changes}


def test_numbers_are_written_in_full_and_undefined_ones_empty(tmp_path):
    write_metrics([metric_row()], tmp_path / "m.csv")
    row = read_metrics(tmp_path / "m.csv")[0]
    assert (row["value"], row["ci_low"], float(row["value"])) == ("0.3333333333333333", "", 1 / 3)


def test_a_missing_value_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'task' is missing"):
        write_metrics([metric_row(task=None)], tmp_path / "m.csv")
    with pytest.raises(ValueError, match="'more'"):
        write_metrics([metric_row(more=1)], tmp_path / "m.csv")


def test_collected_rows_have_one_order_whatever_that_of_the_inputs(tmp_path):
    paths = []
    for number, (model, fraction) in enumerate([("random", 0.1), ("fine", 1.0), ("fine", 0.01), ("fine", 0.1)]):
        paths.append(tmp_path / f"{number}.csv")
        rows = [metric_row(model=model, fraction=fraction, **{"class": name}) for name in ("macro", "Z", "A")]
        write_metrics(rows, paths[-1])
    outputs = []
    for order in (paths, paths[::-1]):
        args = collect_metrics.arguments().parse_args(
            ["--inputs", *map(str, order), "--output", str(tmp_path / "metrics.csv")]
        )
        collect_metrics.main(args)
        outputs.append((tmp_path / "metrics.csv").read_bytes())
    assert outputs[0] == outputs[1]
    rows = read_metrics(tmp_path / "metrics.csv")
    assert [(row["model"], row["fraction"]) for row in rows[::3]] == [
        ("fine", "0.01"),
        ("fine", "0.1"),
        ("fine", "1.0"),
        ("random", "0.1"),
    ]
    assert [row["class"] for row in rows[:3]] == ["macro", "Z", "A"]


def test_seeds_are_ordered_as_numbers():
    rows = [{**dict.fromkeys(METRICS.names, "x"), "fraction": "1.0", "seed": seed} for seed in ("10", "9")]
    assert [row["seed"] for row in collect([rows])] == ["9", "10"]


def test_a_table_of_something_else_is_refused(tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"other\.csv: there is no column model"):
        read_metrics(tmp_path / "other.csv")
