"""The results of a run that its report and its figures are made from."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from fgclep.documents import check_last_line, csv_value, read_json
from fgclep.errors import UserError
from fgclep.language.vocabulary import Vocabulary, load_vocabulary
from fgclep.report.results import audit_summary
from fgclep.report.results.curves import Scores
from fgclep.report.results.funnel import Part, funnel
from fgclep.report.results.metrics import Metrics
from fgclep.report.results.read import scan
from fgclep.schemas.attention import ATTENTION
from fgclep.schemas.audit import AUDIT
from fgclep.schemas.candidates import CANDIDATES
from fgclep.schemas.class_scores import CLASS_SCORES
from fgclep.schemas.comparisons import COMPARISONS
from fgclep.schemas.manifest import MANIFEST
from fgclep.schemas.measurements import MEASUREMENTS
from fgclep.schemas.metrics import METRICS
from fgclep.schemas.quarantine import QUARANTINE
from fgclep.schemas.reports import REPORTS, TEXTS
from fgclep.schemas.retrieved import RETRIEVED
from fgclep.schemas.shards import SHARD
from fgclep.schemas.truth import TRUTH
from fgclep.tables import read_table

Columns = Mapping[str, type[pl.DataType]]
TRAINING: Columns = {
    "name": pl.String,
    "epoch": pl.Int64,
    "train_loss": pl.Float64,
    "validation_loss": pl.Float64,
    "validation_recall": pl.Float64,
    "validation_auroc": pl.Float64,
    "temperature": pl.Float64,
    "bias": pl.Float64,
    "selected": pl.Int64,
}
THROUGHPUT: Columns = {
    "name": pl.String,
    "epoch": pl.Int64,
    "ecg_per_s": pl.Float64,
    "waiting_share": pl.Float64,
}
ABLATION: Columns = {
    **dict.fromkeys(("variant", "protocol", "setting", "task"), pl.String),
    "seeds": pl.Int64,
    **dict.fromkeys(("mean", "ci_low", "ci_high", "patients_low", "patients_high"), pl.Float64),
    **dict.fromkeys(("difference", "difference_low", "difference_high"), pl.Float64),
    **dict.fromkeys(("difference_patients_low", "difference_patients_high"), pl.Float64),
}


@dataclass(frozen=True)
class Results:
    """Tables of a run, of the schemas of their names; those that may be large are not read before they are needed.

    Parameters
    ----------
    metrics_table, comparisons, retrieved, quarantine, texts, candidates
        Read.
    probe
        What the language model knew before it was asked; ``None`` where none was.
    manifest, shards, measurements, reports, fine_reports, audit, scores
        Opened, of all sources; ``audit`` with the outcome, see ``audit_summary.with_outcome``.
    truth
        The features of simulated records; without rows where none is simulated.
    similarity
        The summary of the similarity matrix.
    training
        Rows of every ``training.csv`` with those of ``throughput.csv``.
    attention
        Of the example ECGs; without rows where the model has no attention.
    ablation
        Rows of ``ablation.csv``; empty if it has not been run.
    vocabulary
        For the names of the features.
    prompts
        The prompt sets of the zero-shot evaluation, that of the headline table first.
    """

    metrics_table: pl.DataFrame
    scores_table: pl.LazyFrame
    comparisons: list[dict[str, Any]]
    retrieved: list[dict[str, Any]]
    manifest: pl.LazyFrame
    shards: pl.LazyFrame
    quarantine: pl.DataFrame
    texts: pl.DataFrame
    reports: pl.LazyFrame
    fine_reports: pl.LazyFrame
    candidates: pl.DataFrame
    probe: dict[str, Any] | None
    audit: pl.LazyFrame
    measurements: pl.LazyFrame
    truth: pl.LazyFrame
    similarity: Mapping[str, Any]
    training: pl.DataFrame
    attention: pl.DataFrame
    ablation: list[dict[str, Any]]
    vocabulary: Vocabulary
    prompts: list[str]

    @cached_property
    def metrics(self) -> Metrics:
        """The metrics, averaged over the seeds."""
        return Metrics(self.metrics_table, self.prompts)

    @cached_property
    def scores(self) -> Scores:
        """Scores of the test records, zero-shot by the first prompt set."""
        return Scores(self.scores_table, self.prompts[0])

    @cached_property
    def outcomes(self) -> dict[str, int]:
        """Candidates per outcome, see ``audit_summary.outcome_counts``."""
        return audit_summary.outcome_counts(self.audit)

    @cached_property
    def funnel(self) -> list[Part]:
        """The funnel of the recovery."""
        return funnel(self.texts, self.candidates, self.reports, self.outcomes, self.vocabulary)


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the options that ``read_results`` needs."""
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--scores", type=Path, nargs="+", required=True, help="scores of the test records")
    parser.add_argument("--comparisons", type=Path, required=True)
    parser.add_argument("--retrieved", type=Path, required=True, help="ECGs that report texts find")
    parser.add_argument("--quarantine", type=Path, required=True)
    parser.add_argument("--manifests", type=Path, nargs="+", required=True)
    parser.add_argument("--shards", type=Path, nargs="+", required=True)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--reports", type=Path, required=True, help="text ids per record before the recovery")
    parser.add_argument("--fine-reports", type=Path, required=True, help="text ids per record with accepted features")
    parser.add_argument("--candidates", type=Path, required=True)
    parser.add_argument("--recovery-cost", type=Path, required=True, help="what the candidates cost, and the probe")
    parser.add_argument("--audit", type=Path, required=True)
    parser.add_argument("--measurements", type=Path, nargs="+", required=True)
    parser.add_argument("--similarity-summary", type=Path, required=True)
    parser.add_argument("--models", type=Path, nargs="+", required=True, help="folders of the trained models")
    parser.add_argument("--truth", type=Path, help="features of the simulated records, if there are any")
    parser.add_argument("--attention", type=Path, help="attention to the patches of the example ECGs, if there is any")
    parser.add_argument("--ablation", type=Path, help="table of the ablation, if it has been run")
    parser.add_argument("--vocabulary", type=Path, required=True)


def read_results(args: argparse.Namespace, prompts: Sequence[str]) -> Results:
    """Read or open what the options of ``add_inputs`` name; the first of ``prompts`` is the set of the headline.

    Raises ``UserError`` or ``ValueError`` naming the file, and the column or the value that is wrong.
    """
    training = pl.concat([read_csv(folder / "training.csv", TRAINING) for folder in args.models])
    throughput = pl.concat([read_csv(folder / "throughput.csv", THROUGHPUT) for folder in args.models])
    return Results(
        metrics_table=read_csv(args.metrics, csv_columns(METRICS)),
        scores_table=scan(args.scores, CLASS_SCORES),
        comparisons=read_csv(args.comparisons, csv_columns(COMPARISONS)).to_dicts(),
        retrieved=read_table(args.retrieved, RETRIEVED).to_pylist(),
        manifest=scan(args.manifests, MANIFEST),
        shards=scan(args.shards, SHARD),
        quarantine=pl.DataFrame(read_table(args.quarantine, QUARANTINE)),
        texts=pl.DataFrame(read_table(args.texts, TEXTS)),
        reports=scan([args.reports], REPORTS),
        fine_reports=scan([args.fine_reports], REPORTS),
        candidates=pl.DataFrame(read_table(args.candidates, CANDIDATES)),
        probe=read_json(args.recovery_cost).get("probe"),
        audit=audit_summary.with_outcome(scan([args.audit], AUDIT)),
        measurements=scan(args.measurements, MEASUREMENTS),
        truth=scan([args.truth], TRUTH) if args.truth else pl.DataFrame(TRUTH.empty_table()).lazy(),
        similarity=read_json(args.similarity_summary),
        training=training.join(throughput, on=["name", "epoch"], how="left", maintain_order="left"),
        attention=pl.DataFrame(read_table(args.attention, ATTENTION) if args.attention else ATTENTION.empty_table()),
        ablation=read_csv(args.ablation, ABLATION).to_dicts() if args.ablation else [],
        vocabulary=load_vocabulary(args.vocabulary),
        prompts=list(prompts),
    )


def csv_columns(schema: pa.Schema) -> Columns:
    """Types of the columns of a CSV file with a schema."""
    kinds: dict[Any, type[pl.DataType]] = {pa.string(): pl.String, pa.int64(): pl.Int64, pa.float64(): pl.Float64}
    return {field.name: kinds[field.type] for field in schema}


def read_csv(path: Path, columns: Columns) -> pl.DataFrame:
    """Read a CSV file that has at least ``columns``.

    Raises ``UserError`` naming the file, and the column or the value that is wrong or that it is truncated.
    """
    check_last_line(path)
    try:
        table = pl.read_csv(path, schema_overrides=columns).select(*columns)
        return table.with_columns(pl.col(pl.String).map_elements(csv_value, return_dtype=pl.String))
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).splitlines()[0]
        expected = ", ".join(columns)
        raise UserError(
            f"{path}: {reason}; expected the columns {expected}. Delete it and run snakemake again"
        ) from None
