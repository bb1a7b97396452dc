"""Models of an ablation, asked zero-shot on other records than the ablation does: validation patients, another run's.

Takes the models of a finished ablation (``results/ablation/models/<variant>-<seed>``), and shards and prompts of a
finished run, of the same folder or another, such as a run on patients for models that were trained on simulated ECGs.
Printed is the macro AUROC in percent, mean over the tasks and the seeds, by synonyms, features, both, and by the best
of these for each model; below it, what the first variant is better than each other, with two 95 % intervals as those of
the ablation: over the seeds, and over the patients.

    python benchmarks/variants.py --models results/ablation/models --results results --split val
    python benchmarks/variants.py --models results/ablation/models --results patients/results --split test
"""

import argparse
from pathlib import Path

from ecgs import machine  # isort: skip (puts the package on the path)

import numpy as np
import torch
from trained import SETS, zero_shot_scores

from fgclep.evaluation.ablation import summarize
from fgclep.evaluation.comparison import Resamples
from fgclep.evaluation.scores import Evaluation
from fgclep.schemas.comparisons import MEAN

BEST = "best set"  # of a model, by its mean over the tasks


def with_best(macros: dict[Evaluation, np.ndarray]) -> dict[Evaluation, np.ndarray]:
    """Add the prompt set with the highest mean over the tasks, under a name of its own."""
    means = {kind: np.mean([values[0] for (*_, own), values in macros.items() if own == kind]) for kind in SETS}
    best = max(SETS, key=lambda kind: means[kind])
    return macros | {(*place, BEST): values for (*place, kind), values in macros.items() if kind == best}


def main() -> None:
    """Print two Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, required=True, help="folder of the ablation's models")
    parser.add_argument("--results", type=Path, required=True, help="folder of the run that has shards and prompts")
    parser.add_argument("--split", default="val", choices=("val", "test"))
    parser.add_argument("--variants", nargs="+", default=["fine", "features_labelled", "features_none", "coarse"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--resamples", type=int, default=1000, help="of the patients")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{machine()}; split {args.split}\n")
    drawn, macros, runs = None, {}, {}
    for variant in args.variants:
        for seed in args.seeds:
            name = f"{variant}-{seed}"
            scored = zero_shot_scores(args.results.resolve(), args.models / name, args.split)
            drawn = drawn or Resamples(scored, args.resamples, seed=0)
            macros[name] = with_best({place: drawn.macro_aurocs(name, place, own) for place, own in scored.items()})
            runs[name] = variant, seed
    first, *others = args.variants
    rows = {(row["variant"], row["setting"]): row for row in summarize(macros, runs, first) if row["task"] == MEAN}
    sets = (*SETS, BEST)
    head = f" | {' | '.join(sets)} |\n|---|{'---|' * len(sets)}"
    print(f"| {len(args.seeds)} seeds{head}")
    for variant in args.variants:
        means = [f"{100 * rows[variant, kind]['mean']:.1f}" for kind in sets]
        print(f"| {variant} | {' | '.join(means)} |")
    print(f"\n| {first} less{head}")
    for variant in others:
        print(f"| {variant} | {' | '.join(difference(rows[variant, kind]) for kind in sets)} |")


def difference(row: dict) -> str:
    """The reference less a variant, with the intervals over the seeds and over the patients."""
    value, *limits = (
        -100 * row[name]
        for name in (
            "difference", "difference_high", "difference_low", "difference_patients_high", "difference_patients_low",
        )
    )  # fmt: skip
    return "{:+.1f} ({:.1f} to {:.1f}; {:.1f} to {:.1f})".format(value, *limits)


if __name__ == "__main__":
    main()
