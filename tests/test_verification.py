"""The filter against hallucinated features: each check, how they combine, and the tables that come out."""

import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fgclep.recovery import audit as audit_module
from fgclep.recovery import located as located_module
from fgclep.recovery.augmentation import KINDS, add_texts, choose_features
from fgclep.recovery.calibration import MIN_NEGATIVES, MIN_STATED, ScoreHistograms, fdr_threshold
from fgclep.recovery.checks import (
    ACCEPTING,
    LIKELY,
    REASONS,
    REFUTED,
    SUPPORTED,
    UNLIKELY,
    UNTESTABLE,
    VERDICTS,
    administrative,
    coarse,
    contradiction,
    decide,
    measurement,
    votes,
)
from fgclep.recovery.report_findings import first_given, over_reports, pair_candidates, text_findings
from fgclep.recovery.score import recovery_scores, stated_features
from fgclep.reports import parse_reports
from fgclep.schemas import (
    AUDIT,
    CANDIDATES,
    LEAD_MEASURES,
    MANIFEST,
    MEASUREMENTS,
    MEASURES,
    REPORTS,
    SCORES,
    TEXTS,
    TRUTH,
    read_table,
    write_table,
)
from fgclep.stage import UserError
from fgclep.stages import augment_reports, recover_features, verify_features
from fgclep.statements import parse_statements
from fgclep.vocabulary import load_vocabulary, verdict

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "resources" / "vocabulary"
VOCABULARY = load_vocabulary(FOLDER)
PLACE = {name: i for i, name in enumerate(VOCABULARY.features)}
ON = {"measurement": True, "contradiction": True, "coarse": True}

# -- measurement -------------------------------------------------------------------------------------------------------

amplitude = st.one_of(st.just(math.nan), st.sampled_from([0.0, 0.1, -0.1, 0.5]), st.floats(-3, 3))


@given(
    st.sampled_from([feature for feature in VOCABULARY.features.values() if feature.rule]),
    st.lists(st.one_of(st.just(math.nan), st.floats(-200, 2500)), min_size=len(MEASURES), max_size=len(MEASURES)),
    st.lists(amplitude, min_size=12, max_size=12),
)
def test_arrays_are_judged_like_single_records(feature, scalars, leads):
    measures = dict(zip(MEASURES, scalars, strict=True)) | dict.fromkeys(LEAD_MEASURES, leads)
    arrays = {name: np.array([value]) for name, value in measures.items()}
    assert VERDICTS[measurement(feature.rule, arrays, 1)[0]] == verdict(feature.rule, measures)


def test_a_value_within_the_error_of_the_measurement_leaves_doubt():
    measures = {"pr_ms": np.array([220, 205, 195, 150, math.nan])}
    expected = [SUPPORTED, LIKELY, UNLIKELY, REFUTED, UNTESTABLE]
    assert measurement(VOCABULARY.features["prolonged_pr"].rule, measures, 5).tolist() == expected


def test_negation_turns_a_verdict_around():
    rule = {"not": {"measure": "pr_ms", "above": 200, "margin": 8}}
    assert measurement(rule, {"pr_ms": np.array([220, 205, 150])}, 3).tolist() == [REFUTED, UNLIKELY, SUPPORTED]


# -- contradiction -----------------------------------------------------------------------------------------------------


def excluding(*texts):
    """Return, by feature, the finding of a report with these texts that excludes it."""
    findings = text_findings(parse_statements(texts, VOCABULARY), VOCABULARY)
    row = over_reports([np.arange(len(texts))], findings.excluded_by, first_given)[0]
    return {name: findings.findings[row[i]] for name, i in PLACE.items() if row[i]}


def test_a_finding_of_the_report_excludes_features():
    assert excluding("sinus rhythm", "probable atrial fibrillation")["p_before_qrs"] == "atrial fibrillation"
    assert "wide_qrs" in excluding("normal ecg")
    assert "rsr_v1" in excluding("left bundle branch block")


def test_what_is_only_possible_excludes_nothing_and_states_nothing():
    assert "p_before_qrs" not in excluding("possible atrial fibrillation with rapid ventricular response")
    assert "wide_qrs" not in excluding("borderline short pr interval")
    statements = parse_statements(["possible st elevation", "st elevation", "probable st elevation"], VOCABULARY)
    stated = text_findings(statements, VOCABULARY).stated[:, PLACE["st_elevation"]]
    assert stated.tolist() == [False, True, True]


def test_a_denied_feature_is_excluded_and_a_denied_diagnosis_excludes_nothing():
    assert excluding("no delta wave") == {"delta_wave": "no slurred qrs upstroke"}
    assert excluding("no atrial fibrillation") == {}


def test_the_first_excluding_finding_is_named():
    assert excluding("left bundle branch block", "normal ecg")["rsr_v1"] == "left bundle branch block"
    assert excluding("abnormal ecg", "left bundle branch block")["rsr_v1"] == "left bundle branch block"


def test_reports_without_texts_exclude_nothing():
    assert over_reports([np.array([], dtype=int)], np.ones((1, 3), dtype=bool), np.logical_or).tolist() == [[False] * 3]


# -- coarse model ------------------------------------------------------------------------------------------------------


def bins(*counts):
    return np.array(counts, dtype=np.int64)


def test_the_threshold_meets_the_target_worked_out_by_hand():
    # Negatives: 60 in the lowest bin, 39 above it, 0 in the top bins. Candidates: 20 low, 0, 30, 50.
    # median of the negatives: bin 0, holding 60/99 of them, so pi0 = 20 / (60/99 * 100) = 0.33
    # FDR from bin 2: pi0 * (0+1)/(99+1) / (80/100) = 0.0041; from bin 1: pi0 * 40/100 / 0.8 = 0.165; from bin 0: 0.33
    negatives, candidates, edges = bins(60, 39, 0, 0), bins(20, 0, 30, 50), np.array([0.0, 1, 2, 3, 4])
    assert fdr_threshold(candidates, negatives, edges, 0.1) == 2
    assert fdr_threshold(candidates, negatives, edges, 0.17) == 1
    assert fdr_threshold(candidates, negatives, edges, 0.9) == 1  # bin 0 is the lower half of the negatives
    assert fdr_threshold(candidates, negatives, edges, 0.001) == math.inf


def test_candidates_that_score_like_negatives_are_all_dropped():
    negatives = bins(25, 25, 25, 25)
    assert fdr_threshold(negatives * 10, negatives, np.arange(5.0), 0.1) == math.inf


def test_too_few_incompatible_records_calibrate_nothing():
    edges = np.arange(3.0)
    assert math.isnan(fdr_threshold(bins(5, 5), bins(MIN_NEGATIVES - 1, 0), edges, 0.1))
    assert not math.isnan(fdr_threshold(bins(5, 5), bins(MIN_NEGATIVES, 0), edges, 0.1))
    assert math.isnan(fdr_threshold(bins(0, 0), bins(MIN_NEGATIVES, 0), edges, 0.1))


def test_the_false_discovery_rate_is_kept_on_mixtures():
    rng = np.random.default_rng(0)
    edges = np.linspace(-8, 8, 321)
    false, true = rng.normal(-1, 1, 4000), rng.normal(2, 1, 3000)
    negatives = np.histogram(rng.normal(-1, 1, 5000), edges)[0]
    limit = fdr_threshold(np.histogram([*false, *true], edges)[0], negatives, edges, 0.1)
    accepted_false, accepted_true = (false >= limit).sum(), (true >= limit).sum()
    assert accepted_false / (accepted_false + accepted_true) == pytest.approx(0.1, abs=0.03)
    assert accepted_true > 2500


# -- decision ----------------------------------------------------------------------------------------------------------


def outcome(named=UNTESTABLE, measured=UNTESTABLE, report=UNTESTABLE, score=1.0, threshold=0.0, **settings):
    columns = (np.array([value]) for value in (named, measured, report, score, threshold))
    return REASONS[decide(*columns, {**ON, **settings})[0]]


def test_each_check_has_its_own_verdict():
    (statement,) = parse_statements(["unconfirmed analysis"], VOCABULARY)
    assert administrative(statement) == REFUTED
    (statement,) = parse_statements(["atrial fibrillation"], VOCABULARY)
    assert administrative(statement) == UNTESTABLE
    assert votes(np.array([0, 1, 2, 3]), 2).tolist() == [REFUTED, REFUTED, UNTESTABLE, UNTESTABLE]
    assert contradiction(np.array([0, 3])).tolist() == [UNTESTABLE, REFUTED]
    score = np.array([1.0, 0.99, math.nan, 1.0, 5.0])
    threshold = np.array([1.0, 1.0, 1.0, math.nan, math.inf])
    assert coarse(score, threshold).tolist() == [SUPPORTED, REFUTED, UNTESTABLE, UNTESTABLE, REFUTED]


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ({}, "accepted: the coarse model sees it"),
        ({"score": 0.0}, "accepted: the coarse model sees it"),  # at the threshold
        ({"score": -0.1}, "dropped: the coarse model does not see it"),
        ({"score": math.nan}, "dropped: the coarse model has no score"),
        ({"threshold": math.nan}, "dropped: the coarse model cannot be calibrated"),
        ({"threshold": math.inf}, "dropped: the coarse model does not see it"),
        ({"measured": SUPPORTED, "score": -9}, "accepted: the measurement supports it"),
        ({"measured": LIKELY, "score": -9}, "accepted: the measured value is within the limit"),
        ({"measured": UNLIKELY, "score": 9}, "dropped: the measured value is beyond the limit"),
        ({"measured": REFUTED, "score": 9}, "dropped: the measurement refutes it"),
        ({"report": REFUTED, "measured": SUPPORTED}, "dropped: the report excludes it"),
        ({"named": REFUTED, "measured": SUPPORTED}, "dropped: named in fewer answers"),
        # switched off, one by one
        ({"measured": REFUTED}, "dropped: the measurement refutes it"),
        ({"coarse": False, "score": -9}, "accepted: no check that is switched on"),
        ({"coarse": False, "score": math.nan, "threshold": math.nan}, "accepted: no check that is switched on"),
    ],
)
def test_every_outcome_has_its_words(case, words):
    assert outcome(**case).startswith(words)


def test_checks_can_be_switched_off():
    assert outcome(measured=REFUTED, measurement=False) == "accepted: the coarse model sees it in this ECG"
    assert outcome(measured=SUPPORTED, score=-1.0, measurement=False).startswith("dropped: the coarse model")
    assert outcome(report=REFUTED, contradiction=False) == "accepted: the coarse model sees it in this ECG"
    assert outcome(measured=REFUTED, coarse=False).startswith("dropped: the measurement")


def test_every_reason_says_whether_the_feature_is_accepted():
    assert all(reason.startswith(("accepted: ", "dropped: ")) for reason in REASONS)
    assert ACCEPTING.sum() == 4


def test_reports_are_paired_with_the_candidates_of_their_texts():
    # texts 0, 1, 2 have 2, 0, 1 candidates, in rows 0-1, -, 2
    report, candidate = pair_candidates([[0], [1], [2, 0], []], np.array([0, 2, 2]), np.array([2, 0, 1]))
    assert list(zip(report.tolist(), candidate.tolist(), strict=True)) == [(0, 0), (0, 1), (2, 2), (2, 0), (2, 1)]
    report, candidate = pair_candidates([], np.array([0]), np.array([1]))
    assert len(report) == len(candidate) == 0


# -- the stage ---------------------------------------------------------------------------------------------------------

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
                "--prompt",
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
    assert reasons["2", "wide_qrs"] == "dropped: the report excludes it"
    assert audit["2", "wide_qrs"]["contradiction"] == "incomplete left bundle branch block"
    assert reasons["3", "wide_qrs"] == "dropped: the measurement refutes it"
    assert audit["3", "wide_qrs"]["measurement"] == "refuted"
    assert reasons["1", "wide_s_lateral"] == "accepted: the coarse model sees it in this ECG"
    assert audit["1", "wide_s_lateral"]["coarse_score"] == 2.0
    assert audit["1", "wide_s_lateral"]["coarse_threshold"] == 0.0  # the logit of 0.5
    assert reasons["1", "rsr_v1"] == "dropped: the coarse model does not see it in this ECG"
    assert reasons["4", "left_axis"] == "dropped: the coarse model has no score for this record"
    assert audit["4", "left_axis"]["coarse_score"] is None
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
    monkeypatch.setattr(located_module, "PART", 2)
    assert verify(tmp_path / "two") == whole


def test_no_scratch_file_stays(tmp_path):
    verify(tmp_path)
    assert {path.name for path in tmp_path.iterdir() if path.suffix != ".parquet"} == {"cost.json"}


# -- what is added to the reports --------------------------------------------------------------------------------------


def test_texts_are_added_once_and_in_order():
    reports = pa.array([[5, 3], [], [2]], type=pa.list_(pa.int32()))
    added = add_texts(reports, np.array([0, 0, 0, 1, 1]), np.array([3, 9, 7, 4, 4]))
    assert added.to_pylist() == [[5, 3, 9, 7], [4], [2]]
    assert added.type == reports.type
    nothing = np.zeros(0, dtype=np.int64)
    assert add_texts(reports, nothing, nothing).to_pylist() == reports.to_pylist()
    assert add_texts(reports[:0], nothing, nothing).to_pylist() == []
    assert add_texts(reports[1:], np.array([1]), np.array([6])).to_pylist() == [[], [2, 6]]  # a slice of a table


RECORD = np.array([0, 0, 0, 2, 2, 5, 5, 5, 7])
FEATURE = np.array([1, 1, 2, 1, 3, 4, 5, 6, 1])
ACCEPTED = np.array([True, True, False, True, True, True, True, True, False])


def chosen(kind, seed=0):
    record, feature = choose_features(kind, RECORD, FEATURE, ACCEPTED, seed)
    return list(zip(record.tolist(), feature.tolist(), strict=True))


def test_the_filter_and_the_controls_choose_features():
    filtered = [(0, 1), (2, 1), (2, 3), (5, 4), (5, 5), (5, 6)]
    assert chosen("filtered") == filtered
    assert chosen("none") == []
    assert chosen("unfiltered") == [(0, 1), (0, 2), (2, 1), (2, 3), (5, 4), (5, 5), (5, 6), (7, 1)]
    with pytest.raises(ValueError, match="'best'"):
        chosen("best")


@pytest.mark.parametrize("seed", range(20))
def test_random_features_are_as_many_as_accepted_and_known_from_other_records(seed):
    drawn = chosen("random", seed)
    assert [record for record, _ in drawn] == [0, 2, 2, 5, 5, 5]
    assert len(set(drawn)) == len(drawn) and drawn == sorted(drawn)
    assert {feature for _, feature in drawn} <= {1, 3, 4, 5, 6}  # 2 was accepted nowhere


def test_random_features_are_drawn_evenly():
    first = [chosen("random", seed)[0][1] for seed in range(500)]
    assert all(first.count(feature) > 60 for feature in (1, 3, 4, 5, 6))  # 100 expected


@pytest.mark.parametrize("seed", range(20))
def test_shuffled_features_stay_together_and_come_from_another_record(seed):
    handed_on = chosen("shuffled", seed)
    sets = {record: {f for r, f in handed_on if r == record} for record, _ in handed_on}
    own = {0: {1}, 2: {1, 3}, 5: {4, 5, 6}}
    assert sorted(map(sorted, sets.values())) == sorted(map(sorted, own.values()))
    assert all(sets[record] != own[record] for record in own)
    assert handed_on == sorted(handed_on)


@pytest.mark.parametrize("kind", KINDS)
def test_no_candidates_choose_nothing(kind):
    nothing = np.zeros(0, dtype=np.int64)
    record, feature = choose_features(kind, nothing, nothing, nothing.astype(bool), 0)
    assert len(record) == len(feature) == 0


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


# -- calibration -------------------------------------------------------------------------------------------------------


def test_calibration_uses_incompatible_records_of_the_fold():
    """100 records of fold 0 without the delta wave, 100 with it, 10 that state it; an open candidate for the 100."""
    texts = ["left bundle branch block", "ventricular preexcitation", "delta wave"]
    findings = text_findings(parse_statements(texts, VOCABULARY), VOCABULARY)
    n, delta = 210, PLACE["delta_wave"]
    scores = np.full((n, len(PLACE)), np.nan, dtype=np.float32)
    scores[:100, delta] = np.linspace(-6, -4, 100)
    scores[100:200, delta] = np.linspace(1, 3, 100)
    scores[200:, delta] = 2.0
    ids = pa.array([[0]] * 100 + [[1]] * 100 + [[2]] * 10, type=pa.list_(pa.int32()))
    keys = pa.table({"source": ["m"] * n, "record_id": [str(i) for i in range(n)]})
    untestable = np.zeros((n, len(PLACE)), dtype=np.int8)
    records = audit_module.Records(keys, ids, np.ones(n, dtype=bool), untestable, np.zeros(n, dtype=np.int64), scores)
    row = {"text_id": 1, "statement": texts[1], "feature": "delta_wave", "answer": "", "votes": 1, "samples": 1}
    row |= {"reason": "", "backend": "knowledge", "model_digest": "", "prompt_hash": ""}
    candidates = audit_module.proposals(pa.Table.from_pylist([row], schema=CANDIDATES), PLACE, 3)
    limits = audit_module.thresholds(records, findings, candidates, {**SETTINGS, "threshold": None})
    assert limits[0, delta] == pytest.approx(-5, abs=0.1)  # all candidates may pass, but not below the median
    assert np.isnan(limits[1]).all()  # no records of fold 1

    def limit_of(train):
        some = audit_module.Records(keys, ids, train, untestable, records.fold, scores)
        return audit_module.thresholds(some, findings, candidates, {**SETTINGS, "threshold": None})[0, delta]

    place = np.arange(n)
    assert np.isnan(limit_of((place < 100) | (place >= 200)))  # no candidates among the training records
    assert np.isnan(limit_of(place >= 100))  # no negatives
    assert np.isnan(limit_of(place < 200))  # no report states it
    assert limit_of((place < 50) | (place >= 100)) == pytest.approx(-5.5, abs=0.1)


def histograms(negatives=-1.0, stated=3.0, stated_count=40):
    """Thresholds of one feature with 40 candidates at 3."""
    counts, zeros = ScoreHistograms(1, 1), np.zeros(40, dtype=np.int64)
    counts.add(counts.candidates, zeros, zeros, np.full(40, 3.0))
    counts.add(counts.negatives, zeros, zeros, np.full(40, negatives))
    some = zeros[:stated_count]
    counts.add(counts.stated, some, some, np.broadcast_to(stated, 40)[:stated_count])
    return counts.thresholds(0.1)[0, 0]


def test_a_model_that_does_not_know_a_feature_decides_nothing():
    assert histograms() == pytest.approx(-0.95, abs=0.06)
    assert histograms(stated_count=MIN_STATED) == pytest.approx(-0.95, abs=0.06)
    assert math.isnan(histograms(stated_count=MIN_STATED - 1))
    assert histograms(stated=-2.0) == math.inf  # where reports state it, the model does not see it
    assert histograms(stated=np.array([-2.0] * 20 + [3.0] * 20)) == pytest.approx(-0.95, abs=0.06)
    assert histograms(stated=np.array([-2.0] * 21 + [3.0] * 19)) == math.inf


def test_normal_ecgs_stand_in_where_too_few_records_are_incompatible():
    counts = ScoreHistograms(1, 2)
    zeros, ones = np.zeros(40, dtype=np.int64), np.ones(40, dtype=np.int64)
    for feature in (zeros, ones):
        counts.add(counts.candidates, zeros, feature, np.full(40, 3.0))
        counts.add(counts.stated, zeros, feature, np.full(40, 3.0))
    counts.add(counts.negatives, zeros, zeros, np.full(40, -1.0))
    counts.add(counts.negatives, zeros[:5], ones[:5], np.full(5, -1.0))
    counts.add(counts.normals, zeros, zeros, np.full(40, 2.0))
    counts.add(counts.normals, zeros, ones, np.full(40, 1.0))
    counts.add(counts.normals, zeros[:1], ones[:1], np.array([np.nan]))  # not scored
    limits = counts.thresholds(0.1)[0]
    assert -1 < limits[0] <= -0.9  # 40 incompatible records are enough: the normal ones at 2 do not count
    assert 1 < limits[1] <= 1.1  # 5 are not
    assert counts.normals.sum() == 80


def test_a_normal_ecg_is_unlikely_to_show_what_normal_ecgs_do_not_show():
    findings = text_findings(parse_statements(["normal ecg", "sinus rhythm"], VOCABULARY), VOCABULARY)
    assert findings.unlikely[0, PLACE["j_point_notch"]]
    assert not findings.unlikely[0, PLACE["normal_axis"]]
    assert not findings.unlikely[1].any()


# -- scores against the truth ------------------------------------------------------------------------------------------


def audit_row(record_id, feature, accepted, verdict="untestable", contradiction=None, score=None, threshold=None):
    row = {"source": "m", "record_id": record_id, "statement": "s", "feature": feature, "votes": 1}
    row |= {"measurement": verdict, "contradiction": contradiction, "coarse_score": score}
    row |= {"coarse_threshold": threshold, "accepted": accepted, "reason": "", "backend": "knowledge"}
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
    assert scores["without"]["coarse"]["features"] == 3  # 2a comes in
    of_a = scores["per_feature"][0]
    assert of_a["feature"] == "a" and of_a["proposed"] == 2 and of_a["true_proposed"] == 2
    assert of_a["precision"] == 1 and of_a["recall_of_proposed"] == 1 / 2
    assert "recall_of_left_out" not in recovery_scores(*frames)["accepted"]


def test_stated_features_are_read_from_reports_and_texts():
    reports = pl.DataFrame(
        {"source": ["m"], "record_id": ["1"], "text_ids": [[0, 1]]}, schema_overrides={"text_ids": pl.List(pl.Int32)}
    )
    texts = pl.DataFrame(
        {"text_id": [0, 1], "features": [["a", "b"], []]},
        schema_overrides={"text_id": pl.Int32, "features": pl.List(pl.String)},
    )
    assert sorted(stated_features(reports, texts)["feature"]) == ["a", "b"]
