"""Models trained and asked beside a finished run: on its shards, texts, labels and prompts."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ecgs import ROOT  # isort: skip (puts the package on the path)

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from fgclep.commands.of_run import of_the_run
from fgclep.config.inference import InferenceSettings
from fgclep.config.pretraining import PretrainingSection, TrainingSettings
from fgclep.config.signal import SignalSection
from fgclep.evaluation.embedding import embed_records
from fgclep.evaluation.metrics import macro_aurocs
from fgclep.evaluation.prompts import read_prompts, worded
from fgclep.evaluation.scores import Evaluation, Scored
from fgclep.evaluation.task_records import task_records
from fgclep.evaluation.tasks import Task, load_task
from fgclep.evaluation.zero_shot import score_sets
from fgclep.models.fgclep import FGCLEP

SETS = ("synonyms", "features", "both")


def train(
    results: Path,
    output: Path,
    section: PretrainingSection,
    epochs: int,
    reports: Path,
    labels: Path | None = None,
    start: str | None = None,
) -> Path:
    """Train one stage on reports with features (seed 0), and return the model's folder."""
    settings = TrainingSettings.of(section, epochs=epochs, signal=SignalSection(), seed=0)
    command = [
        sys.executable, "-m", "fgclep.stages.pretrain", "--name", output.name,
        "--shards", *map(str, of_the_run(sorted(results.glob("shards/*/*.parquet")))),
        "--texts", str(results / "reports/texts.parquet"), "--reports", str(reports),
        *(["--labels", str(labels)] if labels else []), "--similarity", str(results / "similarity/matrix"),
        "--settings", settings.model_dump_json(), "--output", str(output),
        *(["--start-from", start] if start else []),
    ]  # fmt: skip
    subprocess.run(command, check=True, cwd=ROOT / "workflow", stderr=subprocess.DEVNULL)  # nosec B603
    return output


def tasks_of(results: Path) -> list[Task]:
    """The run's tasks, by name."""
    prompts = read_prompts(results / "evaluation/prompts.parquet")
    return [load_task(ROOT / f"resources/tasks/{name}.yaml") for name in sorted({task for task, _ in prompts})]


@torch.inference_mode()
def embedded(results: Path, model: FGCLEP) -> pa.Table:
    """Features and embeddings of all records that the run's tasks are made of, with the schema ``EMBEDDINGS``."""
    sources: Sequence[str] = sorted({task.source for task in tasks_of(results)})
    found = [path for source in sources for path in sorted((results / "shards" / source).glob("*.parquet"))]
    settings = InferenceSettings.of(PretrainingSection(), threads=1, workers=1, signal=SignalSection())
    tables = embed_records(model, of_the_run(found), settings, torch.device("cpu"), Path(model.folder).name)
    return pa.concat_tables(tables)


@torch.inference_mode()
def zero_shot_scores(
    results: Path, folder: Path, split: str, table: pa.Table | None = None
) -> dict[Evaluation, Scored]:
    """What a model scores on the records of a split, for each of the run's tasks, by each of ``SETS``.

    ``table`` is that of ``embedded``, made here if it is not given.
    """
    prompts = read_prompts(results / "evaluation/prompts.parquet")
    model = FGCLEP.from_pretrained(folder)
    table = embedded(results, model) if table is None else table
    found: dict[Evaluation, Scored] = {}
    for task in tasks_of(results):
        records = task_records(table.filter(pc.equal(table["source"], task.source)), task, "embedding").of(split)
        classes = {kind: prompts[task.name, kind] for kind in worded(SETS)}
        facts = tuple(task.class_names), records.ids, records.patients, records.labels
        for kind, (scores,) in score_sets(model.score, [records.vectors], classes, SETS).items():
            found[task.name, task.label_set, "zero_shot", kind] = Scored(*facts, scores, task.source)
    return found


def zero_shot(results: Path, folder: Path, split: str, table: pa.Table | None = None) -> dict[str, float]:
    """Macro AUROC in percent, mean over the run's tasks, on the records of a split, by each of ``SETS``."""
    values: dict[str, list[float]] = {kind: [] for kind in SETS}
    for (*_, kind), scored in zero_shot_scores(results, folder, split, table).items():
        values[kind].append(macro_aurocs(scored.scores, scored.labels, np.ones((len(scored.labels), 1)))[0])
    return {kind: 100 * float(np.mean(some)) for kind, some in values.items()}
