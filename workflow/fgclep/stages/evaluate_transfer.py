"""Train a linear probe on one database and test it on another: on the classes that their tasks share."""

import argparse
import logging
from itertools import permutations

from fgclep.config.evaluation import TransferSettings
from fgclep.evaluation.linear_probe import choose_probe
from fgclep.evaluation.metrics import best_thresholds, evaluate
from fgclep.evaluation.metrics_csv import metric_rows, write_metrics
from fgclep.evaluation.shared_classes import shared_classes
from fgclep.evaluation.task_records import splits_of_tasks, task_records
from fgclep.evaluation.tasks import load_task
from fgclep.keys import KEY
from fgclep.language.vocabulary import load_vocabulary
from fgclep.progress import progress
from fgclep.schemas.embeddings import EMBEDDINGS
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import read_table

LOG = logging.getLogger(__name__)
COLUMNS = [*KEY, "patient_id", "split", "codes", "features"]


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, TransferSettings)
    parser.add_argument("--model", required=True, help="name of the model in the table")
    parser.add_argument("--task-files", nargs="+", required=True, help="YAML files of the tasks")
    parser.add_argument("--embeddings", nargs="+", required=True, help="for each task the Parquet file of its source")
    parser.add_argument("--splits", nargs="*", default=[], help="Parquet files of the splits that tasks name")
    parser.add_argument("--vocabulary", required=True, help="folder")
    parser.add_argument("--output", required=True, help="CSV file")
    return parser


def main(args: argparse.Namespace) -> None:
    """Write the metrics (columns of ``METRICS``) of every two tasks of different sources that share enough classes.

    C and the thresholds are chosen on the validation records of the database that the probe is trained on.
    """
    settings: TransferSettings = args.settings
    vocabulary = load_vocabulary(args.vocabulary)
    splits = splits_of_tasks(args.splits)
    tables = dict(zip(args.task_files, args.embeddings, strict=True))
    tasks = {path: load_task(path) for path in args.task_files}
    pairs = [
        (one, other, shared)
        for one, other in permutations(args.task_files, 2)
        if tasks[one].source != tasks[other].source
        and len(shared := shared_classes(tasks[one], tasks[other], vocabulary)) >= settings.transfer_classes
    ]
    rows = []
    for one, other, shared in progress(pairs, len(pairs), "transfer", "probe"):
        source, target = tasks[one], tasks[other]
        LOG.info("%s to %s: %s", source.name, target.name, ", ".join(name for _, name in shared))
        trained, tested = (
            task_records(read_table(tables[path], EMBEDDINGS, COLUMNS), tasks[path], "features", splits)
            for path in (one, other)
        )
        columns, target_columns = (
            [task.class_names.index(names[side]) for names in shared] for side, task in enumerate((source, target))
        )
        train, val, test = trained.of("train"), trained.of("val"), tested.of("test")
        val_labels, test_labels = val.labels[:, columns], test.labels[:, target_columns]
        probe = choose_probe(
            (train.vectors, train.labels[:, columns]), (val.vectors, val_labels), settings.regularization
        )
        measured = evaluate(
            probe.scores(test.vectors),
            test_labels,
            test.patients,
            [name for _, name in shared],
            best_thresholds(probe.scores(val.vectors), val_labels),
            settings.bootstrap,
            settings.min_positives,
            settings.seed,
        )
        rows += metric_rows(measured, args.model, target, "transfer", 1.0, settings.seed, source.name)
    write_metrics(rows, args.output)


if __name__ == "__main__":
    run_stage(main, arguments())
