"""What a patient has: one draw of rhythm, conduction, infarcts, hypertrophy, repolarization and ectopy.

How frequent each of them is, and beside which others, a ``Prevalence`` says; here goes what cannot stand together.
"""

from dataclasses import dataclass, replace

import numpy as np

from fgclep.simulation.heart.patient import Patient
from fgclep.simulation.heart.prevalence import FLAT, SINUS, Prevalence, pick

# as in PTB-XL's statements: most hypertrophied right ventricles come with a delayed or blocked right bundle
WITH_RVH = {"irbbb": 0.38, "rbbb": 0.26, "lpfb": 0.12, "": 0.24}
ATRIAL_ECTOPY = ("pac", "atrial_bigeminy", "both", "fusion")  # none of it while the atria fibrillate
PACED = ("ventricular_pacing", "av_pacing")
VENTRICULAR = (*PACED, "idioventricular", "ventricular_tachycardia")
NO_P = ("afib", "aflutter", "svt", "junctional", "idioventricular", "ventricular_tachycardia", "ventricular_pacing")
WIDE = ("lbbb", "rbbb", "rbbb+lafb", "rbbb+lpfb", "ivcd", "wpw")


@dataclass(frozen=True)
class Condition:
    """The findings of one recording; names are those of ``prevalence.py``, severities are about 1."""

    normal: bool
    rhythm: str
    rate: float  # ventricular rate aimed at, bpm
    conduction: str | None = None
    infarct: str | None = None  # old ones of two territories are joined by +
    infarct_size: float = 0.0
    inverted_t: bool = False  # T waves of an infarct that are still inverted
    aneurysm: bool = False  # ST segments over an old anterior infarct that stay elevated
    hypertrophy: str | None = None  # lvh | lvh_strain | rvh | septal
    hypertrophy_size: float = 0.0
    repolarization: str | None = None
    repolarization_size: float = 0.0
    left_atrium: float = 0.0
    right_atrium: float = 0.0
    ectopy: str | None = None
    voltage: str | None = None  # low | low_limb | poor_r
    axis: str | None = None  # left | right
    long_pr: bool = False


# bpm: lowest, highest, mean, standard deviation
_RATES = {
    "sinus": (60.0, 99.5, 70.0, 10.0),
    "sinus_bradycardia": (38.0, 59.2, 53.0, 5.0),
    "sinus_tachycardia": (101.0, 158.0, 112.0, 12.0),
    "sinus_arrhythmia": (48.0, 96.0, 68.0, 10.0),
    "svt": (130.0, 225.0, 172.0, 22.0),
    "ectopic_atrial": (46.0, 98.0, 68.0, 13.0),
    "junctional": (36.0, 98.0, 56.0, 14.0),
    "idioventricular": (30.0, 108.0, 62.0, 22.0),
    "atrial_tachycardia": (101.0, 180.0, 128.0, 20.0),
    "ventricular_tachycardia": (112.0, 220.0, 158.0, 26.0),
    "ventricular_pacing": (58.0, 96.0, 69.0, 8.0),
    "atrial_pacing": (58.0, 96.0, 69.0, 8.0),
    "av_pacing": (58.0, 96.0, 69.0, 8.0),
    "mobitz_1": (40.0, 90.0, 62.0, 11.0),
    "mobitz_2": (28.0, 80.0, 48.0, 10.0),
    "av_block_3": (26.0, 58.0, 40.0, 7.0),
    "aflutter": (55.0, 170.0, 105.0, 30.0),
    "afib_rapid": (102.0, 185.0, 124.0, 16.0),
    "afib_controlled": (62.0, 98.0, 80.0, 9.0),
    "afib_slow": (32.0, 58.0, 50.0, 6.0),
}
_AFIB = {"rapid": 0.36, "controlled": 0.42, "slow": 0.22}


def draw_rate(rng: np.random.Generator, rhythm: str, age: float) -> float:
    """Ventricular rate in bpm for a rhythm."""
    low, high, mean, spread = _RATES[f"afib_{pick(rng, _AFIB)}" if rhythm == "afib" else rhythm]
    if rhythm == "sinus_tachycardia":
        high = min(high, 208 - 0.7 * age)
    rate = rng.normal(mean, spread)
    while not low <= rate <= high:
        rate = rng.normal(mean, spread)
    return float(rate)


def _healthy(rng: np.random.Generator, patient: Patient, prevalence: Prevalence) -> Condition:
    table = dict(prevalence.sinus)
    if patient.age < 40:
        table["sinus_arrhythmia"] *= 2
    rhythm = pick(rng, table)
    rate = draw_rate(rng, rhythm, patient.age)
    if rng.random() < prevalence.premature:  # beats that are found in healthy hearts as well
        ectopy = pick(rng, prevalence.premature_kinds)
        return Condition(normal=False, rhythm=rhythm, rate=rate, ectopy=ectopy)
    if rng.random() < prevalence.irbbb * (2 if patient.age < 40 else 1):
        return Condition(normal=False, rhythm=rhythm, rate=rate, conduction="irbbb")
    if patient.age < 55 and rng.random() < prevalence.early_repolarization:  # of the healthy, but not a normal ECG
        size = rng.uniform(0.6, 1.5)
        return Condition(
            normal=False, rhythm=rhythm, rate=rate, repolarization="early_repolarization", repolarization_size=size
        )
    return Condition(normal=True, rhythm=rhythm, rate=rate)


_ANTERIOR = ("anterior", "anteroseptal", "anterolateral")
# probability of left atrial enlargement beside it
_LEFT_ATRIUM = {"lvh": 0.35, "lvh_strain": 0.35, "septal": 0.35, "lbbb": 0.18, "rvh": 0.15}


def _secondary(rng: np.random.Generator, rhythm: str, infarct: str | None) -> str | None:
    """ST-T changes that come with fibrillation (a third of its ECGs in PTB-XL) or beside an old infarct."""
    if rhythm == "afib" and rng.random() < 0.32:
        return pick(rng, {"nonspecific_st_t": 0.4, "nonspecific_t": 0.32, "digitalis": 0.18, "diffuse_ischemia": 0.1})
    if infarct and not infarct.endswith("stemi") and rng.random() < 0.12:
        return pick(rng, {"nonspecific_st_t": 0.3, "nonspecific_t": 0.4, "lateral_ischemia": 0.3})
    return None


def draw_condition(rng: np.random.Generator, patient: Patient, prevalence: Prevalence = FLAT) -> Condition:
    """Draw the findings of one recording of a patient."""
    if patient.healthy:
        return _healthy(rng, patient, prevalence)
    drawn = prevalence.draw(rng)
    rhythm, long_pr = drawn["rhythm"] or "sinus", drawn["pr"] is not None
    conduction, infarct, hypertrophy = drawn["conduction"], drawn["infarct"], drawn["hypertrophy"]
    repolarization, ectopy, voltage, axis = drawn["repolarization"], drawn["ectopy"], drawn["voltage"], drawn["axis"]
    left_atrium = rng.uniform(0.7, 1.5) if drawn["atria"] in ("left", "both") else 0.0
    right_atrium = rng.uniform(0.7, 1.4) if drawn["atria"] in ("right", "both") else 0.0

    # what cannot stand together, or would not be seen
    if rhythm in VENTRICULAR:
        conduction = infarct = hypertrophy = repolarization = voltage = axis = None
    if (rhythm in NO_P or rhythm.startswith(("mobitz", "av_block"))) and conduction == "wpw":
        conduction = None
    if rhythm == "mobitz_2" and conduction is None and rng.random() < 0.6:
        conduction = pick(rng, {"lbbb": 0.3, "rbbb": 0.3, "rbbb+lafb": 0.3, "ivcd": 0.1})
    if conduction == "wpw":
        infarct, hypertrophy, long_pr, voltage = None, None, False, None
    if conduction == "lbbb":
        infarct = repolarization = None
    if hypertrophy == "rvh" and rhythm not in VENTRICULAR:
        conduction = pick(rng, WITH_RVH) or None
        repolarization = infarct = None
    if hypertrophy == "septal":
        conduction, infarct = None, None
    plain = repolarization is None and conduction not in WIDE and hypertrophy != "rvh" and rhythm not in VENTRICULAR
    if plain and prevalence.attraction:
        repolarization = _secondary(rng, rhythm, infarct)
    if hypertrophy:
        voltage = None
        if hypertrophy == "lvh_strain":
            repolarization = repolarization if repolarization in ("long_qt", "digitalis") else None
    if infarct and infarct.endswith("stemi"):
        repolarization = None
        conduction = conduction if conduction in ("rbbb", "irbbb", "irbbb+lafb", "lafb") else None
    anterior = infarct is not None and infarct.split("+")[-1] in _ANTERIOR
    if (anterior or infarct == "posterior") and voltage == "poor_r":
        voltage = None
    if conduction in WIDE and repolarization in ("nonspecific_t", "nonspecific_st_t"):
        repolarization = None  # what follows a block is secondary, not nonspecific
    if conduction in ("lbbb", "lafb", "lpfb", "rbbb+lafb", "rbbb+lpfb", "irbbb+lafb") or hypertrophy == "rvh":
        axis = None
    if repolarization == "early_repolarization" and (patient.age > 58 or conduction in WIDE):
        repolarization = "nonspecific_t"
    if rhythm in NO_P:
        left_atrium = right_atrium = 0.0
        long_pr = False
    elif prevalence.attraction:
        if rng.random() < _LEFT_ATRIUM.get(hypertrophy or conduction or "", 0.0):
            left_atrium = rng.uniform(0.7, 1.4)
        elif hypertrophy == "rvh" and rng.random() < 0.45:
            right_atrium = rng.uniform(0.7, 1.4)
        if left_atrium and rng.random() < 0.2 and rhythm in SINUS and conduction != "wpw":
            long_pr = True
    if rhythm in (
        "svt",
        "aflutter",
        "atrial_tachycardia",
        "ventricular_tachycardia",
        "mobitz_1",
        "mobitz_2",
        "av_block_3",
        "idioventricular",
        *PACED,
    ):
        ectopy = "pvc" if ectopy and rhythm in (*PACED, "aflutter") else None
        long_pr = False
    if rhythm in ("afib", "junctional") and ectopy in ATRIAL_ECTOPY:
        ectopy = "pvc"
    if rhythm == "ectopic_atrial":
        long_pr = False
    if rhythm == "sinus_tachycardia" and long_pr:
        rhythm = "sinus"
    rate = draw_rate(rng, rhythm, patient.age)
    if rhythm == "sinus" and right_atrium:  # lung disease (Jensen et al. 2013, Eur Respir J 42:341)
        rate = min(rate + rng.uniform(0, 25), 99.5)
    if prevalence.attraction and repolarization == "digitalis" and rhythm == "sinus" and rng.random() < 0.6:
        rhythm, rate = "afib", draw_rate(rng, "afib", patient.age)
        left_atrium, right_atrium, long_pr = 0.0, 0.0, False
        ectopy = "pvc" if ectopy in ATRIAL_ECTOPY else ectopy
    return Condition(
        normal=False,
        rhythm=rhythm,
        rate=rate,
        conduction=conduction,
        infarct=infarct,
        infarct_size=min(0.42 + rng.gamma(1.6, 0.24), 1.5) if infarct else 0.0,
        inverted_t=bool(infarct and rng.random() < (0.40 if infarct.endswith("stemi") else 0.30)),
        aneurysm=bool(anterior and rng.random() < prevalence.aneurysm),
        hypertrophy=hypertrophy,
        hypertrophy_size=rng.uniform(0.75, 1.4) if hypertrophy else 0.0,
        repolarization=repolarization,
        repolarization_size=rng.uniform(0.6, 1.5) if repolarization else 0.0,
        left_atrium=float(left_atrium),
        right_atrium=float(right_atrium),
        ectopy=ectopy,
        voltage=voltage,
        axis=axis,
        long_pr=long_pr,
    )


def draw_record(
    rng: np.random.Generator, chronic: np.random.Generator | None, patient: Patient, prevalence: Prevalence
) -> Condition:
    """Draw a recording: of a patient with several, two thirds show what the patient always has, at another rate.

    ``chronic`` draws what that is; ``None``: the patient has this recording only.
    """
    if chronic is not None and rng.random() < 0.67:
        condition = draw_condition(chronic, patient, prevalence)
        return replace(condition, rate=draw_rate(rng, condition.rhythm, patient.age))
    return draw_condition(rng, patient, prevalence)
