"""Evaluate a model on tasks without training on their labels, with plain prompts and with the lead ensemble."""

import argparse
import logging

import torch

from fgclep.evaluation.metrics import evaluate
from fgclep.evaluation.records import splits_of_tasks, task_records
from fgclep.evaluation.table import metric_rows, write_metrics
from fgclep.evaluation.tasks import load_task
from fgclep.evaluation.zero_shot import score_classes
from fgclep.models.fgclep import FGCLEP
from fgclep.schemas import EMBEDDINGS, read_table
from fgclep.stage import progress, run_stage, stage_parser

logger = logging.getLogger(__name__)
PROTOCOLS = {"zero_shot": False, "zero_shot_leads": True}  # protocol -> whether each lead is asked for


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--model", required=True, help="name of the model in the table")
    parser.add_argument("--model-dir", required=True, help="folder of the model")
    parser.add_argument("--task-files", nargs="+", required=True, help="YAML files of the tasks")
    parser.add_argument("--embeddings", nargs="+", required=True, help="for each task the Parquet file of its source")
    parser.add_argument("--splits", nargs="*", default=[], help="Parquet files of the splits that tasks name")
    parser.add_argument("--output", required=True, help="CSV file")
    return parser


def main(args: argparse.Namespace) -> None:
    """Write the metrics of both protocols (columns of ``METRICS``)."""
    settings = args.settings
    torch.set_num_threads(1)  # prompts are few and short; the logits must not depend on the number of cores
    model = FGCLEP.from_pretrained(args.model_dir)
    column = "patches" if model.align.by_patch else "embedding"
    splits = splits_of_tasks(args.splits)
    rows = []
    pairs = list(zip(args.task_files, args.embeddings, strict=True))
    for task_file, embeddings in progress(pairs, len(pairs), "zero-shot", "task"):
        task = load_task(task_file)
        table = read_table(embeddings, EMBEDDINGS, [name for name in EMBEDDINGS.names if name != "features"])
        records = task_records(table, task, column, splits).of(settings["zero_shot_split"])
        logger.info("%s: %d records in the split %s", task.name, len(records.labels), settings["zero_shot_split"])
        for protocol, leads in PROTOCOLS.items():
            scores = score_classes(model.score, records.vectors, task.classes, leads, settings["batch_size"])
            measured = evaluate(
                scores,
                records.labels,
                records.patients,
                task.class_names,
                settings["bootstrap"],
                settings["min_positives"],
                settings["seed"],
            )
            rows += metric_rows(measured, args.model, task, protocol, 0.0, settings["seed"])
    write_metrics(rows, args.output)


if __name__ == "__main__":
    run_stage(main, arguments())
