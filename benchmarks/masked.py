"""Models trained with masked leads and without, by some seeds, asked on patients with fewer leads (``leads.py``).

Each is trained in one stage on the same ECGs of a finished run, drawn from those of training, with the features that
were accepted for them, and the last epoch is kept. What is in ``--work`` already is not trained again.

    python benchmarks/masked.py --results results --ecgs <folder with a copy of PTB-XL> --work /tmp/masked
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ecgs import ROOT, machine  # isort: skip (puts the package on the path)

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from leads import GIVEN, read, table

from fgclep.commands.of_run import of_the_run
from fgclep.config.augmentation import AugmentationSection
from fgclep.config.pretraining import EcgEncoderSection, PretrainingSection, TrainingSettings
from fgclep.config.signal import SignalSection
from fgclep.keys import KEY, record_names
from fgclep.models.fgclep import FGCLEP
from fgclep.schemas.reports import REPORTS
from fgclep.schemas.shards import SHARD
from fgclep.sources.ptb_xl import DATABASE
from fgclep.tables import read_table, write_table


def some_reports(results: Path, shards: Sequence[Path], records: int, output: Path) -> Path:
    """Write the reports of so many training records, drawn at random, and of all that are held out."""
    keys = pa.concat_tables(read_table(path, SHARD, [*KEY, "split"]) for path in shards).sort_by("record_id")
    training, held_out = (record_names(keys.filter(pc.equal(keys["split"], split))) for split in ("train", "val"))
    drawn = training.take(pa.array(np.sort(np.random.default_rng(0).permutation(len(training))[:records])))
    reports = read_table(results / "recovery/reports/filtered.parquet", REPORTS)
    names = record_names(reports)
    kept = pc.or_(pc.is_in(names, value_set=drawn), pc.is_in(names, value_set=held_out))
    write_table(reports.filter(kept), output, REPORTS)
    return output


def train(results: Path, shards: Sequence[Path], reports: Path, settings: TrainingSettings, output: Path) -> float:
    """Train a model unless it is there, and return its loss on held-out ECGs."""
    if not output.exists():
        command = [
            sys.executable, "-m", "fgclep.stages.pretrain", "--name", output.name, "--shards", *map(str, shards),
            "--texts", str(results / "reports/texts.parquet"), "--reports", str(reports),
            "--similarity", str(results / "similarity/matrix"), "--settings", settings.model_dump_json(),
            "--output", str(output),
        ]  # fmt: skip
        subprocess.run(command, check=True, cwd=ROOT / "workflow", stderr=subprocess.DEVNULL)  # nosec B603
    header, *_, last = (output / "training.csv").read_text(encoding="utf-8").splitlines()
    return float(last.split(",")[header.split(",").index("validation_loss")])


def main() -> None:
    """Print each model's table and the means, and a line of JSON with the ratio of the AUROC by lead I alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True, help="folder of a finished run")
    parser.add_argument("--ecgs", type=Path, required=True, help="folder with a copy of PTB-XL")
    parser.add_argument("--work", type=Path, required=True, help="folder for the models")
    parser.add_argument("--records", type=int, default=3000, help="ECGs that are trained on")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--lead-masking", type=float, default=0.5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--fold", type=int, default=9, choices=(0, 9, 10), help="of PTB-XL; 0: all records")
    parser.add_argument("--resamples", type=int, default=1000, help="of the patients")
    args = parser.parse_args()
    torch.set_num_threads(1)
    results, work = args.results.resolve(), args.work.resolve()
    shards = of_the_run(sorted(results.glob("shards/mimic-iv-ecg/*.parquet")))
    work.mkdir(parents=True, exist_ok=True)
    reports = some_reports(results, shards, args.records, work / "reports.parquet")
    [database, *_] = sorted(args.ecgs.rglob(DATABASE))
    print(f"{machine()}; {args.records:,} ECGs, {args.epochs} epochs, asked by both kinds of prompt")
    found: dict[str, list[dict[str, float]]] = {"plain": [], "masked": []}
    losses: dict[str, list[float]] = {"plain": [], "masked": []}
    signals, rows = torch.empty(0), None
    for seed in args.seeds:
        for name, probability in (("plain", 0.0), ("masked", args.lead_masking)):
            section = PretrainingSection(
                augmentation=AugmentationSection(lead_masking=probability),
                ecg_encoder=EcgEncoderSection(width=args.width),
                select_by="last",
            )
            settings = TrainingSettings.of(section, epochs=args.epochs, signal=SignalSection(), seed=seed)
            folder = work / "models" / f"{name}-{seed}"
            losses[name].append(train(results, shards, reports, settings, folder))
            model = FGCLEP.from_pretrained(folder)
            if rows is None:
                signals, rows, _ = read(model, database.parent, args.fold)
            print(f"\n{folder.name}, loss on held-out ECGs {losses[name][-1]:.3f}; {len(rows)} records of PTB-XL\n")
            found[name].append(table(model, signals, rows, "both", args.resamples))
    means = {
        name: {leads: float(np.mean([one[leads] for one in some])) for leads in GIVEN} for name, some in found.items()
    }
    print("\n| leads | plain | masked | difference (by seed) |\n|---|---|---|---|")
    for leads in GIVEN:
        apart = [one[leads] - other[leads] for one, other in zip(found["masked"], found["plain"], strict=True)]
        by_seed = ", ".join(f"{value:.1f}" for value in apart)
        values = " | ".join(f"{means[name][leads]:.1f}" for name in found)
        print(f"| {leads} | {values} | {np.mean(apart):.1f} ({by_seed}) |")
    ratio = means["masked"]["1 (I)"] / means["plain"]["1 (I)"]
    print(json.dumps({"name": "masked", "ratio": ratio, "means": means, "losses": losses}))


if __name__ == "__main__":
    main()
