"""Join the metrics of all models, tasks and protocols in one table."""

import argparse

from fgclep.evaluation.metrics_csv import collect, read_metrics, write_metrics
from fgclep.stage import run_stage, stage_parser


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--inputs", nargs="+", required=True, help="CSV files of the evaluations")
    parser.add_argument("--output", required=True, help="CSV file")
    return parser


def main(args: argparse.Namespace) -> None:
    """Write the rows of all inputs in one order, whatever that of the inputs."""
    write_metrics(collect(read_metrics(path) for path in args.inputs), args.output)


if __name__ == "__main__":
    run_stage(main, arguments())
