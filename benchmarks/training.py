"""Pre-training on a CPU, the code of before beside today's: processor time, memory, and the loss after equal epochs.

Both train the same model on the same simulated ECGs, from the same seed: ``shipped`` as the model that comes with the
package (workflow/config/simulated-large.yaml: ResNet of width 32, batches of 256), ``default`` as config.yaml says
(width 16, batches of 64). The code of before computes in fp32, today's in what ``pretraining: {precision: auto}``
finds on this machine, and in fp32 as well. Time and memory are those of the stage ``pretrain``: ECGs per second come
from what more epochs take than one, so that imports, reading and preparing, which are done once, do not count; what the
one takes is beside it. The losses of another seed, by the code of before, show how far a loss depends on chance.
"""

import argparse
import csv
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from before import ROOT, Took, checkout, take
from ecgs import machine
from simulated_large import settings, steps

SHIPPED = {"ecg_encoder": {"kind": "resnet18", "width": 32}, "batch_size": 256}
SETTINGS = {"shipped": SHIPPED, "default": {"ecg_encoder": {"kind": "resnet18", "width": 16}, "batch_size": 64}}
CODES = {"before": "fp32", "today, fp32": "fp32", "today": "auto"}


class Run(NamedTuple):
    """Loss after every epoch on held-out ECGs, and what the stage took."""

    losses: list[float]
    took: Took


def data(work: Path, records: int) -> dict[str, Any]:
    """Simulate ECGs with their texts and similarity, and return the config."""
    config = settings(argparse.Namespace(configfile=[], set=[], records=records))
    config["data"]["sources"]["simulated"]["chunks"] = 2
    for name in steps(config, work, 2):
        if name == "similarity":
            break
    return config


def train(code: Path, work: Path, output: Path, section: dict[str, Any], threads: int) -> Run:
    """Run the stage ``pretrain`` of a checkout."""
    took = take(
        code,
        [
            "python", "-m", "fgclep.stages.pretrain", "--name", "x",
            "--shards", *sorted((work / "shards").glob("*.parquet")), "--texts", work / "texts.parquet",
            "--reports", work / "augmented.parquet", "--similarity", work / "similarity", "--output", output / "x",
            "--settings", json.dumps({**section, "threads": threads}),
        ],
        OMP_NUM_THREADS=str(threads),
    )  # fmt: skip
    with (output / "x/training.csv").open(encoding="utf-8") as file:
        return Run([float(row["validation_loss"]) for row in csv.DictReader(file)], took)


def compare(args: argparse.Namespace, work: Path, earlier: Path) -> dict[str, float]:
    """Print the tables of all settings, and return their figures."""
    config = data(work, args.records)
    trained = config["simulation"]["records"]["simulated"]
    figures: dict[str, float] = {}
    for name in args.settings:
        for threads in args.threads:
            base = {
                **config["pretraining"], **SETTINGS[name], "signal": config["signal"], "tensorboard": False,
                "workers": 1, "memory_mb": 2000,
            }  # fmt: skip

            def run(which: str, epochs: int, seed: int, base: dict = base, threads: int = threads) -> Run:
                more = {"precision": CODES[which], "epochs": epochs, "seed": seed}
                with tempfile.TemporaryDirectory() as output:
                    return train(earlier if which == "before" else ROOT, work, Path(output), base | more, threads)

            pairs: dict[str, list[tuple[Run, Run]]] = {which: [] for which in CODES}
            for _ in range(args.rounds):
                for which in CODES:
                    pairs[which].append((run(which, 1, 0), run(which, 1 + args.epochs, 0)))
            control = run("before", 1 + args.epochs, 1).losses
            print(f"\n{name}, {threads} thread{'s' * (threads > 1)}, {trained:,} ECGs\n")
            print("| | ECG/s of processor time | ECG/s | one epoch with all before, s | peak, MiB | losses |")
            print("|---|---|---|---|---|---|")
            for which, runs in pairs.items():
                cpu, wall = (
                    args.epochs * trained / statistics.median(b.took[i] - a.took[i] for a, b in runs) for i in (1, 0)
                )
                first, peak = min(a.took.cpu for a, _ in runs), max(b.took.peak_mb for _, b in runs)
                losses = ", ".join(f"{loss:.3f}" for loss in runs[0][1].losses)
                print(f"| {which} | {cpu:.0f} | {wall:.0f} | {first:.1f} | {peak:.0f} | {losses} |")
                key = f"{name}_{threads}_{which.replace(', ', '_')}"
                figures |= {
                    key: round(cpu, 1), f"{key}_wall": round(wall, 1), f"{key}_peak_mb": round(peak),
                    f"{key}_loss": runs[0][1].losses[-1],
                }  # fmt: skip
            print(f"| before, another seed | | | | | {', '.join(f'{loss:.3f}' for loss in control)} |", flush=True)
            figures[f"{name}_{threads}_another_seed_loss"] = control[-1]
    return figures


def main() -> None:
    """Print tables, and a line of JSON with the ratio for the first of the settings by processor time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="folder of simulated ECGs, made there if it holds none")
    parser.add_argument("--records", type=int, default=4000, help="ECGs to simulate; nine tenths are trained on")
    parser.add_argument("--epochs", type=int, default=2, help="beside the first")
    parser.add_argument("--rounds", type=int, default=1, help="the median of so many differences")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--settings", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    args = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder, checkout() as earlier:
        figures = compare(args, args.work or Path(folder), earlier)
    first = f"{args.settings[0]}_{args.threads[0]}"
    print(json.dumps({"name": "training", "ratio": figures[f"{first}_today"] / figures[f"{first}_before"], **figures}))


if __name__ == "__main__":
    main()
