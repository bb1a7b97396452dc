"""Compare every two models on the same test records by a paired bootstrap."""

import argparse

from fgclep.config.evaluation import ComparisonSettings
from fgclep.evaluation.comparison import compare
from fgclep.evaluation.metrics_csv import write_comparisons
from fgclep.evaluation.scores import read_scores
from fgclep.stage import run_stage, stage_parser


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, ComparisonSettings)
    parser.add_argument("--scores", nargs="+", required=True, help="Parquet files of the evaluations")
    parser.add_argument("--output", required=True, help="CSV file")
    return parser


def main(args: argparse.Namespace) -> None:
    """Write the differences (columns of ``COMPARISONS``)."""
    settings: ComparisonSettings = args.settings
    write_comparisons(compare(read_scores(args.scores), settings.bootstrap, settings.seed), args.output)


if __name__ == "__main__":
    run_stage(main, arguments())
