"""Evaluate a model of the ablation: zero-shot and by linear probes with all training records, on every task."""

import argparse

import pyarrow as pa
import pyarrow.compute as pc
import torch

from fgclep.config.evaluation import VariantSettings
from fgclep.device import choose_device
from fgclep.evaluation.embedding import embed_records
from fgclep.evaluation.linear_probe import choose_probe, fit_probes
from fgclep.evaluation.prompts import read_prompts, worded
from fgclep.evaluation.scores import score_table
from fgclep.evaluation.task_records import splits_of_tasks, task_records
from fgclep.evaluation.tasks import load_task
from fgclep.evaluation.text_scores import scoring
from fgclep.evaluation.zero_shot import score_sets
from fgclep.models.fgclep import FGCLEP
from fgclep.schemas.class_scores import CLASS_SCORES
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import table_writer


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, VariantSettings)
    parser.add_argument("--model", required=True, help="name of the model in the table")
    parser.add_argument("--model-dir", required=True, help="folder of the model")
    parser.add_argument("--task-files", nargs="+", required=True, help="YAML files of the tasks")
    parser.add_argument("--shards", nargs="+", required=True, help="of the sources of all tasks")
    parser.add_argument("--splits", nargs="*", default=[], help="Parquet files of the splits that tasks name")
    parser.add_argument("--prompts", required=True, help="Parquet file of the prompts")
    parser.add_argument("--output", required=True, help="Parquet file")
    return parser


@torch.inference_mode()
def main(args: argparse.Namespace) -> None:
    """Write what the model scores on the test records of every task (schema ``CLASS_SCORES``)."""
    settings: VariantSettings = args.settings
    torch.set_num_threads(settings.threads)
    device = choose_device(settings.device)
    model = FGCLEP.from_pretrained(args.model_dir).to(device)
    table = pa.concat_tables(embed_records(model, args.shards, settings, device, "ECGs"))
    column = "patches" if model.align.by_patch else "embedding"
    score = scoring(model)
    splits = splits_of_tasks(args.splits)
    prompts = read_prompts(args.prompts)
    with table_writer(args.output, CLASS_SCORES) as write:
        for task in map(load_task, args.task_files):
            own = table.filter(pc.equal(table["source"], task.source))
            embedded, features = (task_records(own, task, name, splits) for name in (column, "features"))
            asked = embedded.of(settings.zero_shot_split)
            words = {kind: prompts[task.name, kind] for kind in worded(settings.prompts)}
            for kind, (scores,) in score_sets(score, [asked.vectors], words, settings.prompts).items():
                write(score_table(args.model, task, "zero_shot", kind, asked, scores))
            train, val, test = (features.of(split) for split in ("train", "val", "test"))
            probes = fit_probes(train.vectors, train.labels, settings.regularization)
            probe = choose_probe(probes, val.vectors, val.labels)
            write(score_table(args.model, task, "linear_probe", "", test, probe.scores(test.vectors)))


if __name__ == "__main__":
    run_stage(main, arguments())
