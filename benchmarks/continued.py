"""What a hospital's few thousand ECGs give: trained from scratch, and going on from the model of the package.

Takes a finished run on PTB-XL (``snakemake --cores all --configfile workflow/config/ptb-xl.yaml``) for its shards,
texts, labels and prompts. Of its training patients so many are drawn as have ``--sizes`` records (the same for both
starts, the smaller sets within the larger). Each model is trained in one stage on statements and labelled features, for
the epochs that make ``--ecgs`` ECGs in all, at most ``--most-epochs``, and asked zero-shot for the tasks of the run's
test patients. Printed is the macro AUROC, mean over the tasks, by synonyms, features and both, and for comparison that
of the package's model as it is. One seed.

    python benchmarks/continued.py --results results --work /tmp/continued
"""

import argparse
import subprocess
import sys
from pathlib import Path

from ecgs import ROOT, machine  # isort: skip (puts the package on the path)

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch

from fgclep.config.inference import InferenceSettings
from fgclep.config.pretraining import EcgEncoderSection, PretrainingSection, TrainingSettings
from fgclep.config.signal import SignalSection
from fgclep.evaluation.embedding import embed_records
from fgclep.evaluation.metrics import macro_aurocs
from fgclep.evaluation.prompts import read_prompts, worded
from fgclep.evaluation.task_records import task_records
from fgclep.evaluation.tasks import load_task
from fgclep.evaluation.zero_shot import score_sets
from fgclep.keys import record_names
from fgclep.models.fgclep import FGCLEP
from fgclep.schemas.reports import REPORTS
from fgclep.tables import read_table, write_table

TASKS = ("ptbxl_super", "ptbxl_sub", "ptbxl_form", "ptbxl_rhythm")
SETS = ("synonyms", "features", "both")
SHIPPED = ROOT / "workflow/fgclep/pretrained"


def training_patients(shards: list[Path], seed: int) -> pa.Table:
    """Names of the training records, patient by patient in random order."""
    columns = ["source", "record_id", "patient_id", "split"]
    keys = pa.concat_tables(pq.read_table(path, columns=columns) for path in shards)
    keys = keys.filter(pc.equal(keys["split"], "train")).sort_by([(name, "ascending") for name in columns[2:0:-1]])
    patients = np.unique(keys["patient_id"].to_numpy(zero_copy_only=False).astype(str))
    order = dict(zip(np.random.default_rng(seed).permutation(patients).tolist(), range(len(patients)), strict=True))
    place = np.array([order[patient] for patient in keys["patient_id"].to_pylist()])
    return keys.take(pa.array(np.argsort(place, kind="stable")))


def train(args: argparse.Namespace, records: pa.Array, name: str, start: Path | None) -> Path:
    """Train on some records and the validation records, and return the model's folder."""
    output = args.work / name
    reports = read_table(args.results / "recovery/reports/labelled.parquet", REPORTS)
    names = record_names(reports)
    left_out = pc.and_(pc.is_in(names, value_set=args.train), pc.invert(pc.is_in(names, value_set=records)))
    write_table(reports.filter(pc.invert(left_out)), args.work / f"{name}.parquet", REPORTS)
    section = PretrainingSection(ecg_encoder=EcgEncoderSection(kind="resnet18", width=32), select_by="last")
    epochs = min(args.most_epochs, max(1, args.ecgs // len(records)))
    settings = TrainingSettings.of(section, epochs=epochs, signal=SignalSection(), seed=0)
    command = [
        sys.executable, "-m", "fgclep.stages.pretrain", "--name", name, "--shards", *map(str, args.shards),
        "--texts", str(args.results / "reports/texts.parquet"), "--reports", str(args.work / f"{name}.parquet"),
        "--labels", str(args.results / "recovery/labels.parquet"),
        "--similarity", str(args.results / "similarity/matrix"), "--settings", settings.model_dump_json(),
        "--output", str(output), *(["--start-from", str(start)] if start else []),
    ]  # fmt: skip
    subprocess.run(command, check=True, cwd=ROOT / "workflow")  # nosec B603
    return output


@torch.inference_mode()
def zero_shot(args: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Mean over the tasks of the macro AUROC on the test records, for each set of prompts."""
    model = FGCLEP.from_pretrained(folder)
    settings = InferenceSettings.of(PretrainingSection(), threads=1, workers=1, signal=SignalSection())
    table = pa.concat_tables(embed_records(model, args.shards, settings, torch.device("cpu"), folder.name))
    prompts = read_prompts(args.results / "evaluation/prompts.parquet")
    values: dict[str, list[float]] = {kind: [] for kind in SETS}
    for task in (load_task(ROOT / f"resources/tasks/{name}.yaml") for name in TASKS):
        records = task_records(table, task, "embedding").of("test")
        classes = {kind: prompts[task.name, kind] for kind in worded(SETS)}
        once = np.ones((len(records.labels), 1))
        for kind, (scores,) in score_sets(model.score, [records.vectors], classes, SETS).items():
            values[kind].append(macro_aurocs(scores, records.labels, once)[0])
    return {kind: 100 * float(np.mean(some)) for kind, some in values.items()}


def main(args: argparse.Namespace) -> None:
    """Train and print a Markdown table."""
    torch.set_num_threads(1)
    args.results, args.work = args.results.resolve(), args.work.resolve()
    args.work.mkdir(parents=True, exist_ok=True)
    args.shards = sorted((args.results / "shards/ptb-xl").glob("*.parquet"))
    ordered = training_patients(args.shards, 0)
    args.train = record_names(ordered)
    print(f"{machine()}; {len(ordered)} training records in the run\n")
    print("| records | start | synonyms | features | both |\n|---|---|---|---|---|")
    rows = [(0, "the package's model as it is", SHIPPED)]
    for size in args.sizes:
        for start, folder in (("scratch", None), ("the package's model", SHIPPED)):
            name = f"{size}-{'scratch' if folder is None else 'shipped'}"
            rows.append((size, start, train(args, args.train.slice(0, size), name, folder)))
    for size, start, model in rows:
        found = zero_shot(args, model)
        print(f"| {size} | {start} | " + " | ".join(f"{found[kind]:.1f}" for kind in SETS) + " |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True, help="folder of a finished run on PTB-XL")
    parser.add_argument("--work", type=Path, required=True, help="folder for the models")
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 2000, 8000])
    parser.add_argument("--ecgs", type=int, default=32_000, help="ECGs of each training, over all epochs")
    parser.add_argument("--most-epochs", type=int, default=32)
    main(parser.parse_args())
