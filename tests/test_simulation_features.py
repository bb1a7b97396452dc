"""Features that the simulator reads off the noise-free beat and the timeline.

Waves drawn by hand show what each of them is; of simulated hearts all that must hold of any heart is tested.
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fgclep.leads import INDEX
from fgclep.schemas import LEAD_MEASURES
from fgclep.simulation.findings import Condition, draw_condition
from fgclep.simulation.heart import Table
from fgclep.simulation.measures import Main, deflections, measure
from fgclep.simulation.morphology import Beat
from fgclep.simulation.patient import draw_patient
from fgclep.simulation.record import simulate
from fgclep.simulation.rhythm import Timeline
from fgclep.simulation.seen import Seen, contiguous, turning_points
from fgclep.simulation.truth import NEVER_DRAWN, STATE, true_diagnoses, true_features
from fgclep.vocabulary import load_vocabulary

VOCABULARY = Path(__file__).parents[1] / "resources" / "vocabulary"
LEFT = ("I", "aVL", "V5", "V6")


@pytest.fixture(scope="module")
def vocabulary():
    return load_vocabulary(VOCABULARY)


# --- waves drawn by hand


def bump(center, width, height, length):
    """A triangle of ``height`` mV at ``center`` ms, ``2 * width`` ms wide at its foot."""
    return height * np.clip(1 - np.abs(np.arange(length) - center) / width, 0, None)


def curve(length, *waves):
    return sum((bump(*wave, length) for wave in waves), np.zeros(length))


def heart(qrs=None, st_t=None, p=None, qrs_ms=90, scalars=None, line=None, rate=70.0, pr_level=0.0, **morphology):
    """A heart whose waves are given: lead to curve; all other leads show a small R wave and a T wave of 0.3 mV."""
    narrow = curve(qrs_ms, (20, 8, -0.05), (40, 15, 0.8), (62, 10, -0.2))
    t = curve(500, (230, 90, 0.3))
    leads = {
        "qrs": np.tile(narrow, (12, 1)),
        "st_t": np.tile(t, (12, 1)),
        "p": np.tile(bump(50, 40, 0.1, 100), (12, 1)),
    }
    for kind, drawn in (("qrs", qrs), ("st_t", st_t), ("p", p)):
        for lead, wave in (drawn or {}).items():
            leads[kind][INDEX[lead]] = wave
    level = np.zeros(12)
    level[INDEX["aVR"]] = pr_level
    window = slice(100, 320)
    t_ms = window.start + np.abs(leads["st_t"][:, window]).argmax(axis=1)
    main = Main(leads["qrs"], leads["st_t"], leads["p"], level, 390.0, window, t_ms, leads["qrs"].sum(axis=1))
    q, q_width, r, s, second = deflections(main.qrs)
    st, height = main.repolarization[:, 60], main.repolarization[np.arange(12), t_ms]
    measures = {
        **{"qrs_ms": float(qrs_ms), "qtc_ms": 400.0, "heart_rate": 70.0, "p_present": 1.0, "sex": "M", "age": 50.0},
        **{"qrs_axis": 40.0, "t_axis": 40.0, "premature_wide": 0.0, "premature_narrow": 0.0, "rr_max_ms": 860.0},
        **dict(
            zip(
                ("q_mv", "q_ms", "r_mv", "s_mv", "rp_mv", "st_mv", "t_mv"),
                (q, q_width, r, s, second, st, height),
                strict=True,
            )
        ),
        "p_mv": np.abs(leads["p"]).max(axis=1),
        "cornell_mv": float(r[INDEX["aVL"]] + s[INDEX["V3"]]),
        **(scalars or {}),
    }
    assert set(LEAD_MEASURES) <= set(measures)
    state = {"delta": False, "scooped": False, "u_wave": False, "j_notch": False, "beats": {}, **morphology}
    recording = SimpleNamespace(
        timeline=line or Timeline(pr=[150.0]),
        condition=SimpleNamespace(rhythm="sinus", rate=rate, ectopy=None),
        morphology=SimpleNamespace(**state),
        duration=10.0,
        connection=None,
    )
    return Seen(recording, measures, main)


def beats(times, kind="main"):
    return [(time, kind) for time in times]


def wenckebach():
    """Every fourth P wave is dropped; PR 180, 250, 290 ms."""
    line = Timeline(progressive=True)
    for i in range(12):
        time = 0.2 + 0.8 * i
        line.p.append((time, "sinus"))
        if i % 4 == 3:
            line.dropped.append(time)
            continue
        pr = (180.0, 250.0, 290.0)[i % 4]
        line.pr.append(pr)
        line.qrs.append((time + pr / 1000, "main"))
    return line


def conducted(ratio, dissociated=False):
    """P waves every 0.6 s, of which one in ``ratio`` is conducted after 160 ms."""
    line = Timeline(dissociated=dissociated)
    for i in range(15):
        time = 0.3 + 0.6 * i
        line.p.append((time, "sinus"))
        if i % ratio:
            line.dropped.append(time)
        else:
            line.qrs.append((time + 0.16, "main"))
            line.pr.append(160.0)
    return line


def in_leads(leads, wave):
    return dict.fromkeys(leads, wave)


CHEST = ("V1", "V2", "V3", "V4", "V5", "V6")
TALL = curve(90, (40, 15, 1.6))
NOTCHED = curve(130, (45, 22, 1.0), (85, 22, 1.0))  # 0.8 mV deep, between the two peaks
DEEP = curve(90, (40, 20, -1.6))
LATE_R = curve(90, (20, 10, 0.2), (40, 10, -0.5), (70, 12, 0.6))
LEFT_BUNDLE = {**in_leads(CHEST[:3], curve(140, (60, 50, -1.2))), **in_leads((*LEFT, "II"), curve(140, (70, 60, 1.0)))}
FLAT_ST = np.minimum(np.arange(500) / 10, 1.0)  # reaches its level 10 ms after the J point, and keeps it
RISING = curve(500, (230, 200, 0.5))
CASES = {
    # feature: (shows it, does not)
    "biphasic_p_inferior": (
        {"p": in_leads(("II", "III", "aVF"), curve(110, (35, 25, 0.1), (80, 20, -0.06))[:100])},
        {"p": in_leads(("II", "III"), curve(110, (35, 25, 0.1), (80, 20, -0.06))[:100])},
    ),
    "pr_elevation_avr": ({"pr_level": 0.06}, {"pr_level": 0.04}),
    "rp_above_r_v1": (
        {"qrs": {"V1": LATE_R}},
        {"qrs": {"V1": curve(90, (20, 10, 0.6), (40, 10, -0.5), (70, 12, 0.2))}},
    ),
    "notched_r_lateral": (
        {"qrs_ms": 130, "qrs": {"V6": NOTCHED}},
        {"qrs_ms": 130, "qrs": {"V6": curve(130, (60, 40, 1.0)), "V1": NOTCHED}},
    ),
    "delayed_intrinsicoid": ({"qrs": {"V5": curve(90, (55, 20, 0.9))}}, {"qrs": {"V4": curve(90, (55, 20, 0.9))}}),
    "delayed_r_peak_v1": ({"qrs": {"V1": LATE_R}}, {"qrs": {"V2": LATE_R}}),
    "r_peak_avl": ({"qrs": {"aVL": curve(90, (46, 20, 0.9))}}, {"qrs": {"aVL": curve(90, (40, 20, 0.9))}}),
    "fragmented_qrs": (
        {"qrs": in_leads(("V3", "V4"), curve(90, (30, 12, 0.9), (50, 12, 0.9)))},
        {"qrs": in_leads(("V3", "V6"), curve(90, (30, 12, 0.9), (50, 12, 0.9)))},
    ),
    "terminal_activation_delay": (
        {"qrs": {"V2": curve(90, (30, 15, -1.0))}},
        {"qrs": {"V2": curve(90, (40, 15, -1.0))}},
    ),
    "delta_positive_v1": (
        {"delta": True, "qrs": {"V1": curve(90, (40, 38, 1.0))}},
        {"delta": True, "qrs": {"V1": DEEP}},
    ),
    "delta_negative_inferior": (
        {"delta": True, "qrs": in_leads(("II", "III", "aVF"), curve(90, (30, 28, -1.0)))},
        {"delta": False, "qrs": in_leads(("II", "III", "aVF"), curve(90, (30, 28, -1.0)))},
    ),
    "precordial_concordance": ({"qrs": in_leads(CHEST, DEEP)}, {"qrs": in_leads(CHEST[:5], DEEP)}),
    "paced_lbbb_shape": (
        {"qrs_ms": 140, "qrs": LEFT_BUNDLE, "line": Timeline(spikes=[(1.0, "ventricle")])},
        {"qrs_ms": 140, "qrs": LEFT_BUNDLE, "line": Timeline(spikes=[(1.0, "atrium")])},
    ),
    "paced_rbbb_shape": (
        {"qrs_ms": 140, "qrs": {"V1": curve(140, (70, 60, 1.0))}, "line": Timeline(spikes=[(1.0, "ventricle")])},
        {"qrs_ms": 140, "qrs": {"V1": curve(140, (70, 60, 1.0))}},
    ),
    "reversed_r_progression": (
        {"qrs": {"V2": TALL, "V3": curve(90, (40, 15, 1.5)), "V4": TALL}},
        {"qrs": {"V2": curve(90, (40, 15, 1.0)), "V3": curve(90, (40, 15, 1.5)), "V4": TALL}},
    ),
    "cornell_product": (
        {"scalars": {"cornell_mv": 2.0, "sex": "F"}},  # (2.0 + 0.8) mV x 90 ms = 252 mV ms
        {"scalars": {"cornell_mv": 2.6, "sex": "M"}},  # 234 mV ms
    ),
    "gubner": ({"qrs": {"I": TALL, "III": curve(90, (60, 15, -1.0))}}, {"qrs": {"I": TALL}}),
    "lewis_index": (
        {"qrs": {"I": TALL, "III": curve(90, (60, 15, -0.5))}},  # 1.6 + 0.5 - 0 - 0
        {"qrs": {"I": TALL, "III": curve(90, (30, 12, 0.6), (60, 15, -0.5))}},
    ),
    "peguero": (
        {"qrs": {"V2": DEEP, "V4": curve(90, (50, 20, -0.8))}, "scalars": {"sex": "F"}},
        {"qrs": {"V2": DEEP, "V4": curve(90, (50, 20, -0.8))}, "scalars": {"sex": "M"}},
    ),
    "sokolow_rvh": (
        {"qrs": {"V1": curve(90, (30, 15, 0.7)), "V6": curve(90, (30, 12, 0.5), (60, 12, -0.5))}},
        {"qrs": {"V1": curve(90, (30, 15, 0.7)), "V6": curve(90, (30, 12, 0.5), (60, 12, -0.2))}},
    ),
    "romhilt_estes": (  # voltage 3, axis 2
        {"qrs": {"V5": 2 * TALL}, "scalars": {"qrs_axis": -40.0, "qrs_ms": 85.0}},
        {"qrs": {"V5": 2 * TALL}, "scalars": {"qrs_axis": -20.0, "qrs_ms": 90.0}},  # 3 and 1
    ),
    "ste_convex": (
        {"st_t": in_leads(("II", "III", "aVF"), 0.3 * FLAT_ST)},
        {"st_t": in_leads(("II", "III", "aVF"), 0.12 + curve(500, (230, 90, 0.5)))},
    ),
    "ste_concave": (
        {"st_t": in_leads(("II", "III", "aVF"), 0.12 + curve(500, (230, 90, 0.5)))},
        {"st_t": in_leads(("II",), 0.12 + curve(500, (230, 90, 0.5)))},
    ),
    "ste_with_qs": (
        {"qrs": in_leads(("V2", "V3"), DEEP), "st_t": in_leads(CHEST[:4], 0.2 + curve(500, (230, 90, 0.05)))},
        {"qrs": in_leads(("V2", "V3"), DEEP), "st_t": in_leads(CHEST[:4], 0.2 + curve(500, (230, 90, 0.8)))},
    ),
    "coved_ste_v1": (
        {"st_t": {"V1": curve(500, (0, 150, 0.3), (230, 60, -0.2))}},
        {"st_t": {"V1": curve(500, (0, 150, 0.3), (230, 60, 0.2))}},
    ),
    "saddleback_v1": (
        {"st_t": {"V2": 0.1 + curve(500, (0, 80, 0.2), (230, 90, 0.3))}},
        {"st_t": {"V2": 0.02 + curve(500, (0, 80, 0.2), (230, 90, 0.3))}},
    ),
    "concordant_ste": (
        {"qrs_ms": 140, "qrs": LEFT_BUNDLE, "st_t": {"V5": 0.15 + curve(500, (230, 90, 0.3))}},
        {"qrs_ms": 140, "qrs": LEFT_BUNDLE, "st_t": {"V1": 0.15 + curve(500, (230, 90, 0.3))}},
    ),
    "concordant_std": (
        {"qrs_ms": 140, "qrs": LEFT_BUNDLE, "st_t": {"V2": curve(500, (230, 90, 0.3)) - 0.15}},
        {"qrs_ms": 140, "qrs": LEFT_BUNDLE, "st_t": {"V5": curve(500, (230, 90, 0.3)) - 0.15}},
    ),
    "st_t_ratio_v6": (
        {"st_t": {"V6": 0.1 + curve(500, (230, 90, 0.2))}},  # 0.1 / 0.3
        {"st_t": {"V6": 0.1 + curve(500, (230, 90, 0.5))}},
    ),
    "ste_iii_above_ii": (
        {"st_t": {"II": 0.15 * FLAT_ST, "III": 0.25 * FLAT_ST, "aVF": 0.2 * FLAT_ST}},
        {"st_t": {"II": 0.25 * FLAT_ST, "III": 0.15 * FLAT_ST, "aVF": 0.2 * FLAT_ST}},
    ),
    "std_horizontal": (
        {"st_t": in_leads(("V4", "V5"), curve(500, (230, 90, 0.3)) - 0.1)},
        {"st_t": in_leads(("V4", "V5"), RISING - 0.1)},
    ),
    "std_upsloping": (
        {"st_t": in_leads(("V4", "V5"), RISING - 0.07)},
        {"st_t": in_leads(("V2", "V5"), RISING - 0.07)},
    ),
    "std_junctional": (
        {"st_t": in_leads(("V4", "V5"), RISING - 0.12)},
        {"st_t": in_leads(("V4", "V5"), RISING - 0.07)},
    ),
    "de_winter_t": (
        {"st_t": in_leads(("V2", "V3", "V4"), curve(500, (230, 229, 1.0)) - 0.2)},
        {"st_t": in_leads(("V2", "V3", "V4"), curve(500, (230, 229, 0.5)) - 0.2)},
    ),
    "long_st": (
        {"scalars": {"qtc_ms": 480.0}, "st_t": in_leads(INDEX, curve(500, (260, 70, 0.3)))},
        {"scalars": {"qtc_ms": 480.0}, "st_t": in_leads(INDEX, curve(500, (200, 100, 0.3)))},
    ),
    "late_onset_t": (
        {"scalars": {"qtc_ms": 480.0}, "st_t": in_leads(INDEX, curve(500, (260, 70, 0.3)))},
        {"scalars": {"qtc_ms": 450.0}, "st_t": in_leads(INDEX, curve(500, (260, 70, 0.3)))},
    ),
    "broad_based_t": (
        {"scalars": {"qtc_ms": 480.0}, "st_t": in_leads(INDEX, curve(500, (200, 130, 0.3)))},
        {"scalars": {"qtc_ms": 480.0}, "st_t": in_leads(INDEX, curve(500, (200, 100, 0.3)))},
    ),
    "short_st": (
        {"st_t": in_leads(INDEX, curve(500, (120, 100, 0.3)))},
        {"st_t": in_leads(INDEX, curve(500, (170, 100, 0.3)))},
    ),
    "tinv_symmetric": (
        {"st_t": in_leads(("V2", "V3"), curve(500, (230, 80, -0.3)))},
        {"st_t": in_leads(("V2", "V3"), np.interp(np.arange(500), [80, 230, 280], [0, -0.3, 0]))},
    ),
    "tinv_asymmetric": (
        {"st_t": in_leads(("V2", "V3"), np.interp(np.arange(500), [80, 230, 280], [0, -0.3, 0]))},
        {"st_t": in_leads(("V2", "aVR"), np.interp(np.arange(500), [80, 230, 280], [0, -0.3, 0]))},
    ),
    "biphasic_t": (
        {"st_t": {"V5": curve(500, (170, 40, 0.2), (250, 40, -0.2))}},
        {"st_t": {"V5": curve(500, (170, 40, 0.2), (250, 40, -0.05))}},
    ),
    "biphasic_t_v2_v3": (
        {"st_t": in_leads(("V2", "V3"), curve(500, (170, 40, 0.2), (250, 40, -0.1)))},
        {"st_t": in_leads(("V2", "V3"), curve(500, (170, 40, -0.1), (250, 40, 0.2)))},
    ),
    "notched_t": (
        {"st_t": {"V4": curve(500, (180, 40, 0.3), (240, 40, 0.3))}},
        {"st_t": {"V4": curve(500, (180, 60, 0.3), (240, 60, 0.3))}},
    ),
    "hyperacute_t": (
        {"st_t": in_leads(("V3", "V4"), curve(500, (220, 100, 1.2)))},
        {"st_t": in_leads(("V3", "V4"), curve(500, (220, 40, 1.2)))},  # of hyperkalemia: narrow
    ),
    "t_v1_above_v6": (
        {"st_t": {"V1": curve(500, (230, 90, 0.4))}},
        {"st_t": {"V1": curve(500, (230, 90, 0.2))}},
    ),
    "wide_qrs_t_angle": (
        {"scalars": {"qrs_axis": -60.0, "t_axis": 120.0}},
        {"scalars": {"qrs_axis": 170.0, "t_axis": -130.0}},  # 60 degrees
    ),
    "tu_fusion": (
        {"u_wave": True, "st_t": in_leads(("V2", "V3", "V4"), curve(500, (240, 90, 0.2), (330, 90, 0.2)))},
        {"u_wave": True, "st_t": in_leads(("V2", "V3", "V4"), curve(500, (200, 60, 0.2), (380, 50, 0.2)))},
    ),
    "aberrant_beat": (
        {"line": Timeline(qrs=[*beats([1, 2, 4]), (2.6, "aberrant")])},
        {"line": Timeline(qrs=[*beats([1, 2, 4]), (12.6, "aberrant")])},
    ),
    "group_beating": (
        {"line": wenckebach()},
        {"line": Timeline(qrs=beats([1, 1.8, 2.6, 4.2, 5.0, 6.6, 7.4, 8.2, 9.0]))},
    ),
    "two_to_one_conduction": ({"line": conducted(2)}, {"line": conducted(3)}),
    "consecutive_dropped_p": ({"line": conducted(3)}, {"line": conducted(2)}),
    "varying_pr": ({"line": wenckebach()}, {"line": conducted(2)}),
    "constant_pr_before_drop": ({"line": conducted(2)}, {"line": wenckebach()}),
    "narrow_escape": (
        {"line": conducted(2, dissociated=True), "scalars": {"rr_max_ms": 1200.0}},
        {"line": conducted(2), "scalars": {"rr_max_ms": 1200.0}},
    ),
    "wide_escape": (
        {"line": conducted(2, dissociated=True), "qrs_ms": 140, "scalars": {"rr_max_ms": 1200.0}},
        {"line": conducted(2, dissociated=True), "qrs_ms": 110, "scalars": {"rr_max_ms": 1200.0}},
    ),
}


@pytest.mark.parametrize("feature", CASES)
def test_a_wave_drawn_by_hand_shows_the_feature_and_its_neighbor_does_not(feature):
    shows, does_not = CASES[feature]
    assert STATE[feature](heart(**shows)) is True
    assert STATE[feature](heart(**does_not)) is False


def retrograde(delay, second_lead, v1):
    """P waves of 90 ms whose heights in II and V1 are given, ``delay`` s after each QRS."""
    line = Timeline(qrs=beats([1.0, 2.0, 3.0]), retrograde=True)
    line.p = [(time + delay, "ectopic") for time, _ in line.qrs]
    heights = np.array([0.0, second_lead, v1, 0, 0, 0, 0, 0])
    return {"line": line, "ectopic_p": Table(heights[:, None] * bump(90, 90, 1.0, 180), 0)}


@pytest.mark.parametrize(
    ("feature", "shows", "does_not"),
    [
        ("retrograde_p", retrograde(0.12, -0.1, 0.0), retrograde(0.12, 0.1, 0.0)),
        ("retrograde_p", retrograde(0.12, -0.1, 0.0), retrograde(0.02, -0.1, 0.0)),  # its peak lies within QRS
        ("pseudo_r_v1", retrograde(0.08, -0.1, 0.1), retrograde(0.12, -0.1, 0.1)),
        ("pseudo_r_v1", retrograde(0.08, -0.1, 0.1), retrograde(0.08, -0.1, -0.1)),
    ],
)
def test_a_retrograde_p_wave_is_seen_behind_the_qrs_or_as_its_last_wave(feature, shows, does_not):
    assert STATE[feature](heart(**shows)) is True
    assert STATE[feature](heart(**does_not)) is False


def test_a_ventricular_beat_is_on_t_within_50_ms_of_its_peak():
    t = np.zeros((8, 1000))
    t[:] = curve(1000, (500, 200, 0.3))  # its peak 250 ms after the J point, 340 ms after the onset of QRS
    beat = Beat(Table(np.zeros((8, 1)), 0), 90.0, Table(t, 0), 400.0)
    for coupling, expected in ((0.34, True), (0.30, True), (0.28, False), (0.40, False), (0.7, False)):
        line = Timeline(qrs=[(1.0, "main"), (2.0, "main"), (2.0 + coupling, "pvc"), (2.65 + coupling, "pvc")])
        seen = heart(line=line, scalars={"premature_wide": 2.0}, beats={"main": beat, "pvc": beat}, rate=60.0)
        assert STATE["r_on_t"](seen) is expected


def test_turns_smaller_than_asked_for_are_passed_over():
    rise, dip = np.array([[0.0, 1.0, 0.95, 2.0, -1.0, 0.0]]), np.array([[0.0, 1.0, 0.5, 2.0, -1.0, 0.0]])
    assert turning_points(rise, 0.1) == [[(0, 0.0), (3, 2.0), (4, -1.0), (5, 0.0)]]
    assert turning_points(dip, 0.1)[0] == [(0, 0.0), (1, 1.0), (2, 0.5), (3, 2.0), (4, -1.0), (5, 0.0)]


def test_the_two_sides_of_the_chest_are_not_contiguous():
    shown = [False] * 12
    shown[INDEX["V2"]] = shown[INDEX["V5"]] = shown[INDEX["aVR"]] = True
    assert not contiguous(shown)
    shown[INDEX["V6"]] = True
    assert contiguous(shown)


# --- simulated hearts


class Heart(SimpleNamespace):
    """A simulated recording with what is true about it."""


@pytest.fixture(scope="module")
def hearts(vocabulary):
    """1,200 hearts, without their signals."""
    drawn = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fgclep.simulation.record.record", lambda signal, *rest: signal)
        patch.setattr("fgclep.simulation.record.render", lambda *rest: np.zeros((8, 10), np.float32))
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
        ("cornell_product", 0.4, {"hypertrophy": {"lvh", "lvh_strain"}}),
        ("tinv_asymmetric", 0.6, {"hypertrophy": {"lvh_strain"}}),
        ("ste_concave", 0.6, {"repolarization": {"early_repolarization"}}),
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
    assert broad > 0.15 and late > 0.15
    assert not np.all(found, axis=1).any()


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
            patch.setattr("fgclep.simulation.record.record", lambda signal, *rest: signal)
            recording = simulate(patient, condition, rng)
        line = recording.timeline
        start = next(time for time, _ in line.qrs if time > 1)
        stop = next(time for time, _ in line.p if time > start)
        rest = recording.twelve()[:, round(500 * (stop - 0.1)) : round(500 * (stop - 0.03))]
        assert np.ptp(rest, axis=1).max() < 0.01
