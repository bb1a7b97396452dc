"""What the readers of the verification see of features that cardiologists stated, on PTB-XL's split test.

PTB-XL's codes of form, and some of rhythm and diagnosis, name waveform features (``STATEMENTS``). Each of these is
proposed for every record, and decided by the measurement alone, by each reader alone, and by both together, as
``verify_features`` decides, without the check of the report, which states what is asked for. The thresholds come from
the split train. What is not stated counts as absent, although cardiologists leave much unsaid, so the precision is a
lower bound; records with a code that leaves the question open are left out of a row.

    python benchmarks/reader.py --results results --coarse results/models/coarse

``--results`` is the folder of a run on PTB-XL with a split train, and ``--coarse`` a model that was trained on this
split; without it, that reader has no columns.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ecgs import ROOT, machine  # isort: skip (puts the package on the path)

import numpy as np
import polars as pl
from tabulate import tabulate

from fgclep.commands.of_run import of_the_run
from fgclep.config.inference import ExamSettings, ReaderSettings
from fgclep.config.root import Config
from fgclep.config.verification import ChecksSection
from fgclep.evaluation.metrics import areas, have_enough_patients, limits, patient_weights
from fgclep.language.statements import read_statements
from fgclep.language.vocabulary import Vocabulary, load_vocabulary
from fgclep.measurement.rules import LIKELY, UNTESTABLE
from fgclep.schemas.candidates import CANDIDATES
from fgclep.schemas.manifest import MANIFEST
from fgclep.stages import verify_features
from fgclep.tables import read_table, write_table
from fgclep.verification.audit import Records, proposals, thresholds
from fgclep.verification.checks import ACCEPTING, decide
from fgclep.verification.text_evidence import text_evidence

SOURCE = "ptb-xl"
Reader = tuple[Records, Mapping[bool, np.ndarray]]  # thresholds without and with the measurement
VOCABULARY = ROOT / "resources/vocabulary"
SUPPORTED_FROM = 20  # stated records of a feature that counts in the mean
T_CHANGES, VOLTAGE = ("NDT", "NT_", "TAB_", "LOWT", "INVT"), ("LVH", "VCLVH", "HVOLT")


@dataclass(frozen=True)
class Stated:
    """Codes that state any of some features, and codes of records that leave it open."""

    codes: tuple[str, ...]
    features: tuple[str, ...]
    open: tuple[str, ...] = ()


STATEMENTS = (
    Stated(("PVC",), ("premature_wide_beat",), ("PRC(S)", "BIGU", "TRIGU")),
    Stated(("PAC",), ("premature_narrow_beat",), ("PRC(S)", "BIGU", "TRIGU", "SVARR")),
    Stated(("LPR", "1AVB"), ("prolonged_pr",)),
    Stated(("LNGQT",), ("prolonged_qtc",)),
    Stated(("INVT",), ("tinv_inferior", "tinv_anterior", "tinv_lateral"), T_CHANGES),
    Stated(("LOWT",), ("flat_t",), T_CHANGES),
    Stated(("NT_",), ("flat_t",), T_CHANGES),
    Stated(("STD_",), ("st_depression",), ("NST_",)),
    Stated(("STE_",), ("st_elevation",), ("NST_",)),
    Stated(("QWAVE",), ("pathological_q",), ("ABQRS",)),
    Stated(("LVOLT",), ("low_voltage_limb", "low_voltage_chest")),
    Stated(("HVOLT",), ("high_voltage_limb", "high_voltage_chest"), VOLTAGE),
    Stated(("VCLVH",), ("sokolow_lyon", "cornell_voltage"), VOLTAGE),
    Stated(("PACE",), ("pacing_spikes",)),
    Stated(("ABQRS",), ("wide_qrs", "fragmented_qrs", "pathological_q"), ("QWAVE",)),
    # features without a rule
    Stated(("AFIB",), ("fibrillatory_waves",), ("AFLT",)),
    Stated(("AFLT",), ("flutter_waves",), ("AFIB",)),
    Stated(("CLBBB",), ("broad_r_lateral",), ("ILBBB",)),
    Stated(("CRBBB",), ("wide_s_lateral",), ("IRBBB",)),
    Stated(("WPW",), ("delta_wave",)),
    Stated(("PACE",), ("spike_before_qrs",)),
    Stated(("LAO/LAE",), ("notched_p", "p_terminal_v1")),
    Stated(("DIG",), ("scooped_st",)),
    Stated(("BIGU",), ("bigeminal_pattern",)),
    Stated(("TRIGU",), ("trigeminal_pattern",)),
    Stated(("2AVB",), ("dropped_qrs",)),
    Stated(("3AVB",), ("av_dissociation",)),
)


def arguments() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True, help="folder of a run's results on PTB-XL")
    parser.add_argument("--coarse", help="model that was trained on the split train of that run")
    parser.add_argument("--reader", default="shipped", help="as verification.reader_model")
    parser.add_argument("--split", default="test", help="of the records that are judged")
    parser.add_argument("--bootstrap", type=int, default=1000)
    parser.add_argument("--folder", type=Path, help="keeps the scores, for the next call; without it a temporary one")
    return parser.parse_args()


def score(results: Path, model: str, output: Path) -> None:
    """Write what a model says of every feature in every record (schema ``SCORES``)."""
    config = Config()
    settings = ReaderSettings.of(config.pretraining, threads=1, workers=1)
    shards = of_the_run(sorted((results / "shards" / SOURCE).glob("*.parquet")))
    options = ("--model", model, "--vocabulary", VOCABULARY, "--shards", *shards, "--output", output)
    run("score_candidates", *options, settings=settings)


def run(stage: str, *options: Any, settings: ReaderSettings) -> None:
    """Run a stage of the workflow."""
    command = [sys.executable, "-m", f"fgclep.stages.{stage}", *map(str, options)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow"), "OMP_NUM_THREADS": "1"}
    command += ["--settings", settings.model_dump_json()]
    subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)  # nosec B603


def examine(model: str, output: Path) -> None:
    """Write the exam of a reader (schema ``EXAM``)."""
    config = Config()
    more = {"threads": 1, "workers": 1, "target_fdr": config.verification.target_fdr}
    settings = ExamSettings.of(config.pretraining, **more)
    run("examine_reader", "--model", model, "--vocabulary", VOCABULARY, "--output", output, settings=settings)


def propose_all(results: Path, vocabulary: Vocabulary, output: Path) -> None:
    """Write candidates that propose every feature of ``STATEMENTS`` for every text."""
    features = sorted({name for statement in STATEMENTS for name in statement.features})
    empty = {"votes": 1, "samples": 1, "reason": "", "backend": "", "model_digest": "", "prompt_hash": ""}
    texts = list(read_statements(results / "reports/texts.parquet", vocabulary))
    rows = [
        {"text_id": i, "statement": text.text, "feature": name, "answer": name, **empty}
        for i, text in enumerate(texts)
        for name in features
    ]
    write_table(rows, output, CANDIDATES)


def load(
    results: Path, scores: Path, candidates: Path, exam: list[str], scratch: Path
) -> tuple[Records, dict[bool, np.ndarray]]:
    """Return the records, and by whether the measurement decides, too, the reader's thresholds (folds, features)."""
    options = ["--texts", str(results / "reports/texts.parquet"), "--candidates", str(candidates)]
    options += ["--reports", str(results / "reports/reports.parquet"), "--vocabulary", str(VOCABULARY)]
    options += ["--measurements", str(results / f"measurements/{SOURCE}.parquet"), "--scores", str(scores)]
    options += ["--manifests", str(results / f"manifest/{SOURCE}.parquet"), "--output", str(scratch / "audit.parquet")]
    args = verify_features.arguments().parse_args([*options, "--settings", ChecksSection().model_dump_json()])
    vocabulary = load_vocabulary(VOCABULARY)
    statements = list(read_statements(args.texts, vocabulary))
    places = {name: i for i, name in enumerate(vocabulary.features)}
    proposed = proposals(read_table(args.candidates, CANDIDATES), places, len(statements))
    records = verify_features.load_records(args, vocabulary, scratch)
    examined = verify_features.read_exam(exam, vocabulary)
    evidence = text_evidence(statements, vocabulary)
    checks = {measurement: ChecksSection(measurement=measurement) for measurement in (False, True)}
    return records, {key: thresholds(records, evidence, proposed, checks[key], examined) for key in checks}


def accepted(records: Records, limits: np.ndarray, feature: int, settings: ChecksSection) -> np.ndarray:
    """Whether a feature is accepted in each record, bool of shape (records,)."""
    score, open_ = records.scores[:, feature], np.full(len(records), UNTESTABLE, dtype=np.int8)
    threshold = np.where(np.isnan(score), np.nan, limits[records.fold, feature])
    return ACCEPTING[decide(open_, records.verdicts[:, feature], open_, score, threshold, settings)]


def shares(
    own: np.ndarray, stated: np.ndarray, patients: np.ndarray, weights: np.ndarray, called: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Precision and recall in the records ``own``, under many weightings of them; NaN where undefined."""
    both, calls, all_stated = (weights.T @ rows[own] for rows in (called & stated, called, stated))
    with np.errstate(invalid="ignore", divide="ignore"):
        precision, recall = both / calls, both / all_stated
    return (
        known(precision, stated[own & called], patients[own & called]),
        known(recall, called[own & stated], patients[own & stated]),
    )


def known(values: np.ndarray, positive: np.ndarray, patients: np.ndarray) -> np.ndarray:
    """The first value and the resampled ones; these are NaN with too few patients among positives or negatives."""
    if have_enough_patients(positive[:, None], patients)[0]:
        return values
    return np.concatenate([values[:1], np.full(len(values) - 1, np.nan)])


def cell(values: np.ndarray) -> str:
    """The first value with the interval of the others, in percent; without one where it is not defined."""
    if np.isnan(values[0]):
        return "not defined"
    low, high = limits(values[1:])
    interval = "no interval" if np.isnan(low) else f"{100 * low:.0f}–{100 * high:.0f}"
    return f"{100 * values[0]:.0f} ({interval})"


def table(readers: Mapping[str, Reader], results: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Print a row for each statement, and return the figures."""
    vocabulary = load_vocabulary(VOCABULARY)
    places = {name: i for i, name in enumerate(vocabulary.features)}
    records, _ = next(iter(readers.values()))
    manifest = pl.DataFrame(read_table(results / f"manifest/{SOURCE}.parquet", MANIFEST))
    listed = pl.DataFrame(records.keys).join(manifest, on=["source", "record_id"], how="left", maintain_order="left")
    judged = (listed["split"] == args.split).to_numpy()
    codes, patients = listed["codes"].to_list(), listed["patient_id"].to_numpy()
    figures: dict[str, Any] = {}
    decided_by = [(name, False) for name in readers] + [("simulated", True)]
    heads = ["statement", "feature", "stated", *(f"AUROC {name}" for name in readers), "measured: precision", "recall"]
    heads += [part for name, both in decided_by for part in (f"{'both' if both else name}: precision", "recall")]
    rows: list[Sequence[str]] = []
    means: dict[str, list[np.ndarray]] = {name: [] for name in readers}
    for statement in STATEMENTS:
        columns = [places[name] for name in statement.features]
        stated = np.array([not set(statement.codes).isdisjoint(own) for own in codes])
        unclear = np.array([not set(statement.open).isdisjoint(own) for own in codes]) & ~stated
        own = judged & ~unclear
        weights = np.column_stack([np.ones(own.sum()), patient_weights(patients[own], args.bootstrap, 0)])
        has_rule = any(vocabulary.features[name].rule is not None for name in statement.features)

        decided = partial(shares, own, stated, patients, weights)
        measured = decided((records.verdicts[:, columns] >= LIKELY).any(axis=1))
        aurocs, decisions = [], []
        for name, (scored, _) in readers.items():
            value = scored.scores[:, columns].max(axis=1)[own]
            auroc = areas(value[:, None], stated[own][:, None], weights)[0, 0]
            aurocs.append(known(auroc, stated[own], patients[own]))
            if not has_rule and stated[own].sum() >= SUPPORTED_FROM:
                means[name].append(aurocs[-1])
        for name, both in decided_by:
            scored, limits = readers[name]
            settings = ChecksSection(measurement=both)
            called = [accepted(scored, limits[both], column, settings) for column in columns]
            decisions.append(decided(np.any(called, axis=0)))
        code, feature = "/".join(statement.codes), " or ".join(statement.features)
        rows.append(
            [code, feature, str(stated[own].sum()), *map(cell, aurocs)]
            + [cell(value) for pair in ([measured] if has_rule else [(np.array([np.nan]),) * 2]) for value in pair]
            + [cell(value) for pair in decisions for value in pair]
        )
        figures[f"{code} {feature}"] = {
            "stated": int(stated[own].sum()), "auroc": [float(value[0]) for value in aurocs],
            "precision": [float(pair[0][0]) for pair in (measured, *decisions)],
            "recall": [float(pair[1][0]) for pair in (measured, *decisions)],
        }  # fmt: skip
    print(f"{machine()}; {judged.sum():,} records of the split {args.split}\n")
    print(tabulate(rows, heads, tablefmt="github", disable_numparse=True))
    for name, values in means.items():
        mean = cell(np.mean(values, axis=0))
        print(
            f"\nAUROC of {name}, mean of the {len(values)} features without a rule and with 20 stated records: {mean}"
        )
        figures[f"mean {name}"] = float(np.mean(values, axis=0)[0])
    return figures


def main() -> None:
    """Print a table in Markdown, and a line of JSON whose ratio is the reader's mean AUROC over the 0.85 asked for."""
    args = arguments()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        propose_all(args.results, load_vocabulary(VOCABULARY), folder / "candidates.parquet")
        readers = {}
        for name, model in (("coarse", args.coarse), ("simulated", args.reader)):
            if model is None:
                continue
            scores, scratch = folder / f"{name}.parquet", folder / name
            if not scores.exists():
                score(args.results, model, scores)
            scratch.mkdir(exist_ok=True)
            exam = folder / "exam.parquet"
            if name == "simulated" and not exam.exists():
                examine(model, exam)
            exams = [str(exam)] if name == "simulated" else []
            readers[name] = load(args.results, scores, folder / "candidates.parquet", exams, scratch)
        figures = table(readers, args.results, args)
    print(json.dumps({"name": "reader", "ratio": figures["mean simulated"] / 0.85, **figures}))


if __name__ == "__main__":
    main()
