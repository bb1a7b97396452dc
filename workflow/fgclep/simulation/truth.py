"""What is true about a simulated recording: measures, waveform features and diagnoses.

Measures are taken from the model's state (intervals) and from the noise-free waves of the main beat (amplitudes).
Features with a rule in the vocabulary follow from the measures; the others have a function here. Diagnoses are those of
the condition that can be seen on the tracing, and what any reader would add from the measures.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fgclep.leads import INDEX
from fgclep.simulation.heart import TABLE_RATE, axis_of, twelve_leads
from fgclep.simulation.record import Recording, stretch_of
from fgclep.simulation.rules import RuleTable
from fgclep.stage import UserError
from fgclep.vocabulary import Vocabulary

MS = TABLE_RATE // 1000
VISIBLE = 0.025  # mV; smaller deflections are no wave (Willems et al. 1985)
_WITHOUT_P = ("junctional", "svt", "idioventricular", "ventricular_tachycardia", "ventricular_pacing")
SINUS = ("sinus", "sinus_bradycardia", "sinus_tachycardia", "sinus_arrhythmia")


@dataclass(frozen=True)
class Main:
    """The main beat without noise, 1 sample per ms, in twelve leads (mV)."""

    qrs: np.ndarray  # from onset to J point
    repolarization: np.ndarray  # from the J point, at the recording's mean RR interval
    p: np.ndarray | None  # from onset to end


@dataclass(frozen=True)
class Truth:
    """All that is true about a recording; ``features`` and ``diagnoses`` are ids in the vocabulary's order."""

    measures: dict[str, Any]
    features: tuple[str, ...]
    diagnoses: tuple[str, ...]


def _twelve(recording: Recording, eight: np.ndarray) -> np.ndarray:
    """Twelve leads as the cables show them, from I, II, V1 to V6."""
    return twelve_leads(eight if recording.connection is None else recording.connection @ eight)


def main_beat(recording: Recording, interval: float) -> Main:
    """Waves of the main beat at an RR interval of ``interval`` s."""
    beat = recording.morphology.beats["main"]
    start = beat.qrs.origin
    qrs = _twelve(recording, beat.qrs.values[:, start : start + round(beat.qrs_ms * MS) : MS])
    stretch = stretch_of(beat.qt, beat.qrs_ms, interval)
    table = beat.repolarization
    length = int((table.values.shape[1] - table.origin - 2) * stretch / MS)
    index = (np.arange(length) * (MS / stretch)).astype(np.intp) + table.origin
    p = None
    if recording.timeline.p and not recording.timeline.atrial_rate:
        wave = recording.morphology.p
        p = _twelve(recording, wave.values[:, wave.origin : wave.origin + round(recording.morphology.p_ms * MS) : MS])
    return Main(qrs, _twelve(recording, table.values.take(index, axis=1)), p)


def deflections(leads: np.ndarray) -> np.ndarray:
    """Q depth (mV), Q width (ms), R height, S depth and R' height of QRS complexes sampled every ms.

    A deflection is a stretch beyond 0.025 mV. A complex without R is a QS complex: its depth counts as S, and as Q.

    Parameters
    ----------
    leads
        Shape (leads, n), mV.

    Returns
    -------
    numpy.ndarray
        Shape (5, leads).
    """
    count, n = leads.shape
    sign = (leads > VISIBLE).astype(np.int8) - (leads < -VISIBLE)
    edges = np.ones((count, n), bool)
    edges[:, 1:] = sign[:, 1:] != sign[:, :-1]
    starts = np.flatnonzero(edges)
    sizes = np.maximum.reduceat(np.abs(leads).ravel(), starts)
    rows, signs, widths = starts // n, sign.ravel()[starts], np.diff(starts, append=count * n)
    # runs of one sign with a gap of zeros between are one wave
    found: list[list[tuple[int, float, int, int]]] = [[] for _ in range(count)]
    for row, direction, size, width, start in zip(
        rows.tolist(), signs.tolist(), sizes.tolist(), widths.tolist(), starts.tolist(), strict=True
    ):
        if not direction:
            continue
        waves = found[row]
        if waves and waves[-1][0] == direction:
            _, before, first, _ = waves.pop()
            waves.append((direction, max(before, size), first, start + width))
        else:
            waves.append((direction, size, start, start + width))
    result = np.zeros((5, count))
    for row, waves in enumerate(found):
        q = q_width = r = s = second = 0.0
        for direction, size, start, stop in waves:
            if direction > 0:
                if not r:
                    r = size
                elif s:
                    second = max(second, size)
            elif r:
                s = max(s, size)
            else:
                q, q_width = size, float(stop - start)
        result[:, row] = q, q_width, r, s if r else q, second
    return result


def measure(recording: Recording) -> tuple[dict[str, Any], Main]:
    """Measures of a recording (``schemas.MEASURES`` and ``LEAD_MEASURES``), and the beat that they were taken from."""
    line, condition, duration = recording.timeline, recording.condition, recording.duration
    times = np.array([time for time, _ in line.qrs if 0 <= time <= duration])
    rr = np.diff(times)
    interval = float(rr.mean()) if len(rr) else 60 / condition.rate
    beat = recording.morphology.beats["main"]
    main = main_beat(recording, min(max(interval, 0.3), 2.2))
    qt = (main.qrs.shape[1]) + (beat.qt - beat.qrs_ms) * stretch_of(beat.qt, beat.qrs_ms, min(max(interval, 0.3), 2.2))
    q, q_ms, r, s, second = deflections(main.qrs)
    j60 = min(60, main.repolarization.shape[1] - 1)
    st = main.repolarization[:, j60].astype(float)
    if np.any(recording.morphology.pr_level):
        st = st - _twelve(recording, recording.morphology.pr_level)
    last = int(max(qt - beat.qrs_ms + 10, 80))
    t_window = main.repolarization[:, int(0.35 * last) : last]
    t = t_window[np.arange(12), np.abs(t_window).argmax(axis=1)].astype(float)
    nan = float("nan")
    p_mv: np.ndarray = np.full(12, nan)
    p_axis = nan
    # P waves are there and belong to QRS complexes, are there without belonging, or are not to be seen
    if line.atrial_rate or condition.rhythm in _WITHOUT_P:
        present = 0.0
    elif line.dissociated:
        present = nan
    else:
        wide = sum(1 for time, kind in line.qrs if kind == "pvc" and 0 <= time <= duration)
        present = 1 - wide / max(len(times), 1)
    if main.p is not None and present != 0.0:
        p_mv = main.p[np.arange(12), np.abs(main.p).argmax(axis=1)].astype(float)
        p_axis = axis_of(float(main.p[0].sum()), float(main.p[1].sum()))
    top = np.maximum(r, second)
    area = main.qrs.sum(axis=1)
    measures: dict[str, Any] = {
        "heart_rate": 60 / interval,
        "rr_cv": float(rr.std() / rr.mean()) if len(rr) > 1 else nan,
        "rr_max_ms": float(1000 * rr.max()) if len(rr) else nan,
        "pr_ms": float(np.median(line.pr)) if line.pr else nan,
        "qrs_ms": beat.qrs_ms,
        "qt_ms": float(qt),
        "qtc_ms": float(qt / np.sqrt(interval)),
        "p_ms": recording.morphology.p_ms if main.p is not None and present != 0.0 else nan,
        "p_axis": p_axis,
        "qrs_axis": axis_of(float(area[0]), float(area[1])),
        "t_axis": axis_of(float(t[0]), float(t[1])),
        "p_present": present,
        "premature_narrow": float(line.inside(line.premature_narrow, duration)),
        "premature_wide": float(line.inside(line.premature_wide, duration)),
        "compensatory_pauses": float(line.inside(line.full_pause, duration - 1.0)),
        "pacing_spikes": float(line.inside([time for time, _ in line.spikes], duration)),
        "sokolow_mv": float(s[INDEX["V1"]] + max(top[INDEX["V5"]], top[INDEX["V6"]])),
        "cornell_mv": float(top[INDEX["aVL"]] + s[INDEX["V3"]]),
        "p_mv": p_mv,
        "q_mv": q,
        "q_ms": q_ms,
        "r_mv": r,
        "s_mv": s,
        "rp_mv": second,
        "st_mv": st,
        "t_mv": t,
        "age": recording.patient.age,
        "sex": recording.patient.sex,
    }
    return measures, main


@dataclass(frozen=True)
class Seen:
    """What the functions of ``STATE`` look at."""

    recording: Recording
    measures: Mapping[str, Any]
    main: Main

    def lead(self, measure_name: str, lead: str) -> float:
        """One measure of one lead."""
        return float(self.measures[measure_name][INDEX[lead]])

    def p_wave(self, lead: str) -> np.ndarray | None:
        """The P wave of a lead, 1 sample per ms."""
        if self.main.p is None or self.measures["p_present"] == 0.0:
            return None
        return self.main.p[INDEX[lead]]


def _transition_late(seen: Seen) -> bool:
    """R is smaller than S in V1 to V4, and there is one in V5 or V6."""
    top = np.maximum(seen.measures["r_mv"], seen.measures["rp_mv"])[6:]
    return bool(np.all(top[:4] < seen.measures["s_mv"][6:10]) and top[4:].max() > 0.3)


def _runs(shortest: int, longest: int) -> Callable[[Seen], bool]:
    def present(seen: Seen) -> bool:
        line, duration = seen.recording.timeline, seen.recording.duration
        return any(0 <= time < duration - 1 and shortest <= beats <= longest for time, beats in line.runs)

    return present


def _fibrillates(seen: Seen) -> bool:
    return seen.recording.timeline.atrial_rate > 0 and seen.recording.condition.rhythm != "aflutter"


def _pattern(*kinds: str) -> Callable[[Seen], bool]:
    def present(seen: Seen) -> bool:
        early = seen.measures["premature_wide"] + seen.measures["premature_narrow"]
        return seen.recording.condition.ectopy in kinds and early >= 2

    return present


def _spikes(chamber: str) -> Callable[[Seen], bool]:
    def present(seen: Seen) -> bool:
        return any(place == chamber for _, place in seen.recording.timeline.spikes)

    return present


def _notched_p(seen: Seen) -> bool:
    wave = seen.p_wave("II")
    if wave is None:
        return False
    inner = wave[1:-1]
    peaks = np.flatnonzero((inner > wave[:-2]) & (inner >= wave[2:]) & (inner > 0.03)) + 1
    return len(peaks) >= 2 and bool(peaks[-1] - peaks[0] >= 34)


def _p_terminal(seen: Seen) -> bool:
    wave = seen.p_wave("V1")
    if wave is None or wave[len(wave) // 2 :].min() > -0.1:
        return False
    return bool(np.count_nonzero(wave[len(wave) // 3 :] < -0.02) >= 40)


def _wide_s_lateral(seen: Seen) -> bool:
    if seen.measures["qrs_ms"] < 100:
        return False
    for lead in ("I", "V6"):
        values = seen.main.qrs[INDEX[lead]]
        late = values[len(values) // 3 :]
        if seen.lead("r_mv", lead) < 0.05 or np.count_nonzero(late < -0.04) < 40:
            return False
    return True


def _broad_r_lateral(seen: Seen) -> bool:
    def broad(lead: str) -> bool:
        values = seen.main.qrs[INDEX[lead]]
        high = np.count_nonzero(values > 0.4 * values.max())
        return bool(seen.lead("q_mv", lead) < 0.05 and seen.lead("s_mv", lead) < 0.15 and high >= 50)

    return seen.measures["qrs_ms"] >= 110 and broad("I") and broad("V6")


def _early_r(seen: Seen) -> bool:
    return seen.lead("r_mv", "V2") > max(seen.lead("s_mv", "V2"), 0.1)


STATE: dict[str, Callable[[Seen], bool]] = {
    "fibrillatory_waves": _fibrillates,
    "flutter_waves": lambda seen: seen.recording.condition.rhythm == "aflutter",
    "bigeminal_pattern": _pattern("bigeminy", "atrial_bigeminy"),
    "trigeminal_pattern": _pattern("trigeminy"),
    "wide_couplet": _runs(2, 2),
    "wide_run": _runs(3, 99),
    "fusion_beats": lambda seen: (
        seen.recording.timeline.inside(seen.recording.timeline.fusion, seen.recording.duration) > 0
    ),
    "atrial_rate_100_250": lambda seen: seen.recording.condition.rhythm == "atrial_tachycardia",
    "late_transition": _transition_late,
    "spike_before_qrs": _spikes("ventricle"),
    "spike_before_p": _spikes("atrium"),
    "av_dissociation": lambda seen: seen.recording.timeline.dissociated,
    "dropped_qrs": lambda seen: (
        seen.recording.timeline.inside(seen.recording.timeline.dropped, seen.recording.duration) > 0
    ),
    "progressive_pr": lambda seen: seen.recording.timeline.progressive,
    "notched_p": _notched_p,
    "p_terminal_v1": _p_terminal,
    "delta_wave": lambda seen: seen.recording.morphology.delta,
    "wide_s_lateral": _wide_s_lateral,
    "broad_r_lateral": _broad_r_lateral,
    "early_r_v2": _early_r,
    "pr_depression": lambda seen: bool(np.any(seen.recording.morphology.pr_level)) and bool(seen.recording.timeline.pr),
    "j_point_notch": lambda seen: seen.recording.morphology.j_notch,
    "scooped_st": lambda seen: seen.recording.morphology.scooped,
    "prominent_u": lambda seen: seen.recording.morphology.u_wave,
}


# What no simulated heart shows, because the model has no cause for it, and no lead to see it in.
NEVER_DRAWN = frozenset(
    [
        "undulating_baseline", "twisting_qrs", "sine_wave", "qrs_alternans", "t_alternans", "spike_without_capture",
        "spike_in_own_beats", "two_ventricular_spikes", "epsilon_wave", "osborn_wave", "blocked_premature_p",
        "multiform_premature", "interpolated_beat", "capture_beats", "ste_v4r", "ste_v7_v9",
        "inverted_u",
    ]
)  # fmt: skip
# Features that neither a rule nor a function decides here: a simulated heart may show them without being made to. That
# they are in no truth table says nothing, so whoever counts against the truth leaves them out.
UNDECIDED = frozenset(
    [
        "aberrant_beat", "biphasic_p_inferior", "biphasic_t", "biphasic_t_v2_v3",
        "broad_based_t", "concordant_std", "concordant_ste", "consecutive_dropped_p", "constant_pr_before_drop",
        "cornell_product", "coved_ste_v1", "de_winter_t", "delayed_intrinsicoid", "delayed_r_peak_v1",
        "delta_negative_inferior", "delta_positive_v1", "fragmented_qrs", "group_beating", "gubner", "hyperacute_t",
        "late_onset_t", "lewis_index", "long_st", "narrow_escape", "notched_r_lateral",
        "notched_t", "paced_lbbb_shape", "paced_rbbb_shape", "pause_multiple_pp", "peguero", "pr_elevation_avr",
        "precordial_concordance", "pseudo_r_v1", "r_on_t", "r_peak_avl", "retrograde_p", "reversed_r_progression",
        "romhilt_estes", "rp_above_r_v1", "saddleback_v1", "short_st", "sinus_pause_no_p", "sokolow_rvh",
        "spodick_sign", "st_t_ratio_v6", "std_horizontal", "std_junctional", "std_upsloping", "ste_concave",
        "ste_convex", "ste_iii_above_ii", "ste_with_qs", "t_v1_above_v6", "terminal_activation_delay",
        "three_p_shapes", "tinv_asymmetric", "tinv_symmetric", "tu_fusion", "two_to_one_conduction", "varying_pr",
        "wide_escape", "wide_qrs_t_angle",
    ]
)  # fmt: skip


_TABLES: dict[int, tuple[Vocabulary, RuleTable]] = {}


def _rules(vocabulary: Vocabulary) -> RuleTable:
    if id(vocabulary) not in _TABLES:
        for name, feature in vocabulary.features.items():
            if feature.rule is None and name not in STATE and name not in UNDECIDED | NEVER_DRAWN:
                raise UserError(
                    f"the vocabulary's feature {name!r} has no rule: give it a function in STATE of "
                    "workflow/fgclep/simulation/truth.py, or name it in NEVER_DRAWN or UNDECIDED there"
                )
        _TABLES[id(vocabulary)] = (vocabulary, RuleTable(vocabulary))  # the vocabulary stays, so its id does too
    return _TABLES[id(vocabulary)][1]


def true_features(seen: Seen, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Ids of the features that are present; raises ``UserError`` for one of which that is not known to be decidable."""
    rules = _rules(vocabulary)
    present = {name for name, true in zip(rules.features, rules.holds(seen.measures).tolist(), strict=True) if true}
    present |= {name for name, shown in STATE.items() if name in vocabulary.features and shown(seen)}
    return tuple(name for name in vocabulary.features if name in present)


_CONDUCTION = {
    "lbbb": ("lbbb",), "ilbbb": ("ilbbb",), "rbbb": ("rbbb",), "rbbb+lafb": ("rbbb", "lafb"),
    "rbbb+lpfb": ("rbbb", "lpfb"), "irbbb": ("irbbb",), "lafb": ("lafb",), "lpfb": ("lpfb",), "ivcd": ("ivcd",),
    "wpw": ("wpw",),
}  # fmt: skip
# features of which one has to be seen for the diagnosis to be made
_NEEDS = {
    "inferior_mi": ("q_inferior",),
    "anterior_mi": ("q_anterior", "q_septal", "poor_r_progression_shape"),
    "anteroseptal_mi": ("q_septal", "poor_r_progression_shape"),
    "lateral_mi": ("q_lateral",),
    "anterolateral_mi": ("q_anterior", "q_lateral", "poor_r_progression_shape"),
    "inferolateral_mi": ("q_inferior", "q_lateral"),
    "posterior_mi": ("early_r_v2", "dominant_r_v1"),
    "inferoposterior_mi": ("q_inferior", "early_r_v2", "dominant_r_v1"),
    "inferoposterolateral_mi": ("q_inferior", "q_lateral", "early_r_v2", "dominant_r_v1"),
    "lv_aneurysm": ("ste_anterior",),
    "septal_hypertrophy": ("deep_narrow_q_lateral", "q_lateral", "sokolow_lyon", "cornell_voltage", "tall_r_lateral"),
    **dict.fromkeys(
        (f"injury_{place}" for place in ("anteroseptal", "anterolateral", "inferior", "lateral", "inferolateral")),
        ("std_anterior", "std_v1_v3", "ste_anterior", "std_lateral", "ste_lateral", "std_inferior", "ste_inferior"),
    ),
    "inferior_stemi": ("ste_inferior",),
    "anterior_stemi": ("ste_anterior",),
    "lateral_stemi": ("ste_lateral",),
    "lvh": ("sokolow_lyon", "tall_r_lateral", "cornell_voltage", "tall_r_avl", "deep_s_v1v2"),
    "lvh_strain": ("sokolow_lyon", "tall_r_lateral", "cornell_voltage", "tall_r_avl", "deep_s_v1v2"),
    "rvh": ("dominant_r_v1", "deep_s_lateral", "right_axis"),
    "lae": ("p_terminal_v1", "notched_p", "broad_p"),
    "rae": ("tall_p_ii",),
    "inferior_ischemia": ("std_inferior", "tinv_inferior"),
    "anterior_ischemia": ("std_anterior", "tinv_anterior"),
    "lateral_ischemia": ("std_lateral", "tinv_lateral", "flat_t_lateral"),
    "diffuse_ischemia": ("std_lateral", "std_inferior", "std_anterior"),
    "nonspecific_st_t": ("flat_t_lateral", "flat_t_inferior", "std_lateral", "std_inferior"),
    "nonspecific_t": ("flat_t_lateral", "flat_t_inferior", "tinv_inferior", "tinv_lateral"),
    "t_inversion": ("tinv_lateral", "tinv_anterior", "tinv_inferior"),
    "early_repolarization": ("j_point_notch",),
    "pericarditis": ("diffuse_ste", "ste_lateral", "ste_inferior"),
    "long_qt": ("prolonged_qtc",),
    "short_qt": ("short_qtc",),
    "hyperkalemia": ("tall_t",),
    "hypokalemia": ("prominent_u",),
    "digitalis": ("scooped_st",),
    "low_voltage": ("low_voltage_limb", "low_voltage_chest"),
    "poor_r_progression": ("poor_r_progression_shape",),
    "pvc": ("premature_wide_beat",),
    "ventricular_couplet": ("wide_couplet",),
    "nonsustained_vt": ("wide_run",),
    "pac": ("premature_narrow_beat", "premature_wide_beat"),
    "lbbb": ("wide_qrs",),
    "rbbb": ("wide_qrs",),
    "irbbb": ("rsr_v1", "dominant_r_v1"),
    "ivcd": ("wide_qrs", "borderline_qrs"),
    "mobitz_1": ("dropped_qrs",),
    "mobitz_2": ("dropped_qrs",),
}


def _rhythm_diagnosis(seen: Seen, features: set[str]) -> list[str]:
    rhythm, rate = seen.recording.condition.rhythm, seen.measures["heart_rate"]
    if rhythm == "afib":
        speed = "afib_rapid" if rate > 100 else "afib_slow" if rate < 60 else None
        return ["atrial_fibrillation"] + ([speed] if speed else [])
    names = {
        "aflutter": "atrial_flutter", "svt": "svt", "atrial_tachycardia": "atrial_tachycardia",
        "ventricular_tachycardia": "ventricular_tachycardia", "ectopic_atrial": "ectopic_atrial_rhythm",
        "junctional": "junctional_rhythm", "idioventricular": "idioventricular_rhythm",
        "ventricular_pacing": "ventricular_pacing", "atrial_pacing": "atrial_pacing", "av_pacing": "av_pacing",
    }  # fmt: skip
    if rhythm in names:
        return [names[rhythm]]
    found = []
    if rate < 60 and rhythm in SINUS:
        found.append("sinus_bradycardia")
    elif rate > 100 and rhythm in SINUS:
        found.append("sinus_tachycardia")
    elif "phasic_rr" not in features:
        found.append("sinus_rhythm")
    if "phasic_rr" in features:
        found.append("sinus_arrhythmia")
    if rhythm in ("mobitz_1", "mobitz_2", "av_block_3"):
        found = ["sinus_rhythm", rhythm] if rhythm != "av_block_3" else [rhythm]
    return found


def _conditions(seen: Seen) -> list[str]:
    """Diagnoses that the condition aims at, before a look at the tracing."""
    condition = seen.recording.condition
    found = list(_CONDUCTION.get(condition.conduction or "", ()))
    if condition.infarct:
        found.append(condition.infarct if condition.infarct.endswith("stemi") else f"{condition.infarct}_mi")
    if condition.aneurysm:
        found.append("lv_aneurysm")
    if condition.hypertrophy:
        found.append("septal_hypertrophy" if condition.hypertrophy == "septal" else condition.hypertrophy)
    if condition.left_atrium:
        found.append("lae")
    if condition.right_atrium:
        found.append("rae")
    if condition.repolarization:
        found.append(condition.repolarization)
    if condition.ectopy in ("pac", "both"):
        found.append("pac")
    if condition.ectopy in ("pvc", "both", "fusion"):
        found.append("pvc")
    if condition.ectopy in ("couplet", "run"):
        found += ["ventricular_couplet" if condition.ectopy == "couplet" else "nonsustained_vt", "pvc"]
    if condition.voltage == "poor_r":
        found.append("poor_r_progression")
    return found


def _small_q(seen: Seen, name: str) -> bool:
    """Smaller Q waves, or R waves lost, in the territory of an infarct: machines then call it possible."""
    territory = name.removesuffix("_mi")
    small = {
        lead for lead in INDEX if seen.lead("q_mv", lead) >= 0.06 and seen.lead("q_ms", lead) >= 20 and lead != "aVR"
    }
    lost = {lead for lead in ("V2", "V3", "V4") if seen.lead("r_mv", lead) < 0.25}
    if territory.startswith("infer"):
        return len(small & {"II", "III", "aVF"}) >= 2
    if territory == "lateral":
        return len(small & {"I", "aVL", "V5", "V6"}) >= 2
    if "anter" in territory:
        return len((small | lost) & {"V2", "V3", "V4"}) >= 2
    return False


def _low_t(seen: Seen) -> bool:
    """T below a tenth of R in I, V5 or V6 (Minnesota code 5-4)."""
    return any(seen.lead("t_mv", lead) < 0.1 * seen.lead("r_mv", lead) for lead in ("I", "V5", "V6"))


def true_diagnoses(seen: Seen, features: set[str], vocabulary: Vocabulary) -> tuple[str, ...]:
    """Ids of the diagnoses that a careful reader would make, rhythm first."""
    condition, measures = seen.recording.condition, seen.measures
    found = _rhythm_diagnosis(seen, features)
    for name in _conditions(seen):
        visible = name not in _NEEDS or bool(features & set(_NEEDS[name]))
        if name == "nonspecific_t":
            visible = visible or _low_t(seen)
        if visible or (name.endswith("_mi") and _small_q(seen, name)):
            found.append(name)
        elif name == "rbbb" and "rsr_v1" in features:
            found.append("irbbb")
    if condition.ectopy in ("bigeminy", "trigeminy") and f"{condition.ectopy[:-1]}al_pattern" in features:
        found += [f"ventricular_{condition.ectopy}", "pvc"]
    if condition.ectopy == "atrial_bigeminy" and "bigeminal_pattern" in features:
        found += ["atrial_bigeminy", "pac"]
    wide = bool(
        {"lbbb", "wpw", "ventricular_tachycardia", "rbbb", "ventricular_pacing", "av_pacing", "idioventricular_rhythm"}
        & set(found)
    )
    if "prolonged_pr" in features and condition.rhythm in (*SINUS, "atrial_pacing"):
        found.append("av_block_1")
    axis = measures["qrs_axis"]
    if not {
        "lafb", "lpfb", "ventricular_pacing", "av_pacing", "idioventricular_rhythm", "ventricular_tachycardia",
    } & set(found):  # fmt: skip
        if -90 < axis < -30:
            found.append("left_axis_deviation")
        elif axis > 95 or axis <= -90:
            found.append("right_axis_deviation")
    if features & {"low_voltage_limb", "low_voltage_chest"} and not wide:
        found.append("low_voltage")
    if "long_qt" not in found and "prolonged_qtc" in features and not wide and measures["heart_rate"] < 110:
        found.append("long_qt")
    # voltage alone: the limits are those of people over 35 (AHA/ACCF/HRS part V); of the young it takes more
    young = measures["age"] <= 35 and measures["sokolow_mv"] < 4.5
    if not condition.hypertrophy and not wide and not young:
        if features & {"sokolow_lyon", "cornell_voltage", "tall_r_lateral", "tall_r_avl"}:
            found.append("lvh")
        elif "high_voltage_chest" in features:
            found.append("high_voltage")
    # the strain of a hypertrophied ventricle is called ischemia as often (ISC_ beside LVH in PTB-XL)
    if "lvh_strain" in found and features & {"std_lateral", "std_six_leads"} and features & {"tinv_lateral"}:
        found.append("diffuse_ischemia")
    if not wide and not condition.infarct and condition.hypertrophy != "rvh":
        if "late_transition" in features and "poor_r_progression" not in found:
            found.append("clockwise_rotation")
        elif "early_r_v2" in features:
            found.append("counterclockwise_rotation")
    sinus_only = all(name.startswith("sinus_") or name.endswith("clockwise_rotation") for name in found)
    excluding = set(vocabulary.diagnoses["normal_ecg"].incompatible)
    if "phasic_rr" in features:  # sinus arrhythmia is normal; other irregularity is not
        excluding.discard("irregular_rr")
    if young:
        excluding.discard("sokolow_lyon")
    if condition.normal and sinus_only and not features & excluding:
        found.append("normal_ecg")
    return tuple(dict.fromkeys(found))


def find_truth(recording: Recording, vocabulary: Vocabulary) -> Truth:
    """Measures, features and diagnoses of a recording."""
    measures, main = measure(recording)
    seen = Seen(recording, measures, main)
    features = true_features(seen, vocabulary)
    return Truth(measures, features, true_diagnoses(seen, set(features), vocabulary))
