import csv
import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from fgclep import cli
from fgclep.errors import UserError
from fgclep.evaluation.compare_runs import compare_runs, comparison_lines
from fgclep.evaluation.comparison import MEAN, Resamples, compare, holm, over_tasks
from fgclep.evaluation.metrics_csv import write_comparisons, write_metrics
from fgclep.evaluation.scores import Scored, score_table
from fgclep.evaluation.task_records import TaskRecords
from fgclep.evaluation.tasks import Task, TaskClass
from fgclep.schemas.class_scores import CLASS_SCORES
from fgclep.schemas.comparisons import COMPARISONS
from fgclep.schemas.metrics import METRICS
from fgclep.tables import write_table

PROBE = ("toy", "s", "linear_probe", "")


def test_holm_by_hand():
    # sorted: 0.01 x 4, 0.02 x 3, 0.03 x 2, 0.5 x 1, each at least the one before
    np.testing.assert_allclose(holm(np.array([0.5, 0.01, 0.03, 0.02])), [0.5, 0.04, 0.06, 0.06])


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_what_its_definition_rejects(p):
    adjusted = holm(np.array(p))
    for level in (0.01, 0.05, 0.3):
        rejected, order = set(), sorted(range(len(p)), key=lambda k: p[k])
        for rank, k in enumerate(order):
            if p[k] * (len(p) - rank) > level:
                break
            rejected.add(k)
        assert set(np.flatnonzero(adjusted <= level)) == rejected


def models(n=300, gains=(0.0, 1.0), seed=0, records_per_patient=1):
    rng = np.random.default_rng(seed)
    labels = rng.random((n, 2)) < 0.3
    common = rng.normal(size=(n, 2))
    ids, patients = np.array([f"r{k}" for k in range(n)]), np.arange(n) // records_per_patient
    return {
        (f"m{k}", PROBE): Scored(
            ("x", "y"),
            ids,
            patients.astype(str),
            labels,
            (common + 0.3 * rng.normal(size=(n, 2)) + gain * labels),
            "s",
        )
        for k, gain in enumerate(gains)
    }


def test_the_difference_is_that_of_the_macro_aurocs():
    scored = models()
    (row,) = compare(scored, resamples=200, seed=0)
    values = [np.mean([roc_auc_score(own.labels[:, k], own.scores[:, k]) for k in range(2)]) for own in scored.values()]
    assert (row["model_a"], row["model_b"], row["n"]) == ("m0", "m1", 300)
    assert [row["value_a"], row["value_b"], row["difference"]] == pytest.approx([*values, values[1] - values[0]])
    assert row["ci_low"] < row["difference"] < row["ci_high"]
    assert row["p"] == row["p_holm"] == 1 / 201  # so many resamples cannot tell less
    assert row["classes"] == 2


def of_patients(positive, negative, *scores):
    """Models with such scores of a class that so many patients have and have not, with one record each."""
    labels = np.repeat([True, False], [positive, negative])[:, None]
    ids = np.arange(positive + negative).astype(str)
    columns = [np.asarray(own, dtype=float).reshape(-1, 1) for own in scores]
    return {(f"m{k}", PROBE): Scored(("x",), ids, ids, labels, own, "s") for k, own in enumerate(columns)}


@pytest.mark.parametrize("half", [1, 2, 3, 6, 50])
def test_where_all_resamples_give_the_same_difference_it_has_neither_interval_nor_p(half):
    perfect, constant = [1.0] * half + [0.0] * half, [0.0] * 2 * half
    (row,) = compare(of_patients(half, half, constant, perfect), 1000, 0)
    assert (row["difference"], row["n"], row["classes"]) == (0.5, 2 * half, 1)
    assert {row[name] for name in ("ci_low", "ci_high", "p", "p_holm")} == {None}
    (row,) = compare(of_patients(half, half, perfect, perfect), 1000, 0)
    assert (row["difference"], row["p"]) == (0.0, None)


@pytest.mark.parametrize(("positive", "negative"), [(4, 40), (40, 4), (1, 499)])
def test_a_difference_on_fewer_than_five_patients_has_neither_interval_nor_p(positive, negative):
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, positive + negative))
    (row,) = compare(of_patients(positive, negative, one, other), 200, 0)
    assert row["difference"] is not None
    assert {row[name] for name in ("ci_low", "ci_high", "p", "p_holm")} == {None}
    # beside classes with enough patients such a class takes no part
    first, second = models(n=positive + negative).values()
    wide = {}
    for name, own, more in (("a", first, one), ("b", second, other)):
        labels = np.column_stack([own.labels, np.arange(positive + negative) < positive])
        scores = np.column_stack([own.scores, more])
        wide[name, PROBE] = Scored(("x", "y", "z"), own.ids, own.patients, labels, scores, "s")
    (narrow,) = compare({("a", PROBE): first, ("b", PROBE): second}, 200, 0)
    (row,) = compare(wide, 200, 0)
    assert (row["difference"], row["p"], row["classes"]) == (narrow["difference"], narrow["p"], 2)


def exact_p(labels, one, other):
    """Two-sided p of the difference of AUROCs by all exchanges of the two models' scores of a patient."""
    differences = []
    for exchange in range(2 ** len(labels)):
        swapped = (exchange >> np.arange(len(labels))) & 1 == 1
        a, b = np.where(swapped, other, one), np.where(swapped, one, other)
        differences.append(roc_auc_score(labels, b) - roc_auc_score(labels, a))
    return np.mean(np.abs(differences) >= abs(differences[0]) - 1e-12)


def test_on_few_patients_p_is_about_that_of_all_exchanges():
    labels = np.repeat([True, False], 5)
    found = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        one, other = (gain * labels + rng.normal(size=10) for gain in (0.0, 1.5))
        # scores of both models by their ranks, so that an exchange mixes what is on one scale
        one, other = (np.argsort(np.argsort(scores)).astype(float) for scores in (one, other))
        (row,) = compare(of_patients(5, 5, one, other), 1000, 0)
        found.append((row["p"], exact_p(labels, one, other)))
    assert all(exact / 2 <= p <= 2 * exact for p, exact in found), found
    assert min(exact for _, exact in found) < 0.02  # where the normal distribution would say 0.0015


def test_p_is_not_below_what_all_exchanges_of_few_patients_can_tell():
    rng = np.random.default_rng(0)  # five patients, each with ten records with and ten without
    labels, patients = np.tile([True, False], 50)[:, None], np.repeat(np.arange(5), 20).astype(str)
    chance = rng.normal(size=(100, 1))
    found = {
        (name, PROBE): Scored(("x",), np.arange(100).astype(str), patients, labels, chance + gain * labels, "s")
        for name, gain in (("a", 0.0), ("b", 2.0))
    }
    (row,) = compare(found, 1000, 0)
    assert row["ci_low"] > 0 and row["p"] == 2 / 2**5


def test_pairing_makes_the_interval_narrow():
    (paired,) = compare(models(gains=(0.0, 0.2)), resamples=300, seed=0)
    half = (paired["ci_high"] - paired["ci_low"]) / 2
    error = 0.037 / np.sqrt(2)  # Hanley and McNeil 1982, for 90 and 210 records; the mean of two classes
    assert half < 0.7 * norm.ppf(0.975) * error * np.sqrt(2)  # of two models that had nothing in common


def test_p_is_uniform_where_nothing_differs():
    p = np.array([compare(models(120, (0.0, 0.0), seed), 100, 0)[0]["p"] for seed in range(60)])
    assert 0.25 < np.median(p) < 0.75
    assert (p < 0.05).sum() <= 9


def test_every_two_models_are_compared_and_p_corrected_within_the_protocol():
    scored = models(gains=(0.0, 0.1, 0.2))
    other = ("toy", "s", "zero_shot", "names")
    scored |= {(model, other): own for (model, _), own in list(scored.items())[:2]}
    rows = compare(scored, resamples=100, seed=0)
    assert [(row["model_a"], row["model_b"], row["protocol"]) for row in rows] == [
        ("m0", "m1", "linear_probe"),
        ("m0", "m2", "linear_probe"),
        ("m1", "m2", "linear_probe"),
        ("m0", "m1", "zero_shot"),
    ]
    np.testing.assert_allclose([row["p_holm"] for row in rows[:3]], holm(np.array([row["p"] for row in rows[:3]])))
    assert rows[3]["p_holm"] == rows[3]["p"] == rows[0]["p"]


def test_models_with_other_records_or_labels_are_not_compared():
    one, other = models().values()
    fewer = Scored(one.classes, one.ids[:9], one.patients[:9], one.labels[:9], one.scores[:9], "s")
    with pytest.raises(
        UserError, match=r"b and the models before it were not evaluated on the same records and classes \(toy"
    ):
        compare({("a", PROBE): other, ("b", PROBE): fewer}, 10, 0)
    relabeled = Scored(one.classes, one.ids, one.patients, ~one.labels, one.scores, "s")
    with pytest.raises(UserError, match="with the same labels"):
        compare({("a", PROBE): other, ("b", PROBE): relabeled}, 10, 0)


def test_what_is_not_defined_has_no_number(tmp_path):
    one, other = models().values()
    parts = [Scored(own.classes, own.ids, own.patients, own.labels & False, own.scores, "s") for own in (one, other)]
    rows = compare({("a", PROBE): parts[0], ("b", PROBE): parts[1]}, 10, 0)
    assert {rows[0][name] for name in ("value_a", "value_b", "difference", "ci_low", "p", "p_holm")} == {None}
    write_comparisons(rows, tmp_path / "c.csv")
    assert (tmp_path / "c.csv").read_text(encoding="utf-8").splitlines()[1] == "toy,s,linear_probe,,a,b,,,,,,,,300,0"


def two_tasks(gain):
    """A model on two tasks of one source; the second task has every third record of the first."""
    ((_, own),) = models(n=240, gains=(gain,), records_per_patient=2).items()
    some = np.arange(0, 240, 3)
    part = Scored(own.classes, own.ids[some], own.patients[some], own.labels[some], -own.scores[some], own.source)
    return {PROBE: own, ("other", "s", *PROBE[2:]): part}


def test_tasks_of_one_source_are_resampled_together():
    scored = two_tasks(0.5)
    drawn = Resamples(scored, 200, seed=0)
    macros = {evaluation: drawn.macro_aurocs("m", evaluation, own) for evaluation, own in scored.items()}
    # the same by drawing patients one by one
    rng = np.random.default_rng(0)
    names = np.unique(scored[PROBE].patients)
    for resample in range(1, 6):
        counts = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
        for evaluation, own in scored.items():
            rows = np.repeat(np.arange(len(own.ids)), counts[np.searchsorted(names, own.patients)])
            expected = [roc_auc_score(own.labels[rows, k], own.scores[rows, k]) for k in range(2)]
            assert macros[evaluation][resample] == pytest.approx(np.mean(expected))
    # what is right in the one task is wrong in the other, of the same patients: less is left of chance in the mean
    mean = over_tasks(macros)["linear_probe", ""]
    apart = [values[1:].std() for values in macros.values()]
    assert mean[1:].std() < 0.85 * np.hypot(*apart) / 2
    assert mean[0] == pytest.approx(np.mean([values[0] for values in macros.values()]))


def test_the_mean_over_the_tasks_stands_below_them_and_is_not_corrected():
    scored = {
        (name, evaluation): own
        for name, gain in (("a", 0.0), ("b", 0.5))
        for evaluation, own in two_tasks(gain).items()
    }
    rows = compare(scored, resamples=100, seed=0)
    assert [row["task"] for row in rows] == ["toy", "other", MEAN]
    first, second, mean = rows
    assert mean["difference"] == pytest.approx((first["difference"] + second["difference"]) / 2)
    assert mean["ci_low"] < mean["difference"] < mean["ci_high"]
    assert (mean["n"], mean["label_set"], mean["p_holm"]) == (240 + 80, MEAN, None)
    np.testing.assert_allclose([row["p_holm"] for row in rows[:2]], holm(np.array([row["p"] for row in rows[:2]])))


def test_of_a_task_with_two_label_sets_the_first_counts_in_the_mean():
    values = {("a", "x"): 0.5, ("a", "y"): 0.9, ("b", "x"): 0.7}
    found = over_tasks({(*key, "linear_probe", ""): np.array([value]) for key, value in values.items()})
    assert found["linear_probe", ""] == pytest.approx([0.6])


def write_run(folder, scored):
    tables = []
    for (_, evaluation), own in scored.items():
        task = Task(
            evaluation[0], "csn", evaluation[1], tuple(TaskClass(name, name, (name,), (name,)) for name in own.classes)
        )
        records = TaskRecords(own.ids, own.patients, np.full(len(own.ids), "test"), own.scores, own.labels)
        tables.append(score_table("fine", task, evaluation[2], evaluation[3], records, own.scores))
    write_table(pa.concat_tables(tables), folder / "evaluation/scores/linear_probe/fine.parquet", CLASS_SCORES)
    place = dict(zip(("task", "label_set", "protocol", "setting"), PROBE, strict=True))
    row = dict.fromkeys(METRICS.names, "1") | {"model": "fine", **place}
    write_metrics([row, {**row, "model": "coarse", "task": "left"}], folder / "evaluation/metrics.csv")


def test_two_runs_are_compared_on_what_both_have(tmp_path):
    (one, first), (other, second) = models().items()
    write_run(tmp_path / "a", {one: first})
    write_run(tmp_path / "b", {other: second})
    runs = (tmp_path / "a", tmp_path / "b")
    (row,) = compare_runs(runs, "fine", 100, 0)
    (expected,) = compare({("a", PROBE): first, ("b", PROBE): second}, 100, 0)
    assert row["difference"] == pytest.approx(expected["difference"], abs=1e-6)  # scores are kept as float32
    assert (row["model_a"], row["model_b"]) == tuple(map(str, runs))
    line = comparison_lines([row])[1]
    assert (
        line.startswith("toy   linear_probe")
        and f"{100 * row['difference']:+.1f} (" in line
        and f"{1 / 101:.4f}" in line
    )
    with pytest.raises(UserError, match="are the same folder"):
        compare_runs((runs[0], tmp_path / "b" / ".." / "a"), "fine", 10, 0)
    for model in ("random", "*", "[f]ine"):  # a name, and no pattern that two models fit
        with pytest.raises(UserError, match="has no scores of a model "):
            compare_runs(runs, model, 10, 0)
    (runs[0] / "evaluation/metrics.csv").unlink()
    with pytest.raises(UserError, match=r"has no scores of a model \*"):
        compare_runs(runs, "*", 10, 0)
    (runs[0] / "evaluation/metrics.csv").write_bytes(b"\xff\n")
    with pytest.raises(UserError, match=r"metrics\.csv is no text in UTF-8"):
        compare_runs(runs, "fine", 10, 0)


def test_scores_that_an_earlier_run_has_left_are_not_compared(tmp_path):
    runs = tmp_path / "a", tmp_path / "b"
    for folder, own in zip(runs, models().values(), strict=True):
        write_run(folder, {("m", PROBE): own, ("m", ("left", *PROBE[1:])): own})
    (row,) = compare_runs(runs, "fine", 50, 0)
    assert (row["task"], row["p"]) == ("toy", row["p_holm"])  # corrected for one comparison
    # a run that says what it uses, and has not come to its end
    (runs[1] / "evaluation/metrics.csv").unlink()
    (runs[1] / "run.json").write_text("{}")
    with pytest.raises(UserError, match=r"metrics\.csv does not exist, which names what the run in .* has evaluated"):
        compare_runs(runs, "fine", 50, 0)
    # scores by themselves
    (runs[1] / "run.json").unlink()
    assert [row["task"] for row in compare_runs(runs, "fine", 50, 0)] == ["toy"]
    # scores that the run names, and that are gone
    (runs[0] / "evaluation/scores/linear_probe/fine.parquet").unlink()
    with pytest.raises(UserError, match=r"linear_probe/fine\.parquet does not exist; run `snakemake"):
        compare_runs(runs, "fine", 50, 0)


def test_a_refusal_says_what_each_run_was_evaluated_on(tmp_path):
    whole = next(iter(models().values()))
    part = Scored(whole.classes, whole.ids[:9], whole.patients[:9], whole.labels[:9], whole.scores[:9], "s")
    runs = tmp_path / "a", tmp_path / "b"
    for folder, own in zip(runs, (whole, part), strict=True):
        write_run(folder, {("m", PROBE): own})
    sources = {"ptb-xl": {"base": None}, "csn": {"base": "https://example.org/csn"}}
    (runs[0] / "run.json").write_text(json.dumps({"config": {"data": {"base": "files", "sources": sources}}}))
    with pytest.raises(UserError) as error:
        compare_runs(runs, "fine", 10, 0)
    first, *sides = str(error.value).splitlines()
    assert "were not evaluated on the same records and classes (toy" in first
    count, patients = len(whole.ids), len(set(whole.patients))
    assert sides[0].startswith(
        f"    {runs[0]}: {count:,} records; {patients:,} patients; 2 classes; data.base https://example.org/csn; "
        f"record only here ({count - 9}): "
    )
    assert sides[1] == f"    {runs[1]}: 9 records; {len(set(part.patients))} patients; 2 classes"
    relabeled = Scored(whole.classes, whole.ids, whole.patients, ~whole.labels, whole.scores, "s")
    write_run(runs[1], {("m", PROBE): relabeled})
    with pytest.raises(UserError, match=rf"with the same labels(.|\n)*{runs[1]}: {count} records; {patients} patients"):
        compare_runs(runs, "fine", 10, 0)


def test_what_is_not_defined_is_said_in_words():
    one, other = models().values()
    parts = [Scored(own.classes, own.ids, own.patients, own.labels & False, own.scores, "s") for own in (one, other)]
    lines = comparison_lines(compare({("a", PROBE): parts[0], ("b", PROBE): parts[1]}, 10, 0))
    assert lines[1].count("not defined") == 4 and "(no interval)" in lines[1]


def test_the_command_compares_two_runs(tmp_path, capsys):
    for folder, (key, own) in zip("ab", models().items(), strict=True):
        write_run(tmp_path / folder, {key: own})
    cli.main(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--bootstrap", "50"])
    head, line = capsys.readouterr().out.splitlines()
    assert head.startswith("task") and line.startswith("toy")
    cli.main(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--output", str(tmp_path / "c.csv")])
    (row,) = csv.DictReader((tmp_path / "c.csv").open(newline="", encoding="utf-8"))
    assert list(row) == COMPARISONS.names and float(row["difference"]) > 0
    with pytest.raises(SystemExit):
        cli.main(["compare", str(tmp_path / "a"), str(tmp_path / "none")])
    assert "none/evaluation/scores has no scores of a model fine" in capsys.readouterr().err
