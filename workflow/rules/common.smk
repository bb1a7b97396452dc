import ast
import builtins
import json
import os
import shlex
import sys
from pathlib import Path

from snakemake import ioutils

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

# The package of this checkout, for the digests below as for the stages: both see the same code.
PACKAGE_FOLDER = Path(workflow.basedir) / "workflow"
sys.path[:] = [str(PACKAGE_FOLDER), *(folder for folder in sys.path if Path(folder).resolve() != Path.cwd())]
# No file of the working folder is imported in place of a library, in jobs and in what Snakemake starts on a cluster.
os.environ |= {"PYTHONSAFEPATH": "1"}  # set, and not used, which is what the lint of Snakemake takes [] for

from fgclep.config.load import validate_config
from fgclep.config.ablation import COARSE, REFERENCE, TEXT_TOWER
from fgclep.config.data import SIMULATION, ManifestSettings, RecordsSettings, ShardSettings
from fgclep.config.evaluation import (
    ComparisonSettings,
    ProbeSettings,
    PromptSettings,
    RetrievalSettings,
    VariantSettings,
    ZeroShotSettings,
)
from fgclep.config.inference import EmbeddingSettings, ExamSettings, InferenceSettings, ReaderSettings
from fgclep.config.pretraining import TrainingSettings
from fgclep.config.report import AttentionSettings, FigureSettings, ReportSettings, ReviewSettings
from fgclep.config.section import Seeded
from fgclep.config.similarity import SimilaritySettings
from fgclep.config.simulation import DEFAULT_RECORDS as SIMULATED, DatabaseSettings, RecordingSettings
from fgclep.config.verification import ChecksSection
from fgclep.digest import file_digest, source_digest
from fgclep.evaluation.tasks import load_task
from fgclep.fetch import formats
from fgclep.files import RUN_RECORD, write_text
from fgclep.verification.augmentation import KINDS
from fgclep.config.named_models import encoder_digest, model_digest
from fgclep.simulation.version import DRAWN as SIMULATION_VERSION
from fgclep.sources.simulated import numbers_of
from fgclep.sources import get_source, module_of
from fgclep.errors import UserError

SLUGS = {key: get_source(key).slug for key in SIMULATED if not get_source(key).streamed}
SOURCE_OF_SLUG = {slug: source for source, slug in SLUGS.items()}
STREAMED = "simulated"  # the source whose chunks are simulated straight into shards
VOCABULARY = [
    "resources/vocabulary/features.yaml",
    "resources/vocabulary/diagnoses.yaml",
    "resources/vocabulary/administrative.yaml",
]
PROMPTS = ["resources/prompts/recover.txt", "resources/prompts/likelihood.txt"]


def validated(values):
    try:
        return validate_config(values)
    except UserError as error:
        raise WorkflowError(str(error)) from None


def task_of_name(task):
    """A task from its file; its source must be one whose test records no model is trained on."""
    path = Path("resources/tasks") / f"{task}.yaml"
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.yaml")))
        raise WorkflowError(
            f"config: evaluation.tasks names {task}, and there is no {path}. Choose from\n\n"
            f"    evaluation:\n      tasks: [{known}]"
        )
    try:
        loaded = load_task(path)
        source = get_source(loaded.source).key
    except UserError as error:
        raise WorkflowError(f"{path}: {error}") from None
    if source not in SETTINGS.data.sources or not SETTINGS.data.sources[source].tests:
        raise WorkflowError(
            f"config: the task {task} needs {source} for evaluation. Write\n\n"
            f"    data:\n      sources:\n        {source}:\n          role: evaluate\n\n"
            "or role: both, to train on its records of train and val as well, or leave the task out of evaluation.tasks"
        )
    if loaded.split and SETTINGS.data.sources[source].trains:
        raise WorkflowError(
            f"config: the task {task} has a split of its own, in which records that models are trained on may be test "
            f"records: {source} has the role both. Write\n\n"
            f"    data:\n      sources:\n        {source}:\n          role: evaluate\n\n"
            "or leave the task out of evaluation.tasks"
        )
    return loaded


def check_words(option, resources):
    """Refuse names of SLURM's that Snakemake would evaluate as Python, which ends in an error that names neither."""
    known = {"attempt", "async_run", "input", "shutil", "system_tmpdir", "threads", "wildcards"}
    functions = {}
    ioutils.register_in_globals(functions)
    known |= functions.keys() | set(dir(builtins))
    for name, resource in resources.items():
        word = resource.raw
        if isinstance(word, str) and (name.startswith("slurm_") or name in WORDS) and is_python(word, known):
            raise WorkflowError(
                f"{option}{name}={word}: Snakemake takes {word} for Python. Quote it twice\n\n"
                f"    {option}{name}=\"'{word}'\"\n\nand in a profile\n\n    {name}: \"'{word}'\""
            )


def is_python(word, known):
    """Whether a word that should be a name is a value of Python's that is another text."""
    try:
        node = ast.parse(word.strip(), mode="eval").body
    except SyntaxError:
        return False
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    values = [part.value for part in parts if isinstance(part, ast.Constant) and not isinstance(part.value, str | None)]
    names = [part.id for part in parts if isinstance(part, ast.Name)]
    if len(values) + len(names) < len(parts) or not known.issuperset(names):
        return False
    return bool(names) or len(parts) > 1 or str(values[0]) != word


WORDS = {"clusters", "constraint", "gpu_manufacturer", "gpu_model", "nodelist", "qos", "reservation"}
check_words("--default-resources ", workflow.resource_settings._parsed_default_resources)
for rule_, resources_ in workflow.resource_settings._parsed_overwrite_resources.items():
    check_words(f"--set-resources {rule_}:", resources_)

SETTINGS = validated(config)
CONFIG = SETTINGS.model_dump(mode="json")
TASKS = {task: task_of_name(task) for task in CONFIG["evaluation"]["tasks"]}
TASK_FILES = [f"resources/tasks/{task}.yaml" for task in TASKS]
SOURCE_OF_TASK = {task: loaded.source for task, loaded in TASKS.items()}
PRETRAINING_SOURCES = SETTINGS.data.pretraining_sources()
EVALUATION_SOURCES = sorted(set(SOURCE_OF_TASK.values()))
STORED_SOURCES = SETTINGS.data.stored_sources()
# each once, also one that is trained on and evaluated on
SOURCES = list(dict.fromkeys(PRETRAINING_SOURCES + EVALUATION_SOURCES + STORED_SOURCES))
FOLDS = range(CONFIG["verification"]["folds"])
TRAINED = ["coarse", "fine"]
# What a probe reaches without pre-training, and by the fine model and the measurements together.
PROBED = [*TRAINED, "random", "measurements", "fine_measurements"]
AUGMENTED_REPORTS = f"results/recovery/reports/{CONFIG['verification']['features']}.parquet"
ENVIRONMENT = f"../../envs/{'cuda' if CONFIG['pretraining']['device'] == 'cuda' else 'cpu'}.yaml"


# with --sdm apptainer alone; docs/clusters.md says how to build it
container: "containers/fg-clep.sif"


wildcard_constraints:
    source="|".join(CONFIG["data"]["sources"]),
    slug="|".join(SLUGS.values()),
    version=r"\d+(\.\d+)+",
    chunk=r"\d+",
    part="|".join([r"fold\d+", *PRETRAINING_SOURCES]),
    features="|".join(KINDS),
    variant=r"[a-z][a-z0-9_]*",
    model="|".join(PROBED),
    name=r"coarse|coarse-fold\d+|fine",
    task="|".join(SOURCE_OF_TASK),


def prefix():
    """Shell code before every command: one thread per process, the code of this checkout, Snakemake's own Python.

    Python looks for modules in the package of the checkout and among its libraries, never where snakemake runs.

    Snakemake may be called by its path, from an environment that is not activated; with --sdm, Python comes from the
    rule's environment or the container.
    """
    package, python = shlex.quote(str(PACKAGE_FOLDER)), shlex.quote(str(Path(sys.executable).parent))
    # Snakemake would set these to what --cores leaves a rule, and the last digits of the results would follow.
    single = "export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1"
    commands = ["set -euo pipefail", f"export PYTHONPATH={package} PYTHONSAFEPATH=1", single]
    own_python = {DeploymentMethod.CONDA, DeploymentMethod.APPTAINER}
    if own_python.isdisjoint(workflow.deployment_settings.deployment_method):
        commands.append(f"export PATH={python}:$PATH")
    return "; ".join(commands) + "; "


shell.prefix(prefix())


def settings(taken):
    """Params of a rule from the settings that its stage takes of the config, a ``Section`` or a function of wildcards.

    ``depends_on`` is what outputs depend on. ``settings`` is all of it, for the stage, and counts for nothing:
    Snakemake compares no function of ``threads`` between runs.
    """
    of = taken if callable(taken) else lambda wildcards: taken
    return dict(
        depends_on=lambda wildcards: as_json(of(wildcards).dependencies()),
        settings=lambda wildcards, threads: as_json(of(wildcards).model_dump(mode="json")),
    )


def as_json(values):
    return json.dumps(values, sort_keys=True)


def code(stage):
    """Digests of a stage and of the module of the source that it works on; a change to another source does not count."""
    return lambda wildcards: f"{source_digest(f'fgclep.stages.{stage}')}-{source_digest(module_of(wildcards.source))}"


def contents(*paths):
    """Digests of files that people write, as a value: Snakemake compares the content of an input only if it is newer."""
    there = [path for path in paths if Path(path).is_file()]  # Snakemake itself says what is missing
    return as_json({"content of": {path: file_digest(Path(path))[:12] for path in there}})


def growing(amount):
    """Memory or time that grows with every attempt; only a profile with `retries` makes a second one."""
    return lambda wildcards, attempt: attempt * amount
