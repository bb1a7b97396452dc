"""Evaluate a model of the ablation: zero-shot and by linear probes with all training records, on every task."""

import argparse

import pyarrow as pa
import pyarrow.compute as pc
import torch

from fgclep.config.evaluation import VariantSettings
from fgclep.device import choose_device
from fgclep.evaluation.embedding import embed_records
from fgclep.evaluation.linear_probe import choose_probe
from fgclep.evaluation.metrics import best_thresholds, evaluate
from fgclep.evaluation.metrics_csv import metric_rows, write_metrics
from fgclep.evaluation.prompts import read_prompts
from fgclep.evaluation.task_records import splits_of_tasks, task_records
from fgclep.evaluation.tasks import load_task
from fgclep.evaluation.zero_shot import score_classes
from fgclep.models.fgclep import FGCLEP
from fgclep.stage import run_stage, stage_parser


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, VariantSettings)
    parser.add_argument("--model", required=True, help="name of the model in the table")
    parser.add_argument("--model-dir", required=True, help="folder of the model")
    parser.add_argument("--task-files", nargs="+", required=True, help="YAML files of the tasks")
    parser.add_argument("--shards", nargs="+", required=True, help="of the sources of all tasks")
    parser.add_argument("--splits", nargs="*", default=[], help="Parquet files of the splits that tasks name")
    parser.add_argument("--prompts", required=True, help="Parquet file of the prompts")
    parser.add_argument("--output", required=True, help="CSV file")
    return parser


@torch.inference_mode()
def main(args: argparse.Namespace) -> None:
    """Write the metrics (columns of ``METRICS``), without intervals over patients: those over seeds come later."""
    settings: VariantSettings = args.settings
    torch.set_num_threads(settings.threads)
    device = choose_device(settings.device)
    model = FGCLEP.from_pretrained(args.model_dir).to(device)  # type: ignore[arg-type]
    table = pa.concat_tables(embed_records(model, args.shards, settings, device, "ECGs"))
    column = "patches" if model.align.by_patch else "embedding"
    splits = splits_of_tasks(args.splits)
    prompts = read_prompts(args.prompts)
    rows = []
    for task in map(load_task, args.task_files):
        own = table.filter(pc.equal(table["source"], task.source))
        embedded, features = (task_records(own, task, name, splits) for name in (column, "features"))
        train, val, test = (features.of(split) for split in ("train", "val", "test"))
        probe = choose_probe((train.vectors, train.labels), (val.vectors, val.labels), settings.regularization)
        classes = prompts[task.name, settings.prompts]
        asked = embedded.of(settings.zero_shot_split)
        by_prompt, val_by_prompt = (
            score_classes(model.score, part.vectors, classes) for part in (asked, embedded.of("val"))
        )
        chosen = None if settings.zero_shot_split == "all" else best_thresholds(val_by_prompt, val.labels)
        probe_chosen = best_thresholds(probe.scores(val.vectors), val.labels)
        for protocol, setting, fraction, records, scores, thresholds in (
            ("zero_shot", settings.prompts, 0.0, asked, by_prompt, chosen),
            ("linear_probe", "", 1.0, test, probe.scores(test.vectors), probe_chosen),
        ):
            measured = evaluate(
                scores,
                records.labels,
                records.patients,
                task.class_names,
                thresholds,
                resamples=0,
                min_positives=settings.min_positives,
            )
            rows += metric_rows(measured, args.model, task, protocol, fraction, settings.seed, setting)
    write_metrics(rows, args.output)


if __name__ == "__main__":
    run_stage(main, arguments())
