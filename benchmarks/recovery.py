"""The whole recovery, from the prompt to the audit, with a language model whose share of errors is known.

The workflow simulates ECGs with MIMIC-like reports, asks the scripted model of ``scripted_llm.py`` through the real
client (three samples, two votes), has the reader score and verifies. The audit is then compared with what the
simulator knows to be true: precision and recall, each check left out, the yield over the reader's threshold, and what
every stage took.
"""

import csv
import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from ecgs import ROOT, machine, parser  # isort: skip (puts the package on the path)

import numpy as np
import polars as pl
from scripted_llm import MODEL, ScriptedModel, ScriptedOllama

from fgclep.config.inference import ReaderSettings
from fgclep.config.root import Config
from fgclep.config.verification import ChecksSection
from fgclep.language.vocabulary import load_vocabulary
from fgclep.models.build import open_model
from fgclep.recovery.rejections import Rejection
from fgclep.schemas.audit import AUDIT
from fgclep.schemas.candidates import CANDIDATES
from fgclep.schemas.exam import EXAM
from fgclep.schemas.reports import REPORTS, TEXTS
from fgclep.schemas.truth import TRUTH
from fgclep.stages import examine_reader, verify_features
from fgclep.tables import read_table, write_table
from fgclep.verification.calibration import exam_rows
from fgclep.verification.reasons import reason_of
from fgclep.verification.score import recovery_scores, stated_features

PARTS = ("Snakefile", "config.yaml", "profiles", "workflow", "resources", "envs")
TARGETS = (
    "results/recovery/audit.parquet",
    "results/recovery/reports/filtered.parquet",
    "results/simulation/truth.parquet",
)
SOURCE = "mimic-iv-ecg"
PRECISION, RECALL = 0.95, 0.90  # asked for
TARGET_FDR = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
FIXED = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.95)
READING = {  # what each reader is made and scored with
    "coarse": (
        "pretrain/coarse-fold0", "pretrain/coarse-fold1", "score_candidates/fold0", "score_candidates/fold1",
    ),
    "simulated": ("examine_reader", f"score_candidates/{SOURCE}"),
}  # fmt: skip


def run_workflow(folder: Path, records: int, url: str | None, cores: int, reader: str) -> None:
    """Run the workflow up to the audit in ``folder``, which may hold an earlier run's results.

    ``url`` is that of the scripted model; without it the table of knowledge proposes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        if not (folder / part).exists():
            (folder / part).symlink_to(ROOT / part)
    overlay = {
        "simulation": {"records": {"mimic-iv-ecg": records, "ptb-xl": 20, "cpsc2018": 20, "csn": 20}},
        "recovery": {
            "backend": "ollama", "model": MODEL, "host": url, "samples": 3, "temperature": 0.7, "concurrency": 4,
            "ask": "all", "shortlist": None, "items": 24, "min_auroc": None, "cache": "results/llm_cache",
        } if url else {},
        "verification": {"min_votes": 2 if url else 1, "reader": reader},
    }  # fmt: skip
    (folder / "overlay.json").write_text(json.dumps(overlay), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--configfile", "overlay.json", "--", *TARGETS]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(command, check=True, cwd=folder, env=environment, stdout=sys.stderr)  # nosec B603


def verified(results: Path, output: Path, settings: dict[str, Any]) -> pl.DataFrame:
    """Return the audit with other settings of ``verification``."""
    options = [
        "--settings",
        json.dumps(settings),
        "--output",
        str(output),
        "--vocabulary",
        str(ROOT / "resources/vocabulary"),
    ]
    for name, path in (
        ("candidates", "recovery/candidates"),
        ("texts", "reports/texts"),
        ("reports", "reports/reports"),
    ):
        options += [f"--{name}", str(results / f"{path}.parquet")]
    for name in ("measurements", "manifest"):
        options += [f"--{name.removesuffix('s')}s", str(results / name / f"{SOURCE}.parquet")]
    parts, exam = [f"fold{fold}" for fold in range(settings["folds"])], []
    if settings["reader"] == "simulated":
        parts, exam = [SOURCE], [output.with_name("exam.parquet")]
        features = list(load_vocabulary(ROOT / "resources/vocabulary").features)
        write_table(exam_rows(features, *sat(output.parent), settings["target_fdr"]), exam[0], EXAM)
    options += ["--scores", *(str(results / f"recovery/scores/{part}.parquet") for part in parts)]
    options += ["--exam", *map(str, exam)]
    verify_features.main(verify_features.arguments().parse_args(options))
    return pl.DataFrame(read_table(output, AUDIT))


@cache
def sat(scratch: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return what the shipped reader says in its exam, and what is true."""
    config = Config()
    settings = ReaderSettings.of(config.pretraining, threads=1, workers=1)
    vocabulary = load_vocabulary(ROOT / "resources/vocabulary")
    return examine_reader.sit(
        open_model("shipped", "verification.reader_model"), vocabulary, examine_reader.ECGS, settings, scratch
    )


def row(title: str, scores: dict[str, Any]) -> str:
    """One line of a table of scores."""
    shares = (scores["precision"], scores["recall_of_proposed"], scores["recall_of_left_out"])
    return f"| {title} | {scores['features']:,} | " + " | ".join("" if s is None else f"{s:.1%}" for s in shares) + " |"


def decided(audit: pl.DataFrame, truth: pl.DataFrame) -> pl.DataFrame:
    """Count distinct candidates by what decides on them, with the share of true ones."""
    pairs = audit.unique(["source", "record_id", "feature"])
    true = pairs.join(truth.with_columns(true=pl.lit(1.0)), on=["source", "record_id", "feature"], how="left")
    shares = true.group_by("reason").agg(pl.len().alias("count"), pl.col("true").fill_null(0.0).mean())
    return shares.sort("count", descending=True)


def costs(results: Path, records: int, reader: str) -> list[dict[str, float | str]]:
    """Processor time and memory of every stage of the recovery, from Snakemake's own measurements."""
    rows = []
    for stage in (
        "parse_reports",
        "recover_features",
        *READING[reader],
        "verify_features",
        "augment_reports/filtered",
    ):
        with (results / f"benchmarks/{stage}.tsv").open(encoding="utf-8") as file:
            (measured,) = csv.DictReader(file, delimiter="\t")
        seconds = float(measured["cpu_time"])
        rows.append(
            {
                "stage": stage,
                "seconds": seconds,
                "records_per_second": records / seconds,
                "mb": float(measured["max_rss"]),
            }
        )
    return rows


def main() -> None:
    """Print the tables, and a line of JSON whose ratio is the worse of precision and recall over what is asked for."""
    options = parser(__doc__)
    options.add_argument("--records", type=int, default=8000, help="simulated ECGs with reports")
    options.add_argument("--reader", choices=tuple(READING), default="simulated", help="of the verification")
    options.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    options.add_argument("--folder", type=Path, help="keeps the run, for the next call; without it a temporary one")
    args = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (args.folder or Path(temporary)).resolve()
        server = ScriptedOllama(ScriptedModel(load_vocabulary(ROOT / "resources/vocabulary")))
        try:
            run_workflow(folder, args.records, server.url, args.cores, args.reader)
        finally:
            server.close()
        report(folder / "results", server.calls, Path(temporary), args.reader)


def report(results: Path, calls: int, work: Path, reader: str) -> None:
    """Compare the audit with the truth, and print."""
    audit = pl.DataFrame(read_table(results / "recovery/audit.parquet", AUDIT))
    truth = pl.DataFrame(read_table(results / "simulation/truth.parquet", TRUTH))
    reports = pl.DataFrame(read_table(results / "reports/reports.parquet", REPORTS))
    texts = pl.DataFrame(read_table(results / "reports/texts.parquet", TEXTS, ["text_id", "features"]))
    stated = stated_features(reports, texts)
    scores = recovery_scores(audit, truth, stated)

    print(f"{machine()}; {reports.height:,} records, {scores['records']:,} with candidates\n")
    titles = ("", "features", "precision", "recall of the true ones proposed", "of all that reports leave out")
    head = f"| {' | '.join(titles)} |\n|---|---|---|---|---|"
    print(head)
    print(row("unfiltered", scores["unfiltered"]))
    print(row("accepted", scores["accepted"]))
    for check, without in scores["without"].items():
        print(row(f"without {check}", without))

    kinds = pl.DataFrame(read_table(results / "reports/texts.parquet", TEXTS, ["kind", "count"])).filter(
        pl.col("count") > 0
    )
    administrative = kinds.filter(pl.col("kind") == "administrative").height
    print(f"\n{administrative} of {kinds.height:,} distinct statements are administrative, and not asked about")
    answers = pl.DataFrame(read_table(results / "recovery/candidates.parquet", CANDIDATES))
    print("\n| answer, once per statement | |\n|---|---|")
    sentences = {rejection.value: rejection.sentence for rejection in Rejection}
    for reason, count in answers.group_by("reason").len().sort("len", descending=True).iter_rows():
        print(f"| {sentences.get(reason, 'a feature of the vocabulary')} | {count:,} |")

    print("\n| decision | candidates | true |\n|---|---|---|")
    for code, count, share in decided(audit, truth).iter_rows():
        reason = reason_of(code)
        print(f"| {'accepted' if reason.accepted else 'dropped'}: {reason.sentence} | {count:,} | {share:.1%} |")

    print("\nYield over the reader's threshold\n\n" + head)
    settings = ChecksSection(min_votes=2, reader=reader).model_dump(mode="json")
    curve = []
    for key, values in (("target_fdr", TARGET_FDR), ("threshold", FIXED)):
        for value in values:
            found = recovery_scores(verified(results, work / "audit.parquet", {**settings, key: value}), truth, stated)[
                "accepted"
            ]
            print(row(f"{key} {value:g}", found))
            curve.append({key: value, "precision": found["precision"], "recall": found["recall_of_proposed"]})

    print("\n| stage | core-seconds | records per core-second | MB |\n|---|---|---|---|")
    cost = costs(results, reports.height, reader)
    for stage in cost:
        print(f"| {stage['stage']} | {stage['seconds']:.1f} | {stage['records_per_second']:,.0f} | {stage['mb']:.0f} |")
    asked = json.loads((results / "recovery/cost.json").read_text(encoding="utf-8"))
    print(f"\n{calls} calls in this run; of all answers in use: {asked}")

    precision, recall = scores["accepted"]["precision"], scores["accepted"]["recall_of_proposed"]
    figures = {
        "precision": precision, "recall": recall, "unfiltered_precision": scores["unfiltered"]["precision"],
        "without": {check: found["precision"] for check, found in scores["without"].items()}, "yield": curve,
        "seconds": {stage["stage"]: stage["seconds"] for stage in cost},
    }  # fmt: skip
    print(json.dumps({"name": "recovery", "ratio": min(precision / PRECISION, recall / RECALL), **figures}))


if __name__ == "__main__":
    main()
