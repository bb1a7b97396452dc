"""Verification of recovered features: the audit, and the reports with the features."""

import json

import numpy as np
import pytest
from conftest import ROOT

from fgclep import keys
from fgclep.errors import UserError
from fgclep.language.reports import parse_reports
from fgclep.language.vocabulary import load_vocabulary
from fgclep.schemas.audit import AUDIT
from fgclep.schemas.manifest import MANIFEST
from fgclep.schemas.measurements import MEASUREMENTS
from fgclep.schemas.reports import REPORTS, TEXTS
from fgclep.schemas.scores import SCORES
from fgclep.stages import augment_reports, recover_features, verify_features
from fgclep.tables import read_table, write_table
from fgclep.verification import audit as audit_module
from fgclep.verification.text_evidence import pair_candidates

FOLDER = ROOT / "resources" / "vocabulary"
VOCABULARY = load_vocabulary(FOLDER)
PLACE = {name: i for i, name in enumerate(VOCABULARY.features)}
ON = {"measurement": True, "contradiction": True, "reader": "coarse"}


def test_reports_are_paired_with_the_candidates_of_their_texts():
    # texts 0, 1, 2 have 2, 0, 1 candidates, in rows 0-1, -, 2
    report, candidate = pair_candidates([[0], [1], [2, 0], []], np.array([0, 2, 2]), np.array([2, 0, 1]))
    assert list(zip(report.tolist(), candidate.tolist(), strict=True)) == [(0, 0), (0, 1), (2, 2), (2, 0), (2, 1)]
    report, candidate = pair_candidates([], np.array([0]), np.array([1]))
    assert len(report) == len(candidate) == 0


KNOWLEDGE = {"backend": "knowledge", "concurrency": 1}
SETTINGS = {**ON, "min_votes": 1, "folds": 2, "target_fdr": 0.1, "threshold": 0.5}
STATED = {
    "1": ["right bundle branch block", "wide QRS complex"],
    "2": ["right bundle branch block", "incomplete left bundle branch block"],
    "3": ["right bundle branch block", "abnormal ECG"],
    "4": ["abnormal ECG", "left axis deviation"],
}
QRS_MS = {"1": 150.0, "2": 150.0, "3": 90.0}  # record 4 is not measured
SEEN = {"1": ["wide_s_lateral"], "2": ["wide_s_lateral"], "3": ["tinv_anterior"]}  # record 4 is not scored


def measurement_row(record_id, qrs_ms):
    row = dict.fromkeys(MEASUREMENTS.names) | {"source": "m", "record_id": record_id, "qrs_ms": qrs_ms}
    return row | {"intervals_from": "database"}


def score_row(record_id, seen):
    scores = [2.0 if name in seen else -2.0 for name in VOCABULARY.features]
    return {"source": "m", "record_id": record_id, "fold": 0, "scores": scores}


def augment(folder, features):
    """The texts of each report after the stage."""
    names = ("audit", "texts", "reports")
    options = [f"--{name}={folder / name}.parquet" for name in names] + [f"--output={folder}/augmented.parquet"]
    options += ["--features", features, "--vocabulary", str(FOLDER), "--settings", '{"seed": 0}']
    augment_reports.main(augment_reports.arguments().parse_args(options))
    texts = read_table(folder / "texts.parquet", TEXTS)["text"].to_pylist()
    rows = read_table(folder / "augmented.parquet", REPORTS).to_pylist()
    return {row["record_id"]: [texts[i] for i in row["text_ids"]] for row in rows}


def verify(folder, settings=SETTINGS):
    keys = ("patient_id", "path", "chunk", "split", "report")
    manifest = [
        {"source": "m", "record_id": i, **dict(zip(keys, ("p", "x", 0, "train", texts), strict=True))}
        for i, texts in STATED.items()
    ]
    parsed = parse_reports([("m", i, texts) for i, texts in STATED.items()], VOCABULARY, 3)
    write_table(manifest, folder / "manifest.parquet", MANIFEST)
    write_table(parsed.texts, folder / "texts.parquet", TEXTS)
    write_table(parsed.reports, folder / "reports.parquet", REPORTS)
    # in another order than the reports, and with a record that has no report
    measured = [measurement_row(i, ms) for i, ms in reversed(QRS_MS.items())] + [measurement_row("other", 90.0)]
    write_table(measured, folder / "measurements.parquet", MEASUREMENTS)
    write_table([score_row(i, seen) for i, seen in reversed(SEEN.items())], folder / "scores.parquet", SCORES)
    common = ["--texts", str(folder / "texts.parquet"), "--vocabulary", str(FOLDER)]
    recover_features.main(
        recover_features.arguments().parse_args(
            [
                *common,
                "--prompts",
                "unused",
                f"--output={folder}/candidates.parquet",
                f"--cost={folder}/cost.json",
                "--settings",
                json.dumps(KNOWLEDGE),
            ]
        )
    )
    files = [f"--{name}={folder / name}.parquet" for name in ("candidates", "reports", "measurements", "scores")]
    files += [f"--manifests={folder}/manifest.parquet", f"--output={folder}/audit.parquet"]
    verify_features.main(verify_features.arguments().parse_args([*common, *files, "--settings", json.dumps(settings)]))
    reports = augment(folder, "filtered")
    rows = read_table(folder / "audit.parquet", AUDIT).to_pylist()
    return {(row["record_id"], row["feature"]): row for row in rows}, reports


def test_the_audit_tells_of_each_candidate_why(tmp_path):
    audit, _ = verify(tmp_path)
    reasons = {pair: row["reason"] for pair, row in audit.items()}
    assert ("1", "wide_qrs") not in audit  # its report says so already
    assert reasons["2", "wide_qrs"] == "excluded"
    assert audit["2", "wide_qrs"]["contradiction"] == "incomplete left bundle branch block"
    assert reasons["3", "wide_qrs"] == "refuted"
    assert audit["3", "wide_qrs"]["measurement"] == "refuted"
    assert reasons["1", "wide_s_lateral"] == "seen"
    assert audit["1", "wide_s_lateral"]["reader_score"] == 2.0
    assert audit["1", "wide_s_lateral"]["reader_threshold"] == 0.0  # the logit of 0.5
    assert reasons["1", "rsr_v1"] == "not_seen"
    assert reasons["4", "left_axis"] == "no_score"
    assert audit["4", "left_axis"]["reader_score"] is None
    assert {row["statement"] for pair, row in audit.items() if pair[0] == "1"} == {"right bundle branch block"}


def test_accepted_features_are_appended_to_the_report(tmp_path):
    _, reports = verify(tmp_path)
    text = {name: feature.text for name, feature in VOCABULARY.features.items()}
    assert reports["1"] == ["right bundle branch block", "wide qrs complex", text["wide_s_lateral"]]
    assert reports["3"] == ["right bundle branch block", "abnormal ecg", text["tinv_anterior"]]
    assert reports["4"] == ["abnormal ecg", "left axis deviation"]


def test_chunks_change_nothing(tmp_path, monkeypatch):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    whole = verify(tmp_path / "one")
    monkeypatch.setattr(audit_module.chunks, "__defaults__", (3,))
    monkeypatch.setattr(verify_features, "CHUNK", 2)
    monkeypatch.setattr(keys, "PART", 2)
    assert verify(tmp_path / "two") == whole


def test_no_scratch_file_stays(tmp_path):
    verify(tmp_path)
    assert {path.name for path in tmp_path.iterdir() if path.suffix != ".parquet"} == {"cost.json"}


def test_every_control_is_ready_for_training(tmp_path):
    audit, filtered = verify(tmp_path)
    original = {i: [text.lower() for text in texts] for i, texts in STATED.items()}
    assert augment(tmp_path, "none") == original
    assert augment(tmp_path, "filtered") == filtered
    text = {name: feature.text for name, feature in VOCABULARY.features.items()}
    unfiltered = augment(tmp_path, "unfiltered")
    for record_id, texts in original.items():
        proposed = {text[feature] for record, feature in audit if record == record_id}
        assert unfiltered[record_id][: len(texts)] == texts
        assert set(unfiltered[record_id][len(texts) :]) == proposed - set(texts)
    for control in ("random", "shuffled"):
        drawn = augment(tmp_path, control)
        assert drawn.keys() == original.keys()
        assert all(drawn[i][: len(original[i])] == original[i] for i in original)
    assert augment(tmp_path, "shuffled") != filtered


def test_an_audit_of_another_vocabulary_is_refused(tmp_path):
    verify(tmp_path)
    rows = read_table(tmp_path / "audit.parquet", AUDIT).to_pylist()
    rows[0]["feature"] = "long_gone"
    write_table(rows, tmp_path / "audit.parquet", AUDIT)
    with pytest.raises(UserError, match=r"audit\.parquet: the feature long_gone is not in the vocabulary"):
        augment(tmp_path, "filtered")
