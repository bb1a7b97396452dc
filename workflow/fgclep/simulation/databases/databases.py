"""Databases in their native layout: which files a simulated recording becomes, and the tables beside them.

A ``Plan`` says which recordings there are, of whom, and where they lie; ``make`` turns one of them into files, in any
process; the module of each database writes its tables from the rows that come back.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fgclep.language.vocabulary import Vocabulary
from fgclep.leads import LEADS
from fgclep.simulation.databases.wfdb_files import INVALID, digitize
from fgclep.simulation.heart.condition import draw_condition, draw_record
from fgclep.simulation.heart.patient import Patient, draw_patient
from fgclep.simulation.heart.prevalence import PREVALENCES
from fgclep.simulation.recorder.recording import simulate
from fgclep.simulation.truth.truth import Truth, find_truth

SOURCE_NUMBERS = {"mimic-iv-ecg": 1, "ptb-xl": 2, "cpsc2018": 3, "csn": 4, "simulated": 5}
MULTIPLE = {"mimic-iv-ecg", "ptb-xl"}  # databases that tell which recordings are of the same patient
DAMAGES = ("truncated signal", "missing samples", "flat lead", "wrong checksum", "unreadable header", "missing file")
_RECORDINGS, _PATIENTS, _CHRONIC = 0, 1, 2  # streams of random numbers


@dataclass(frozen=True)
class Plan:
    """One recording to be made."""

    source: str
    seed: int
    number: int  # of the recording, from 0
    patient: int
    visit: int  # of the patient, from 0
    repeated: bool  # the patient has several recordings
    damage: str | None
    prevalence: str  # a key of PREVALENCES


@dataclass(frozen=True)
class Made:
    """One recording: its files' content by path below the database, and what the tables need."""

    plan: Plan
    record_id: str
    path: str  # without extension
    files: dict[str, bytes]
    row: dict[str, Any]
    features: tuple[str, ...]


def plan_database(source: str, seed: int, records: int, broken: int, prevalence: str) -> list[Plan]:
    """Plan ``records`` recordings; a fifth of the patients has two to four where the database tells them apart."""
    number = SOURCE_NUMBERS[source]
    rng = np.random.default_rng([seed, number])
    counts: list[int] = []
    while sum(counts) < records:
        several = source in MULTIPLE and rng.random() < 0.2
        counts.append(min(int(rng.integers(2, 5)) if several else 1, records - sum(counts)))
    step = records // (broken + 1)
    damages = {(i + 1) * step - 1: DAMAGES[((number - 1) * broken + i) % len(DAMAGES)] for i in range(broken)}
    plans: list[Plan] = []
    for patient, count in enumerate(counts):
        for visit in range(count):
            place = len(plans)
            plans.append(Plan(source, seed, place, patient, visit, count > 1, damages.get(place), prevalence))
    return plans


def keep_freed_memory() -> None:
    """Let the C library keep what arrays of a recording have taken, for those of the next one.

    glibc gives blocks as large as these back to the system, which fills their pages with zeros each time: a sixth of
    all processor time. Once it has seen a larger block freed, it keeps such as are smaller (mallopt(3),
    M_MMAP_THRESHOLD). Elsewhere this does nothing.
    """
    np.empty(2**24, np.uint8)


def make_signal(
    plan: Plan,
    vocabulary: Vocabulary,
    gain: float,
    mains: float,
    accepted: Callable[[Truth], bool] = lambda truth: True,
    duration: Callable[[np.random.Generator], float] = lambda rng: 10.0,
) -> tuple[Patient, np.ndarray, Truth, np.random.Generator]:
    """Simulate a planned recording.

    Parameters
    ----------
    plan
        Its seed and numbers decide all that is drawn, its prevalence how often.
    gain
        ADC units per mV.
    mains
        Frequency of the mains in Hz.
    accepted
        Tells whether the database takes such a recording; after eight refusals the next one is taken as it is.
    duration
        Draws the length in seconds.

    Returns
    -------
    tuple
        Patient, int16 samples (12, n) in canonical lead order, truth, and the generator for what is still to be drawn.
    """
    number = SOURCE_NUMBERS[plan.source]
    prevalence = PREVALENCES[plan.prevalence]
    rng = np.random.default_rng([plan.seed, number, _RECORDINGS, plan.number])
    patients, chronic = rng, None
    if plan.repeated:
        patients, chronic = (
            np.random.default_rng([plan.seed, number, drawn, plan.patient]) for drawn in (_PATIENTS, _CHRONIC)
        )
    patient = draw_patient(patients, prevalence)
    condition = draw_record(rng, chronic, patient, prevalence)
    for refusals in range(9):
        recording = simulate(patient, condition, rng, duration(rng), mains)
        truth = find_truth(recording, vocabulary)
        if accepted(truth) or refusals == 8:
            break
        patient = draw_patient(rng, prevalence)
        condition = draw_condition(rng, patient, prevalence)
    return patient, digitize(recording.signal, gain), truth, rng


def spoil_samples(digital: np.ndarray, damage: str | None, number: int) -> np.ndarray:
    """Damage the samples of a recording, if that is its fate."""
    if damage == "missing samples":
        digital = digital.copy()
        digital[number % 12, 100:400] = INVALID
    elif damage == "flat lead":
        digital = digital.copy()
        digital[number % 12] = 0
    return digital


def spoil_files(files: dict[str, bytes], damage: str | None) -> dict[str, bytes]:
    """Damage the content of a recording's files, if that is its fate."""
    result = dict(files)
    for path, content in files.items():
        if damage == "truncated signal" and not path.endswith(".hea"):
            result[path] = content[: len(content) // 3]
        elif damage == "unreadable header" and path.endswith(".hea"):
            result[path] = content.replace(b" 12 500 ", b" twelve leads at 500 ", 1)
    return result


def write_files(folder: Path, made: Made) -> list[tuple[str, str]]:
    """Write the files of a recording below ``folder``; returns (path, sha256) of each as they are to be listed."""
    listed = []
    for path, content in made.files.items():
        digest = hashlib.sha256(content).hexdigest()
        missing = made.plan.damage == "missing file" and not path.endswith(".hea")
        if made.plan.damage == "wrong checksum" and not path.endswith(".hea"):
            digest = digest[::-1]
        listed.append((path, digest))
        if not missing:
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    return listed


def write_lists(folder: Path, paths: list[str], checksums: list[tuple[str, str]], tables: dict[str, str]) -> None:
    """Write the tables, ``RECORDS`` and, last, ``SHA256SUMS.txt`` of a database."""
    contents = {**tables, "RECORDS": "".join(f"{path}\n" for path in paths)}
    listed = list(checksums)
    for name, text in contents.items():
        content = text.encode()
        (folder / name).write_bytes(content)
        listed.append((name, hashlib.sha256(content).hexdigest()))
    lines = [f"{digest} {path}\n" for path, digest in sorted(listed)]
    (folder / "SHA256SUMS.txt").write_text("".join(lines), encoding="utf-8")


def reorder(digital: np.ndarray, leads: tuple[str, ...]) -> np.ndarray:
    """Rows of samples in canonical order in the order of ``leads``."""
    return digital[[LEADS.index(lead) for lead in leads]]
