"""What must hold of the features of any simulated heart."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import ROOT

from fgclep.simulation.heart.condition import Condition, draw_condition
from fgclep.simulation.heart.patient import draw_patient
from fgclep.simulation.recorder.recording import simulate
from fgclep.simulation.truth.measures import measure
from fgclep.simulation.truth.observation import Seen
from fgclep.simulation.truth.truth import NEVER_DRAWN, STATE, true_diagnoses, true_features

VOCABULARY = ROOT / "resources" / "vocabulary"


class Heart(SimpleNamespace):
    """A simulated recording with what is true about it."""


@pytest.fixture(scope="module")
def hearts(vocabulary):
    """1,200 hearts, without their signals."""
    drawn = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fgclep.simulation.recorder.recording.record", lambda signal, *rest: signal)
        patch.setattr("fgclep.simulation.recorder.recording.render", lambda *rest: np.zeros((8, 10), np.float32))
        for seed in range(1200):
            rng = np.random.default_rng([31, seed])
            patient = draw_patient(rng)
            recording = simulate(patient, draw_condition(rng, patient), rng)
            seen = Seen(recording, *measure(recording))
            features = set(true_features(seen, vocabulary))
            diagnoses = true_diagnoses(seen, features, vocabulary)
            drawn.append(Heart(condition=recording.condition, seen=seen, features=features, diagnoses=diagnoses))
    return drawn


def share(hearts, feature, **condition):
    of = [
        heart for heart in hearts if all(getattr(heart.condition, name) in kinds for name, kinds in condition.items())
    ]
    assert len(of) >= 4
    return np.mean([feature in heart.features for heart in of])


# without a cause of their own, or of one that is rare: not in every sample of 1,200
RARE = {
    *("biphasic_p_inferior", "biphasic_t", "biphasic_t_v2_v3", "notched_t", "saddleback_v1", "coved_ste_v1"),
    *("de_winter_t", "hyperacute_t", "concordant_ste", "concordant_std", "std_upsloping", "std_junctional"),
    *("pseudo_r_v1", "paced_rbbb_shape", "r_on_t", "tu_fusion", "wide_escape"),
    *("delta_positive_v1", "pr_elevation_avr", "long_st"),
}


def test_each_feature_is_seen_in_some_hearts_and_none_in_most(hearts, vocabulary):
    count = Counter(feature for heart in hearts for feature in heart.features)
    assert sorted(name for name in STATE if not count[name] and name not in RARE) == []
    assert sorted(name for name in STATE if count[name] > 0.6 * len(hearts)) == []


@pytest.mark.parametrize(
    ("features", "cause"),
    [
        (("delta_wave", "delta_positive_v1", "delta_negative_inferior"), {"conduction": {"wpw"}}),
        (("paced_lbbb_shape", "spike_before_qrs"), {"rhythm": {"ventricular_pacing", "av_pacing"}}),
        (("retrograde_p", "pseudo_r_v1"), {"rhythm": {"junctional", "svt"}}),
        (("narrow_escape", "wide_escape", "consecutive_dropped_p"), {"rhythm": {"av_block_3"}}),
        (("varying_pr",), {"rhythm": {"mobitz_1"}}),
        (("constant_pr_before_drop",), {"rhythm": {"mobitz_2"}}),
        (("two_to_one_conduction",), {"rhythm": {"mobitz_2", "aflutter"}}),
        (("aberrant_beat",), {"ectopy": {"pac", "both", "atrial_bigeminy"}}),
        (("pr_elevation_avr", "pr_depression"), {"repolarization": {"pericarditis"}}),
        (("tu_fusion", "prominent_u"), {"repolarization": {"hypokalemia"}}),
    ],
)
def test_what_has_one_cause_is_seen_with_that_cause_alone(hearts, features, cause):
    for heart in hearts:
        if heart.features & set(features):
            assert all(getattr(heart.condition, name) in kinds for name, kinds in cause.items())


@pytest.mark.parametrize(
    ("feature", "implied"),
    [
        ("ste_convex", "st_elevation"), ("ste_concave", "st_elevation"), ("std_junctional", "std_upsloping"),
        ("long_st", "late_onset_t"), ("late_onset_t", "prolonged_qtc"), ("broad_based_t", "prolonged_qtc"),
        ("rp_above_r_v1", "rsr_v1"), ("concordant_ste", "wide_qrs"),
        ("concordant_std", "wide_qrs"), ("wide_escape", "wide_qrs"), ("wide_escape", "av_dissociation"),
        ("r_on_t", "premature_wide_beat"), ("aberrant_beat", "premature_wide_beat"),
        ("paced_lbbb_shape", "spike_before_qrs"), ("constant_pr_before_drop", "dropped_qrs"),
    ],
)  # fmt: skip
def test_a_narrower_feature_brings_the_wider_one(hearts, feature, implied):
    assert all(implied in heart.features for heart in hearts if feature in heart.features)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ste_convex", "ste_concave"), ("tinv_symmetric", "tinv_asymmetric"), ("narrow_escape", "wide_qrs"),
        ("long_st", "short_st"), ("broad_based_t", "late_onset_t"), ("constant_pr_before_drop", "varying_pr"),
        ("two_to_one_conduction", "consecutive_dropped_p"), ("varying_pr", "av_dissociation"),
        ("fragmented_qrs", "wide_qrs"), ("early_r_v2", "late_transition"), ("retrograde_p", "p_before_qrs"),
        ("concordant_ste", "rsr_v1"), ("hyperacute_t", "wide_qrs"), ("delta_positive_v1", "left_bundle"),
    ],
)  # fmt: skip
def test_features_that_contradict_each_other_are_not_seen_together(hearts, one, other):
    assert not any({one, other} <= heart.features for heart in hearts)


def test_no_diagnosis_is_made_beside_a_feature_of_the_timeline_or_the_waves_that_excludes_it(hearts, vocabulary):
    for heart in hearts:
        excluded = {feature for name in heart.diagnoses for feature in vocabulary.diagnoses[name].incompatible}
        assert not heart.features & excluded & set(STATE)


@pytest.mark.parametrize(
    ("feature", "least", "condition"),
    [
        ("notched_r_lateral", 0.5, {"conduction": {"lbbb"}}),
        ("delayed_intrinsicoid", 0.9, {"conduction": {"lbbb"}}),
        ("delayed_r_peak_v1", 0.9, {"conduction": {"rbbb", "rbbb+lafb"}}),
        ("rp_above_r_v1", 0.7, {"conduction": {"rbbb", "rbbb+lafb"}}),
        ("r_peak_avl", 0.6, {"conduction": {"lafb"}}),
        ("sokolow_rvh", 0.5, {"hypertrophy": {"rvh"}}),
        ("cornell_product", 0.3, {"hypertrophy": {"lvh", "lvh_strain"}}),
        ("tinv_asymmetric", 0.6, {"hypertrophy": {"lvh_strain"}}),
        ("ste_concave", 0.6, {"repolarization": {"early_repolarization"}}),
        ("ste_concave", 0.8, {"repolarization": {"pericarditis"}}),
        ("ste_convex", 0.4, {"infarct": {"anterior_stemi", "inferior_stemi", "lateral_stemi"}}),
        ("ste_iii_above_ii", 0.7, {"infarct": {"inferior_stemi"}}),
        ("std_horizontal", 0.7, {"repolarization": {"digitalis", "diffuse_ischemia"}}),
        ("t_v1_above_v6", 0.7, {"repolarization": {"lateral_ischemia"}}),
        ("paced_lbbb_shape", 0.5, {"rhythm": {"ventricular_pacing", "av_pacing"}}),
        ("group_beating", 0.8, {"rhythm": {"mobitz_1"}}),
        ("narrow_escape", 0.5, {"rhythm": {"av_block_3"}}),
    ],
)
def test_a_cause_shows_its_features_in_most_hearts(hearts, feature, least, condition):
    assert share(hearts, feature, **condition) >= least
    assert share(hearts, feature, **condition) > 1.4 * np.mean([feature in heart.features for heart in hearts])


def test_a_long_qt_is_long_in_t_or_before_it_but_not_in_both():
    found = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        patient = draw_patient(rng)
        recording = simulate(patient, Condition(False, "sinus", 66.0, repolarization="long_qt"), rng)
        seen = Seen(recording, *measure(recording))
        found.append([STATE[name](seen) for name in ("broad_based_t", "late_onset_t")])
    broad, late = np.mean(found, axis=0)
    assert broad > 0.15 and late > 0.05
    assert not np.all(found, axis=1).any()


@pytest.mark.parametrize(("kind", "feature"), [("long_qt", "notched_t"), ("anterior_ischemia", "biphasic_t_v2_v3")])
def test_t_has_two_parts_in_some_hearts_of_a_kind(kind, feature):
    found = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        patient = draw_patient(rng)
        condition = Condition(False, "sinus", 66.0, repolarization=kind, repolarization_size=1.0)
        recording = simulate(patient, condition, rng)
        found.append(STATE[feature](Seen(recording, *measure(recording))))
    assert 0.05 < np.mean(found) < 0.4


def test_voltage_alone_is_hypertrophy_after_35_years_and_normal_before(hearts):
    counts = Counter()
    for heart in hearts:
        measures = heart.seen.measures
        if heart.condition.hypertrophy or "sokolow_lyon" not in heart.features or measures["qrs_ms"] > 110:
            continue
        young = measures["age"] <= 35 and measures["sokolow_mv"] < 4.5
        counts[young] += 1
        assert ("lvh" in heart.diagnoses) == (not young)
    assert counts[True] > 3 and counts[False] > 20


def test_the_tall_t_of_hyperkalemia_is_narrow_and_symmetric(hearts):
    of = [heart for heart in hearts if heart.condition.repolarization == "hyperkalemia"]
    assert np.mean(["tall_t" in heart.features for heart in of]) > 0.4
    for heart in of:
        waves = heart.seen.t_waves
        clear = np.abs(heart.seen.measures["t_mv"]) > 0.3
        if clear.any():
            assert np.median((waves.offset - waves.onset)[clear]) < 140
            assert 0.8 < np.median(waves.asymmetry[clear]) < 1.25


def test_retrograde_p_waves_follow_the_qrs(hearts):
    for heart in hearts:
        if "retrograde_p" in heart.features:
            line = heart.seen.recording.timeline
            qrs = np.array([time for time, _ in line.qrs])
            after = [time - qrs[qrs < time].max() for time, _ in line.p]
            assert max(after) < 0.2


@pytest.mark.parametrize("feature", ["sinus_pause_no_p", "pause_multiple_pp"])
def test_the_sinus_node_of_no_heart_pauses(hearts, feature):
    """P waves that are hidden, as behind a run of ventricular beats, make no pause."""
    assert feature in NEVER_DRAWN
    for heart in hearts:
        line = heart.seen.recording.timeline
        if line.retrograde:
            continue
        times = [time for time, _ in line.qrs]
        for (one, _), (other, _) in zip(line.p, line.p[1:], strict=False):
            if np.searchsorted(times, other) - np.searchsorted(times, one) <= 1:
                assert other - one < (2.0 if feature == "sinus_pause_no_p" else 1.75 * 60 / heart.condition.rate)


def test_no_heart_has_a_third_kind_of_p_wave(hearts):
    assert "three_p_shapes" in NEVER_DRAWN
    for heart in hearts:
        assert len({kind for _, kind in heart.seen.recording.timeline.p}) <= 2


def test_nothing_happens_between_u_and_p():
    """So there is no downsloping TP segment (Spodick's sign), of pericarditis or otherwise."""
    assert "spodick_sign" in NEVER_DRAWN
    for seed in range(10):
        rng = np.random.default_rng(seed)
        patient = draw_patient(rng)
        condition = replace(
            draw_condition(rng, replace(patient, healthy=True)),
            **{"rhythm": "sinus", "rate": 55.0, "ectopy": None, "conduction": None, "normal": False},
            **{"repolarization": "pericarditis", "repolarization_size": 1.2},
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("fgclep.simulation.recorder.recording.record", lambda signal, *rest: signal)
            recording = simulate(patient, condition, rng)
        line = recording.timeline
        start = next(time for time, _ in line.qrs if time > 1)
        stop = next(time for time, _ in line.p if time > start)
        rest = recording.twelve()[:, round(500 * (stop - 0.1)) : round(500 * (stop - 0.03))]
        assert np.ptp(rest, axis=1).max() < 0.01


def test_few_of_the_healthy_meet_the_voltage_criterion_of_hypertrophy(hearts):
    healthy = [heart for heart in hearts if heart.condition.normal]
    assert 0.02 < np.mean(["sokolow_lyon" in heart.features for heart in healthy]) < 0.15
