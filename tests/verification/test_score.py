"""Recovered features against the truth."""

import polars as pl
import pyarrow as pa
import pytest

from fgclep.schemas.audit import AUDIT
from fgclep.schemas.truth import TRUTH
from fgclep.verification.score import recovery_scores, stated_features


def audit_row(record_id, feature, accepted, verdict="untestable", contradiction=None, score=None, threshold=None):
    row = {"source": "m", "record_id": record_id, "statement": "s", "feature": feature, "votes": 1}
    row |= {"measurement": verdict, "contradiction": contradiction, "reader_score": score}
    row |= {"reader_threshold": threshold, "accepted": accepted, "reason": "", "backend": "knowledge"}
    return row | {"model_digest": "", "prompt_hash": ""}


def test_precision_and_recall_worked_out_by_hand():
    audit = [
        audit_row("1", "a", True, score=1.0, threshold=0.0),
        audit_row("1", "a", True, score=1.0, threshold=0.0),  # of another statement: the same pair
        audit_row("1", "b", True, "supported"),
        audit_row("1", "c", False, "refuted", score=1.0, threshold=0.0),
        audit_row("2", "a", False, score=-1.0, threshold=0.0),
        audit_row("2", "b", False, contradiction="x", score=1.0, threshold=0.0),
    ]
    truth = [("1", "a"), ("1", "c"), ("1", "d"), ("2", "a"), ("2", "e"), ("3", "a")]
    stated = pl.DataFrame({"source": ["m"], "record_id": ["2"], "feature": ["e"]})
    frames = (
        pl.DataFrame(pa.Table.from_pylist(audit, schema=AUDIT)),
        pl.DataFrame({"source": "m", "record_id": [i for i, _ in truth], "feature": [f for _, f in truth]}),
    )
    assert frames[1].schema.names() == TRUTH.names
    scores = recovery_scores(*frames, stated)
    assert scores["records"] == 2
    assert scores["true_features"] == 5  # record 3 has no candidates
    assert scores["true_left_out"] == 4
    assert scores["unfiltered"] == {
        "features": 5,
        "true": 3,  # 1a, 1c, 2a
        "precision": 3 / 5,
        "recall_of_all": 3 / 5,
        "recall_of_proposed": 1,
        "recall_of_left_out": 3 / 4,
    }
    accepted = scores["accepted"]  # 1a, 1b
    assert (accepted["features"], accepted["precision"]) == (2, 1 / 2)
    assert (accepted["recall_of_all"], accepted["recall_of_proposed"], accepted["recall_of_left_out"]) == (
        pytest.approx(1 / 5),
        pytest.approx(1 / 3),
        pytest.approx(1 / 4),
    )
    assert scores["without"]["measurement"]["features"] == 2  # 1c comes in; 1b has no score and goes
    assert scores["without"]["contradiction"]["features"] == 3  # 2b comes in
    assert scores["without"]["reader"]["features"] == 3  # 2a comes in
    of_a = scores["per_feature"][0]
    assert of_a["feature"] == "a" and of_a["proposed"] == 2 and of_a["true_proposed"] == 2
    assert of_a["precision"] == 1 and of_a["recall_of_proposed"] == 1 / 2
    assert "recall_of_left_out" not in recovery_scores(*frames)["accepted"]


def test_without_the_check_of_votes_a_feature_named_too_seldom_comes_in():
    audit = [
        audit_row("1", "a", False, "likely") | {"reason": "too_few_votes"},
        audit_row("1", "b", False, "refuted") | {"reason": "refuted"},
    ]
    truth = pl.DataFrame({"source": ["m"], "record_id": ["1"], "feature": ["a"]})
    scores = recovery_scores(pl.DataFrame(pa.Table.from_pylist(audit, schema=AUDIT)), truth)
    assert scores["without"]["votes"]["features"] == 1
    assert scores["without"]["contradiction"]["features"] == 0


def test_stated_features_are_read_from_reports_and_texts():
    reports = pl.DataFrame(
        {"source": ["m"], "record_id": ["1"], "text_ids": [[0, 1]]}, schema_overrides={"text_ids": pl.List(pl.Int32)}
    )
    texts = pl.DataFrame(
        {"text_id": [0, 1], "features": [["a", "b"], []]},
        schema_overrides={"text_id": pl.Int32, "features": pl.List(pl.String)},
    )
    assert sorted(stated_features(reports, texts)["feature"]) == ["a", "b"]
