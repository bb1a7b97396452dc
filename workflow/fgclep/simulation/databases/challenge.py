"""Databases in the manner of the PhysioNet/CinC challenges: SNOMED-CT codes in the header, samples in a ``.mat`` file.

CPSC2018 (nine classes, 6 to 60 s) and CSN (Chapman, Shaoxing and Ningbo).
"""

import csv
import io
from typing import Any

import numpy as np

from fgclep.config.simulation import RecordingSettings
from fgclep.language.vocabulary import Vocabulary
from fgclep.leads import LEADS
from fgclep.simulation.databases.code_tables import CONDITIONS
from fgclep.simulation.databases.codes import cpsc_codes, snomed_codes
from fgclep.simulation.databases.databases import Made, Plan, make_signal, spoil_files, spoil_samples
from fgclep.simulation.databases.wfdb_files import header_text, mat_bytes
from fgclep.simulation.heart.patient import Patient
from fgclep.simulation.truth.truth import Truth

GAIN = 1000.0


def _files(
    name: str, path: str, plan: Plan, digital: np.ndarray, when: str, patient: Patient, codes: list[str]
) -> dict[str, bytes]:
    comments = (
        f"Age: {round(patient.age)}",
        f"Sex: {'Female' if patient.sex == 'F' else 'Male'}",
        f"Dx: {','.join(codes)}",
        "Rx: Unknown",
        "Hx: Unknown",
        "Sx: Unknown",
    )
    digital = spoil_samples(digital, plan.damage, plan.number)
    header = header_text(name, f"{name}.mat", "16+24", "1000/mV", digital, LEADS, when=when, comments=comments)
    return spoil_files({f"{path}.hea": header.encode(), f"{path}.mat": mat_bytes(digital)}, plan.damage)


def _of_nine_classes(truth: Truth) -> bool:
    return bool(cpsc_codes(truth.diagnoses, truth.features))


def _cpsc_duration(rng: np.random.Generator) -> float:
    """Length of a recording of CPSC2018: 6 to 60 s, mostly 10 to 16."""
    seconds = rng.uniform(6, 10) if rng.random() < 0.1 else 10 + rng.gamma(0.8, 7.0)
    return float(min(round(seconds * 500) / 500, 60.0))


def make_cpsc(plan: Plan, vocabulary: Vocabulary, settings: RecordingSettings) -> Made:
    """Make one recording of CPSC2018."""
    patient, digital, truth, _ = make_signal(plan, vocabulary, GAIN, 50.0, _of_nine_classes, _cpsc_duration)
    name = f"A{plan.number + 1:04d}"
    path = f"training/cpsc_2018/g{plan.number // 1000 + 1}/{name}"
    codes = cpsc_codes(truth.diagnoses, truth.features)
    files = _files(name, path, plan, digital, "12-May-2020 12:33:59", patient, codes)
    return Made(plan, name, path, files, {}, truth.features)


def make_csn(plan: Plan, vocabulary: Vocabulary, settings: RecordingSettings) -> Made:
    """Make one recording of CSN."""
    patient, digital, truth, _ = make_signal(plan, vocabulary, GAIN, 50.0)
    name = f"JS{plan.number + 1:05d}"
    group = plan.number // 100
    path = f"WFDBRecords/{group // 10 + 1:02d}/{group // 10 + 1:02d}{group % 10}/{name}"
    codes = snomed_codes(truth.diagnoses, truth.features, vocabulary)
    files = _files(name, path, plan, digital, "27-Mar-2021 00:10:41", patient, codes)
    return Made(plan, name, path, files, {}, truth.features)


def cpsc_tables(made: list[dict[str, Any]]) -> dict[str, str]:
    """CPSC2018 has no table beside its records."""
    return {}


def csn_tables(made: list[dict[str, Any]]) -> dict[str, str]:
    """``ConditionNames_SNOMED-CT.csv``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("AcronymName", "FullName", "Snomed_CT"))
    writer.writerows(CONDITIONS)
    return {"ConditionNames_SNOMED-CT.csv": text.getvalue()}
