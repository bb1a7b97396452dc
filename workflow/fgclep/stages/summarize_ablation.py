"""Compare the variants of the ablation: means over seeds, intervals, and differences from the config as it is."""

import argparse
import csv
import io
import json
from pathlib import Path

from fgclep.config.ablation import REFERENCE
from fgclep.evaluation.ablation import summarize
from fgclep.evaluation.metrics_csv import read_metrics
from fgclep.files import write_text
from fgclep.stage import run_stage, stage_parser


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--metrics", nargs="+", required=True, help="CSV files of the models")
    parser.add_argument("--runs", type=json.loads, required=True, help="for each model its variant and seed, as JSON")
    parser.add_argument("--output", type=Path, required=True, help="CSV file")
    return parser


def main(args: argparse.Namespace) -> None:
    """Write one row per variant, protocol and task (see ``fgclep.evaluation.ablation.summarize``)."""
    metrics = [row for path in args.metrics for row in read_metrics(path)]
    rows = summarize(metrics, {model: (variant, seed) for model, (variant, seed) in args.runs.items()}, REFERENCE)
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(args.output, table.getvalue())


if __name__ == "__main__":
    run_stage(main, arguments())
