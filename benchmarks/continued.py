"""What a hospital's few thousand ECGs give: trained from scratch, and going on from the model of the package.

Takes a finished run on PTB-XL (``snakemake --cores all --configfile workflow/config/ptb-xl.yaml``) for its shards,
texts and prompts. Of its training patients so many are drawn as have ``--sizes`` records (the same for both
starts, the smaller sets within the larger). Each model is trained in one stage on statements and accepted features, for
the epochs that make ``--ecgs`` ECGs in all, at most ``--most-epochs``, and asked zero-shot for the tasks of the run's
test patients. Printed is the macro AUROC, mean over the tasks, by synonyms, features and both, and for comparison that
of the package's model as it is. One seed.

    python benchmarks/continued.py --results results --work /tmp/continued
"""

import argparse
import json
from pathlib import Path

from ecgs import machine  # isort: skip (puts the package on the path)

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from trained import SETS, train, zero_shot

from fgclep.commands.of_run import of_the_run
from fgclep.config.named_models import SHIPPED, SHIPPED_MODEL
from fgclep.config.pretraining import EcgEncoderSection, PretrainingSection
from fgclep.keys import record_names
from fgclep.schemas.reports import REPORTS
from fgclep.tables import read_table, write_table

VALIDATION = 200  # records whose loss is told; the last epoch is taken whatever it is


def patients_of(results: Path, split: str, seed: int) -> pa.Array:
    """Names of the records of a split, patient by patient in random order."""
    columns = ["source", "record_id", "patient_id", "split"]
    paths = of_the_run(sorted(results.glob("shards/ptb-xl/*.parquet")))
    keys = pa.concat_tables(pq.read_table(path, columns=columns) for path in paths)
    keys = keys.filter(pc.equal(keys["split"], split)).sort_by([(name, "ascending") for name in columns[2:0:-1]])
    patients = np.unique(keys["patient_id"].to_numpy(zero_copy_only=False).astype(str))
    order = dict(zip(np.random.default_rng(seed).permutation(patients).tolist(), range(len(patients)), strict=True))
    place = np.array([order[patient] for patient in keys["patient_id"].to_pylist()])
    return record_names(keys.take(pa.array(np.argsort(place, kind="stable"))))


def reports_of(results: Path, left_out: pa.Array, path: Path) -> Path:
    """Write the reports with accepted features without those of some records."""
    reports = read_table(results / "recovery/reports/filtered.parquet", REPORTS)
    kept = pc.invert(pc.is_in(record_names(reports), value_set=left_out))
    write_table(reports.filter(kept), path, REPORTS)
    return path


def main(args: argparse.Namespace) -> None:
    """Train and print a Markdown table."""
    torch.set_num_threads(1)
    results, work = args.results.resolve(), args.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    records, held_out = (patients_of(results, split, 0) for split in ("train", "val"))
    # as large as the package's model, from which half of the trainings go on
    encoder = json.loads((SHIPPED_MODEL / "config.json").read_text(encoding="utf-8"))["ecg_encoder"]
    section = PretrainingSection(ecg_encoder=EcgEncoderSection(**encoder), select_by="last")
    print(f"{machine()}; {len(records)} training records in the run\n")
    print(f"| records | start | {' | '.join(SETS)} |\n|---|---|{'---|' * len(SETS)}")

    def show(size: int, start: str, model: Path) -> None:
        found = zero_shot(results, model, "test")
        print(f"| {size:,} | {start} | " + " | ".join(f"{found[kind]:.1f}" for kind in SETS) + " |", flush=True)

    show(0, "the package's model as it is", SHIPPED_MODEL)
    for size in args.sizes:
        left_out = pa.concat_arrays([records.slice(size), held_out.slice(VALIDATION)])
        reports = reports_of(results, left_out, work / f"{size}.parquet")
        epochs = min(args.most_epochs, max(1, args.ecgs // size))
        for start, name in ((None, "scratch"), (SHIPPED, "the package's model")):
            model = work / f"{size}-{start or 'scratch'}"
            show(size, name, train(results, model, section, epochs, reports, start=start))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True, help="folder of a finished run on PTB-XL")
    parser.add_argument("--work", type=Path, required=True, help="folder for the models")
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 2000, 8000])
    parser.add_argument("--ecgs", type=int, default=32_000, help="ECGs of each training, over all epochs")
    parser.add_argument("--most-epochs", type=int, default=32)
    main(parser.parse_args())
