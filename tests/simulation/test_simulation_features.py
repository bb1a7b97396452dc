"""Features that the simulator reads off the noise-free beat and the timeline: waves drawn by hand show what each is."""

from types import SimpleNamespace

import numpy as np
import pytest
from conftest import ROOT

from fgclep.leads import INDEX
from fgclep.schemas.measurements import LEAD_MEASURES
from fgclep.simulation.heart.heart import Table
from fgclep.simulation.heart.morphology import Beat
from fgclep.simulation.heart.rhythm import Timeline
from fgclep.simulation.truth.measures import Main, deflections
from fgclep.simulation.truth.observation import Seen, contiguous, turning_points
from fgclep.simulation.truth.truth import STATE

VOCABULARY = ROOT / "resources" / "vocabulary"
LEFT = ("I", "aVL", "V5", "V6")


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
