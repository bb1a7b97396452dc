"""A made-up results tree with the schemas of the workflow, for the tests of the report."""

import csv
import json
from pathlib import Path

import numpy as np
from conftest import ROOT

from fgclep.config.report import ReportSection, ReportSettings
from fgclep.language.statements import Statement
from fgclep.leads import LEADS
from fgclep.schemas.attention import ATTENTION
from fgclep.schemas.audit import AUDIT
from fgclep.schemas.candidates import CANDIDATES as CANDIDATE_SCHEMA
from fgclep.schemas.class_scores import CLASS_SCORES
from fgclep.schemas.comparisons import COMPARISONS, MEAN
from fgclep.schemas.manifest import MANIFEST
from fgclep.schemas.measurements import LEAD_MEASURES, MEASUREMENTS, MEASURES
from fgclep.schemas.metrics import METRICS
from fgclep.schemas.quarantine import QUARANTINE
from fgclep.schemas.reports import REPORTS, TEXTS
from fgclep.schemas.retrieved import RETRIEVED
from fgclep.schemas.shards import SHARD
from fgclep.schemas.truth import TRUTH
from fgclep.signals.encoding import encode_waveform
from fgclep.tables import write_table

VOCABULARY = ROOT / "resources" / "vocabulary"
SOURCES = ("mimic-iv-ecg", "ptb-xl", "cpsc2018", "csn")
TASKS = {
    "ptbxl_super": ["NORM", "MI", "STTC", "CD", "HYP"],
    "ptbxl_sub": ["NORM", "AMI", "IMI", "LVH", "CRBBB", "IRBBB"],
    "ptbxl_form": ["NDT", "PVC", "QWAVE"],
    "ptbxl_rhythm": ["AFIB", "SR", "STACH"],
    "cpsc2018": ["normal", "AF", "I-AVB", "LBBB", "RBBB", "PAC", "PVC", "STD", "STE"],
    "csn": ["SB", "SR", "AF", "ST"],
}
STATEMENTS = [
    "Sinus rhythm",
    "Right bundle branch block",
    "Atrial fibrillation",
    "Left axis deviation <script>alert(1)</script>",
]
DIAGNOSES = ("sinus_rhythm", "rbbb", "atrial_fibrillation", "left_axis_deviation")
REJECTED = [
    "not_in_vocabulary",
    "not_in_vocabulary",
    "diagnosis",
    "denial",
    "several_features",
    "no_usable_answer",
]
# feature, measurement, contradiction, coarse logit, threshold, accepted, reason
CANDIDATES = [
    ("prolonged_pr", "refuted", None, None, None, False, "refuted"),
    ("wide_qrs", "supported", None, 1.5, 0.5, True, "supported"),
    ("absent_p", "untestable", "sinus rhythm", 0.1, 0.5, False, "excluded"),
    ("regular_rr", "untestable", None, 2.25, 0.5, True, "seen"),
    ("irregular_rr", "untestable", None, -1.0, 0.5, False, "not_seen"),
]


PROBE = {
    "model": "llama3:8b",
    "auroc": 0.81,
    "plausible": 0.6,
    "plausible_random": 0.4,
    "plausible_constant": 0.2,
    "agreement": 0.55,
    "loops": 0.05,
    "abstentions": 0.1,
}


def synthetic_ecg(seconds: float = 10.0, fs: float = 500.0, rate: float = 72.0) -> np.ndarray:
    """Twelve leads of Gaussian waves in mV, shape (12, samples)."""
    time = np.arange(round(seconds * fs)) / fs
    phase = (time * rate / 60) % 1
    waves = [(0.2, 0.025, 0.12), (0.36, 0.008, -0.1), (0.38, 0.012, 1.0), (0.405, 0.01, -0.25), (0.65, 0.05, 0.3)]
    beat = sum(height * np.exp(-0.5 * ((phase - center) / width) ** 2) for center, width, height in waves)
    scale = [0.6, 1.0, 0.4, -0.8, 0.1, 0.7, -0.6, 0.5, 0.8, 1.2, 1.3, 1.0]
    return np.array([factor * beat for factor in scale])


def config() -> dict:
    """Return the part of the config that the report reads, and a value with markup in it."""
    sources = {key: {"version": "1.0", "base": None, "chunks": 1, "role": "evaluate"} for key in SOURCES}
    sources["mimic-iv-ecg"]["role"] = "pretrain"
    return {
        "seed": 0,
        "data": {"base": "results/simulation/files", "sources": sources},
        "recovery": {"backend": "knowledge", "model": "<b>llama</b>"},
        "evaluation": {"bootstrap": 1000, "min_positives": 10, "zero_shot_split": "test", "prompts": PROMPTS},
        "reports": {"vocabulary_words": True},
        "verification": {"features": "filtered"},
        "pretraining": {"fine_epochs": 4},
        "report": {"title": "night 3", "strips": 2, "examples": 4, "retrieved": 2, "review": 6},
        "ablation": {"variants": {}},
    }


def texts() -> list[dict]:
    """Return eight texts that reports have, and the text of a feature that none has."""
    rows = [
        *[(text, "diagnosis", 4, [diagnosis], []) for text, diagnosis in zip(STATEMENTS, DIAGNOSES, strict=True)],
        ("qrs duration above 120 ms", "feature", 0, [], ["wide_qrs"]),
        ("interpretation made without knowing the age", "administrative", 2, [], []),
        ("abnormal ecg", "diagnosis", 4, ["abnormal_ecg"], []),
        ("zigzag", "unknown", 1, [], []),
        ("irregular rr intervals", "feature", 2, [], ["irregular_rr"]),
    ]
    return [
        {"text_id": number, "count": count, **vars(Statement(text, kind, tuple(diagnoses), tuple(features)))}
        for number, (text, kind, count, diagnoses, features) in enumerate(rows)
    ]


def answers() -> list[dict]:
    """Return 26 answers about the first four texts, 20 of them features of the vocabulary."""
    origin = {"backend": "ollama", "model_digest": "d", "prompt_hash": "p"}
    named = [(number, feature, feature, "") for number in range(4) for feature, *_ in CANDIDATES]
    rejected = [(0, f"answer {place}", None, reason) for place, reason in enumerate(REJECTED)]
    return [
        {
            "text_id": number,
            "statement": STATEMENTS[number],
            "feature": feature,
            "answer": answer,
            "votes": 1,
            "samples": 3,
            "reason": reason,
            **origin,
        }
        for number, answer, feature, reason in [*named, *rejected]
    ]


PROMPTS = ["synonyms", "names", "features", "both"]
BONUS = {"fine": 0.06, "coarse": 0.03, "random": -0.2, "measurements": -0.1, "fine_measurements": 0.08}
BASELINES = ("random", "measurements", "fine_measurements")  # that read no text
RETRIEVED_RECORDS = ("r0", "r1", "r2", "r3")


def conditions() -> list[tuple[str, str, float, int]]:
    """Protocols with their settings, shares of the training records, and seeds."""
    return [
        *(("zero_shot", prompts, 0.0, 0) for prompts in PROMPTS),
        ("zero_shot_leads", PROMPTS[0], 0.0, 0),
        *(("linear_probe", "", fraction, 0) for fraction in (0.01, 0.1, 1.0)),
        *(("few_shot", shots, 0.0, seed) for shots in ("1", "4", "16") for seed in (0, 1)),
    ]


def metrics_rows() -> list[dict]:
    """Return rows for five models, all protocols and tasks; one class is never positive.

    Macro AUROC: 0.8 + ``BONUS`` + 0.01 per task + 0.02 per fraction; by class names 0.05 and by features 0.1 less,
    by both 0.01 more; 0.01 more for seed 1. AUPRC, F1 and calibration error: a tenth of it, and of macros only.
    """
    rows = []
    prompts_cost = dict(zip(PROMPTS, (0.0, 0.05, 0.1, -0.01), strict=True))
    for model, gain in BONUS.items():
        for protocol, setting, fraction, seed in conditions():
            if model in BASELINES and protocol.startswith("zero_shot"):
                continue
            for number, (task, classes) in enumerate(TASKS.items()):
                place = {"model": model, "task": task, "label_set": "codes", "protocol": protocol, "setting": setting}
                place |= {"fraction": fraction, "seed": seed}
                base = 0.8 + gain + 0.01 * number + 0.02 * fraction - prompts_cost.get(setting, 0.0) + 0.01 * seed
                rows += class_rows(place, classes, base)
                rows += [
                    {**rows[-len(classes) - 2], "metric": metric, "value": base / 10, "ci_low": None, "ci_high": None}
                    for metric in ("auprc", "f1", "ece")
                ]
    return [*rows, *transfer_rows(), *retrieval_rows()]


def class_rows(place: dict, classes: list[str], base: float) -> list[dict]:
    """AUROC of the averages and of every class; that of STE is not defined."""
    averaged = len(classes) - ("STE" in classes)
    rows = []
    for number, name in enumerate(["macro", "macro_supported", *classes]):
        value, known = base - 0.003 * number, name != "STE"
        interval = (value - 0.04, value + 0.03) if known else (None, None)
        rows.append(
            {
                **place,
                "metric": "auroc",
                "class": name,
                "value": value if known else None,
                "ci_low": interval[0],
                "ci_high": interval[1],
                "n": 300,
                "n_pos": averaged if number < 2 else 40 - 2 * number if known else 0,
                "patients_pos": None if number < 2 else 40 - 2 * number if known else 0,
            }
        )
    return rows


def transfer_rows() -> list[dict]:
    """Probes trained on one of two tasks and tested on the other, over three classes."""
    return [
        {"model": model, "task": task, "label_set": "codes", "protocol": "transfer", "setting": other, "fraction": 1.0}
        | {"seed": 0, "metric": "auroc", "class": "macro", "value": 0.7 + gain, "ci_low": 0.6 + gain}
        | {"ci_high": 0.8 + gain, "n": 300, "n_pos": 3, "patients_pos": None}
        for task, other in (("cpsc2018", "csn"), ("csn", "cpsc2018"))
        for model, gain in BONUS.items()
    ]


def retrieval_rows() -> list[dict]:
    """Recall and median rank in both directions of the models that read texts."""
    values = {"recall@1": 0.1, "recall@5": 0.3, "recall@10": 0.5, "median_rank": 9.0}
    return [
        {"model": model, "task": "mimic-iv-ecg", "label_set": "reports", "protocol": "retrieval", "setting": direction}
        | {"fraction": 0.0, "seed": 0, "metric": metric, "class": "all", "value": value, "ci_low": value - 0.05}
        | {"ci_high": value + 0.05, "n": 250, "n_pos": 250, "patients_pos": 240}
        for direction in ("ecg_to_text", "text_to_ecg")
        for model in ("fine", "coarse")
        for metric, value in values.items()
    ]


def comparison_rows() -> list[dict]:
    """Coarse against fine and random against coarse: b minus a. The last task has no p; the mean none corrected."""
    rows = []
    for number, task in enumerate([*TASKS, MEAN]):
        for protocol, setting, one, other in (
            ("zero_shot", "synonyms", "coarse", "fine"),
            ("zero_shot", "features", "coarse", "fine"),
            ("linear_probe", "", "fine", "coarse"),
            ("linear_probe", "", "random", "coarse"),
        ):
            change = BONUS[other] - BONUS[one]
            p = {0: 0.0004, 5: None}.get(number, 0.01 * number)
            rows.append(
                {"task": task, "label_set": MEAN if task == MEAN else "codes", "protocol": protocol, "setting": setting}
                | {"model_a": one, "model_b": other, "value_a": 0.8 + BONUS[one], "value_b": 0.8 + BONUS[other]}
                | {"difference": change, "ci_low": change - 0.01, "ci_high": change + 0.02, "p": p}
                | {"p_holm": None if p is None or task == MEAN else min(1.0, 3 * p), "n": 300, "classes": 4}
            )
    return rows


def score_rows(model: str, protocol: str, setting: str, task: str) -> list[dict]:
    """Scores of 60 test records: of the first class those of a perfect model, the others noise."""
    rng, classes = np.random.default_rng(len(task)), TASKS[task]
    labels = rng.random((60, len(classes))) < 0.3
    scores = rng.normal(size=labels.shape)
    scores[:, 0] = np.where(labels[:, 0], 2.0, -2.0)
    same = {"model": model, "task": task, "label_set": "codes", "protocol": protocol, "setting": setting}
    return [
        {**same, "source": "ptb-xl", "record_id": f"r{number}", "patient_id": f"p{number}", "classes": classes}
        | {"labels": labels[number].tolist(), "scores": scores[number].tolist()}
        for number in range(len(labels))
    ]


def attention_rows() -> list[dict]:
    """Attention of two texts to the patches of every ECG: one looks at V1 from 5 to 7 s, the other everywhere."""
    focused = {("V1", 5.0): 0.45, ("V1", 6.0): 0.432}
    return [
        {
            "source": "mimic-iv-ecg",
            "record_id": f"r{record}",
            "text": text,
            "lead": lead,
            "start": start,
            "end": start + 1.0,
        }
        | {"weight": 1 / 120 if text == "diffuse" else focused.get((lead, start), 0.001)}
        for record in range(4)
        for text in ("qrs <b> above 120 ms", "diffuse")
        for lead in LEADS
        for start in map(float, range(10))
    ]


def write_csv(path: Path, columns: list[str], rows: list[dict]) -> None:
    """Write rows; ``None`` becomes an empty field."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def write_results(folder: Path, ecgs: list[np.ndarray] | None = None) -> list[str]:
    """Write every input of the report below ``folder``; returns the options that its stages share."""
    ecgs = ecgs or [synthetic_ecg(rate=rate) for rate in (60, 75, 90, 110)]
    quarantine = [
        {"source": "ptb-xl", "record_id": "broken", "stage": "build_shards", "reason": "dead (flat) leads: V1 <i>"},
        {"source": "csn", "record_id": "unlisted", "stage": "build_manifest", "reason": "too short: 3.2 s"},
        {
            "source": "mimic-iv-ecg",
            "record_id": "r3",
            "stage": "parse_reports",
            "reason": "1 words, at least 3 are needed",
        },
    ]
    paths: dict[str, list[Path]] = {"manifest": [], "shards": []}
    for source in SOURCES:
        manifest, shards = [], []
        for number, ecg in enumerate(ecgs):
            key = {"source": source, "record_id": f"r{number}", "patient_id": f"p{number}", "age": 40.0 + 20 * number}
            key |= {"split": "test" if number == 0 else "train", "sex": "FM"[number % 2], "codes": []}
            report = [STATEMENTS[number % 4], "Abnormal ECG"]
            manifest.append({**key, "path": f"files/r{number}", "chunk": 0, "report": report})
            digital = np.round(1000 * ecg).astype(np.int16)
            shards.append(
                {
                    **key,
                    "sampling_rate": 500.0,
                    "n_samples": ecg.shape[1],
                    "gain": [1000.0] * 12,
                    "baseline": [0] * 12,
                    "waveform": encode_waveform(digital),
                    "flags": ["II differs from I + III"] * (number == 1),
                }
            )
        if source == "ptb-xl":
            manifest.append({**manifest[-1], "record_id": "broken"})
        paths["manifest"].append(folder / "manifest" / f"{source}.parquet")
        paths["shards"].append(folder / "shards" / source / "0.parquet")
        write_table(manifest, paths["manifest"][-1], MANIFEST)
        write_table(shards, paths["shards"][-1], SHARD)

    keys = [{"source": "mimic-iv-ecg", "record_id": f"r{number}"} for number in range(len(ecgs))]
    measured = dict.fromkeys(MEASURES) | {"pr_ms": 150.0, "qrs_ms": 132.0, "heart_rate": 72.0, "qrs_axis": -12.0}
    leads = {name: [0.1 * place for place in range(12)] for name in LEAD_MEASURES}
    audit = [
        {
            **key,
            "statement": STATEMENTS[number % 4],
            "feature": feature,
            "votes": 1,
            "measurement": measurement,
            "contradiction": contradiction,
            "reader_score": score,
            "reader_threshold": threshold,
            "accepted": accepted,
            "reason": reason,
            "backend": "knowledge",
            "model_digest": "",
            "prompt_hash": "",
        }
        for number, key in enumerate(keys)
        for feature, measurement, contradiction, score, threshold, accepted, reason in CANDIDATES[: 5 - number % 3]
    ]
    write_table(
        [{**key, **measured, **leads, "intervals_from": "database"} for key in keys],
        folder / "measurements.parquet",
        MEASUREMENTS,
    )
    write_table(audit, folder / "audit.parquet", AUDIT)
    truth = [{**key, "feature": feature} for key in keys for feature in ("wide_qrs", "prolonged_pr")]
    write_table(truth, folder / "truth.parquet", TRUTH)
    write_table(texts(), folder / "texts.parquet", TEXTS)
    write_table(
        [{**key, "text_ids": [number % 4]} for number, key in enumerate(keys)], folder / "reports.parquet", REPORTS
    )
    write_table(
        [{**key, "text_ids": [number % 4, 4]} for number, key in enumerate(keys)], folder / "fine.parquet", REPORTS
    )
    write_table(answers(), folder / "candidates.parquet", CANDIDATE_SCHEMA)
    (folder / "cost.json").write_text(json.dumps({"calls": 0, "probe": PROBE}))
    write_table(quarantine, folder / "quarantine.parquet", QUARANTINE)
    write_csv(folder / "metrics.csv", METRICS.names, metrics_rows())
    write_csv(folder / "comparisons.csv", COMPARISONS.names, comparison_rows())
    retrieved = [
        {"query": text, "rank": rank + 1, "source": "mimic-iv-ecg", "record_id": record, "hit": rank == 0}
        | {"probability": 0.9 - 0.2 * rank}
        for text in ("Sinus rhythm; Abnormal ECG", "Atrial flutter <i>")
        for rank, record in enumerate(RETRIEVED_RECORDS)
    ]
    write_table(retrieved, folder / "retrieved.parquet", RETRIEVED)
    write_table(attention_rows(), folder / "attention.parquet", ATTENTION)
    scores = {
        f"{model}-zero_shot": [
            row for task in TASKS for prompts in PROMPTS for row in score_rows(model, "zero_shot", prompts, task)
        ]
        for model in ("fine", "coarse")
    }
    scores |= {
        f"{model}-{task}": score_rows(model, "linear_probe", "", task)
        for model in BONUS
        for task in ("csn", "cpsc2018")
    }
    for name, rows in scores.items():
        write_table(rows, folder / "scores" / f"{name}.parquet", CLASS_SCORES)
    columns = [
        *("name", "epoch", "train_loss", "validation_loss", "validation_recall", "validation_auroc"),
        *("temperature", "bias", "selected"),
    ]
    for name, epochs in (("coarse", 4), ("fine", 3)):
        rows = [
            {
                "name": name,
                "epoch": epoch,
                "train_loss": 3 / epoch,
                "validation_loss": 3.2 / epoch,
                "validation_recall": 0.1 * epoch,
                "validation_auroc": 0.6 + 0.05 * epoch,
                "selected": int(epoch == epochs - 1),
                "temperature": 10.0,
                "bias": -4.8,
            }
            for epoch in range(1, epochs + 1)
        ]
        write_csv(folder / name / "training.csv", columns, rows)
        speeds = [{"name": name, "epoch": row["epoch"], "ecg_per_s": 1234.5, "waiting_share": 0.034} for row in rows]
        write_csv(folder / name / "throughput.csv", list(speeds[0]), speeds)
    counts = [9000, 400, 20, 0, 3]
    distinct = {
        "histogram": {"edges": [0, 0.2, 0.4, 0.6, 0.8, 1.0], "counts": counts},
        "mean": 0.034,
        "p10": 0.0,
        "p50": 0.0,
        "p95": 0.25,
        "share_above_half": 0.021,
        "negatives_above_half": 0.013,
        "mean_without_shared_finding": 0.01,
    }
    statements = {**distinct, "mean": 0.051, "negatives_above_half": 0.004, "mean_without_shared_finding": None}
    summary = {
        "source": "concepts",
        "neighbors": None,
        "texts": 138,
        "distinct": distinct,
        "statements": statements,
        "reports": {**distinct, "mean": 0.12, "p95": 0.56},
        "dropped_above_half": 0,
    }
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    return [
        "--metrics",
        folder / "metrics.csv",
        "--scores",
        *[folder / "scores" / f"{name}.parquet" for name in scores],
        "--comparisons",
        folder / "comparisons.csv",
        "--retrieved",
        folder / "retrieved.parquet",
        "--quarantine",
        folder / "quarantine.parquet",
        "--manifests",
        *paths["manifest"],
        "--shards",
        *paths["shards"],
        "--texts",
        folder / "texts.parquet",
        "--reports",
        folder / "reports.parquet",
        "--fine-reports",
        folder / "fine.parquet",
        "--candidates",
        folder / "candidates.parquet",
        "--recovery-cost",
        folder / "cost.json",
        "--audit",
        folder / "audit.parquet",
        "--measurements",
        folder / "measurements.parquet",
        "--similarity-summary",
        folder / "summary.json",
        "--models",
        folder / "coarse",
        folder / "fine",
        "--truth",
        folder / "truth.parquet",
        "--vocabulary",
        VOCABULARY,
    ]


def report_command(folder: Path) -> list[str]:
    """Write every input below ``folder``; returns the options of ``render_report``."""
    settings = ReportSettings.of(ReportSection(**config()["report"]), prompts=PROMPTS)
    own = ["--settings", settings.model_dump_json(), "--config-json", json.dumps(config())]
    return list(map(str, [*write_results(folder), *own, "--output", folder / "report.html"]))


def ablation_rows() -> list[dict]:
    """Rows of ``ablation.csv``: without features 3 points less by synonyms, 1 more by the probe."""
    rows = []
    for variant, changes in (("coarse", (-0.05, -0.02)), ("fine", (0.0, 0.0)), ("features_none", (-0.03, 0.01))):
        for place, change in zip((("zero_shot", "synonyms"), ("linear_probe", "")), changes, strict=True):
            for task in ("csn", MEAN):
                rows.append(
                    {"variant": variant, "protocol": place[0], "setting": place[1], "task": task, "seeds": 3}
                    | {"mean": 0.9 + change, "ci_low": 0.88 + change, "ci_high": 0.92 + change}
                    | {"patients_low": 0.87 + change, "patients_high": 0.93 + change, "difference": change}
                    | {"difference_low": change - 0.01, "difference_high": change + 0.01}
                    | {"difference_patients_low": change - 0.02, "difference_patients_high": change + 0.015}
                )
    return rows
