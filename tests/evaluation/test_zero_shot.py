import json
import math
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
import torch
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from fgclep.errors import UserError
from fgclep.evaluation.metrics_csv import read_metrics
from fgclep.evaluation.prompts import read_prompts
from fgclep.evaluation.scores import read_scores
from fgclep.evaluation.task_records import task_records
from fgclep.evaluation.tasks import Task, TaskClass, load_task
from fgclep.evaluation.text_scores import scoring
from fgclep.evaluation.zero_shot import added, any_of, prompts_per_lead, score_classes, score_sets
from fgclep.models.alignment import GlobalAlignment
from fgclep.schemas.embeddings import EMBEDDINGS
from fgclep.schemas.metrics import METRICS
from fgclep.tables import write_table

RESOURCES = ROOT / "resources"
RHYTHM, VOCABULARY = RESOURCES / "tasks" / "ptbxl_rhythm.yaml", str(RESOURCES / "vocabulary")
TOY = Task("toy", "ptb-xl", "s", (TaskClass("A", "a", ("1",), ("x", "y")), TaskClass("B", "b", ("2",), ("z",))))
PROMPTS = [[("x",), ("y",)], [("z",)]]


class FakeModel:
    """Logits by table: column = position of the prompt in ``texts``, the ECG's embedding is its row of logits."""

    def __init__(self, texts):
        self.texts = texts
        self.batches = []
        self.embedded = []
        self.align = GlobalAlignment()

    def embed_texts(self, prompts):
        self.embedded += prompts
        return torch.tensor([[self.texts.index(prompt) if prompt in self.texts else -1] for prompt in prompts])

    def score(self, embeddings, prompts):
        self.batches.append(len(prompts))
        known = prompts if isinstance(prompts, torch.Tensor) else self.embed_texts(prompts)
        places = known[:, 0].tolist()
        columns = [np.full(len(embeddings), -9.0) if place < 0 else embeddings[:, place] for place in places]
        return np.stack(columns, axis=1).astype(np.float32)


def any_fits(*logits):
    """By the definition, with exact fractions of the probabilities: one less the product of what each lacks."""
    none = 1
    for logit in logits:
        none *= 1 - Fraction(1 / (1 + math.exp(-logit)))
    return math.log((1 - none) / none)


def test_the_class_score_is_that_any_of_its_prompts_fits():
    model = FakeModel(["x", "y", "z"])
    scores = score_classes(model.score, np.array([[1.0, 2.0, -3.0], [5.0, 4.0, 0.5]]), PROMPTS)
    np.testing.assert_allclose(scores, [[any_fits(1, 2), -3], [any_fits(5, 4), 0.5]], rtol=1e-6)
    assert scores.dtype == np.float32


@given(st.lists(st.floats(-20, 20), min_size=2, max_size=5))
def test_any_of_some_prompts_fits_by_the_product_of_what_each_lacks(logits):
    [found] = any_of(np.array([logits]))
    assert found == pytest.approx(any_fits(*logits), rel=1e-4, abs=1e-4)
    assert found >= np.float32(max(logits))


def test_far_logits_stay_finite_and_in_order():
    found = any_of(np.array([[-110.0, -110.0], [-110.0, -109.0], [110.0, -110.0], [110.0, 109.0]], dtype=np.float32))
    np.testing.assert_allclose(found, [-110 + math.log(2), -109 + math.log1p(math.exp(-1)), 110, 219], rtol=1e-6)


def test_the_lead_ensemble_takes_the_maximum_over_thirteen_wordings():
    assert len(set(prompts_per_lead("x"))) == 13
    model = FakeModel(["x", "x in lead v3", "z in lead avr"])
    embeddings = np.array([[1.0, 4.0, 2.0], [3.0, 0.0, -1.0]])
    scores = score_classes(model.score, embeddings, PROMPTS, leads=True)
    np.testing.assert_allclose(scores, [[any_fits(4, -9), 2], [any_fits(3, -9), -1]], rtol=1e-6)
    np.testing.assert_array_equal(score_classes(model.score, embeddings, PROMPTS)[:, 1], -9)


def test_batches_of_prompts_do_not_change_the_scores():
    embeddings = np.random.default_rng(0).normal(size=(6, 3))
    model = FakeModel(["x", "y", "z"])
    whole = score_classes(model.score, embeddings, PROMPTS, leads=True)
    small = FakeModel(["x", "y", "z"])
    np.testing.assert_array_equal(score_classes(small.score, embeddings, PROMPTS, leads=True, batch_size=7), whole)
    assert (model.batches, max(small.batches)) == ([39], 7)


def test_a_text_is_embedded_once_and_scored_as_ever():
    model, plain = FakeModel(["x", "y", "z"]), FakeModel(["x", "y", "z"])
    rng = np.random.default_rng(0)
    score = scoring(model)
    for texts in (["z", "x"], ["x", "unknown", "y"], ["y", "z"]):
        embeddings = rng.normal(size=(5, 3))
        np.testing.assert_array_equal(score(embeddings, texts), plain.score(embeddings, texts))
    assert model.embedded == ["z", "x", "unknown", "y"]


def test_a_shared_prompt_is_scored_once():
    model = FakeModel(["x", "y", "z"])
    scores = score_classes(model.score, np.array([[1.0, 2.0, 3.0]]), [*PROMPTS, [("x",), ("z",)]])
    assert model.batches == [3]
    np.testing.assert_allclose(scores, [[any_fits(1, 2), 3, any_fits(1, 3)]], rtol=1e-6)


def test_of_a_prompt_of_several_texts_the_mean_counts():
    model = FakeModel(["x", "y", "z"])
    scores = score_classes(model.score, np.array([[1.0, 2.0, -6.0]]), [[("x", "y"), ("z",)], [("y", "z"), ("x", "z")]])
    np.testing.assert_allclose(scores, [[any_fits(1.5, -6), any_fits(-2, -2.5)]], rtol=1e-6)
    leads = FakeModel(["x", "x in lead v3", "y"])
    scores = score_classes(leads.score, np.array([[1.0, 4.0, 2.0]]), [[("x", "y")]], leads=True)
    np.testing.assert_array_equal(scores, [[3.0]])  # the largest over the leads of each text first


# -- several sets together --------------------------------------------------------------------------------------------


def standardized(values, over):
    """By the definition, one class after the other."""
    columns = []
    for own, known in zip(np.asarray(values, float).T, np.asarray(over, float).T, strict=True):
        mean = sum(known) / len(known)
        deviation = (sum((value - mean) ** 2 for value in known) / len(known)) ** 0.5
        columns.append([(value - mean) / deviation if deviation else 0.0 for value in own])
    return np.array(columns).T


def test_both_adds_what_each_set_says_in_standard_deviations():
    rng = np.random.default_rng(0)
    synonyms, features = (rng.normal(place, scale, size=(50, 3)) for place, scale in ((-9, 4.0), (2, 0.1)))
    features[:, 2] = 1.0  # by features all records of a class are alike
    parts = [part.astype(np.float32) for part in (synonyms, features)]
    scores = added(parts, parts)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, sum(standardized(part, part) for part in parts), atol=1e-5)
    np.testing.assert_allclose(scores[:, 2], standardized(parts[0], parts[0])[:, 2], atol=1e-5)
    np.testing.assert_allclose(
        added(parts, [part[:20] for part in parts]), sum(standardized(part, part[:20]) for part in parts), atol=1e-4
    )
    assert added([part[:0] for part in parts], [part[:0] for part in parts]).shape == (0, 3)


def test_a_score_that_is_not_a_number_does_not_pass_for_one():
    part = np.array([[1.0], [np.nan], [2.0]], dtype=np.float32)
    assert np.isnan(added([part], [part])).all()


SETS = {"synonyms": PROMPTS, "features": [[("y", "z")], [("z",)]], "names": [[("x",)], [("y",)]]}


@pytest.mark.parametrize("leads", [False, True])
def test_the_sets_are_scored_as_one_by_one_and_in_any_batches(leads):
    rng = np.random.default_rng(1)
    records, val = rng.normal(size=(9, 4)), rng.normal(size=(5, 4))
    texts = ["x", "y", "z", "y in lead v2"]
    kinds = ["both", "names", "synonyms"]
    found = score_sets(FakeModel(texts).score, [records, val], SETS, kinds, leads)
    alone = {
        kind: [score_classes(FakeModel(texts).score, part, SETS[kind], leads) for part in (records, val)]
        for kind in SETS
    }
    for kind in ("names", "synonyms"):
        np.testing.assert_array_equal(found[kind][0], alone[kind][0])
        np.testing.assert_array_equal(found[kind][1], alone[kind][1])
    for place in (0, 1):  # validation records are put on the scale of those that are evaluated
        expected = sum(standardized(alone[kind][place], alone[kind][0]) for kind in ("synonyms", "features"))
        np.testing.assert_allclose(found["both"][place], expected, atol=1e-5)
    small = score_sets(FakeModel(texts).score, [records, val], SETS, kinds, leads, batch_size=1)
    for kind in kinds:
        np.testing.assert_array_equal(small[kind][0], found[kind][0])


def test_a_class_without_features_of_its_own_keeps_the_order_of_its_synonyms():
    records = np.random.default_rng(2).normal(size=(40, 3))
    found = score_sets(FakeModel(["x", "y", "z"]).score, [records], SETS, ["synonyms", "both"])
    np.testing.assert_array_equal(*(np.argsort(found[kind][0][:, 1]) for kind in ("synonyms", "both")))
    assert (np.argsort(found["synonyms"][0][:, 0]) != np.argsort(found["both"][0][:, 0])).any()


def table(rows):
    return pa.Table.from_pylist(
        [
            {
                "source": "ptb-xl",
                "record_id": record,
                "patient_id": patient,
                "split": split,
                "codes": codes,
                "features": [0.0, 1.0],
                "embedding": vector,
            }
            for record, patient, split, codes, vector in rows
        ],
        schema=EMBEDDINGS,
    )


def test_records_without_a_class_are_not_part_of_the_task():
    rows = [
        ("r2", "p1", "test", ["2"], [2.0, 0.0]),
        ("r1", "p1", "test", ["1", "9"], [1.0, 0.0]),
        ("r3", "p2", "val", ["9"], [3.0, 0.0]),
        ("r4", "p3", "train", ["1", "2"], [4.0, 0.0]),
    ]
    records = task_records(table(rows), TOY, "embedding")
    np.testing.assert_array_equal(records.vectors[:, 0], [1, 2, 4])  # by id
    np.testing.assert_array_equal(records.labels, [[1, 0], [0, 1], [1, 1]])
    np.testing.assert_array_equal(records.of("test").vectors[:, 0], [1, 2])
    np.testing.assert_array_equal(records.of("all").patients, ["p1", "p1", "p3"])
    assert len(task_records(table([]), TOY, "embedding").labels) == 0


def test_a_patient_in_two_splits_is_refused():
    rows = [("r1", "p1", "test", ["1"], [1.0]), ("r2", "p1", "train", ["1"], [1.0])]
    with pytest.raises(UserError, match="patient p1 stands in more than one split"):
        task_records(table(rows), TOY, "embedding")


def test_embeddings_of_another_source_are_refused():
    other = Task("toy", "csn", "s", TOY.classes)
    with pytest.raises(UserError, match=r"made of csn, and the embeddings are of \['ptb-xl'\]"):
        task_records(table([("r1", "p1", "test", ["1"], [1.0])]), other, "embedding")


@pytest.fixture
def rhythm_embeddings(tmp_path):
    rng = np.random.default_rng(0)
    codes = [item.codes[0] for item in load_task(RHYTHM).classes[:3]]
    rows = [
        (
            f"r{number:03}",
            f"p{number // 2}",
            ("train", "val", "test")[number // 2 % 3],
            [codes[number // 6 % 3]],
            vector,
        )
        for number, vector in enumerate(np.eye(4)[np.arange(90) // 6 % 3] + 0.01 * rng.normal(size=(90, 4)))
    ]
    path = tmp_path / "embeddings.parquet"
    write_table(table(rows), path, EMBEDDINGS)
    return path


def run_stage_on(embeddings, folder, monkeypatch, split, kinds=("synonyms", "names")):
    from fgclep.stages import build_prompts, evaluate_zero_shot

    model = FakeModel(["sinus rhythm", "atrial fibrillation", "sinus tachycardia"])
    monkeypatch.setattr(evaluate_zero_shot.FGCLEP, "from_pretrained", lambda path: model)
    output = folder / f"{split}.csv"
    sets = {"prompts": list(kinds)}
    options = ["--task-files", str(RHYTHM), "--vocabulary", VOCABULARY, "--settings", json.dumps(sets)]
    options += ["--output", str(folder / "prompts.parquet")]
    build_prompts.main(build_prompts.arguments().parse_args(options))
    settings = {"zero_shot_split": split, "bootstrap": 20, "min_positives": 8, "batch_size": 64, "seed": 3}
    options = ["--model", "fine", "--model-dir", "unused", "--task-files", str(RHYTHM), "--embeddings", str(embeddings)]
    options += ["--prompts", str(folder / "prompts.parquet"), "--scores", str(folder / "scores.parquet")]
    options += ["--settings", json.dumps({**settings, **sets}), "--output", str(output)]
    evaluate_zero_shot.main(evaluate_zero_shot.arguments().parse_args(options))
    return output


def test_the_stage_writes_both_protocols_for_every_set(rhythm_embeddings, tmp_path, monkeypatch):
    output = run_stage_on(rhythm_embeddings, tmp_path, monkeypatch, "test")
    rows = read_metrics(output)
    assert output.read_text(encoding="utf-8").splitlines()[0] == ",".join(METRICS.names)
    assert len(rows) == 2 * 2 * 4 * (2 + 12)
    macro = [row for row in rows if row["class"] == "macro" and row["metric"] == "auroc"]
    assert [(row["protocol"], row["setting"], float(row["value"]), row["n"], row["n_pos"]) for row in macro] == [
        (protocol, kind, 1.0, "30", "3")
        for kind in ("synonyms", "names")
        for protocol in ("zero_shot", "zero_shot_leads")
    ]
    f1 = [float(row["value"]) for row in rows if row["class"] == "macro" and row["metric"] == "f1"]
    assert len(f1) == 4 and min(f1) > 0.95  # at the lowest score of a positive validation record
    assert {(row["model"], row["label_set"], row["fraction"], row["seed"]) for row in rows} == {
        ("fine", "official", "0.0", "3")
    }
    assert {row["value"] for row in rows if row["class"] == "TRIGU"} == {""}


def test_the_scores_are_those_that_the_metrics_are_of(rhythm_embeddings, tmp_path, monkeypatch):
    rows = read_metrics(run_stage_on(rhythm_embeddings, tmp_path, monkeypatch, "test"))
    scored = read_scores([tmp_path / "scores.parquet"])
    assert len(scored) == 4
    own = scored["fine", ("ptbxl_rhythm", "official", "zero_shot", "names")]
    assert (len(own.ids), own.scores.shape, own.classes[0]) == (30, (30, 12), "SR")
    values = {
        row["class"]: float(row["value"])
        for row in rows
        if (row["protocol"], row["setting"], row["metric"]) == ("zero_shot", "names", "auroc") and row["value"]
    }
    assert values["SR"] == roc_auc_score(own.labels[:, 0], own.scores[:, 0])


def test_both_needs_no_other_set_in_the_config(rhythm_embeddings, tmp_path, monkeypatch):
    rows = read_metrics(run_stage_on(rhythm_embeddings, tmp_path, monkeypatch, "test", ["both"]))
    assert {kind for _, kind in read_prompts(tmp_path / "prompts.parquet")} == {"synonyms", "features"}
    assert {row["setting"] for row in rows} == {"both"}
    values = {(row["protocol"], row["metric"]): row["value"] for row in rows if row["class"] == "macro"}
    assert float(values["zero_shot", "auroc"]) > 0.9 and float(values["zero_shot", "f1"]) > 0.9
    assert values["zero_shot", "ece"] == ""  # a sum of standard deviations is no logit
    own = read_scores([tmp_path / "scores.parquet"])["fine", ("ptbxl_rhythm", "official", "zero_shot", "both")]
    np.testing.assert_allclose(own.scores.mean(axis=0), 0, atol=1e-5)


def test_all_records_can_be_scored_and_then_f1_has_no_threshold(rhythm_embeddings, tmp_path, monkeypatch):
    rows = read_metrics(run_stage_on(rhythm_embeddings, tmp_path, monkeypatch, "all"))
    assert {row["n"] for row in rows} == {"90"}
    assert {row["value"] for row in rows if row["metric"] == "f1"} == {""}


def test_prompts_are_read_as_they_were_written(rhythm_embeddings, tmp_path, monkeypatch):
    run_stage_on(rhythm_embeddings, tmp_path, monkeypatch, "test")
    prompts = read_prompts(tmp_path / "prompts.parquet")
    task = load_task(RHYTHM)
    assert prompts["ptbxl_rhythm", "names"] == [[(item.title,)] for item in task.classes]
    assert prompts["ptbxl_rhythm", "synonyms"] == [[(text,) for text in item.prompts] for item in task.classes]
