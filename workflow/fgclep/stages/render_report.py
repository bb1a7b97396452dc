"""Write the report of a run: one HTML file that needs no network."""

import argparse
import importlib.metadata
import json
import platform
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from fgclep.config.yaml_text import mapping
from fgclep.files import write_text
from fgclep.report import recovery
from fgclep.report.evidence import explain, intervals, without_decision
from fgclep.report.render import render
from fgclep.report.strips import ecg_strip
from fgclep.report.tables import millivolts, rows_of, scan
from fgclep.schemas import (
    AUDIT,
    CANDIDATES,
    MANIFEST,
    MEASUREMENTS,
    METRICS,
    QUARANTINE,
    REPORTS,
    SHARD,
    TEXTS,
    read_table,
)
from fgclep.stage import UserError, run_stage, stage_parser
from fgclep.vocabulary import Vocabulary, load_vocabulary

PACKAGES = (
    "fgclep",
    "torch",
    "transformers",
    "numpy",
    "scipy",
    "scikit-learn",
    "polars",
    "pyarrow",
    "neurokit2",
    "wfdb",
    "snakemake",
)
TRAINING_COLUMNS = {
    "name": pl.String,
    "epoch": pl.Int64,
    "train_loss": pl.Float64,
    "validation_loss": pl.Float64,
    "validation_recall": pl.Float64,
    "temperature": pl.Float64,
    "bias": pl.Float64,
    "selected": pl.Int64,
}
ABLATION_COLUMNS: dict[str, type[pl.DataType]] = {
    **dict.fromkeys(("variant", "protocol", "task"), pl.String),
    "seeds": pl.Int64,
    **dict.fromkeys(("mean", "ci_low", "ci_high", "difference", "difference_low", "difference_high"), pl.Float64),
}


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--quarantine", type=Path, required=True)
    parser.add_argument("--manifests", type=Path, nargs="+", required=True)
    parser.add_argument("--shards", type=Path, nargs="+", required=True)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--reports", type=Path, required=True, help="text ids per record before the recovery")
    parser.add_argument("--fine-reports", type=Path, required=True, help="text ids per record with accepted features")
    parser.add_argument("--candidates", type=Path, required=True)
    parser.add_argument("--audit", type=Path, required=True)
    parser.add_argument("--measurements", type=Path, nargs="+", required=True)
    parser.add_argument("--similarity-summary", type=Path, required=True)
    parser.add_argument("--training", type=Path, nargs="+", required=True, help="training.csv of the models")
    parser.add_argument("--config-json", type=json.loads, required=True, help="the whole config, as JSON")
    parser.add_argument("--vocabulary", type=Path, required=True)
    parser.add_argument("--ablation", type=Path, help="table of the ablation, if it has been run")
    parser.add_argument("--output", type=Path, required=True)
    return parser


def read_metrics(path: Path) -> pl.DataFrame:
    """Read ``metrics.csv`` with the types of its schema."""
    kinds: dict[Any, type[pl.DataType]] = {pa.string(): pl.String, pa.int64(): pl.Int64, pa.float64(): pl.Float64}
    return read_csv(path, {field.name: kinds[field.type] for field in METRICS})


def read_csv(path: Path, columns: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    """Read a CSV file that has at least ``columns``.

    Raises ``UserError`` naming the file and the column or the value that is wrong.
    """
    try:
        return pl.read_csv(path, schema_overrides=columns).select(*columns)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).splitlines()[0]
        expected = ", ".join(columns)
        raise UserError(
            f"{path}: {reason}; expected the columns {expected}. Delete it and run snakemake again"
        ) from None


def example(
    row: dict[str, Any],
    report: list[str],
    measures: dict[str, Any],
    candidates: list[dict[str, Any]],
    vocabulary: Vocabulary,
) -> dict[str, Any]:
    """Return what the report shows of one ECG, a row of a shard."""
    label = f"12-lead ECG of record {row['record_id']} of {row['source']}. Report: {'; '.join(report)}"
    # a feature that several statements suggest is shown once for each decision
    together: dict[tuple[str, bool, str], list[dict[str, Any]]] = {}
    for candidate in candidates:
        together.setdefault((candidate["feature"], candidate["accepted"], candidate["reason"]), []).append(candidate)
    groups: dict[bool, list[dict[str, str]]] = {True: [], False: []}
    for (name, accepted, reason), rows in sorted(together.items()):
        feature = vocabulary.features.get(name)
        statements = sorted({candidate["statement"] for candidate in rows})
        groups[accepted].append(
            {
                "name": feature.text if feature else name,
                "reason": without_decision(reason),
                "why": explain(rows[0], statements, feature.rule if feature else None, measures),
            }
        )
    return {
        **{key: row[key] for key in ("source", "record_id", "age", "sex", "flags")},
        "report": report,
        "intervals": intervals(measures),
        "intervals_from": measures.get("intervals_from"),
        "accepted": groups[True],
        "rejected": groups[False],
        "strip": ecg_strip(millivolts(row), row["sampling_rate"], label),
    }


def examples(
    audit: pl.LazyFrame,
    manifest: pl.LazyFrame,
    shards: pl.LazyFrame,
    measurements: pl.LazyFrame,
    vocabulary: Vocabulary,
    count: int,
) -> list[dict[str, Any]]:
    """Choose ECGs and gather what the report shows of them."""
    keys = recovery.choose_records(audit, shards, count)
    waveforms, written, measured, audited = (rows_of(table, keys) for table in (shards, manifest, measurements, audit))
    return [
        example(waveforms[key][0], written[key][0]["report"], (measured[key] or [{}])[0], audited[key], vocabulary)
        for key in keys
    ]


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that matter for the numbers."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def main(args: argparse.Namespace) -> None:
    """Write the report, atomically."""
    vocabulary = load_vocabulary(args.vocabulary)
    manifest, shards = scan(args.manifests, MANIFEST), scan(args.shards, SHARD)
    audit = recovery.with_outcome(scan([args.audit], AUDIT))
    measurements = scan(args.measurements, MEASUREMENTS)
    shown = examples(audit, manifest, shards, measurements, vocabulary, args.settings["strips"])
    html = render(
        metrics_table=read_metrics(args.metrics),
        manifest=manifest,
        shards=shards,
        quarantine=pl.DataFrame(read_table(args.quarantine, QUARANTINE)),
        texts=pl.DataFrame(read_table(args.texts, TEXTS)),
        reports=scan([args.reports], REPORTS),
        fine_reports=scan([args.fine_reports], REPORTS),
        candidates=pl.DataFrame(read_table(args.candidates, CANDIDATES)),
        audit=audit,
        examples=shown,
        similarity=json.loads(args.similarity_summary.read_text(encoding="utf-8")),
        training=pl.concat([read_csv(path, TRAINING_COLUMNS) for path in args.training]),
        config=args.config_json,
        config_yaml=mapping(args.config_json, indent=""),
        vocabulary=vocabulary,
        versions=versions(),
        decisions=args.settings["examples"],
        ablation=read_csv(args.ablation, ABLATION_COLUMNS).to_dicts() if args.ablation else (),
    )
    write_text(args.output, html)


if __name__ == "__main__":
    run_stage(main, arguments())
