"""The reader's thresholds."""

import math

import numpy as np
import pyarrow as pa
import pytest
from conftest import ROOT

from fgclep.config.verification import ChecksSection
from fgclep.language.parser import parse_statements
from fgclep.language.vocabulary import load_vocabulary
from fgclep.schemas.candidates import CANDIDATES
from fgclep.verification import audit as audit_module
from fgclep.verification.calibration import MIN_NEGATIVES, MIN_STATED, ScoreHistograms, exam_rows, fdr_threshold
from fgclep.verification.text_evidence import text_evidence

VOCABULARY = load_vocabulary(ROOT / "resources" / "vocabulary")
PLACE = {name: i for i, name in enumerate(VOCABULARY.features)}
SETTINGS = ChecksSection(folds=2, min_votes=1, target_fdr=0.1)


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


def test_too_few_negatives_calibrate_nothing():
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


def test_calibration_uses_records_of_the_fold_that_nothing_speaks_for():
    """100 records of fold 0 without the delta wave, 100 with it, 10 that state it; an open candidate for the 100."""
    texts = ["left bundle branch block", "ventricular preexcitation", "delta wave"]
    findings = text_evidence(parse_statements(texts, VOCABULARY), VOCABULARY)
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
    limits = audit_module.thresholds(records, findings, candidates, SETTINGS)
    assert limits[0, delta] == pytest.approx(-5, abs=0.1)  # all candidates may pass, but not below the median
    assert np.isnan(limits[1]).all()  # no records of fold 1

    def limit_of(train):
        some = audit_module.Records(keys, ids, train, untestable, records.fold, scores)
        return audit_module.thresholds(some, findings, candidates, SETTINGS)[0, delta]

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


def test_an_exam_takes_the_place_of_what_reports_state():
    counts, zeros = ScoreHistograms(1, 4), np.zeros(40, dtype=np.int64)
    for feature in (zeros, zeros + 1, zeros + 2):
        counts.add(counts.candidates, zeros, feature, np.full(40, 3.0))
        counts.add(counts.negatives, zeros, feature, np.full(40, 1.0))
    limits = counts.thresholds(0.1, np.array([0.5, 2.0, np.nan, 0.25]))[0]
    assert 1 < limits[0] <= 1.1  # of the records: it is higher
    assert limits[1] == 2  # of the exam
    assert np.isnan(limits[2])  # not examined
    assert limits[3] == 0.25  # nothing of the records to calibrate with
    assert np.isnan(counts.thresholds(0.1)).all()  # without an exam, no report states any


def test_an_exam_gives_the_lowest_threshold_that_is_good_enough():
    true = np.zeros((200, 4), dtype=bool)
    true[:30, :3], true[:19, 3] = True, True
    scores = np.full((200, 4), -3.0, dtype=np.float32)
    scores[:30] = 2.0
    scores[30:33, 0] = 1.0  # 30 of 33 have it
    scores[30:34, 1] = 1.0  # 30 of 34
    scores[:30, 2], scores[30:40, 2] = -1.0, -1.0  # 30 of 40
    rows = {row["feature"]: row for row in exam_rows("abcd", scores, true, 0.1)}
    assert [rows[name]["ecgs"] for name in "abcd"] == [30, 30, 30, 19]
    assert rows["a"]["threshold"] == 1.0 and rows["b"]["threshold"] == 2.0
    assert rows["c"]["threshold"] == math.inf
    assert rows["d"]["threshold"] is None and rows["d"]["auroc"] is None
    assert rows["a"]["auroc"] == rows["b"]["auroc"] == 1.0
    low = exam_rows("a", np.where(true[:, :1], -1.0, -3.0), true[:, :1], 0.1)
    assert low[0]["threshold"] == 0.0  # the reader itself must think it present
    tied = exam_rows("a", np.zeros((200, 1)), true[:, :1], 0.1)
    assert tied[0]["auroc"] == pytest.approx(0.5) and tied[0]["threshold"] == math.inf


def test_what_a_report_may_mean_is_suggested_by_it():
    texts = ["possible left bundle branch block", "normal ecg", "slurred qrs upstroke"]
    findings = text_evidence(parse_statements(texts, VOCABULARY), VOCABULARY)
    assert findings.suggested[0, PLACE["broad_r_lateral"]] and not findings.stated[0].any()
    assert not findings.suggested[1, PLACE["broad_r_lateral"]]
    assert findings.suggested[2, PLACE["delta_wave"]]
