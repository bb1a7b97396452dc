"""Linear probes of one model on all tasks, and bootstrap intervals: the code of before and today's, in turns.

Of the probes, the processor time and the memory of all their processes are compared, from embeddings to tables: before,
one for each task and one for the transfer between databases; today one. Of the bootstrap, the processor time of the
metrics of one draw. Embeddings are those of a model in a folder, such as ``results/embeddings/fine``, or made up.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from before import ROOT, Took, checkout, take

from fgclep.config.evaluation import EvaluationSection
from fgclep.evaluation.tasks import Task, load_task
from fgclep.schemas.embeddings import EMBEDDINGS
from fgclep.tables import as_lists, write_table

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
BOOTSTRAP = """
import time
import numpy as np
from fgclep.evaluation.metrics import evaluate

rng = np.random.default_rng(0)
labels = rng.random(({records}, {classes})) < 0.5 * rng.random({classes}) ** 2
scores = (rng.normal(size=labels.shape) + labels).astype(np.float32)
patients, names = np.arange(len(labels)).astype(str), [str(number) for number in range(labels.shape[1])]
took = []
for _ in range({times}):
    start = time.process_time()
    evaluate(scores, labels, patients, names, np.zeros(len(names)), {resamples})
    took.append(time.process_time() - start)
print(min(took))
"""


def made_up(source: str, tasks: list[Task], records: int, features: int) -> pa.Table:
    """Embeddings of records with one or two classes of every task, some frequent, some rare, that features tell of."""
    rng = np.random.default_rng(0)
    codes: list[list[str]] = [[] for _ in range(records)]
    vectors = rng.normal(size=(records, features))
    for task in tasks:
        share = np.arange(1, len(task.classes) + 1) ** -1.2
        means = rng.normal(size=(len(task.classes), features)) * 1.5 / np.sqrt(features)
        for row, number in enumerate(rng.choice(len(share), size=2 * records, p=share / share.sum())):
            codes[row // 2].append(task.classes[number].codes[0])
            vectors[row // 2] += means[number]
    split = rng.choice(["train", "val", "test"], size=records, p=[0.8, 0.1, 0.1])
    ids = [f"{number:06}" for number in range(records)]
    columns = {"source": [source] * records, "record_id": ids, "patient_id": ids, "split": split, "codes": codes}
    columns |= {"features": as_lists(vectors.astype(np.float32)), "embedding": pa.nulls(records)}
    return pa.table({**columns, "patches": pa.nulls(records)}, schema=EMBEDDINGS)


def commands(code: Path, tasks: list[str], embeddings: dict[str, Path], settings: dict, work: Path) -> list[list[str]]:
    """Commands of the probes of a checkout, each to run with its package."""
    stages = code / "workflow/fgclep/stages"
    before = (stages / "evaluate_transfer.py").exists()
    files = [str(code / f"resources/tasks/{task}.yaml") for task in tasks]
    tables = [str(embeddings[task]) for task in tasks]
    vocabulary = ["--vocabulary", str(code / "resources/vocabulary")]

    def command(stage: str, given: list[str], left_out: set[str], *more: str) -> list[str]:
        taken = json.dumps({name: value for name, value in settings.items() if name not in left_out})
        output = ["--model", "fine", "--settings", taken, "--output", str(work / f"{stage}.csv")]
        return ["python", "-m", f"fgclep.stages.{stage}", *given, *output, *more]

    scores = ["--scores", str(work / "scores.parquet")]
    every = ["--task-files", *files, "--embeddings", *tables, *vocabulary]
    if not before:
        return [command("evaluate_linear_probe", every, set(), *scores)]
    probes = [
        command("evaluate_linear_probe", ["--task-file", file, "--embeddings", table], {"transfer_classes"}, *scores)
        for file, table in zip(files, tables, strict=True)
    ]
    return [*probes, command("evaluate_transfer", every, {"fractions", "shots", "seeds"})]


def together(runs: list[Took]) -> tuple[float, float]:
    """Processor time of all, and the memory of the largest."""
    return sum(run.cpu for run in runs), max(run.peak_mb for run in runs)


def main() -> None:
    """Print a table, and a line of JSON whose ratio is that of the processor time of the probes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--embeddings", type=Path, help="folder of a model's; made up without it")
    parser.add_argument("--records", type=int, default=1500, help="of each database, where they are made up")
    parser.add_argument("--features", type=int, default=256, help="of each record, where they are made up")
    parser.add_argument("--tasks", nargs="+", default=EvaluationSection().tasks)
    parser.add_argument("--seeds", type=int, default=EvaluationSection().seeds, help="draws of a share of the records")
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--tested", type=int, default=300, help="records whose metrics are resampled")
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    section = EvaluationSection(seeds=args.seeds, bootstrap=args.resamples)
    names = {"fractions", "shots", "seeds", "transfer_classes", "regularization", "bootstrap", "min_positives"}
    settings = {**section.model_dump(mode="json", include=names), "seed": 0}
    tasks = {task: load_task(ROOT / f"resources/tasks/{task}.yaml") for task in args.tasks}
    sources = {task.source for task in tasks.values()}
    best: list[dict[str, float]] = [{}, {}]
    with checkout() as earlier, tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        if args.embeddings is None:
            for source in sources:
                own = [task for task in tasks.values() if task.source == source]
                table = made_up(source, own, args.records, args.features)
                write_table(table, work / f"{source}.parquet", EMBEDDINGS)
        embeddings = {name: (args.embeddings or work) / f"{task.source}.parquet" for name, task in tasks.items()}
        bootstrap = BOOTSTRAP.format(records=args.tested, classes=50, resamples=args.resamples, times=5)
        for _ in range(args.rounds):
            for known, code in zip(best, (earlier, ROOT), strict=True):
                asked = commands(code, args.tasks, embeddings, settings, work)
                cpu, peak = together([take(code, command, **ONE_THREAD) for command in asked])
                found = {"probes_s": cpu, "processes": len(asked), "peak_mb": peak}
                found["bootstrap_s"] = float(take(code, ["python", "-c", bootstrap], **ONE_THREAD).output)
                known.update({name: min(value, known.get(name, value)) for name, value in found.items()})
    before, after = best
    print("| | before | now |\n|---|---|---|")
    for name, what in (
        ("probes_s", "probes of a model, core-seconds"),
        ("processes", "processes"),
        ("peak_mb", "memory of the largest, MiB"),
        ("bootstrap_s", f"metrics and {args.resamples} resamples of 50 classes, core-seconds"),
    ):
        print(f"| {what} | {before[name]:.3g} | {after[name]:.3g} |")
    figures = {"name": "evaluating", "ratio": before["probes_s"] / after["probes_s"]}
    figures["ratio_bootstrap"] = before["bootstrap_s"] / after["bootstrap_s"]
    print(json.dumps({**figures, "before": before, "after": after}))


if __name__ == "__main__":
    main()
