"""What is true about a simulated recording: measures, waveform features and diagnoses.

Features with a rule in the vocabulary follow from the measures; each other one has a function that looks at the waves
(``p_qrs_features``, ``st_t_features``) or the timeline (``rhythm_features``). Diagnoses are those of the condition that
can be seen on the tracing, and what any reader would add from the measures.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import compress
from typing import Any, NamedTuple

from fgclep.errors import UserError
from fgclep.language.vocabulary import Vocabulary
from fgclep.leads import INDEX
from fgclep.measurement.rules import RuleTable
from fgclep.simulation.recorder.recording import Recording
from fgclep.simulation.truth.measures import measure
from fgclep.simulation.truth.observation import Seen
from fgclep.simulation.truth.p_qrs_features import P_QRS
from fgclep.simulation.truth.rhythm_features import RHYTHM
from fgclep.simulation.truth.st_t_features import ST_T

SINUS = ("sinus", "sinus_bradycardia", "sinus_tachycardia", "sinus_arrhythmia")


@dataclass(frozen=True)
class Truth:
    """All that is true about a recording; ``features`` and ``diagnoses`` are ids in the vocabulary's order."""

    measures: dict[str, Any]
    features: tuple[str, ...]
    diagnoses: tuple[str, ...]


STATE: dict[str, Callable[[Seen], bool]] = {**RHYTHM, **P_QRS, **ST_T}
# What no simulated heart shows, because the model has no cause for it, and no lead to see it in.
NEVER_DRAWN = frozenset(
    [
        "undulating_baseline", "twisting_qrs", "sine_wave", "qrs_alternans", "t_alternans", "spike_without_capture",
        "spike_in_own_beats", "two_ventricular_spikes", "epsilon_wave", "osborn_wave", "blocked_premature_p",
        "multiform_premature", "interpolated_beat", "capture_beats", "ste_v4r", "ste_v7_v9", "inverted_u",
        "sinus_pause_no_p", "pause_multiple_pp",  # the sinus node neither rests nor is blocked
        "three_p_shapes",  # P is of the sinus node, or of one other focus
        "spodick_sign",  # nothing happens between U and P
    ]
)  # fmt: skip


class _Features(NamedTuple):
    """How the features of a vocabulary are decided: by rules, and by functions, given with the feature's place."""

    vocabulary: Vocabulary  # it stays, so its id does too
    names: tuple[str, ...]
    rules: RuleTable
    shown: tuple[tuple[int, Callable[[Seen], bool]], ...]


_FEATURES: dict[int, _Features] = {}


def _features(vocabulary: Vocabulary) -> _Features:
    if id(vocabulary) not in _FEATURES:
        for name, feature in vocabulary.features.items():
            if feature.rule is None and name not in STATE and name not in NEVER_DRAWN:
                raise UserError(
                    f"the vocabulary's feature {name!r} has no rule: give it a function in one of the *_features.py of "
                    "workflow/fgclep/simulation, or name it in NEVER_DRAWN of truth.py there"
                )
        rules = RuleTable([feature.rule for feature in vocabulary.features.values()])
        names = tuple(vocabulary.features)
        shown = tuple((place, STATE[name]) for place, name in enumerate(names) if name in STATE)
        _FEATURES[id(vocabulary)] = _Features(vocabulary, names, rules, shown)
    return _FEATURES[id(vocabulary)]


def true_features(seen: Seen, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Ids of the features that are present; raises ``UserError`` for one of which that is not known to be decidable."""
    features = _features(vocabulary)
    (present,) = features.rules.holds(seen.measures).tolist()
    for place, shown in features.shown:
        present[place] = present[place] or shown(seen)
    return tuple(compress(features.names, present))


_CONDUCTION = {
    "lbbb": ("lbbb",), "ilbbb": ("ilbbb",), "rbbb": ("rbbb",), "rbbb+lafb": ("rbbb", "lafb"),
    "rbbb+lpfb": ("rbbb", "lpfb"), "irbbb": ("irbbb",), "irbbb+lafb": ("irbbb", "lafb"), "lafb": ("lafb",),
    "lpfb": ("lpfb",), "ivcd": ("ivcd",), "wpw": ("wpw",),
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
    "anterior_ischemia": ("std_anterior", "tinv_anterior", "biphasic_t_v2_v3"),
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
        found += [name if name.endswith("stemi") else f"{name}_mi" for name in condition.infarct.split("+")]
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
    """Smaller Q waves, or R waves lost, in the territory of an infarct: machines then call it possible.

    They do so for a Q wave of III alone as well, or of aVL alone, from 24 ms and 0.1 mV on.
    """
    territory = name.removesuffix("_mi")
    small = {
        lead for lead in INDEX if seen.lead("q_mv", lead) >= 0.06 and seen.lead("q_ms", lead) >= 20 and lead != "aVR"
    }
    clear = {lead for lead in small if seen.lead("q_mv", lead) >= 0.1 and seen.lead("q_ms", lead) >= 24}
    lost = {lead for lead in ("V2", "V3", "V4") if seen.lead("r_mv", lead) < 0.3}
    lateral = len(small & {"I", "aVL", "V5", "V6"}) >= 2 or "aVL" in clear
    if territory.startswith("infer"):
        return len(small & {"II", "III", "aVF"}) >= 2 or "III" in clear or ("lateral" in territory and lateral)
    if territory == "lateral":
        return lateral
    if "anter" in territory:
        return len((small | lost) & {"V2", "V3", "V4"}) >= 2
    return False


def _terminal_force(seen: Seen) -> bool:
    """Depth times length of the negative end of P in V1 of 4 mV ms (0.04 mm s) or more (Morris et al. 1964)."""
    wave = seen.p_wave("V1")
    if wave is None:
        return False
    end = wave[len(wave) // 3 :]
    return bool(-end.min() * (end < -0.01).sum() >= 4.0)


def _low_t(seen: Seen) -> bool:
    """T below about a tenth of R in I, V5 or V6 (low by AHA/ACCF/HRS part IV, 2009), as readers see it."""
    return any(seen.lead("t_mv", lead) < 0.12 * seen.lead("r_mv", lead) for lead in ("I", "V5", "V6"))


def _vertical_p(seen: Seen) -> bool:
    """P in II of 0.2 mV or more with an axis beyond 70 degrees, as of a large right atrium (AHA/ACCF/HRS part V)."""
    return bool(seen.lead("p_mv", "II") >= 0.2 and seen.measures["p_axis"] >= 70)


def _long_qt(seen: Seen) -> bool:
    """QTc above 450 ms (men) or 460 ms by eye (AHA/ACCF/HRS part IV), which a tangent reads 10 ms shorter."""
    return bool(seen.measures["qtc_ms"] > (450 if seen.measures["sex"] == "F" else 440))


# what a reader goes by beside the features of _NEEDS, milder than these
_MILDER: dict[str, Callable[[Seen], bool]] = {
    "nonspecific_t": _low_t,
    "lae": _terminal_force,
    "rae": _vertical_p,
    "long_qt": _long_qt,
}


def true_diagnoses(seen: Seen, features: set[str], vocabulary: Vocabulary) -> tuple[str, ...]:
    """Ids of the diagnoses that a careful reader would make, rhythm first."""
    condition, measures = seen.recording.condition, seen.measures
    found = _rhythm_diagnosis(seen, features)
    for name in _conditions(seen):
        if name == "poor_r_progression" and "early_r_v2" in features:
            continue  # R is lost in V3 only, after an infarct
        visible = name not in _NEEDS or bool(features & set(_NEEDS[name]))
        if visible or (name in _MILDER and _MILDER[name](seen)) or (name.endswith("_mi") and _small_q(seen, name)):
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
