r"""ECG encoders and augmentations side by side: trained on the same simulated ECGs, asked and probed on patients.

Takes a finished run on PTB-XL (``workflow/config/ptb-xl.yaml``, with ``test_fold: 9`` to leave fold 10 alone) for its
shards and prompts. Each model is trained in one stage on what is true of each simulated ECG, with the default's batches
of 64 and no augmentation but what is named, by every seed. Printed is for each training the loss on held-out simulated
ECGs and, on the patients of the split test, the macro AUROC in percent, mean over the tasks: zero-shot by each prompt
set, and of linear probes on so many records of the split train. Then the means, ECGs per second of processor time (from
what more epochs take than one, the validation after each included), and what each encoder is better than the first,
with 95 % intervals over the seeds (Student's t over differences seed by seed; they hold for these ECGs).

    python benchmarks/encoders.py --results patients/results --work /tmp/encoders
    python benchmarks/encoders.py --results patients/results --work /tmp/augmented --records 12000 \
      --encoders resnet18:16 resnet18:16+crop=0.3 resnet18:16+time_scale=0.05 resnet18:16+noise=0.03
"""

import argparse
import json
from pathlib import Path
from typing import Any

from ecgs import ROOT, machine  # isort: skip (puts the package on the path)

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from trained import SETS, embedded, tasks_of, zero_shot
from training import Run, data, train

from fgclep.commands.of_run import of_the_run
from fgclep.config.evaluation import EvaluationSection
from fgclep.evaluation.ablation import interval
from fgclep.evaluation.linear_probe import choose_probe, fit_probes
from fgclep.evaluation.metrics import macro_auroc
from fgclep.evaluation.task_records import task_records
from fgclep.models.fgclep import FGCLEP
from fgclep.schemas.prompts import PROMPTS
from fgclep.schemas.shards import SHARD
from fgclep.stages.build_shards import ROWS_PER_GROUP
from fgclep.tables import read_table, table_writer, write_table

FIGURES = ("validation loss", *SETS, "linear probe")


def patients(results: Path, folder: Path, count: int) -> Path:
    """Write shards and prompts of a run: so many training records of PTB-XL, drawn at random, and all others of it."""
    shards = of_the_run(sorted(results.glob("shards/ptb-xl/*.parquet")))
    table = pa.concat_tables(read_table(path, SHARD) for path in shards).sort_by("record_id")
    in_training = np.flatnonzero(np.array(table["split"].to_pylist()) == "train")
    drawn = np.random.default_rng(0).permutation(in_training)[:count]
    kept = np.setdiff1d(np.arange(len(table)), np.setdiff1d(in_training, drawn))
    with table_writer(folder / "shards/ptb-xl/0.parquet", SHARD) as write:
        for start in range(0, len(kept), ROWS_PER_GROUP):
            write(table.take(kept[start : start + ROWS_PER_GROUP]))
    prompts = read_table(results / "evaluation/prompts.parquet", PROMPTS)
    write_table(
        prompts.filter(pc.starts_with(prompts["task"], "ptbxl_")), folder / "evaluation/prompts.parquet", PROMPTS
    )
    return folder


def probed(results: Path, table: pa.Table) -> float:
    """Macro AUROC in percent of linear probes, mean over the run's tasks; C is chosen on the split val."""
    values = []
    for task in tasks_of(results):
        records = task_records(table, task, "features")
        fitted, val, test = (records.of(split) for split in ("train", "val", "test"))
        probes = fit_probes(fitted.vectors, fitted.labels, EvaluationSection().regularization)
        probe = choose_probe(probes, val.vectors, val.labels)
        values.append(macro_auroc(probe.scores(test.vectors), test.labels))
    return 100 * float(np.mean(values))


def judged(results: Path, folder: Path, run: Run) -> list[float]:
    """The ``FIGURES`` of a trained model."""
    table = embedded(results, FGCLEP.from_pretrained(folder))
    found = zero_shot(results, folder, "test", table)
    return [run.losses[-1], *(found[kind] for kind in SETS), probed(results, table)]


def shown(values: np.ndarray) -> str:
    """Mean and 95 % interval over the seeds."""
    mean, low, high = interval(values)
    return f"{mean:+.2f} ({low:.2f} to {high:.2f})"


def rate(ecgs: float, seconds: float) -> float | None:
    """ECGs per second; ``None`` where more epochs took no longer than one, as with very few ECGs."""
    return ecgs / seconds if seconds > 0 else None


def main() -> None:
    """Print three tables, and a line of JSON with the ratio of the rates of the second encoder and the first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True, help="folder of a finished run on PTB-XL")
    parser.add_argument("--work", type=Path, required=True, help="folder for the simulated ECGs and the models")
    parser.add_argument("--records", type=int, default=3000, help="ECGs to simulate; nine tenths are trained on")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument(
        "--encoders",
        nargs="+",
        default=["resnet18:16", "resnet18:32", "s4d:64"],
        help="kind:width of each, and +change=value for an augmentation",
    )
    parser.add_argument("--probe-records", type=int, default=4000, help="of the training patients, for linear probes")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    torch.set_num_threads(1)
    work = args.work.resolve()
    results = patients(args.results.resolve(), work / "patients", args.probe_records)
    config = data(work, args.records)
    base = {
        **config["pretraining"], "signal": config["signal"], "tensorboard": False, "workers": 1, "memory_mb": 2000,
        "batch_size": 64, "precision": "auto", "augmentation": {},
    }  # fmt: skip

    def trained(encoder: str, epochs: int, seed: int) -> tuple[Path, Run]:
        size, *changes = encoder.split("+")
        kind, width = size.split(":")
        own: dict[str, Any] = {"ecg_encoder": {"kind": kind, "width": int(width)}, "epochs": epochs, "seed": seed}
        for change in changes:
            name, value = change.split("=")
            own["augmentation"] = {**own.get("augmentation", {}), name: float(value)}
        folder = work / "encoders" / f"{encoder.replace(':', '-')}-{epochs}-{seed}"
        return folder / "x", train(ROOT, work, folder, base | own, 1)

    print(f"{machine()}; {args.records:,} simulated ECGs, {args.epochs} epochs\n")
    print(f"| encoder | seed | {' | '.join(FIGURES)} |\n|---|---|{'---|' * len(FIGURES)}")
    found: dict[str, list[list[float]]] = {encoder: [] for encoder in args.encoders}
    took: dict[str, float] = {}
    for seed in args.seeds:
        for encoder in args.encoders:
            folder, run = trained(encoder, args.epochs, seed)
            took.setdefault(encoder, run.took.cpu)
            found[encoder].append(judged(results, folder, run))
            row = " | ".join(f"{value:.2f}" for value in found[encoder][-1])
            print(f"| {encoder} | {seed} | {row} |", flush=True)
    rates: dict[str, float | None] = {}
    print(f"\n| encoder | weights | ECG/s | {' | '.join(FIGURES)} |\n|---|---|---|{'---|' * len(FIGURES)}")
    for encoder in args.encoders:
        folder, run = trained(encoder, 1, args.seeds[0])
        rates[encoder] = rate(args.records * 0.9 * (args.epochs - 1), took[encoder] - run.took.cpu)
        weights = sum(p.numel() for p in FGCLEP.from_pretrained(folder).ecg_encoder.parameters())
        means = " | ".join(f"{value:.2f}" for value in np.mean(found[encoder], axis=0))
        told = "too few" if rates[encoder] is None else f"{rates[encoder]:.0f}"
        print(f"| {encoder} | {weights:,} | {told} | {means} |", flush=True)
    first, *others = args.encoders
    print(f"\n| less {first} | {' | '.join(FIGURES)} |\n|---|{'---|' * len(FIGURES)}")
    for encoder in others:
        apart = np.subtract(found[encoder], found[first]).T
        print(f"| {encoder} | {' | '.join(shown(values) for values in apart)} |")
    one, other = rates[first], rates[args.encoders[-1]]
    ratio = None if one is None or other is None else other / one
    print(json.dumps({"name": "encoders", "ratio": ratio, "ecg_per_s": rates}))


if __name__ == "__main__":
    main()
