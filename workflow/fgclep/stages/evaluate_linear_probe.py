"""Evaluate frozen ECG features on one task with a linear probe, trained on shares of the training records."""

import argparse
import logging

from fgclep.evaluation.linear_probe import choose_probe, draw_records
from fgclep.evaluation.metrics import evaluate
from fgclep.evaluation.records import splits_of_tasks, task_records
from fgclep.evaluation.table import metric_rows, write_metrics
from fgclep.evaluation.tasks import load_task
from fgclep.schemas import EMBEDDINGS, read_table
from fgclep.stage import progress, run_stage, stage_parser

logger = logging.getLogger(__name__)


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--model", required=True, help="name of the model in the table")
    parser.add_argument("--task-file", required=True, help="YAML file of the task")
    parser.add_argument("--embeddings", required=True, help="Parquet file of the task's source")
    parser.add_argument("--splits", nargs="*", default=[], help="Parquet file of the split, if the task names one")
    parser.add_argument("--output", required=True, help="CSV file")
    return parser


def draws(fractions: list[float], seeds: int, seed: int) -> list[tuple[float, int]]:
    """Fractions and seeds of the draws to make: all records can be drawn in one way only."""
    return [(share, seed + k) for share in sorted(set(fractions)) for k in range(seeds if share < 1 else 1)]


def main(args: argparse.Namespace) -> None:
    """Write the metrics of every draw (columns of ``METRICS``)."""
    settings = args.settings
    task = load_task(args.task_file)
    records = task_records(read_table(args.embeddings, EMBEDDINGS), task, "features", splits_of_tasks(args.splits))
    train, val, test = (records.of(split) for split in ("train", "val", "test"))
    sizes = [len(part.labels) for part in (train, val, test)]
    logger.info("%s: %d training, %d validation, %d test records", task.name, *sizes)
    planned = draws(settings["fractions"], settings["seeds"], settings["seed"])
    rows = []
    for fraction, seed in progress(planned, len(planned), task.name, "probe"):
        drawn = draw_records(train.labels, fraction, seed)
        logger.info("fraction %g, seed %d: %d training records", fraction, seed, len(drawn))
        probe = choose_probe(
            (train.vectors[drawn], train.labels[drawn]), (val.vectors, val.labels), settings["regularization"]
        )
        for columns, remark in (
            (probe.untrained, "no positives or no negatives, so a constant score"),
            (probe.not_converged, "the solver did not converge"),
        ):
            if columns:
                logger.info("%s: %s", remark, ", ".join(task.class_names[column] for column in columns))
        measured = evaluate(
            probe.scores(test.vectors),
            test.labels,
            test.patients,
            task.class_names,
            settings["bootstrap"],
            settings["min_positives"],
            settings["seed"],
        )
        rows += metric_rows(measured, args.model, task, "linear_probe", fraction, seed)
    write_metrics(rows, args.output)


if __name__ == "__main__":
    run_stage(main, arguments())
