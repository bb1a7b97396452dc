"""The checks of a recovered feature, each by itself, and how they combine."""

import math

import numpy as np
import pytest
from conftest import ROOT

from fgclep.config.verification import ChecksSection
from fgclep.errors import UserError
from fgclep.language.parser import parse_statements
from fgclep.language.vocabulary import load_vocabulary
from fgclep.measurement.rules import LIKELY, REFUTED, SUPPORTED, UNLIKELY, UNTESTABLE
from fgclep.recovery.backend import is_asked
from fgclep.verification.checks import ACCEPTING, REASONS, contradiction, decide, reader, votes
from fgclep.verification.reasons import Reason, reason_of
from fgclep.verification.text_evidence import first_given, over_reports, text_evidence

VOCABULARY = load_vocabulary(ROOT / "resources" / "vocabulary")
PLACE = {name: i for i, name in enumerate(VOCABULARY.features)}
ON = {"measurement": True, "contradiction": True, "reader": "coarse"}


# -- contradiction -----------------------------------------------------------------------------------------------------


def excluding(*texts):
    """Return, by feature, the finding of a report with these texts that excludes it."""
    findings = text_evidence(parse_statements(texts, VOCABULARY), VOCABULARY)
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
    stated = text_evidence(statements, VOCABULARY).stated[:, PLACE["st_elevation"]]
    assert stated.tolist() == [False, True, True]


def test_a_denied_feature_is_excluded_and_a_denied_diagnosis_excludes_nothing():
    assert excluding("no delta wave") == {"delta_wave": "no slurred qrs upstroke"}
    assert excluding("no atrial fibrillation") == {}


def test_the_first_excluding_finding_is_named():
    assert excluding("left bundle branch block", "normal ecg")["rsr_v1"] == "left bundle branch block"
    assert excluding("abnormal ecg", "left bundle branch block")["rsr_v1"] == "left bundle branch block"


def test_reports_without_texts_exclude_nothing():
    assert over_reports([np.array([], dtype=int)], np.ones((1, 3), dtype=bool), np.logical_or).tolist() == [[False] * 3]


# -- decision ----------------------------------------------------------------------------------------------------------


def outcome(named=UNTESTABLE, measured=UNTESTABLE, report=UNTESTABLE, score=1.0, threshold=0.0, **settings):
    columns = (np.array([value]) for value in (named, measured, report, score, threshold))
    return REASONS[decide(*columns, ChecksSection(**{**ON, **settings}))[0]].value


def test_each_check_has_its_own_verdict():
    remark, finding = parse_statements(["unconfirmed analysis", "atrial fibrillation"], VOCABULARY)
    assert is_asked(finding, VOCABULARY) and not is_asked(remark, VOCABULARY)
    assert votes(np.array([0, 1, 2, 3]), 2).tolist() == [REFUTED, REFUTED, UNTESTABLE, UNTESTABLE]
    assert contradiction(np.array([0, 3])).tolist() == [UNTESTABLE, REFUTED]
    score = np.array([1.0, 0.99, math.nan, 1.0, 5.0])
    threshold = np.array([1.0, 1.0, 1.0, math.nan, math.inf])
    assert reader(score, threshold).tolist() == [SUPPORTED, REFUTED, UNTESTABLE, UNTESTABLE, REFUTED]


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ({}, "seen"),
        ({"score": 0.0}, "seen"),  # at the threshold
        ({"score": -0.1}, "not_seen"),
        ({"score": math.nan}, "no_score"),
        ({"threshold": math.nan}, "not_calibrated"),
        ({"threshold": math.inf}, "not_seen"),
        ({"measured": SUPPORTED, "score": -9}, "supported"),
        # near its limit, a value counts for two logits on its side
        ({"measured": LIKELY, "score": -2.0}, "likely"),
        ({"measured": LIKELY, "score": -2.1}, "not_seen"),
        ({"measured": LIKELY, "threshold": math.nan}, "likely"),
        ({"measured": UNLIKELY, "score": 1.9}, "unlikely"),
        ({"measured": UNLIKELY, "score": 2.0}, "seen"),
        ({"measured": UNLIKELY, "score": math.nan}, "unlikely"),
        ({"measured": UNLIKELY, "score": 9, "report": REFUTED}, "excluded"),
        ({"measured": UNLIKELY, "score": 9, "reader": "none"}, "unlikely"),
        ({"measured": LIKELY, "score": -9, "reader": "none"}, "likely"),
        ({"measured": REFUTED, "score": 9}, "refuted"),
        ({"report": REFUTED, "measured": UNLIKELY, "score": 1.0}, "unlikely"),
        ({"report": REFUTED, "measured": SUPPORTED}, "excluded"),
        ({"named": REFUTED, "measured": LIKELY}, "too_few_votes"),
        ({"named": REFUTED, "measured": SUPPORTED}, "supported"),  # what is measured without doubt needs no votes
        # switched off, one by one
        ({"measured": REFUTED}, "refuted"),
        ({"reader": "none", "score": -9}, "unchecked"),
        ({"reader": "none", "score": math.nan, "threshold": math.nan}, "unchecked"),
    ],
)
def test_every_outcome_has_its_reason(case, code):
    assert outcome(**case) == code


def test_checks_can_be_switched_off():
    assert outcome(measured=REFUTED, measurement=False) == "seen"
    assert outcome(measured=SUPPORTED, score=-1.0, measurement=False) == "not_seen"
    assert outcome(report=REFUTED, contradiction=False) == "seen"
    assert outcome(measured=REFUTED, reader="none") == "refuted"


# What audits said before reasons were codes: who compares with an older audit reads it by these.
SENTENCES = {
    "too_few_votes": "dropped: named in fewer answers than verification.min_votes",
    "refuted": "dropped: the measurement refutes it",
    "unlikely": "dropped: the measured value lies beyond the limit, though by less than its error",
    "excluded": "dropped: the report excludes it",
    "supported": "accepted: the measurement supports it",
    "likely": "accepted: the measured value lies within the limit, though by less than its error",
    "unchecked": "accepted: no check that is switched on speaks against it",
    "no_score": "dropped: the reader has no score for this record",
    "not_calibrated": "dropped: the reader cannot be calibrated for this feature",
    "seen": "accepted: the reader sees it in this ECG",
    "not_seen": "dropped: the reader does not see it in this ECG",
}


def test_every_reason_has_a_sentence_and_says_whether_the_feature_is_accepted():
    said = {reason.value: f"{'accepted' if reason.accepted else 'dropped'}: {reason.sentence}" for reason in Reason}
    assert said == SENTENCES
    assert {reason.value for reason, accepts in zip(REASONS, ACCEPTING, strict=True) if accepts} == {
        code for code, sentence in SENTENCES.items() if sentence.startswith("accepted")
    }


def test_a_reason_of_another_version_is_refused():
    with pytest.raises(UserError, match=r"audit\.parquet: the reason 'dropped: the report excludes it' is unknown"):
        reason_of("dropped: the report excludes it")
