"""The model and the knowledge that a command uses, with errors that say how to get them."""

import json
from pathlib import Path

from fgclep.device import choose_device
from fgclep.evaluation.tasks import Task, load_task
from fgclep.models.fgclep import FGCLEP
from fgclep.stage import UserError
from fgclep.vocabulary import Vocabulary, load_vocabulary

TASKS, VOCABULARY = Path("resources/tasks"), Path("resources/vocabulary")


def load_model(folder: str) -> FGCLEP:
    """Load a model on the GPU if there is one.

    Raises
    ------
    UserError
        If the folder holds no model of this package, or a damaged one.
    """
    config = Path(folder) / "config.json"
    if not config.is_file():
        raise UserError(f"{folder} holds no model; run `snakemake --cores all` first, or give --model FOLDER")
    try:
        kind = json.loads(config.read_text(encoding="utf-8")).get("model_type")
        if kind != FGCLEP.config_class.model_type:
            raise UserError(f"{folder} holds a model of type {kind!r}, not {FGCLEP.config_class.model_type!r}")
        model = FGCLEP.from_pretrained(folder)
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"the model in {folder} is incomplete or damaged: {error}") from error
    return model.to(choose_device("auto"))  # type: ignore[arg-type]


def find_task(name: str) -> Task:
    """Load a task by its file, or by its name in ``resources/tasks`` of this folder.

    Raises
    ------
    UserError
        If there is no such task, with the names that there are; and as ``load_task``.
    """
    if name.endswith((".yaml", ".yml")):
        return load_task(name)
    if not TASKS.is_dir():
        raise UserError(f"there is no folder {TASKS} here; run this where the Snakefile is, or give --task FILE.yaml")
    known = sorted(path.stem for path in TASKS.glob("*.yaml"))
    if name not in known:
        raise UserError(f"there is no task {name!r} in {TASKS}; there are {', '.join(known)}, or give --task FILE.yaml")
    return load_task(TASKS / f"{name}.yaml")


def find_vocabulary() -> Vocabulary:
    """Load the vocabulary of this folder; raises ``UserError`` if there is none."""
    if not VOCABULARY.is_dir():
        raise UserError(
            f"there is no folder {VOCABULARY} here, which holds the waveform features; run this where the Snakefile "
            "is, or ask with --prompt"
        )
    return load_vocabulary(VOCABULARY)
