"""Models of an ablation, asked zero-shot on other records than the ablation does: validation patients, another run's.

Takes the models of a finished ablation (``results/ablation/models/<variant>-<seed>``), and shards and prompts of a
finished run, of the same folder or another, such as a run on patients for models that were trained on simulated ECGs.
Printed is the macro AUROC in percent, mean over the tasks and the seeds, by synonyms, features, both, and by the best
of these for each model, and what the first variant is better than each other, with its 95 % interval over the seeds
(Student's t).

    python benchmarks/variants.py --models results/ablation/models --results results --split val
    python benchmarks/variants.py --models results/ablation/models --results patients/results --split test
"""

import argparse
from pathlib import Path

from ecgs import machine  # isort: skip (puts the package on the path)

import numpy as np
import torch
from trained import SETS, zero_shot

from fgclep.evaluation.ablation import interval


def main(args: argparse.Namespace) -> None:
    """Print a Markdown table."""
    torch.set_num_threads(1)
    names = (*SETS, "best set")
    print(
        f"{machine()}; split {args.split}\n\n| variant | seeds | {' | '.join(names)} |\n|---|---|{'---|' * len(names)}"
    )
    found: dict[str, np.ndarray] = {}
    for variant in args.variants:
        folders = [args.models / f"{variant}-{seed}" for seed in args.seeds]
        rows = [list(zero_shot(args.results.resolve(), folder, args.split).values()) for folder in folders]
        found[variant] = np.array([[*row, max(row)] for row in rows])
        means = " | ".join(f"{value:.1f}" for value in found[variant].mean(axis=0))
        print(f"| {variant} | {len(rows)} | {means} |", flush=True)
    first, *others = args.variants
    print()
    for variant in others:
        differences = [interval(column) for column in (found[first] - found[variant]).T]
        cells = " | ".join(f"{mean:+.1f} ({low:.1f} to {high:.1f})" for mean, low, high in differences)
        print(f"| {first} less {variant} | {len(args.seeds)} | {cells} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, required=True, help="folder of the ablation's models")
    parser.add_argument("--results", type=Path, required=True, help="folder of the run that has shards and prompts")
    parser.add_argument("--split", default="val", choices=("val", "test"))
    parser.add_argument("--variants", nargs="+", default=["fine", "features_labelled", "features_none", "coarse"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    main(parser.parse_args())
