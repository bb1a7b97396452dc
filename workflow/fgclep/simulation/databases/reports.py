"""Reports in the words of recording machines: what MIMIC-IV-ECG's and PTB-XL's statements look like.

A report names the rhythm, then most diagnoses, then closes with a verdict. Waveform features are rarely written down:
with probability ``feature_mention_rate`` a report mentions one to four of those that are present, else none.
"""

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from fgclep.language.vocabulary import Vocabulary
from fgclep.simulation.truth.truth import Truth

ADMINISTRATIVE = (
    "*** report made without knowing patient's sex or age ***",
    "*** report made without knowing patient's age ***",
    "--- warning: data quality may affect interpretation ---",
    "age not entered, assumed to be  50 years old for purpose of ecg interpretation",
    "interpretation made without knowledge of patient's sex.",
    "no other finding",
    "pacer detection suspended due to external noise-review advised",
)
_QUALIFIERS = ("possible ", "probable ", "consider ", "cannot rule out ")
_MINOR = frozenset(
    [
        *("sinus_rhythm", "sinus_bradycardia", "sinus_tachycardia", "sinus_arrhythmia", "irbbb", "av_block_1", "pac"),
        *("left_axis_deviation", "low_voltage", "nonspecific_t", "early_repolarization", "poor_r_progression"),
        *("clockwise_rotation", "counterclockwise_rotation", "high_voltage"),
    ]
)
# diagnoses that a report sometimes leaves out
_OMITTED = {
    "left_axis_deviation": 0.15, "right_axis_deviation": 0.15, "low_voltage": 0.15, "lae": 0.10, "rae": 0.10,
    "clockwise_rotation": 0.6, "counterclockwise_rotation": 0.6, "poor_r_progression": 0.10,
    "long_qt": 0.10, "nonspecific_t": 0.05,
}  # fmt: skip


def _has(*names: str) -> Callable[[Truth], bool]:
    return lambda truth: any(name in truth.features for name in names)


def _rate(low: float, high: float) -> Callable[[Truth], bool]:
    return lambda truth: low <= truth.measures["heart_rate"] < high


_RULES: tuple[tuple[str, Callable[[Truth], bool]], ...] = (
    (r"rapid|uncontrolled", _rate(100, 400)),
    (r"controlled", _rate(60, 100)),
    (r"2:1", _has("regular_rr")),
    (r"variable", _has("irregular_rr")),
    (r"marked sinus brady", _rate(0, 46)),
    (r"atrial bradycardia", _rate(0, 60)),
    (r"accelerated junctional", _rate(60, 300)),
    (r"junctional escape", _rate(0, 60)),
    (r"accelerated idio", _rate(50, 110)),
    (r"frequent|multiple", lambda truth: truth.measures["premature_wide"] + truth.measures["premature_narrow"] >= 3),
    (r"multifocal", lambda truth: False),
    (r"borderline (1st|first)", lambda truth: truth.measures["pr_ms"] < 222),
    (r"marked left axis", _has("marked_left_axis")),
    (r"severe right axis", lambda truth: not 0 < truth.measures["qrs_axis"] < 120),
    (r"inferoposterior", _has("q_inferior")),
    (r"rvh with secondary", _has("tinv_anterior")),
    (r"extremity and precordial|generalized|^low qrs voltages$", _has("low_voltage_limb")),
    (r"extremity and precordial|generalized|^low qrs voltages$", _has("low_voltage_chest")),
    (r"voltages? ?(in|,) (limb|extremity)(?! and)", _has("low_voltage_limb")),
    (r"voltages? ?(in|,) precordial", _has("low_voltage_chest")),
    (r"normal ecg|normal limits", lambda truth: False),
    (r"v2-v4|anteroseptal infarct$", _has("poor_r_progression_shape")),
    (r"left axis deviation - ", _has("left_axis")),
)  # fmt: skip
_RULES_COMPILED = tuple((re.compile(pattern), fits) for pattern, fits in _RULES)
_TERRITORY = {"inferior": "inferior", "lateral": "lateral", "anterior": "anterior", "septal": "anterior"}
_CHANGE = ("std_", "ste_", "tinv_", "flat_t_")


@cache
def _limits(phrase: str) -> tuple[tuple[Callable[[Truth], bool], ...], tuple[str, ...]]:
    """What must hold for a wording by the rules above, and the territories that it names."""
    allowed = tuple(fits for pattern, fits in _RULES_COMPILED if pattern.search(phrase))
    return allowed, tuple(territory for word, territory in _TERRITORY.items() if word in phrase)


def _fits(phrase: str, group: str, truth: Truth) -> bool:
    """Whether a wording says nothing that is wrong for this recording."""
    allowed, territories = _limits(phrase)
    if not all(fits(truth) for fits in allowed):
        return False
    if group == "repolarization" and territories:
        changed = " ".join(name for name in truth.features if name.startswith(_CHANGE))
        return all(territory in changed for territory in territories)
    return True


def _wording(name: str, truth: Truth, vocabulary: Vocabulary, rng: np.random.Generator) -> str:
    diagnosis = vocabulary.diagnoses[name]
    fitting = [phrase for phrase in (diagnosis.text, *diagnosis.synonyms) if _fits(phrase, diagnosis.group, truth)]
    if not fitting:
        return diagnosis.text
    if fitting[0] == diagnosis.text and rng.random() < 0.4:
        return diagnosis.text
    return fitting[int(rng.integers(len(fitting)))]


def _qualified(phrase: str, group: str, rng: np.random.Generator) -> str:
    if group not in ("infarct", "hypertrophy", "atrial") or rng.random() > 0.35:
        return phrase
    if re.search("consider|possib|probab|may be|cannot|reflect|criteria", phrase):
        return phrase
    return _QUALIFIERS[int(rng.integers(len(_QUALIFIERS)))] + phrase


def _rhythm_statement(truth: Truth, vocabulary: Vocabulary, rng: np.random.Generator) -> tuple[str, set[str]]:
    """The first statement, which joins rhythm, premature beats and first degree block; and what it has said."""
    diagnoses = truth.diagnoses
    first = next((name for name in ("afib_rapid", "afib_slow") if name in diagnoses), diagnoses[0])
    said = {first, "atrial_fibrillation"} if first.startswith("afib") else {first}
    statement = _wording(first, truth, vocabulary, rng)
    joined = [
        ("sinus_arrhythmia", " with sinus arrhythmia"),
        ("pvc", " with pvc(s)"),
        ("pac", " with pac(s)"),
        ("av_block_1", " with 1st degree a-v block"),
    ]
    if first.startswith(("sinus", "atrial_fib", "afib")):
        for name, words in joined:
            if name in diagnoses and name not in said and rng.random() < 0.6:
                statement += words
                said.add(name)
    return statement + ("." if rng.random() < 0.2 else ""), said


def _closing(truth: Truth, rng: np.random.Generator) -> str | None:
    if rng.random() < 0.12 and "normal_ecg" not in truth.diagnoses:
        return None
    if "normal_ecg" in truth.diagnoses:
        special = not {"sinus_rhythm"} & set(truth.diagnoses)
        choices = ("normal ecg except for rate", "otherwise normal ecg") if special else ("normal ecg",)
        verdict = "within normal limits" if rng.random() < 0.05 else choices[int(rng.integers(len(choices)))]
    elif set(truth.diagnoses) <= _MINOR and rng.random() < 0.75:
        verdict = "borderline ecg"
    else:
        verdict = "abnormal ecg"
    return f"summary: {verdict}" if rng.random() < 0.03 and "ecg" in verdict else verdict


def mentioned_features(truth: Truth, vocabulary: Vocabulary, rng: np.random.Generator) -> list[str]:
    """Wordings of one to four features that are present; abnormal ones are preferred."""
    if not truth.features:
        return []
    number = int(rng.integers(1, 5))
    # who waits for the shortest times comes first, as if drawn one after the other by weight
    times = rng.standard_exponential(len(truth.features)).tolist()
    waits = [
        (time / (0.12 if vocabulary.features[name].normal else 1.0), name)
        for name, time in zip(truth.features, times, strict=True)
    ]
    statements = []
    for _, name in sorted(waits)[:number]:
        feature = vocabulary.features[name]
        words = (feature.text, feature.text, *feature.synonyms)
        statements.append(words[int(rng.integers(len(words)))])
    return statements


def machine_report(truth: Truth, vocabulary: Vocabulary, mention_rate: float, rng: np.random.Generator) -> list[str]:
    """Statements of one report, at most 18; a few reports are empty, too short or hold administrative lines only."""
    fate = rng.random()
    if fate < 0.004:
        return []
    if fate < 0.010:
        return [ADMINISTRATIVE[int(rng.integers(3))]]
    if fate < 0.014:
        return ["abnormal ecg" if "normal_ecg" not in truth.diagnoses else "normal ecg"]
    first, said = _rhythm_statement(truth, vocabulary, rng)
    statements = [first]
    for name in truth.diagnoses:
        if name in said or name == "normal_ecg" or rng.random() < _OMITTED.get(name, 0.0):
            continue
        if name in ("pvc",) and {"ventricular_bigeminy", "ventricular_trigeminy"} & set(truth.diagnoses):
            continue
        phrase = _wording(name, truth, vocabulary, rng)
        phrase = _qualified(phrase, vocabulary.diagnoses[name].group, rng)
        if "stemi" in name and rng.random() < 0.4:
            phrase = f"*** {phrase} ***"
        statements.append(phrase)
    if rng.random() < mention_rate:
        statements += mentioned_features(truth, vocabulary, rng)
    if rng.random() < 0.10:
        statements.insert(
            int(rng.integers(1, len(statements) + 1)), ADMINISTRATIVE[int(rng.integers(len(ADMINISTRATIVE)))]
        )
    closing = _closing(truth, rng)
    if closing:
        statements.append(closing)
    return statements[:18]


_GERMAN = {
    "sinus_rhythm": "sinusrhythmus", "sinus_bradycardia": "sinusbradykardie", "sinus_tachycardia": "sinustachykardie",
    "sinus_arrhythmia": "sinus arrhythmie", "atrial_fibrillation": "vorhofflimmern", "atrial_flutter": "vorhofflattern",
    "svt": "supraventrikuläre tachykardie", "ventricular_pacing": "schrittmacher ekg", "atrial_pacing":
    "schrittmacher ekg", "av_pacing": "schrittmacher ekg", "pac": "supraventrikuläre extrasystole(n)",
    "pvc": "ventrikuläre extrasystole(n)", "av_block_1": "a-v block i", "lbbb": "linksschenkelblock",
    "rbbb": "rechtsschenkelblock", "irbbb": "unvollständiger rechtsschenkelblock",
    "lafb": "linksanteriorer hemiblock", "lpfb": "linksposteriorer hemiblock", "lvh": "linkshypertrophie",
    "lvh_strain": "linkshypertrophie mit st & t abnorm", "rvh": "rechtshypertrophie", "lae": "p-sinistrocardiale",
    "rae": "p-dextrocardiale", "inferior_mi": "qrs(t) abnorm inferiorer infarkt alter unbest.",
    "anteroseptal_mi": "qrs(t) abnorm anteroseptaler infarkt alter unbest.",
    "anterior_mi": "qrs(t) abnorm anteriorer infarkt alter unbest.",
    "lateral_mi": "qrs(t) abnorm lateraler infarkt alter unbest.", "nonspecific_t": "unspezifisches abnormes t",
    "nonspecific_st_t": "unspezifisch abnormes st-t", "low_voltage": "periphere niederspannung",
    "long_qt": "verlängertes qt-intervall", "lateral_ischemia": "st & t abnorm, wahrscheinlich laterale ischämie",
    "inferior_ischemia": "st & t abnorm, wahrscheinlich inferiore ischämie",
    "anterior_ischemia": "st & t abnorm, wahrscheinlich anteriore ischämie", "normal_ecg": "normales ekg",
}  # fmt: skip


def german_report(truth: Truth, diagnoses: Sequence[str]) -> str:
    """One line in German as the machines of PTB-XL write it; what it has no words for is left out."""
    axis: Any = truth.measures["qrs_axis"]
    position = "linkstyp" if axis < 0 else "lagetyp normal" if axis <= 90 else "rechtstyp"
    words = [_GERMAN[name] for name in diagnoses if name in _GERMAN]
    words.insert(min(1, len(words)), position)
    return " ".join(words)
