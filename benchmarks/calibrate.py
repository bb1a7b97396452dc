"""Calibrate a model: fit what its scores mean on simulated ECGs, and see on patients whether it holds.

The simulated ECGs have findings about as frequent as PTB-XL's statements are (``prevalence: reports``) and a seed that
no training has. Asked for are the classes of all tasks by their prompts, the waveform features, and each wording of a
diagnosis; each gets a logistic curve (Platt 1999), written to ``calibration.json`` in the model's folder, from which
``fgclep predict`` takes its probabilities.

With ``--ecgs``, a copy of PTB-XL, the curves are moved to its patients, by 2,000 ECGs of folds 1 to 8: all slopes by
one factor, as simulated findings are easier to tell, and the offset of each class of its tasks such that the mean
probability is its share in these folds. Then the patients of another fold judge: for the most frequent classes the
expected calibration error (ECE, ten bins of equal width) over all its records, of the assumed share said of every ECG,
of the model's own probabilities, of the curves of simulated ECGs, and of those that were moved. (Fold 0, all records,
judges by some that were fitted as well.)

    python benchmarks/calibrate.py --model results/models/fine --ecgs <folder with a copy of PTB-XL>
"""

import argparse
import json
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ecgs import ROOT, machine  # isort: skip (puts the package on the path)

import numpy as np
import torch
from scipy.optimize import brentq, minimize_scalar
from scipy.special import expit

from fgclep.config.named_models import SHIPPED_MODEL
from fgclep.evaluation.metrics import calibration_errors
from fgclep.evaluation.tasks import Task, TaskClass, load_task
from fgclep.evaluation.text_scores import scoring
from fgclep.evaluation.zero_shot import score_classes
from fgclep.inference.predict import seen_on_twelve_leads
from fgclep.language.vocabulary import Vocabulary, load_vocabulary
from fgclep.leads import LEADS
from fgclep.models.calibration import Calibration, Curve, Question, fit, question_of
from fgclep.models.fgclep import FGCLEP
from fgclep.simulation.databases.codes import cpsc_codes, scp_codes, snomed_codes
from fgclep.simulation.databases.databases import Plan, make_signal
from fgclep.simulation.heart.heart import SAMPLING_RATE
from fgclep.sources.ptb_xl import DATABASE

RECORDS = 20_000
SEED = 10_000  # of no training
GAIN = 1000.0  # ADC units per mV
BATCH = 64
ENOUGH = 0.05  # ECE
PATIENTS = 2000  # ECGs of theirs that curves are moved by
SIMULATED = "simulated ECGs with findings about as frequent as in PTB-XL"
MOVED = f"PTB-XL for the classes of its tasks, and for all else of {SIMULATED}"
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
        """All that is asked for, and of which ECGs it is true, bool (ECGs,).

        Of equal questions the first counts: a class of one prompt is asked for by a feature or the wording of a
        diagnosis, and not every code of a class is ever simulated.
        """
        for feature in seen_on_twelve_leads(self.vocabulary):
            yield question_of([feature.text]), np.array([feature.id in some for some in self.features])
        wider = {diagnosis.id: diagnosis.kind_of for diagnosis in self.vocabulary.diagnoses.values()}
        for diagnosis in self.vocabulary.diagnoses.values():
            kinds = {name for name in wider if diagnosis.id in _kinds(name, wider)}
            for text in (diagnosis.text, *diagnosis.synonyms):
                yield question_of([text]), np.array([bool(kinds & some) for some in self.diagnoses])
        for name, codes in TASKS.items():
            for item, true in zip(tasks[name].classes, self.labels(tasks[name], codes).T, strict=True):
                yield question_of(item.prompts), true


def _kinds(name: str | None, wider: dict[str, str | None]) -> Iterator[str]:
    while name is not None:
        yield name
        name = wider[name]


def load_tasks() -> dict[str, Task]:
    """The tasks whose codes simulated ECGs have, by name."""
    return {name: load_task(ROOT / f"resources/tasks/{name}.yaml") for name in TASKS}


class Fitted(NamedTuple):
    """Curves of questions, and the scores of the simulated ECGs that they were fitted on."""

    curves: dict[Question, Curve]
    scores: dict[Question, np.ndarray]


def calibrate(model: FGCLEP, count: int = RECORDS) -> Fitted:
    """Fit a curve for every question that is true of enough simulated ECGs."""
    simulated = Simulated(model, count, load_vocabulary(ROOT / "resources/vocabulary"))
    asked: dict[Question, np.ndarray] = {}
    for question, true in simulated.questions(load_tasks()):
        asked.setdefault(question, true)
    scores = score_classes(scoring(model), simulated.vectors, [[(text,) for text in some] for some in asked])
    found = {question: fit(x, true) for (question, true), x in zip(asked.items(), scores.T, strict=True)}
    return Fitted(
        {question: curve for question, curve in found.items() if curve}, dict(zip(asked, scores.T, strict=True))
    )


def database_in(folder: Path) -> Path:
    """The folder of PTB-XL in or below a folder."""
    found = next(iter(sorted(folder.rglob(DATABASE))), None)
    if found is None:
        sys.exit(f"{folder} holds no {DATABASE}; give the folder of a copy of PTB-XL")
    return found.parent


def classes_of(tasks: dict[str, Task]) -> Iterator[tuple[Task, int, TaskClass]]:
    """The classes of PTB-XL's tasks, each with its task and its place there."""
    for task in tasks.values():
        if task.source == "ptb-xl":
            yield from ((task, place, item) for place, item in enumerate(task.classes))


def asked_for(model: FGCLEP, vectors: np.ndarray, tasks: dict[str, Task]) -> np.ndarray:
    """Scores of ECGs for the classes of PTB-XL's tasks, in the order of ``classes_of``."""
    return score_classes(
        scoring(model), vectors, [[(text,) for text in item.prompts] for *_, item in classes_of(tasks)]
    )


def move(model: FGCLEP, fitted: Fitted, tasks: dict[str, Task], folder: Path) -> tuple[Calibration, float]:
    """Fit to patients what simulated ECGs cannot tell, and return the factor of all slopes as well.

    One factor for all slopes, by maximum likelihood over ECGs of folds 1 to 8: simulated findings are easier to tell.
    Then the offset of each class of PTB-XL, such that the mean probability over these ECGs is its share in the folds.
    """
    from leads import listed, prepared  # which needs more packages than to fit does

    source, rows = listed(folder, 0)
    training = rows.filter(rows["split"] == "train")  # folds 1 to 8
    drawn = training.sample(min(PATIENTS, len(training)), seed=0)
    signals, drawn, _ = prepared(model, folder, source, drawn)
    scores = asked_for(model, embedded(model, signals), tasks)
    shares, labels = (
        {task.name: task.labels(some["codes"].to_list()) for task in tasks.values()} for some in (training, drawn)
    )
    known = {}
    for (task, place, item), x in zip(classes_of(tasks), scores.T, strict=True):
        share, question = float(shares[task.name][:, place].mean()), question_of(item.prompts)
        if question in fitted.curves and 0 < share < 1:
            known.setdefault(question, (fitted.curves[question].slope * x, labels[task.name][:, place], share))

    def loss(factor: float) -> float:
        z = [factor * x + offset_for(factor * x, share) for x, _, share in known.values()]
        return sum(
            float((np.logaddexp(0, x) - true * x).mean()) for x, (_, true, _) in zip(z, known.values(), strict=True)
        )

    factor = float(minimize_scalar(loss, bounds=(0.1, 2), method="bounded", options={"xatol": 0.005}).x)
    curves = {}
    for question, curve in fitted.curves.items():
        slope, share = factor * curve.slope, curve.prevalence
        z = slope * fitted.scores[question]
        if question in known:
            x, _, share = known[question]
            z = factor * x
        curves[question] = Curve(slope, offset_for(z, share), share)
    return Calibration(MOVED, curves), factor


def offset_for(z: np.ndarray, share: float) -> float:
    """What is added to logits such that the mean of the probabilities is a share."""
    return float(brentq(lambda by: expit(z + by).mean() - share, -500, 500))


def judge(
    model: FGCLEP, ways: Sequence[Calibration], tasks: dict[str, Task], folder: Path, fold: int, most: int
) -> dict[str, Any]:
    """Print the ECE of the most frequent classes on patients by several calibrations, and return their means."""
    from leads import read

    signals, rows, _ = read(model, folder, fold)
    scores, found = asked_for(model, embedded(model, signals), tasks), {}
    names = ("share alone", "as it is", "by simulated ECGs", "moved")
    for (task, place, item), x in zip(classes_of(tasks), scores.T, strict=True):
        true = task.labels(rows["codes"].to_list())[:, place]
        curves = np.stack([way.of([item.prompts])[0] for way in ways])  # NaN: its prevalence is not known
        probabilities = expit(curves[:, 0] * x[:, None] + curves[:, 1])
        share = curves[-1, 2]  # said of every ECG: what it takes no model for
        probabilities = np.column_stack([np.full(len(true), np.nan_to_num(share)), probabilities])
        each = np.repeat(true[:, None], len(names), axis=1)
        errors = calibration_errors(probabilities, each, np.ones((len(true), 1)))[:, 0]
        if true.any():  # a class that two tasks have counts once
            row = int(true.sum()), task.name, item.name, true.mean(), share, *errors
            found.setdefault(question_of(item.prompts), row)
    table = sorted(found.values(), reverse=True)[:most]
    print(f"fold {fold or 'any'}: {len(rows)} records; ECE of the {len(table)} most frequent classes\n")
    print(f"| task | class | share | assumed | {' | '.join(names)} |\n|---|---|---|---|{'---|' * len(names)}")
    for _, task_name, name, *values in table:
        print(f"| {task_name} | {name} | {' | '.join(f'{value:.3f}' for value in values)} |")
    errors = np.array([row[-len(names) :] for row in table])
    means, small = errors.mean(axis=0).round(4).tolist(), (errors <= ENOUGH).sum(axis=0).tolist()
    print(f"| mean | | | | {' | '.join(f'{value:.3f}' for value in means)} |")
    print(f"| at most {ENOUGH} | | | | {' | '.join(f'{value} of {len(table)}' for value in small)} |")
    return {"ece": dict(zip(names, means, strict=True)), "small": dict(zip(names, small, strict=True))}


def main() -> None:
    """Write the calibration, and print a line of JSON with the share of what is asked for that has a curve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=SHIPPED_MODEL, help="folder of the model, written to")
    parser.add_argument("--records", type=int, default=RECORDS, help="ECGs that are simulated")
    parser.add_argument("--ecgs", type=Path, help="folder with a copy of PTB-XL, to move curves and judge by")
    parser.add_argument("--fold", type=int, default=9, choices=(0, 9, 10), help="of PTB-XL; 0: all records")
    parser.add_argument("--classes", type=int, default=30, help="the most frequent ones that are judged")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = FGCLEP.from_pretrained(args.model)
    tasks = load_tasks()
    print(machine())
    fitted, told = calibrate(model, args.records), {}
    calibration = Calibration(SIMULATED, fitted.curves)
    print(f"{args.records:,} simulated ECGs, {len(fitted.curves):,} curves\n")
    if args.ecgs:
        folder = database_in(args.ecgs)
        moved, factor = move(model, fitted, tasks, folder)
        print(f"all slopes by {factor:.2f}")
        told = judge(model, [Calibration(), calibration, moved], tasks, folder, args.fold, args.classes)
        calibration = moved
    calibration.write(args.model)
    asked = [item.prompts for task in tasks.values() for item in task.classes]
    share = np.isfinite(calibration.of(asked)[:, 2]).mean()
    print(json.dumps({"name": "calibrate", "ratio": round(float(share), 4), "curves": len(calibration.curves), **told}))


if __name__ == "__main__":
    main()
