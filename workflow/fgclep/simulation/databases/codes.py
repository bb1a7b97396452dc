"""Codes of the databases for what is true: SCP-ECG statements (PTB-XL) and SNOMED-CT codes (CPSC2018, CSN).

Where a diagnosis has several codes, the first one is given unless what is seen chooses another; codes of a form or a
single measure are given when the feature is there, as annotators do.
"""

from collections.abc import Collection

from fgclep.language.vocabulary import Vocabulary

# CPSC2018 has nine classes, each with one code in the challenge's copy.
CPSC = {
    "normal_ecg": "426783006",
    "atrial_fibrillation": "164889003",
    "av_block_1": "270492004",
    "lbbb": "164909002",
    "rbbb": "59118001",
    "pac": "284470004",
    "pvc": "164884008",
}
CPSC_ST_DEPRESSION = "429622005"
CPSC_ST_ELEVATION = "164931005"
_ST_DEPRESSION = ("std_inferior", "std_anterior", "std_lateral")
_ST_ELEVATION = ("ste_inferior", "ste_anterior", "ste_lateral")
_T_INVERSION = ("tinv_inferior", "tinv_anterior", "tinv_lateral")
_FLAT_T = ("flat_t_lateral", "flat_t_inferior")
_Q = ("q_inferior", "q_anterior", "q_lateral", "q_septal")
# diagnoses whose ST segment and T wave are abnormal for that reason alone, and not called so again
_WIDE = frozenset(
    [
        *("lbbb", "rbbb", "wpw", "ivcd", "ventricular_pacing", "av_pacing", "idioventricular_rhythm"),
        "ventricular_tachycardia",
    ]
)
_INFARCTS = frozenset(
    [
        *("inferior_mi", "anterior_mi", "anteroseptal_mi", "lateral_mi", "anterolateral_mi", "inferolateral_mi"),
        *("inferoposterior_mi", "inferoposterolateral_mi", "lv_aneurysm"),
        *("posterior_mi", "inferior_stemi", "anterior_stemi", "lateral_stemi"),
    ]
)
# young men have 0.1 mV in V2 and V3 and more, which nobody calls ST elevation
_ELEVATING = _INFARCTS | {"pericarditis", "early_repolarization"}
_REPOLARIZATION = frozenset(
    [
        *("inferior_ischemia", "anterior_ischemia", "lateral_ischemia", "diffuse_ischemia", "nonspecific_st_t"),
        *("nonspecific_t", "t_inversion", "pericarditis", "hyperkalemia", "hypokalemia", "digitalis"),
        "early_repolarization",
    ]
)


def _any(names: Collection[str], features: Collection[str]) -> bool:
    return any(name in features for name in names)


def _chosen_scp(name: str, first: str, features: Collection[str], diagnoses: Collection[str]) -> str:
    """The one SCP statement for a diagnosis that has several."""
    if name == "lvh":
        return "LVH" if _any(("cornell_voltage", "tall_r_avl", "deep_s_v1v2"), features) else "VCLVH"
    if name == "svt":
        return "PSVT" if "rate_above_150" in features else "SVTAC"
    if name == "anterior_ischemia":
        return "ISCAS" if "tinv_lateral" not in features else "ISCAN"
    if name == "lateral_ischemia":
        if _any(("std_anterior", "tinv_anterior"), features):
            return "ISCAL"
        return "ISCIL" if _any(("std_inferior", "tinv_inferior"), features) else "ISCLA"
    if name == "posterior_mi":
        return "IPMI" if "q_inferior" in features else "PMI"
    if name.endswith("_stemi") and "q_septal" in features and name == "anterior_stemi":
        return "ASMI"
    return first


def scp_codes(diagnoses: Collection[str], features: Collection[str], vocabulary: Vocabulary) -> dict[str, float]:
    """SCP-ECG statements with their likelihood, as in ``ptbxl_database.csv``: form and rhythm have 0."""
    codes: dict[str, float] = {}
    rhythm = {"SR", "AFIB", "AFLT", "STACH", "SBRAD", "SARRH", "PACE", "SVARR", "BIGU", "TRIGU", "SVTAC", "PSVT"}
    form = {"PVC", "PAC", "STD_", "STE_", "VCLVH", "HVOLT", "LVOLT", "INVT", "LPR", "QWAVE", "LOWT", "ABQRS", "NT_"}
    for name in diagnoses:
        diagnosis = vocabulary.diagnoses[name]
        if diagnosis.scp:
            code = _chosen_scp(name, diagnosis.scp[0], features, diagnoses)
            codes[code] = 0.0 if code in rhythm | form else 100.0
    primary = not _any(_WIDE, diagnoses)
    if "atrial_fibrillation" not in diagnoses and "sinus_rhythm" not in diagnoses and not rhythm & set(codes):
        if _any(("mobitz_1", "mobitz_2", "av_block_3"), diagnoses):
            codes["SR"] = 0.0
    if "nonspecific_t" in diagnoses:  # NDT is the statement of choice; the clearer the change, the more are made
        inverted, flat = _any(_T_INVERSION, features), all(name in features for name in _FLAT_T)
        if inverted or flat:
            codes["NT_"] = 0.0
        if inverted or "flat_t_anterior" in features:
            codes["TAB_"] = 0.0
    if "prolonged_pr" in features and "1AVB" in codes:
        codes["LPR"] = 0.0
    if "sokolow_lyon" in features and "tall_r_lateral" in features and "LVH" not in codes:
        codes["HVOLT"] = 0.0
    if "lvh" in diagnoses and "sokolow_lyon" in features:
        codes["VCLVH"] = 0.0
    if primary:
        if _any(_ST_DEPRESSION, features) and not _any(_INFARCTS, diagnoses):
            codes["STD_"] = 0.0
        if _any(_ST_ELEVATION, features) and _any(_ELEVATING, diagnoses):
            codes["STE_"] = 0.0
        if _any(_FLAT_T, features) and _any((*_REPOLARIZATION, "lvh_strain"), diagnoses):
            codes["LOWT"] = 0.0
        if sum(name in features for name in _T_INVERSION) >= 1 and _any(
            _REPOLARIZATION | _INFARCTS | {"lvh_strain"}, diagnoses
        ):
            codes["INVT"] = 0.0
    if _any(_Q, features) and _any((*_INFARCTS, "septal_hypertrophy"), diagnoses):
        codes["QWAVE"] = 0.0
    if _any((*_INFARCTS, "wpw"), diagnoses):  # "QRS(T) abnormal", with which one machine begins these statements
        codes["ABQRS"] = 0.0
    if "pac" in diagnoses and "pvc" in diagnoses:
        codes["PRC(S)"] = 0.0
    return codes


def snomed_codes(diagnoses: Collection[str], features: Collection[str], vocabulary: Vocabulary) -> list[str]:
    """SNOMED-CT codes as in CSN, rhythm first, each once."""
    codes: list[str] = []
    for name in diagnoses:
        listed = vocabulary.diagnoses[name].snomed
        if name == "wpw":
            codes.append(listed[0] if "short_pr" in features else listed[-1])
        elif name == "junctional_rhythm":
            codes += [listed[-1] if "rate_60_100" in features else listed[0], "29320008"]
        elif name in ("ventricular_tachycardia", "nonsustained_vt"):
            codes.append("425856008")
        elif name.endswith("clockwise_rotation"):
            codes += listed
        elif name in _ISCHEMIA:
            codes += _ischemia_codes(features)
        elif listed:
            codes.append(listed[0])
    if "sinus_rhythm" not in diagnoses and _any(("mobitz_1", "mobitz_2"), diagnoses):
        codes.append("426783006")
    if "low_voltage" in diagnoses:
        limb, chest = "low_voltage_limb" in features, "low_voltage_chest" in features
        if limb != chest:
            codes = [code for code in codes if code != "251146004"] + ["251147008" if limb else "251148003"]
    if _any(_Q, features) and _any(_INFARCTS, diagnoses):
        codes.append("164917005")
    if not _any(_WIDE, diagnoses):
        if _any(_ST_DEPRESSION, features):
            codes.append("429622005")
        if _any(_ST_ELEVATION, features) and _any(_ELEVATING, diagnoses):
            codes.append("164931005" if _any(_INFARCTS, diagnoses) else "164930006")
        if _any(_T_INVERSION, features):
            codes.append("59931005")
        if _any(_FLAT_T, features) and _any(_REPOLARIZATION, diagnoses):
            codes.append("164934002")
    wide = _any(_WIDE, diagnoses)
    if not wide and _any(("sokolow_lyon", "tall_r_lateral", "high_voltage_chest"), features):
        codes.append("55827005")
    if _any(_ST_CHANGE, diagnoses):
        codes.append("55930002")
    if not wide and _any((*_T_INVERSION, *_FLAT_T), features):
        codes.append("164934002")
    codes += [code for name, code in _BY_FEATURE.items() if name in features]
    if _any(("dropped_qrs", "av_dissociation"), features):
        codes.append("233917008")
    if "rbbb" in diagnoses and _any(("lafb", "lpfb"), diagnoses):
        codes.append("6374002")
    if "lae" in diagnoses or "rae" in diagnoses:
        codes.append("164912004")
    if "prominent_u" in features:
        codes.append("164937009")
    if "prolonged_pr" in features and "mobitz_1" not in diagnoses and "av_block_1" not in diagnoses:
        codes.append("164947007")
    return list(dict.fromkeys(codes))


_ST_CHANGE = frozenset(
    [
        *("nonspecific_st_t", "inferior_ischemia", "anterior_ischemia", "lateral_ischemia", "diffuse_ischemia"),
        *("lvh_strain", "digitalis", "pericarditis", "inferior_stemi", "anterior_stemi", "lateral_stemi"),
    ]
)
_BY_FEATURE = {"tall_p_ii": "251223006", "broad_p": "251205003", "fusion_beats": "13640000"}
_ISCHEMIA = frozenset(["inferior_ischemia", "anterior_ischemia", "lateral_ischemia", "diffuse_ischemia"])


def _ischemia_codes(features: Collection[str]) -> list[str]:
    return ["428750005"] + (["429622005"] if _any(_ST_DEPRESSION, features) else [])


def cpsc_codes(diagnoses: Collection[str], features: Collection[str]) -> list[str]:
    """SNOMED-CT codes of the nine classes of CPSC2018; empty if the recording belongs to none."""
    codes = [CPSC[name] for name in diagnoses if name in CPSC]
    if not _any(_WIDE, diagnoses):
        if _any(_ST_DEPRESSION, features) and not _any(_INFARCTS, diagnoses):
            codes.append(CPSC_ST_DEPRESSION)
        if _any(_ST_ELEVATION, features) and _any(_ELEVATING, diagnoses) and not codes:
            codes.append(CPSC_ST_ELEVATION)
    return list(dict.fromkeys(codes))
