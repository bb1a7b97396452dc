"""The checks of a recovered feature, each by itself, and how they combine."""

import math

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from fgclep.config.verification import ChecksSection
from fgclep.language.statements import parse_statements
from fgclep.language.vocabulary import load_vocabulary, verdict
from fgclep.schemas.measurements import LEAD_MEASURES, MEASURES
from fgclep.verification.checks import (
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
from fgclep.verification.text_evidence import first_given, over_reports, text_evidence

VOCABULARY = load_vocabulary(ROOT / "resources" / "vocabulary")
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
    return REASONS[decide(*columns, ChecksSection(**{**ON, **settings}))[0]]


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
        ({"measured": LIKELY, "score": -9}, "accepted: the measured value lies within the limit"),
        ({"measured": UNLIKELY, "score": 9}, "dropped: the measured value lies beyond the limit"),
        ({"measured": REFUTED, "score": 9}, "dropped: the measurement refutes it"),
        ({"report": REFUTED, "measured": UNLIKELY}, "dropped: the measured value lies beyond the limit"),
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
