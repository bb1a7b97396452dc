"""Calibrate a model: fit what its scores mean on simulated ECGs, and see on patients whether it holds.

The simulated ECGs have findings as frequent as PTB-XL's statements are (``prevalence: reports``) and a seed that no
training has. Asked for are the classes of all tasks by their prompts, the waveform features, and each wording of a
diagnosis; each gets a logistic curve (Platt 1999), written to ``calibration.json`` in the model's folder, from which
``fgclep predict`` takes its probabilities. No patient's ECG or label is looked at for it.

With ``--ecgs`` patients judge: for the most frequent classes of PTB-XL's fold the expected calibration error (ECE, ten
bins of equal width) over all its records, of the model's own probabilities, of the curves, and of the same curves moved
to the share of true answers among these records, which says what a known prevalence would be worth.

    python benchmarks/calibrate.py --model results/models/fine --ecgs <folder with a copy of PTB-XL>
"""

import argparse
import json
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from ecgs import ROOT, machine  # isort: skip (puts the package on the path)

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.special import expit

from fgclep.config.named_models import SHIPPED_MODEL
from fgclep.evaluation.metrics import calibration_errors
from fgclep.evaluation.tasks import Task, load_task
from fgclep.evaluation.text_scores import scoring
from fgclep.evaluation.zero_shot import score_classes
from fgclep.inference.predict import seen_on_twelve_leads
from fgclep.language.vocabulary import Vocabulary, load_vocabulary
from fgclep.leads import LEADS
from fgclep.models.calibration import Calibration, Question, fit
from fgclep.models.fgclep import FGCLEP
from fgclep.simulation.databases.codes import cpsc_codes, scp_codes, snomed_codes
from fgclep.simulation.databases.databases import Plan, make_signal
from fgclep.simulation.heart.heart import SAMPLING_RATE

RECORDS = 20_000
SEED = 10_000  # of no training
GAIN = 1000.0  # ADC units per mV
BATCH = 64
POPULATION = "simulated ECGs with findings as frequent as PTB-XL's statements"
Codes = Callable[[Collection[str], Collection[str], Vocabulary], Collection[str]]
TASKS: dict[str, Codes] = {
    **dict.fromkeys(("ptbxl_super", "ptbxl_sub", "ptbxl_form", "ptbxl_rhythm"), scp_codes),
    "csn": snomed_codes,
    "cpsc2018": lambda diagnoses, features, _: cpsc_codes(diagnoses, features),
}


@torch.inference_mode()
def embedded(model: FGCLEP, signals: torch.Tensor) -> np.ndarray:
    """Embeddings of prepared ECGs (n, 12, samples), each flattened."""
    return np.concatenate([model.encode_ecg(some).flatten(1).float().numpy() for some in signals.split(BATCH)])


class Simulated:
    """Simulated ECGs as a model embeds them, and the ids of the diagnoses and features that are true of each."""

    def __init__(self, model: FGCLEP, count: int, vocabulary: Vocabulary):
        self.vocabulary = vocabulary
        self.diagnoses: list[set[str]] = []
        self.features: list[set[str]] = []
        parts, signals = [], []  # of embeddings; of a batch
        for number in range(count):
            plan = Plan("ptb-xl", SEED, number, number, visit=0, repeated=False, damage=None, prevalence="reports")
            _, digital, truth, _ = make_signal(plan, vocabulary, GAIN, 50.0)
            signals.append(model.prepare(digital / GAIN, SAMPLING_RATE, LEADS)[0])
            self.diagnoses.append(set(truth.diagnoses))
            self.features.append(set(truth.features))
            if len(signals) == BATCH or number == count - 1:
                parts.append(embedded(model, torch.stack(signals)))
                signals = []
        self.vectors = np.concatenate(parts)

    def labels(self, task: Task, codes: Codes) -> np.ndarray:
        """Which classes of a task each ECG has, bool (ECGs, classes)."""
        each = zip(self.diagnoses, self.features, strict=True)
        return task.labels([codes(diagnoses, features, self.vocabulary) for diagnoses, features in each])

    def questions(self, tasks: dict[str, Task]) -> Iterator[tuple[Question, np.ndarray]]:
        """All that is asked for, and of which ECGs it is true, bool (ECGs,)."""
        for name, codes in TASKS.items():
            for item, true in zip(tasks[name].classes, self.labels(tasks[name], codes).T, strict=True):
                yield item.prompts, true
        for feature in seen_on_twelve_leads(self.vocabulary):
            yield (feature.text,), np.array([feature.id in some for some in self.features])
        wider = {diagnosis.id: diagnosis.kind_of for diagnosis in self.vocabulary.diagnoses.values()}
        for diagnosis in self.vocabulary.diagnoses.values():
            kinds = {name for name in wider if diagnosis.id in _kinds(name, wider)}
            for text in (diagnosis.text, *diagnosis.synonyms):
                yield (text.lower(),), np.array([bool(kinds & some) for some in self.diagnoses])


def _kinds(name: str | None, wider: dict[str, str | None]) -> Iterator[str]:
    while name is not None:
        yield name
        name = wider[name]


def load_tasks() -> dict[str, Task]:
    """The tasks whose codes simulated ECGs have, by name."""
    return {name: load_task(ROOT / f"resources/tasks/{name}.yaml") for name in TASKS}


def calibrate(model: FGCLEP, count: int = RECORDS) -> Calibration:
    """Fit a curve for every question that is true of enough simulated ECGs."""
    tasks = load_tasks()
    simulated = Simulated(model, count, load_vocabulary(ROOT / "resources/vocabulary"))
    asked: dict[Question, np.ndarray] = {}
    for question, true in simulated.questions(tasks):
        asked.setdefault(tuple(question), true)
    scores = score_classes(scoring(model), simulated.vectors, [[(text,) for text in some] for some in asked])
    curves = {question: fit(scores[:, place], true) for place, (question, true) in enumerate(asked.items())}
    return Calibration(POPULATION, {question: curve for question, curve in curves.items() if curve})


def moved(z: np.ndarray, share: float) -> np.ndarray:
    """Probabilities of logits, moved alike such that their mean is a share."""
    return expit(z + brentq(lambda by: expit(z + by).mean() - share, -100, 100))


def judge(model: FGCLEP, calibration: Calibration, tasks: dict[str, Task], ecgs: Path, fold: int, most: int) -> dict:
    """Print the ECE of the most frequent classes on patients, and return the means."""
    from leads import DATABASE, read  # which needs more packages than to fit does

    database = next(iter(sorted(ecgs.rglob(DATABASE))), None)
    if database is None:
        sys.exit(f"{ecgs} holds no {DATABASE}; give the folder of a copy of PTB-XL")
    signals, rows, _ = read(model, database.parent, fold)
    vectors, found = embedded(model, signals), []
    for task in (task for task in tasks.values() if task.source == "ptb-xl"):
        labels = task.labels(rows["codes"].to_list())
        scores = score_classes(scoring(model), vectors, [[(text,) for text in item.prompts] for item in task.classes])
        curves = calibration.of(item.prompts for item in task.classes)
        for item, true, x, (slope, offset, prevalence) in zip(task.classes, labels.T, scores.T, curves, strict=True):
            if not true.any():
                continue
            z = slope * x + offset
            ways = (expit(x), expit(z), moved(z, true.mean()))
            errors = [
                float(calibration_errors(way[:, None], true[:, None], np.ones((len(true), 1)))[0, 0]) for way in ways
            ]
            found.append((int(true.sum()), task.name, item.name, prevalence, true.mean(), *errors))
    distinct = {row[2]: row for row in sorted(found)}  # by number; a class that two tasks have counts once
    found = sorted(distinct.values(), reverse=True)[:most]
    print(f"fold {fold or 'any'}: {len(rows)} records; ECE of the {len(found)} most frequent classes\n")
    print("| task | class | assumed prevalence | share here | as it is | calibrated | and moved to the share here |")
    print("|---|---|---|---|---|---|---|")
    for _, task, name, *values in found:
        print(f"| {task} | {name} | {' | '.join(f'{value:.3f}' for value in values)} |")
    errors = np.array([row[-3:] for row in found])
    means, small = errors.mean(axis=0).round(4).tolist(), (errors <= 0.05).sum(axis=0).tolist()
    print(f"| mean | | | | {' | '.join(f'{value:.3f}' for value in means)} |")
    print(f"| at most 0.05 | | | | {' | '.join(f'{value} of {len(found)}' for value in small)} |")
    names = ("raw", "calibrated", "moved")
    return {"ece": dict(zip(names, means, strict=True)), "at_most_0.05": dict(zip(names, small, strict=True))}


def main() -> None:
    """Write the calibration, and print a line of JSON with the share of what is asked for that has a curve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=SHIPPED_MODEL, help="folder of the model, written to")
    parser.add_argument("--records", type=int, default=RECORDS, help="ECGs that are simulated")
    parser.add_argument("--ecgs", type=Path, help="folder with a copy of PTB-XL, to judge by")
    parser.add_argument("--fold", type=int, default=9, choices=(0, 9, 10), help="of PTB-XL; 0: all records")
    parser.add_argument("--classes", type=int, default=30, help="the most frequent ones that are judged")
    parser.add_argument("--keep", action="store_true", help="judge the calibration that is there; fit none")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = FGCLEP.from_pretrained(args.model)
    tasks = load_tasks()
    print(machine())
    calibration = model.calibration if args.keep else calibrate(model, args.records)
    if not args.keep:
        calibration.write(args.model)
        print(f"{args.records:,} simulated ECGs, {len(calibration.curves):,} curves\n")
    with torch.inference_mode():
        told = judge(model, calibration, tasks, args.ecgs, args.fold, args.classes) if args.ecgs else {}
    asked = [item.prompts for task in tasks.values() for item in task.classes]
    share = np.isfinite(calibration.of(asked)[:, 2]).mean()
    print(json.dumps({"name": "calibrate", "ratio": round(float(share), 4), "curves": len(calibration.curves), **told}))


if __name__ == "__main__":
    main()
