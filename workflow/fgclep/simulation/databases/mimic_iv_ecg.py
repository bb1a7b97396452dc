"""MIMIC-IV-ECG 1.0: machine reports and measurements, WFDB format 16, gain 200 per mV, aVF before aVL."""

import csv
import io
from typing import Any

import numpy as np

from fgclep.config.simulation import RecordingSettings
from fgclep.language.vocabulary import Vocabulary
from fgclep.simulation.databases.databases import Made, Plan, make_signal, reorder, spoil_files, spoil_samples
from fgclep.simulation.databases.reports import machine_report
from fgclep.simulation.databases.wfdb_files import dat_bytes, header_text
from fgclep.simulation.truth.truth import Truth

LEAD_ORDER = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")
GAIN = 200.0
MISSING = 29999
REPORTS = 18
_RECORD_LIST = ("subject_id", "study_id", "file_name", "ecg_time", "path")
_INTERVALS = ("rr_interval", "p_onset", "p_end", "qrs_onset", "qrs_end", "t_end", "p_axis", "qrs_axis", "t_axis")
_MEASUREMENTS = (
    "subject_id", "study_id", "cart_id", "ecg_time", *(f"report_{i}" for i in range(REPORTS)), "bandwidth", "filtering",
    *_INTERVALS,
)  # fmt: skip


def _intervals(truth: Truth, rng: np.random.Generator) -> dict[str, int]:
    """Intervals and axes as a machine measures them: with an error of a few ms, and not always."""
    measures = truth.measures
    error = rng.normal(0, 1, 9)
    onset = float(rng.integers(30, 60))
    values: dict[str, float] = {"rr_interval": 60000 / measures["heart_rate"] + 3 * error[0]}
    with_p = not np.isnan(measures["p_ms"]) and not np.isnan(measures["pr_ms"])
    start = onset + (measures["pr_ms"] if with_p else rng.uniform(140, 200))
    if with_p:
        values["p_onset"] = onset + 3 * error[1]
        values["p_end"] = onset + measures["p_ms"] + 4 * error[2]
        values["p_axis"] = measures["p_axis"] + 4 * error[3]
    values["qrs_onset"] = start + 1.5 * error[4]
    values["qrs_end"] = start + measures["qrs_ms"] + 2.5 * error[5]
    values["t_end"] = start + measures["qt_ms"] + 6 * error[6]
    values["qrs_axis"] = measures["qrs_axis"] + 3 * error[7]
    values["t_axis"] = measures["t_axis"] + 5 * error[8]
    lost = rng.random(len(_INTERVALS)) < 0.006
    result = {}
    for name, gone in zip(_INTERVALS, lost, strict=True):
        value = values.get(name, float("nan"))
        if gone or np.isnan(value):
            result[name] = MISSING
        elif name.endswith("axis"):
            result[name] = round((value + 180) % 360 - 180)
        else:
            result[name] = round(value)
    return result


def make(plan: Plan, vocabulary: Vocabulary, settings: RecordingSettings) -> Made:
    """Make one recording."""
    _, digital, truth, rng = make_signal(plan, vocabulary, GAIN, 60.0)
    return write_up(plan, digital, truth, rng, vocabulary, settings)


def write_up(
    plan: Plan,
    digital: np.ndarray,
    truth: Truth,
    rng: np.random.Generator,
    vocabulary: Vocabulary,
    settings: RecordingSettings,
) -> Made:
    """Make the files and the report of a recording, int16 samples (12, n) in canonical lead order."""
    subject = 10_000_000 + (plan.patient * 997 + 32) % 9_999_991
    study = 40_000_000 + (plan.number * 7_654_321 + 238) % 9_999_973
    report = machine_report(truth, vocabulary, settings.feature_mention_rate, rng)
    day = f"{2110 + plan.patient % 90}-{1 + plan.visit * 3 % 12:02d}-{1 + plan.number % 28:02d}"
    time = f"{plan.number % 24:02d}:{plan.number * 7 % 60:02d}:00"
    digital = spoil_samples(reorder(digital, LEAD_ORDER), plan.damage, plan.number)
    path = f"files/p{str(subject)[:4]}/p{subject}/s{study}/{study}"
    when = f"{time} {day[8:]}/{day[5:7]}/{day[:4]}"
    header = header_text(str(study), f"{study}.dat", "16", "200.0(0)/mV", digital, LEAD_ORDER, when=when)
    files = {f"{path}.hea": header.encode(), f"{path}.dat": dat_bytes(digital)}
    row = {
        "subject_id": subject,
        "study_id": study,
        "file_name": study,
        "ecg_time": f"{day} {time}",
        "path": path,
        "cart_id": 6_800_000 + subject % 97,
        **{f"report_{i}": report[i] if i < len(report) else "" for i in range(REPORTS)},
        "bandwidth": "0.005-150 Hz",
        "filtering": "60 Hz notch Baseline filter",
        **_intervals(truth, rng),
    }
    return Made(plan, str(study), path, spoil_files(files, plan.damage), row, truth.features)


def tables(made: list[dict[str, Any]]) -> dict[str, str]:
    """``record_list.csv`` by subject, and ``machine_measurements.csv`` in another order."""
    by_subject = sorted(made, key=lambda row: (row["subject_id"], row["study_id"]))
    by_study = sorted(made, key=lambda row: row["study_id"])
    return {
        "record_list.csv": _csv(_RECORD_LIST, by_subject),
        "machine_measurements.csv": _csv(_MEASUREMENTS, by_study),
    }


def _csv(columns: tuple[str, ...], rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
