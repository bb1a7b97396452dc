"""Which loss and which batch: models of a finished run's data, judged on its validation patients.

Takes a finished run for its shards, texts and prompts. Each model is trained in one stage on statements and features
(``--epochs``, the default's encoder of width 16, seed 0) and asked zero-shot for the tasks of the run on the split
``val``, whose labels belong to no test. Printed is the macro AUROC, mean over the tasks.

    python benchmarks/losses.py --results results --work /tmp/losses

``--features labelled`` takes the three-valued labels of a run with ``verification: {features: labelled}``.
"""

import argparse
from pathlib import Path

from ecgs import machine  # isort: skip (puts the package on the path)

import torch
from trained import SETS, train, zero_shot

from fgclep.config.pretraining import PretrainingSection

CHOICES = [
    *((loss, 64) for loss in ("balanced_clip", "balanced", "clip", "siglip", "fg_clep", "soft_sigmoid")),
    ("balanced_clip", 32),
    ("balanced_clip", 128),
    ("balanced_clip", 256),
]


def main(args: argparse.Namespace) -> None:
    """Train and print a Markdown table."""
    torch.set_num_threads(1)
    results, work = args.results.resolve(), args.work.resolve()
    print(f"{machine()}\n\n| loss | batch | {' | '.join(SETS)} |\n|---|---|{'---|' * len(SETS)}")
    for loss, batch in CHOICES:
        section = PretrainingSection(loss=loss, batch_size=batch, select_by="last")
        reports = results / f"recovery/reports/{args.features}.parquet"
        labels = results / "recovery/labels.parquet" if args.features == "labelled" else None
        model = train(results, work / f"{loss}-{batch}", section, args.epochs, reports, labels)
        found = zero_shot(results, model, "val")
        print(f"| `{loss}` | {batch} | " + " | ".join(f"{found[kind]:.1f}" for kind in SETS) + " |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True, help="folder of a finished run")
    parser.add_argument("--work", type=Path, required=True, help="folder for the models")
    parser.add_argument("--features", choices=("filtered", "labelled"), default="filtered")
    parser.add_argument("--epochs", type=int, default=4)
    main(parser.parse_args())
