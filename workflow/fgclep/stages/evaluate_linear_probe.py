"""Evaluate frozen ECG features on one task: linear probes on shares of the training records, and few-shot."""

import argparse
import logging

import numpy as np

from fgclep.config.evaluation import ProbeSettings
from fgclep.evaluation.linear_probe import Probe, choose_probe, draw_records, draw_shots, fit_probe, middle_of
from fgclep.evaluation.metrics import best_thresholds, evaluate
from fgclep.evaluation.metrics_csv import metric_rows, write_metrics
from fgclep.evaluation.scores import score_table
from fgclep.evaluation.task_records import TaskRecords, splits_of_tasks, task_records
from fgclep.evaluation.tasks import Task, load_task
from fgclep.keys import KEY
from fgclep.progress import progress
from fgclep.schemas.class_scores import CLASS_SCORES
from fgclep.schemas.embeddings import EMBEDDINGS
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import read_table, write_table

LOG = logging.getLogger(__name__)
COLUMNS = [*KEY, "patient_id", "split", "codes", "features"]


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, ProbeSettings)
    parser.add_argument("--model", required=True, help="name of the model in the table")
    parser.add_argument("--task-file", required=True, help="YAML file of the task")
    parser.add_argument("--embeddings", required=True, help="Parquet file of the task's source")
    parser.add_argument("--splits", nargs="*", default=[], help="Parquet file of the split, if the task names one")
    parser.add_argument("--output", required=True, help="CSV file of the metrics")
    parser.add_argument("--scores", required=True, help="Parquet file of the scores of the probe with all records")
    return parser


def draws(settings: ProbeSettings) -> list[tuple[str, float, int]]:
    """Protocol, share of the records or shots per class, and seed of each draw; all records can be drawn in one way."""
    seeds = [settings.seed + k for k in range(settings.seeds)]
    shares = sorted(set(settings.fractions))
    planned = [("linear_probe", share, seed) for share in shares for seed in (seeds if share < 1 else seeds[:1])]
    return planned + [("few_shot", shots, seed) for shots in sorted(set(settings.shots)) for seed in seeds]


def fit(protocol: str, train: TaskRecords, val: TaskRecords, drawn: np.ndarray, regularization: list[float]) -> Probe:
    """Fit to the drawn records; few-shot without asking the validation records for C: they would be further shots."""
    chosen = (train.vectors[drawn], train.labels[drawn])
    if protocol == "few_shot":
        return fit_probe(*chosen, middle_of(regularization))
    return choose_probe(chosen, (val.vectors, val.labels), regularization)


def log_unfit(probe: Probe, task: Task) -> None:
    """Name the classes that could not be trained."""
    for columns, remark in (
        (probe.untrained, "no positives or no negatives, so a constant score"),
        (probe.not_converged, "the solver did not converge"),
    ):
        if columns:
            LOG.info("%s: %s", remark, ", ".join(task.class_names[column] for column in columns))


def main(args: argparse.Namespace) -> None:
    """Write the metrics of every draw (columns of ``METRICS``) and the scores of the last with all training records."""
    settings: ProbeSettings = args.settings
    task = load_task(args.task_file)
    table = read_table(args.embeddings, EMBEDDINGS, COLUMNS)
    records = task_records(table, task, "features", splits_of_tasks(args.splits))
    train, val, test = (records.of(split) for split in ("train", "val", "test"))
    sizes = [len(part.labels) for part in (train, val, test)]
    LOG.info("%s: %d training, %d validation, %d test records", task.name, *sizes)
    rows, tables = [], []
    planned = draws(settings)
    for protocol, amount, seed in progress(planned, len(planned), task.name, "probe"):
        is_share = protocol == "linear_probe"
        drawn = draw_records(train.labels, amount, seed) if is_share else draw_shots(train.labels, int(amount), seed)
        LOG.info("%s, %g, seed %d: %d training records", protocol, amount, seed, len(drawn))
        probe = fit(protocol, train, val, drawn, settings.regularization)
        log_unfit(probe, task)
        scores = probe.scores(test.vectors)
        measured = evaluate(
            scores,
            test.labels,
            test.patients,
            task.class_names,
            best_thresholds(probe.scores(val.vectors), val.labels),
            settings.bootstrap,
            settings.min_positives,
            settings.seed,
        )
        fraction, setting = (amount, "") if is_share else (0.0, f"{amount:g}")
        rows += metric_rows(measured, args.model, task, protocol, fraction, seed, setting)
        if is_share and amount == 1:
            tables.append(score_table(args.model, task, protocol, setting, test, scores))
    write_metrics(rows, args.output)
    write_table(tables[0] if tables else [], args.scores, CLASS_SCORES)


if __name__ == "__main__":
    run_stage(main, arguments())
