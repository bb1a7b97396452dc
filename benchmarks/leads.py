"""Zero-shot AUROC of a model on PTB-XL by the leads that it is given: from twelve to one.

Each ECG is checked and prepared with twelve leads, of which the model is given some, and the limb leads that follow
from I and II, as by ``fgclep predict``. A model that would refuse fewer than twelve is asked all the same, to compare:
a ResNet takes those that are missing as flat. Printed is the macro AUROC in percent of the four tasks over records that
have one of their classes, and of the mean over the tasks with a 95 % interval over the patients, as is what it loses.

    python benchmarks/leads.py --model results/models/fine --ecgs <folder with a copy of PTB-XL>

Without ``--ecgs`` the ECGs are simulated, which says nothing about patients.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from ecgs import ROOT, ecgs, machine, parser  # isort: skip (puts the package on the path)

import numpy as np
import polars as pl
import torch
from torch import Tensor

from fgclep.config.evaluation import PromptSet
from fgclep.config.named_models import SHIPPED_MODEL
from fgclep.config.quality import QualitySection
from fgclep.evaluation.comparison import Resamples
from fgclep.evaluation.metrics import limits
from fgclep.evaluation.prompts import PromptSets, worded
from fgclep.evaluation.scores import Scored
from fgclep.evaluation.tasks import Task, load_task
from fgclep.evaluation.text_scores import scoring
from fgclep.evaluation.zero_shot import score_sets
from fgclep.language.vocabulary import load_vocabulary
from fgclep.leads import CHEST_LEADS, INDEX, LEADS, LIMB_LEADS
from fgclep.models.fgclep import FGCLEP
from fgclep.recordings.wfdb_file import read_record
from fgclep.signals.quality import usable_record
from fgclep.sources import Source, get_source
from fgclep.sources.ptb_xl import DATABASE

TASKS = ("ptbxl_super", "ptbxl_sub", "ptbxl_form", "ptbxl_rhythm")
# twelve, six, four, three and two as in the PhysioNet Challenge 2021; eight are those that recorders store
GIVEN = {
    "12": LEADS, "8 (I, II, V1 to V6)": ("I", "II", *CHEST_LEADS), "6 (limb leads)": LIMB_LEADS,
    "4 (I, II, III, V2)": ("I", "II", "III", "V2"), "3 (I, II, V2)": ("I", "II", "V2"), "2 (I, II)": ("I", "II"),
    "1 (I)": ("I",), "1 (II)": ("II",),
}  # fmt: skip
FROM_I_AND_II = {"III": (-1, 1), "aVR": (-0.5, -0.5), "aVL": (1, -0.5), "aVF": (-0.5, 1)}
BATCH = 64


def given(signals: Tensor, leads: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Signals (n, 12, samples) with some leads and those that follow from I and II, and which these are (n, 12)."""
    known = list(leads)
    made = torch.zeros_like(signals)
    for lead in leads:
        made[:, INDEX[lead]] = signals[:, INDEX[lead]]
    if {"I", "II"} <= set(leads):
        first, second = signals[:, INDEX["I"]], signals[:, INDEX["II"]]
        for lead in set(FROM_I_AND_II) - set(leads):
            of_first, of_second = FROM_I_AND_II[lead]
            made[:, INDEX[lead]] = of_first * first + of_second * second
            known.append(lead)
    return made, torch.tensor([lead in known for lead in LEADS]).expand(len(signals), -1)


def listed(folder: Path, fold: int) -> tuple[Source, pl.DataFrame]:
    """PTB-XL at the rate of the files that are there, and its records of a fold (0: all)."""
    rate = 100 if (folder / "records100").is_dir() else 500
    source = get_source("ptb-xl").at(rate, fold or None)
    rows = source.records(folder, set()).sort("record_id")
    return source, rows.filter(pl.lit(not fold) | (pl.col("split") == "test"))


def prepared(model: FGCLEP, folder: Path, source: Source, rows: pl.DataFrame) -> tuple[Tensor, pl.DataFrame, int]:
    """Prepared signals (n, 12, samples) of records, their rows, and how many cannot be used."""
    signals, usable = [], []
    for number, path in enumerate(rows["path"]):
        try:
            record = usable_record(read_record(folder / path), QualitySection(), source.gain, source.sampling_rate)
        except (OSError, ValueError):
            continue
        signals.append(model.prepare(record.millivolts(), record.sampling_rate, record.leads)[0])
        usable.append(number)
    if not signals:
        sys.exit(f"{folder} holds none of {len(rows)} records that can be used")
    return torch.stack(signals), rows[usable], len(rows) - len(usable)


def read(model: FGCLEP, folder: Path, fold: int) -> tuple[Tensor, pl.DataFrame, int]:
    """As ``prepared``, of a fold of PTB-XL (0: of all)."""
    return prepared(model, folder, *listed(folder, fold))


@torch.inference_mode()
def embedded(model: FGCLEP, signals: Tensor, leads: Sequence[str]) -> np.ndarray:
    """Embeddings of ECGs of which the model is given some leads, each flattened."""
    parts = (model.encode_prepared(*given(part, leads)).flatten(1).float() for part in signals.split(BATCH))
    return torch.cat(list(parts)).numpy()


def scored(score: object, vectors: np.ndarray, rows: pl.DataFrame, tasks: Sequence[Task], kind: str) -> dict:
    """What a model scores in each task, by one set of prompts, on the records that have one of its classes."""
    prompts = PromptSets(load_vocabulary(ROOT / "resources/vocabulary"))
    patients, found = rows["patient_id"].to_numpy(), {}
    for task in tasks:
        labels = task.labels(rows["codes"].to_list())
        own = np.flatnonzero(labels.any(axis=1))
        words = {name: prompts.of(task, name) for name in worded([kind])}
        (scores,) = score_sets(score, [vectors[own]], words, [kind])[kind]
        facts = tuple(task.class_names), rows["record_id"].to_numpy()[own], patients[own], labels[own]
        found[task.name, task.label_set, "zero_shot", kind] = Scored(*facts, scores, task.source)
    return found


def table(model: FGCLEP, signals: Tensor, rows: pl.DataFrame, kind: str, resamples: int) -> dict[str, float]:
    """Print what a model reaches by the leads that it is given, and return the means over the tasks."""
    tasks = [load_task(ROOT / f"resources/tasks/{name}.yaml") for name in TASKS]
    score, drawn, means, first = scoring(model), None, {}, np.empty(0)
    print(f"| leads | {' | '.join(task.name.removeprefix('ptbxl_') for task in tasks)} | mean | less than with 12 |")
    print(f"|---|{'---|' * (len(tasks) + 2)}")
    for name, leads in GIVEN.items():
        found = scored(score, embedded(model, signals, leads), rows, tasks, kind)
        drawn = drawn or Resamples(found, resamples, seed=0)
        macros = [100 * drawn.macro_aurocs(name, place, own) for place, own in found.items()]
        mean = np.mean(macros, axis=0)
        first = first if len(first) else mean
        means[name] = round(float(mean[0]), 2)
        cells = [*(f"{values[0]:.1f}" for values in macros), *map(with_interval, (mean, first - mean))]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    return means


def main() -> None:
    """Print a table, and a line of JSON with the share of the AUROC that lead II alone has of that of all."""
    options = parser(__doc__)
    options.add_argument("--model", type=Path, default=SHIPPED_MODEL, help="folder of the model")
    options.add_argument("--fold", type=int, default=9, choices=(0, 9, 10), help="of PTB-XL; 0: all records")
    options.add_argument("--records", type=int, default=600, help="ECGs that are simulated")
    options.add_argument("--prompts", default="both", choices=get_args(PromptSet))
    options.add_argument("--resamples", type=int, default=1000, help="of the patients")
    args = options.parse_args()
    torch.set_num_threads(1)
    model = FGCLEP.from_pretrained(args.model)
    with tempfile.TemporaryDirectory() as work:
        if args.ecgs is None:
            ecgs(None, Path(work), args.records)  # simulates
        database = next(iter(sorted((args.ecgs or Path(work)).rglob(DATABASE))), None)
        if database is None:
            sys.exit(f"{args.ecgs} holds no {DATABASE}; give the folder of a copy of PTB-XL")
        signals, rows, unusable = read(model, database.parent, args.fold)
    masked = model.config.lead_masking
    print(f"{machine()}; {args.model}, trained with {f'lead_masking {masked:g}' if masked else 'twelve leads'};")
    print(f"fold {args.fold or 'any'}: {len(rows)} records, {unusable} cannot be used; prompts: {args.prompts}\n")
    means = table(model, signals, rows, args.prompts, args.resamples)
    ratio = means["1 (II)"] / means["12"]
    facts = {"model": str(args.model), "lead_masking": masked, "records": len(rows), "prompts": args.prompts}
    print(json.dumps({"name": "leads", "ratio": round(ratio, 4), **facts, "mean": means}))


def with_interval(values: np.ndarray) -> str:
    """Write a value and the interval of its resamples."""
    value, low, high = (f"{round(number, 1) + 0.0:.1f}" for number in (values[0], *limits(values[1:])))  # no -0.0
    return value if low == "nan" else f"{value} ({low} to {high})"


if __name__ == "__main__":
    main()
