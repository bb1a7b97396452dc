"""A linear probe from shards to the fitted classifier: this package beside the way of published systems.

Both start from the same shards, have the same frozen encoder, the same training and validation records of PTB-XL and
all cores, and are scored by the macro AUROC on the validation records.

published  a new linear layer, 100 epochs of Adam (binary cross-entropy, learning rate 0.001 falling along a cosine,
           weight decay 0.0001, batches of 16), with a forward pass through the encoder for every batch of every epoch;
           scored after every epoch, and the best epoch counts: MERL's finetune/main_single.py with its
           sub_script/*.sh, at commit 7a931db
ours       features of all records once (fgclep.evaluation.embedding), then L2 logistic regressions to convergence,
           with C chosen on the validation records (fgclep.evaluation.linear_probe)

The baseline is faster and better than that script: signals are read and prepared once and kept in memory, the encoder
runs without gradients and with fixed batch normalization, and the learning rate does not fall to a tenth after 40
batches. Training records are those of PTB-XL's folds 1 to 8, validation records those of 9 and 10. Without --model the
encoders are ResNet18 of width 64, the published size, and of width 16, the workflow's default, with random weights; the
statistics of their batch normalization are those of the training records.

Ours comes first, so that it pays for what is set up once. Threads wait for each other without spinning, as other work
on the machine would otherwise slow the many small steps of the baseline tenfold.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before PyTorch is loaded

from ecgs import ROOT, ecgs, machine, parser  # isort: skip (puts the package on the path)

import numpy as np
import pyarrow as pa
import torch
from torch import nn
from torch.nn import functional as F
from transformers.utils import logging

from fgclep.config.evaluation import EvaluationSection
from fgclep.config.inference import EmbeddingSettings
from fgclep.config.pretraining import EcgEncoderSection, PretrainingSection
from fgclep.config.quality import QualitySection
from fgclep.config.signal import SignalSection
from fgclep.evaluation.embedding import embed_records
from fgclep.evaluation.linear_probe import choose_probe, fit_probes
from fgclep.evaluation.metrics import macro_auroc
from fgclep.evaluation.task_records import task_records
from fgclep.evaluation.tasks import Task, load_task
from fgclep.models.fgclep import FGCLEP
from fgclep.recordings.wfdb_file import read_record
from fgclep.schemas.embeddings import EMBEDDINGS
from fgclep.schemas.shards import SHARD
from fgclep.signals.loader import SignalStore
from fgclep.signals.quality import usable_record
from fgclep.sources import get_source
from fgclep.sources.ptb_xl import DATABASE
from fgclep.stages.build_shards import ROWS_PER_GROUP, shard_row
from fgclep.stages.embed_ecgs import random_model
from fgclep.tables import read_table, table_writer

WEIGHT_DECAY = 1e-4
MEMORY_MB = 2000
SPLITS = {"train": "train", "val": "val", "test": "val"}  # no test is needed here


def write_shard(folder: Path, task: Task, count: int, path: Path) -> None:
    """Write a shard of the records that belong to the task, out of the first ``count``."""
    source = get_source("ptb-xl")
    records = source.records(folder, set()).sort("record_id")
    rows = []
    quality = QualitySection()
    for entry in records.head(count).to_dicts():
        if task.labels([entry["codes"]]).any():
            record = usable_record(read_record(folder / entry["path"]), quality, source.gain, source.sampling_rate)
            rows.append(shard_row({"source": "ptb-xl", **entry, "split": SPLITS[entry["split"]]}, record))
    with table_writer(path, SHARD) as write:
        for start in range(0, len(rows), ROWS_PER_GROUP):
            write(rows[start : start + ROWS_PER_GROUP])


def settings_of(width: int = 16, signal: SignalSection | None = None) -> EmbeddingSettings:
    """Settings of an encoder with random weights, and of any encoder's use."""
    section, workers = PretrainingSection(ecg_encoder=EcgEncoderSection(width=width)), len(os.sched_getaffinity(0))
    return EmbeddingSettings.of(section, random=True, seed=0, workers=workers, signal=signal or SignalSection())


@torch.no_grad()
def write_random_model(folder: Path, shard: Path, width: int) -> None:
    """Write a model with random weights; without statistics of the signals its features would all but vanish."""
    settings = settings_of(width)
    model = random_model(settings)
    store = SignalStore([shard], settings.signal, MEMORY_MB)
    in_training = np.array(store.keys["split"].to_pylist()) == "train"
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # the mean over all batches
    model.ecg_encoder.train()
    for places, signals in store.in_order(settings.batch_size):
        model.ecg_patches(signals[torch.from_numpy(in_training[places])])
    model.eval().save_pretrained(folder)


def published(shard: Path, task: Task, model: FGCLEP, settings: EmbeddingSettings, args: Any) -> float:
    """Train a linear layer for ``args.epochs`` through the frozen encoder; return its best AUROC."""
    torch.manual_seed(0)
    store = SignalStore([shard], settings.signal, MEMORY_MB, workers=settings.workers)
    signals = torch.cat([batch for _, batch in store.in_order(settings.batch_size)])
    codes = read_table(shard, SHARD, ["codes"])["codes"].to_pylist()
    labels = torch.from_numpy(task.labels(codes)).float()
    split = np.array(store.keys["split"].to_pylist())
    train, val = (torch.from_numpy(np.flatnonzero(split == name)) for name in ("train", "val"))
    model.eval().requires_grad_(False)
    size = model.ecg_encoder.output_size
    head = nn.Linear(size, labels.shape[1])
    optimizer = torch.optim.Adam(head.parameters(), args.learning_rate, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.epochs)

    def features(records: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return model.ecg_features(*model.ecg_patches(signals[records]))

    best = 0.0
    for _ in range(args.epochs):
        for batch in train[torch.randperm(len(train))].split(args.batch):
            loss = F.binary_cross_entropy_with_logits(head(features(batch)), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        with torch.no_grad():
            scores = torch.cat([head(features(batch)) for batch in val.split(settings.batch_size)])
        best = max(best, macro_auroc(scores.numpy(), labels[val].numpy().astype(bool)))
    return best


def ours(shard: Path, task: Task, model: FGCLEP, settings: EmbeddingSettings, args: Any) -> float:
    """Fit the probe of this package; return its AUROC."""
    with torch.inference_mode():
        tables = list(embed_records(model, [str(shard)], settings, torch.device("cpu"), task.name))
    records = task_records(pa.concat_tables(tables).cast(EMBEDDINGS), task, "features")
    train, val = records.of("train"), records.of("val")
    probes = fit_probes(train.vectors, train.labels, EvaluationSection().regularization)
    probe = choose_probe(probes, val.vectors, val.labels)
    return macro_auroc(probe.scores(val.vectors), val.labels)


WAYS = {"ours": ours, "published": published}


def measure(way: str, shard: Path, task: Task, folder: Path, args: Any) -> dict[str, float]:
    """Seconds and AUROC of one way; the model is loaded before the clock starts."""
    model = FGCLEP.from_pretrained(folder)
    settings = settings_of(signal=model.signal)
    start, cpu = time.perf_counter(), time.process_time()
    auroc = WAYS[way](shard, task, model, settings, args)
    return {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu, "auroc": auroc}


def compare(encoder: str, shard: Path, task: Task, model: Path, args: Any) -> dict[str, float]:
    """Print two rows of the table; return the ratio of the seconds and the figures behind it."""
    results = {way: measure(way, shard, task, model, args) for way in WAYS}
    labels = {"published": f"{args.epochs} epochs through the encoder", "ours": "features once (ours)"}
    for way, found in results.items():
        print(f"| {encoder} | {labels[way]} | {found['seconds']:.1f} | {found['cpu']:.1f} | {found['auroc']:.4f} |")
    figures = {"ratio": results["published"]["seconds"] / results["ours"]["seconds"]}
    for way, found in results.items():
        figures |= {f"val_auroc_{way}": found["auroc"], f"seconds_{way}": found["seconds"]}
    return figures


def main() -> None:
    """Print a table, and a line of JSON with the ratio of the seconds for the first encoder."""
    options = parser(__doc__)
    options.add_argument("--records", type=int, default=800, help="ECGs of PTB-XL's layout, the first so many")
    options.add_argument("--task", default="ptbxl_super", help="task on PTB-XL")
    options.add_argument("--model", type=Path, help="folder of a trained model, in place of random weights")
    options.add_argument("--widths", type=int, nargs="+", default=[64, 16], help="of ResNet18 with random weights")
    options.add_argument("--epochs", type=int, default=100, help="of the published way")
    options.add_argument("--batch", type=int, default=16, help="ECGs per step of the published way")
    options.add_argument("--learning-rate", type=float, default=1e-3, help="of the published way, at the start")
    args = options.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    logging.disable_progress_bar()
    task = load_task(ROOT / f"resources/tasks/{args.task}.yaml")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        if args.ecgs is None:
            ecgs(None, work, args.records)  # simulates
        database = next(iter(sorted((args.ecgs or work).rglob(DATABASE))), None)
        if database is None:
            sys.exit(f"{args.ecgs} holds no {DATABASE}; give the folder of a copy of PTB-XL")
        shard = work / "shard.parquet"
        write_shard(database.parent, task, args.records, shard)
        splits = read_table(shard, SHARD, ["split"])["split"].to_pylist()
        counts = {name: splits.count(name) for name in ("train", "val")}
        print(f"{machine()}; {counts['train']} training and {counts['val']} validation records of {task.name}\n")
        print("| encoder | | seconds | core-seconds | macro AUROC, validation |\n|---|---|---|---|---|")
        if args.model is not None:
            figures = compare("trained", shard, task, args.model, args)
        else:
            figures = {}
            for width in args.widths:
                write_random_model(work / str(width), shard, width)
                found = compare(f"width {width}", shard, task, work / str(width), args)
                figures |= {f"{key}_width_{width}": value for key, value in found.items()} if figures else found
    print(json.dumps({"name": "probe", **figures, "epochs": args.epochs, **counts}))


if __name__ == "__main__":
    main()
