"""The model and the knowledge that a command uses: this folder's, else those that come with the package."""

from pathlib import Path
from typing import TYPE_CHECKING

from fgclep.commands.loading import loading
from fgclep.commands.output import RESEARCH_ONLY, say
from fgclep.config.named_models import SHIPPED, SHIPPED_MODEL, check_model_folder
from fgclep.errors import UserError
from fgclep.evaluation.tasks import Task, load_task
from fgclep.language.vocabulary import Vocabulary, load_vocabulary

if TYPE_CHECKING:
    from fgclep.evaluation.head import Head
    from fgclep.models.fgclep import FGCLEP

PACKAGE = Path(__file__).resolve().parents[1]
MODEL = Path("results/models/fine")
# in a checkout, links to the folders of that name beside the Snakefile; installed, copies of them
TASKS, SHIPPED_TASKS = Path("resources/tasks"), PACKAGE / "resources/tasks"
VOCABULARY, SHIPPED_VOCABULARY = Path("resources/vocabulary"), PACKAGE / "resources/vocabulary"
SIMULATED_ONLY = "the model that comes with fgclep, which has been trained on simulated ECGs only and on no patient's"


def load_model(folder: str | None) -> "FGCLEP":
    """Load a model on the GPU if there is one.

    Parameters
    ----------
    folder
        Of the model; ``None``: that of the run in this folder, else the one that comes with the package, which is said.

    Raises
    ------
    UserError
        If there is none, or the folder holds no model of this package, or a damaged one.
    """
    if folder is None:
        folder = _default_model()
    check_model_folder(folder)
    with loading():
        from fgclep.device import choose_device  # loaded on demand: torch takes longer than all checks before it
        from fgclep.models.fgclep import FGCLEP

        return FGCLEP.from_pretrained(folder).to(choose_device("auto"))


def model_name(model: "FGCLEP") -> str:
    """Name the model that answers as the config does: ``shipped``, or its folder."""
    return SHIPPED if model.folder == str(SHIPPED_MODEL) else model.folder


def _default_model() -> str:
    if (MODEL / "config.json").is_file():
        return str(MODEL)
    if not (SHIPPED_MODEL / "config.json").is_file():
        raise UserError(
            f"there is no model in {MODEL}, and this installation comes without one; run `snakemake --cores all` "
            "first, or give --model FOLDER"
        )
    say(f"There is no model in {MODEL}. Used is {SIMULATED_ONLY}. {RESEARCH_ONLY}")
    return str(SHIPPED_MODEL)


def find_task_or_head(name: str) -> "Task | Head":
    """Load a head by its file ``.json``, or a task; arguments and errors as for ``find_task``."""
    if name.endswith(".json"):
        from fgclep.evaluation.head import Head  # loaded on demand: with torch, as the model's calibration

        return Head.read(name)
    return find_task(name)


def find_task(name: str) -> Task:
    """Load a task by its file, or by its name in ``resources/tasks`` of this folder, else of the package.

    Raises
    ------
    UserError
        If there is no such task, with the names that there are; and as ``load_task``.
    """
    if name.endswith((".yaml", ".yml")):
        return load_task(name)
    folder = TASKS if TASKS.is_dir() else SHIPPED_TASKS
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in known:
        raise UserError(
            f"there is no task {name!r} in {folder}; there are {', '.join(known)}, or FILE.yaml or FILE.json"
        )
    return load_task(folder / f"{name}.yaml")


def find_vocabulary() -> Vocabulary:
    """Load the vocabulary of this folder, else that of the package."""
    return load_vocabulary(VOCABULARY if VOCABULARY.is_dir() else SHIPPED_VOCABULARY)
