"""Linear probes of saved models on patients: the tasks of a finished run, all training records, 95 % intervals.

Takes a finished run on PTB-XL (``workflow/config/ptb-xl.yaml``, with ``test_fold: 9`` to leave fold 10 alone) for its
shards and prompts; ``snakemake results/evaluation/prompts.parquet results/shards/ptb-xl/{0,1,2,3}.parquet`` with that
config makes no more than these. Features of the frozen encoder, logistic regressions on the split train, C chosen on
the split val, macro AUROC in percent on the split test, as the workflow's ``evaluate_linear_probe``: over all classes
of a task, and over those of five patients or more, which have an interval.

    python benchmarks/probed.py --results patients/results --models workflow/fgclep/pretrained
"""

import argparse
import json
from pathlib import Path

from ecgs import machine  # isort: skip (puts the package on the path)

import numpy as np
import pyarrow.compute as pc
import torch
from trained import embedded, tasks_of

from fgclep.config.evaluation import EvaluationSection
from fgclep.evaluation.linear_probe import choose_probe, fit_probes
from fgclep.evaluation.metrics import evaluate
from fgclep.evaluation.task_records import task_records
from fgclep.models.fgclep import FGCLEP

AVERAGES = {"macro": "all classes", "macro_supported": "of five patients or more"}


def shown(row: dict) -> str:
    """AUROC in percent, with the interval that it has; empty if no class has the patients."""
    value, low, high = (None if row[key] is None else 100 * row[key] for key in ("value", "ci_low", "ci_high"))
    if value is None:
        return ""
    return f"{value:.1f}" if low is None else f"{value:.1f} ({low:.1f} to {high:.1f})"


def probed(results: Path, model: FGCLEP, args: argparse.Namespace) -> dict[str, dict[str, dict]]:
    """For each of ``AVERAGES`` the macro AUROC of each task."""
    table = embedded(results, model)
    found: dict[str, dict[str, dict]] = {average: {} for average in AVERAGES}
    for task in tasks_of(results):
        records = task_records(table.filter(pc.equal(table["source"], task.source)), task, "features")
        fitted, val, test = (records.of(split) for split in ("train", "val", "test"))
        probes = fit_probes(fitted.vectors, fitted.labels, args.regularization)
        scores = choose_probe(probes, val.vectors, val.labels).scores(test.vectors)
        for row in evaluate(scores, test.labels, test.patients, task.class_names, None, args.bootstrap, 5, seed=0):
            if row["metric"] == "auroc" and row["class"] in AVERAGES:
                found[row["class"]][task.name] = row
    return found


def main() -> None:
    """Print a row for each model, and a line of JSON with what the last lacks to 100 over what the first lacks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True, help="folder of a run on PTB-XL")
    parser.add_argument("--models", nargs="+", required=True, help="folders of models")
    parser.add_argument("--bootstrap", type=int, default=1000, help="resamples of the patients")
    parser.add_argument(
        "--regularization", type=float, nargs="+", default=EvaluationSection().regularization, help="C, to choose among"
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    names = [task.name for task in tasks_of(args.results)]
    print(f"{machine()}\n\n| model | | {' | '.join(names)} | mean |\n|---|---|{'---|' * len(names)}---|")
    means: dict[str, float] = {}
    for folder in args.models:
        found = probed(args.results, FGCLEP.from_pretrained(folder), args)
        for average, rows in found.items():
            values = [100 * row["value"] for row in rows.values() if row["value"] is not None]
            mean = float(np.mean(values)) if len(values) == len(rows) else np.nan
            means.setdefault(folder, mean)
            cells = " | ".join(map(shown, rows.values()))
            print(f"| {Path(folder).name} | {AVERAGES[average]} | {cells} | {mean:.1f} |", flush=True)
    first, last = means[args.models[0]], means[args.models[-1]]
    print(json.dumps({"name": "probed", "ratio": (100 - last) / (100 - first), "means": list(means.values())}))


if __name__ == "__main__":
    main()
