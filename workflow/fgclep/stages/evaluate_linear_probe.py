"""Evaluate frozen ECG features: linear probes on shares of the training records, few-shot, and on another database."""

import argparse
import logging
from itertools import permutations
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from fgclep.config.evaluation import ProbeSettings
from fgclep.evaluation.linear_probe import Probe, choose_probe, draw_records, draw_shots, fit_probes, middle_of
from fgclep.evaluation.metrics import best_thresholds, evaluate
from fgclep.evaluation.metrics_csv import metric_rows, write_metrics
from fgclep.evaluation.scores import score_table
from fgclep.evaluation.shared_classes import shared_classes
from fgclep.evaluation.task_records import TaskRecords, splits_of_tasks, task_records
from fgclep.evaluation.tasks import Task, load_task
from fgclep.keys import KEY
from fgclep.language.vocabulary import Vocabulary, load_vocabulary
from fgclep.progress import progress
from fgclep.schemas.class_scores import CLASS_SCORES
from fgclep.schemas.embeddings import EMBEDDINGS
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import read_table, table_writer

LOG = logging.getLogger(__name__)
COLUMNS = [*KEY, "patient_id", "split", "codes", "features"]
Rows = list[dict[str, object]]


class Fitted(NamedTuple):
    """The probes of a task with all training records, one for each C, and the records that they are tried on."""

    task: Task
    probes: list[Probe]
    val: TaskRecords
    test: TaskRecords


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, ProbeSettings)
    parser.add_argument("--model", required=True, help="name of the model in the table")
    parser.add_argument("--task-files", nargs="+", required=True, help="YAML files of the tasks")
    parser.add_argument("--embeddings", nargs="+", required=True, help="for each task the Parquet file of its source")
    parser.add_argument("--splits", nargs="*", default=[], help="Parquet files of the splits that tasks name")
    parser.add_argument("--vocabulary", required=True, help="folder")
    parser.add_argument("--output", required=True, help="CSV file of the metrics")
    parser.add_argument("--scores", required=True, help="Parquet file of the scores of the probes with all records")
    return parser


def draws(settings: ProbeSettings) -> list[tuple[str, float, int]]:
    """Protocol, share of the records or shots per class, and seed of each draw; all records can be drawn in one way."""
    seeds = [settings.seed + k for k in range(settings.seeds)]
    shares = sorted(set(settings.fractions))
    planned = [("linear_probe", share, seed) for share in shares for seed in (seeds if share < 1 else seeds[:1])]
    return planned + [("few_shot", shots, seed) for shots in sorted(set(settings.shots)) for seed in seeds]


def log_unfit(probe: Probe, task: Task) -> None:
    """Name the classes that could not be trained."""
    for columns, remark in (
        (probe.untrained, "no positives or no negatives, so a constant score"),
        (probe.not_converged, "the solver did not converge"),
    ):
        if columns:
            LOG.info("%s: %s", remark, ", ".join(task.class_names[column] for column in columns))


def measured(
    probe: Probe,
    val: tuple[np.ndarray, np.ndarray],
    test: TaskRecords,
    columns: list[int],
    names: list[str],
    settings: ProbeSettings,
) -> tuple[np.ndarray, Rows]:
    """Scores of the test records, and their metrics at the thresholds of the validation records.

    Parameters
    ----------
    probe
        Of some classes.
    val
        Features and labels of these classes.
    test
        Whose ``columns`` are these classes, with their ``names``.
    settings
        Of the metrics.
    """
    scores = probe.scores(test.vectors)
    return scores, evaluate(
        scores,
        test.labels[:, columns],
        test.patients,
        names,
        best_thresholds(probe.scores(val[0]), val[1]),
        settings.bootstrap,
        settings.min_positives,
        settings.seed,
    )


def probe_task(
    model: str, task: Task, records: TaskRecords, settings: ProbeSettings
) -> tuple[Fitted, Rows, list[pa.Table]]:
    """Fit and evaluate the probes of every draw of a task.

    Few-shot does not ask the validation records for C: they would be further shots.

    Returns
    -------
    The probes with all training records, the metrics of every draw, and the scores of a draw of all records.
    """
    train, val, test = (records.of(split) for split in ("train", "val", "test"))
    sizes = [len(part.labels) for part in (train, val, test)]
    LOG.info("%s: %d training, %d validation, %d test records", task.name, *sizes)
    fitted = Fitted(task, fit_probes(train.vectors, train.labels, settings.regularization), val, test)
    rows: Rows = []
    tables = []
    planned = draws(settings)
    for protocol, amount, seed in progress(planned, len(planned), task.name, "probe"):
        is_share = protocol == "linear_probe"
        drawn = draw_records(train.labels, amount, seed) if is_share else draw_shots(train.labels, int(amount), seed)
        LOG.info("%s, %g, seed %d: %d training records", protocol, amount, seed, len(drawn))
        chosen = train.vectors[drawn], train.labels[drawn]
        if not is_share:
            (probe,) = fit_probes(*chosen, [middle_of(settings.regularization)])
        else:
            probes = fitted.probes if amount == 1 else fit_probes(*chosen, settings.regularization)
            probe = choose_probe(probes, val.vectors, val.labels)
        log_unfit(probe, task)
        every = list(range(len(task.classes)))
        scores, found = measured(probe, (val.vectors, val.labels), test, every, task.class_names, settings)
        fraction, setting = (amount, "") if is_share else (0.0, f"{amount:g}")
        rows += metric_rows(found, model, task, protocol, fraction, seed, setting)
        if is_share and amount == 1:
            tables.append(score_table(model, task, protocol, setting, test, scores))
    return fitted, rows, tables


def transfer(model: str, source: Fitted, target: Fitted, vocabulary: Vocabulary, settings: ProbeSettings) -> Rows:
    """Test the probes of one task on another database: on the classes that both tasks have, if these are enough.

    C and the thresholds are chosen on the validation records of the database that the probes are trained on.
    """
    shared = shared_classes(source.task, target.task, vocabulary)
    if source.task.source == target.task.source or len(shared) < settings.transfer_classes:
        return []
    LOG.info("%s to %s: %s", source.task.name, target.task.name, ", ".join(name for _, name in shared))
    columns, target_columns = (
        [one.task.class_names.index(names[side]) for names in shared] for side, one in enumerate((source, target))
    )
    val = source.val.vectors, source.val.labels[:, columns]
    probe = choose_probe([probe.of(columns) for probe in source.probes], *val)
    names = [name for _, name in shared]
    _, found = measured(probe, val, target.test, target_columns, names, settings)
    return metric_rows(found, model, target.task, "transfer", 1.0, settings.seed, source.task.name)


def main(args: argparse.Namespace) -> None:
    """Write the metrics (columns of ``METRICS``) of every draw of every task, and of every task on other databases.

    The scores (schema ``CLASS_SCORES``) are those of the probes with all training records.
    """
    settings: ProbeSettings = args.settings
    vocabulary = load_vocabulary(args.vocabulary)
    splits = splits_of_tasks(args.splits)
    tasks: dict[str, list[Task]] = {}
    for file, path in zip(args.task_files, args.embeddings, strict=True):
        tasks.setdefault(path, []).append(load_task(file))
    rows: Rows = []
    every: list[Fitted] = []
    with table_writer(args.scores, CLASS_SCORES) as write:
        for path, own in tasks.items():
            table = read_table(path, EMBEDDINGS, COLUMNS)
            for task in own:
                records = task_records(table, task, "features", splits)
                fitted, found, tables = probe_task(args.model, task, records, settings)
                every.append(fitted)
                rows += found
                for scored in tables:
                    write(scored)
    for source, target in permutations(every, 2):
        rows += transfer(args.model, source, target, vocabulary, settings)
    write_metrics(rows, args.output)


if __name__ == "__main__":
    run_stage(main, arguments())
