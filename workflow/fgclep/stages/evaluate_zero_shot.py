"""Evaluate a model on tasks without training on their labels, by sets of prompts, with and without lead ensemble."""

import argparse
import logging
from itertools import product

import torch

from fgclep.config.evaluation import ZeroShotSettings
from fgclep.evaluation.metrics import best_thresholds, evaluate
from fgclep.evaluation.metrics_csv import metric_rows, write_metrics
from fgclep.evaluation.prompts import COMBINED, read_prompts, worded
from fgclep.evaluation.scores import score_table
from fgclep.evaluation.task_records import splits_of_tasks, task_records
from fgclep.evaluation.tasks import load_task
from fgclep.evaluation.text_scores import scoring
from fgclep.evaluation.zero_shot import score_sets
from fgclep.models.fgclep import FGCLEP
from fgclep.progress import progress
from fgclep.schemas.class_scores import CLASS_SCORES
from fgclep.schemas.embeddings import EMBEDDINGS
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import read_table, table_writer

LOG = logging.getLogger(__name__)
PROTOCOLS = {"zero_shot": False, "zero_shot_leads": True}  # protocol -> whether each lead is asked for


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, ZeroShotSettings)
    parser.add_argument("--model", required=True, help="name of the model in the table")
    parser.add_argument("--model-dir", required=True, help="folder of the model")
    parser.add_argument("--task-files", nargs="+", required=True, help="YAML files of the tasks")
    parser.add_argument("--embeddings", nargs="+", required=True, help="for each task the Parquet file of its source")
    parser.add_argument("--splits", nargs="*", default=[], help="Parquet files of the splits that tasks name")
    parser.add_argument("--prompts", required=True, help="Parquet file of the prompts")
    parser.add_argument("--output", required=True, help="CSV file of the metrics")
    parser.add_argument("--scores", required=True, help="Parquet file of the records' scores")
    return parser


def main(args: argparse.Namespace) -> None:
    """Write metrics (columns of ``METRICS``) and scores (schema ``CLASS_SCORES``) of every set, by both protocols.

    F1 has a threshold chosen on the validation records, and no value if all records are scored, these among them.
    """
    settings: ZeroShotSettings = args.settings
    torch.set_num_threads(1)  # prompts are few and short; the logits must not depend on the number of cores
    model = FGCLEP.from_pretrained(args.model_dir)
    column = "patches" if model.align.by_patch else "embedding"
    score = scoring(model)
    splits = splits_of_tasks(args.splits)
    prompts = read_prompts(args.prompts)
    rows = []
    pairs = list(zip(args.task_files, args.embeddings, strict=True))
    with table_writer(args.scores, CLASS_SCORES) as write:
        for task_file, embeddings in progress(pairs, len(pairs), "zero-shot", "task"):
            task = load_task(task_file)
            table = read_table(embeddings, EMBEDDINGS, [name for name in EMBEDDINGS.names if name != "features"])
            every = task_records(table, task, column, splits)
            records, val = every.of(settings.zero_shot_split), every.of("val")
            LOG.info("%s: %d records in the split %s", task.name, len(records.ids), settings.zero_shot_split)
            words = {kind: prompts[task.name, kind] for kind in worded(settings.prompts)}
            groups = [records.vectors, val.vectors]
            asked = {
                protocol: score_sets(score, groups, words, settings.prompts, leads, settings.batch_size)
                for protocol, leads in PROTOCOLS.items()
            }
            for kind, protocol in product(settings.prompts, PROTOCOLS):
                scores, val_scores = asked[protocol][kind]
                measured = evaluate(
                    scores,
                    records.labels,
                    records.patients,
                    task.class_names,
                    None if settings.zero_shot_split == "all" else best_thresholds(val_scores, val.labels),
                    settings.bootstrap,
                    settings.min_positives,
                    settings.seed,
                    logits=kind not in COMBINED,
                )
                rows += metric_rows(measured, args.model, task, protocol, 0.0, settings.seed, kind)
                write(score_table(args.model, task, protocol, kind, records, scores))
    write_metrics(rows, args.output)


if __name__ == "__main__":
    run_stage(main, arguments())
