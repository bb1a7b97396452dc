"""Compare the variants of the ablation: means over seeds, intervals, and differences from the config as it is."""

import argparse
import json
from pathlib import Path

from fgclep.config.ablation import REFERENCE
from fgclep.config.evaluation import ComparisonSettings
from fgclep.documents import csv_text
from fgclep.evaluation.ablation import summarize
from fgclep.evaluation.comparison import Resamples
from fgclep.evaluation.scores import read_scores
from fgclep.files import write_text
from fgclep.progress import progress
from fgclep.stage import run_stage, stage_parser


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, ComparisonSettings)
    parser.add_argument("--scores", nargs="+", required=True, help="Parquet files, one for each model")
    parser.add_argument("--runs", type=json.loads, required=True, help="for each model its variant and seed, as JSON")
    parser.add_argument("--output", type=Path, required=True, help="CSV file")
    return parser


def main(args: argparse.Namespace) -> None:
    """Write one row per variant, protocol, setting and task (see ``fgclep.evaluation.ablation.summarize``).

    Scores are read model by model, as those of all do not fit into memory. Raises ``UserError`` if two models were not
    evaluated on the same records.
    """
    settings: ComparisonSettings = args.settings
    drawn, macros = None, {}
    for path in progress(args.scores, len(args.scores), "resamples of the patients", "model"):
        scored = read_scores([path])
        own = {evaluation: found for (_, evaluation), found in scored.items()}
        drawn = drawn or Resamples(own, settings.bootstrap, settings.seed)
        macros[next(iter(scored))[0]] = {
            evaluation: drawn.macro_aurocs(str(path), evaluation, found) for evaluation, found in own.items()
        }
    runs = {model: (variant, seed) for model, (variant, seed) in args.runs.items()}
    rows = summarize(macros, runs, REFERENCE)
    write_text(args.output, csv_text([list(rows[0]), *(list(row.values()) for row in rows)]))


if __name__ == "__main__":
    run_stage(main, arguments())
