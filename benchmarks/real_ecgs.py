"""Zero-shot AUROC of a model on patients' ECGs in PhysioNet's layout, per class, with bootstrap intervals.

The tasks of PTB-XL, and the task csn over the records of CSN, CPSC2018 and Georgia together, whose codes are the same.
A task counts the records that have one of its classes, as the published benchmark does; with ``--every-record`` all.
Averaged are the classes with ``--min-positives`` records or more. Checks, repairs and preparation are those of the
workflow.

    python benchmarks/real_ecgs.py --model results/models/fine --base files      # with files/ptb-xl/1.0.3, ...

With ``--test-fold`` these are PTB-XL's records of this fold alone, as files of ``--rate`` Hz.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from ecgs import ROOT  # isort: skip (puts the package on the path)

import numpy as np
import torch

from fgclep.config.evaluation import PromptSet
from fgclep.config.quality import QualitySection
from fgclep.evaluation.metrics import evaluate
from fgclep.evaluation.prompts import PromptSets, worded
from fgclep.evaluation.tasks import Task, load_task
from fgclep.evaluation.zero_shot import score_sets
from fgclep.fetch.manifest import build_manifest
from fgclep.language.vocabulary import load_vocabulary
from fgclep.models.fgclep import FGCLEP
from fgclep.recordings.wfdb_file import read_record
from fgclep.signals.quality import usable_record
from fgclep.sources import Source, get_source

PTB_XL = ("ptbxl_super", "ptbxl_sub", "ptbxl_rhythm", "ptbxl_form")
CHALLENGE = ("csn", "cpsc2018", "georgia")
BATCH = 64


class Ecgs:
    """Embedded ECGs of some sources, with patients and codes."""

    def __init__(self, model: FGCLEP, base: Path, sources: Sequence[Source], test_only: bool = False):
        self.patients: list[str] = []
        self.codes: list[tuple[str, ...]] = []
        self.unusable = 0
        inputs, parts = [], []
        for patient, codes, prepared in self._records(model, base, sources, test_only):
            self.patients.append(patient)
            self.codes.append(codes)
            inputs.append(prepared)
            if len(inputs) == BATCH:
                parts.append(self._embed(model, inputs))
                inputs = []
        if inputs:
            parts.append(self._embed(model, inputs))
        self.vectors = np.concatenate(parts)

    def _records(
        self, model: FGCLEP, base: Path, sources: Sequence[Source], test_only: bool
    ) -> Iterator[tuple[str, tuple[str, ...], tuple[torch.Tensor, torch.Tensor]]]:
        quality = QualitySection()
        for source in sources:
            folder = base / source.slug / str(source.version)
            manifest, _ = build_manifest(source, folder, 1)
            for row in manifest.iter_rows(named=True):
                if test_only and row["split"] != "test":
                    continue
                try:
                    record = read_record(folder / row["path"])
                    record = usable_record(record, quality, source.gain, source.sampling_rate)
                except (OSError, ValueError):
                    self.unusable += 1
                    continue
                codes = record.codes if row["codes"] is None else row["codes"]
                yield (
                    f"{source.key}/{row['patient_id']}",
                    tuple(codes),
                    model.prepare(record.millivolts(), record.sampling_rate, record.leads),
                )

    @staticmethod
    @torch.inference_mode()
    def _embed(model: FGCLEP, inputs: list[tuple[torch.Tensor, torch.Tensor]]) -> np.ndarray:
        signals, present = map(torch.stack, zip(*inputs, strict=True))
        return model.encode_prepared(signals, present).flatten(1).float().cpu().numpy()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="folder of the model")
    parser.add_argument("--base", required=True, type=Path, help="folder in PhysioNet's layout")
    parser.add_argument("--prompts", default="synonyms", choices=get_args(PromptSet))
    parser.add_argument("--min-positives", type=int, default=5)
    parser.add_argument("--bootstrap", type=int, default=1000)
    parser.add_argument("--every-record", action="store_true", help="also those that have none of a task's classes")
    parser.add_argument("--test-fold", type=int, help="only PTB-XL's records of this fold")
    parser.add_argument("--rate", type=int, choices=[100, 500], default=500, help="of PTB-XL's files, Hz")
    return parser.parse_args()


def measured(model: FGCLEP, ecgs: Ecgs, task: Task, prompts: PromptSets, args: argparse.Namespace) -> list[dict]:
    """AUROC rows of a task (see ``fgclep.evaluation.metrics.evaluate``)."""
    labels = task.labels(ecgs.codes)
    own = np.flatnonzero(labels.any(axis=1) | args.every_record)
    words = {kind: prompts.of(task, kind) for kind in worded([args.prompts])}
    (scores,) = score_sets(model.score, [ecgs.vectors[own]], words, [args.prompts])[args.prompts]
    patients = [ecgs.patients[place] for place in own]
    rows = evaluate(
        scores, labels[own], patients, task.class_names, None, args.bootstrap, args.min_positives, seed=0
    )  # fmt: skip
    return [row for row in rows if row["metric"] == "auroc"]


def main() -> None:
    args = arguments()
    torch.set_num_threads(1)
    model = FGCLEP.from_pretrained(args.model)
    prompts = PromptSets(load_vocabulary(ROOT / "resources/vocabulary"))
    tasks = {name: load_task(ROOT / f"resources/tasks/{name}.yaml") for name in (*PTB_XL, "csn")}
    together = replace(tasks["csn"], name="csn_cpsc2018_georgia")
    figures: dict[str, list[float | None]] = {}
    ptb_xl, challenge = [get_source("ptb-xl").at(args.rate, args.test_fold)], list(map(get_source, CHALLENGE))
    groups = [(ptb_xl, [tasks[name] for name in PTB_XL]), (challenge, [together])]
    for sources, asked in groups[: 1 if args.test_fold else 2]:
        ecgs = Ecgs(model, args.base, sources, test_only=args.test_fold is not None)
        print(
            f"{', '.join(source.key for source in sources)}: {len(ecgs.codes)} records, {ecgs.unusable} cannot be used"
        )
        for task in asked:
            rows = measured(model, ecgs, task, prompts, args)
            titles = {item.name: item.title for item in task.classes}
            average = next(row for row in rows if row["class"] == "macro_supported")
            figures[task.name] = [average[key] for key in ("value", "ci_low", "ci_high")]  # type: ignore[misc]
            print(f"\n{task.name}: {average['n']} records, {average['n_pos']} classes")
            shown = [row for row in rows if row["class"] in titles and row["patients_pos"] >= args.min_positives]
            for row in [average, *sorted(shown, key=lambda row: row["value"])]:
                interval = (
                    f"{row['ci_low']:.3f} to {row['ci_high']:.3f}" if row["ci_low"] is not None else "no interval"
                )
                title = titles.get(row["class"], "")
                print(f"  {row['class']:<16} {row['value']:.3f}  {interval:<15} n = {row['n_pos']:>3}  {title}")
    print(json.dumps({"name": "real_ecgs", "model": str(args.model), "auroc": figures}))


if __name__ == "__main__":
    main()
