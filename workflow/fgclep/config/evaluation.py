"""What models are evaluated on, and how."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from fgclep.config.address import Base
from fgclep.config.inference import InferenceSettings
from fgclep.config.section import SPEED, Section, Seeded

MOST_RESAMPLES = 1_000_000
PromptSet = Literal["synonyms", "names", "features", "both"]
ZeroShotSplit = Literal["test", "all"]
AskedAtOnce = Annotated[int, Field(ge=1, json_schema_extra=SPEED)]


class EvaluationSection(Section):
    """Zero-shot and linear-probe evaluation."""

    tasks: list[Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")]] = Field(
        ["ptbxl_super", "ptbxl_sub", "ptbxl_form", "ptbxl_rhythm", "cpsc2018", "csn"],
        min_length=1,
        description="Tasks to evaluate on; each is a file in resources/tasks, with a name of a-z, 0-9 and _.",
    )
    splits_base: Base = Field(
        "https://raw.githubusercontent.com/cheliu-computation/MERL-ICML2024/"
        "7a931dbd2dbf347a9745edd3b6729820cc518a90/finetune",
        description="Folder or URL below which lie the published splits that a task names, such as csn_published. "
        "Tasks that name none, as all of the defaults, need nothing from there.",
    )
    prompts: list[PromptSet] = Field(
        ["synonyms", "names", "features", "both"],
        min_length=1,
        description="How zero-shot asks for a class. synonyms: by the wordings of reports that its task file lists. "
        "names: by its title. features: by the waveform features of the vocabulary that it is made with. both: by "
        "synonyms and by features, whose scores are standardized over the records scored and added. The first stands "
        "in the headline table of the report.",
    )
    zero_shot_split: ZeroShotSplit = Field(
        "test",
        description="Records scored without training. test: the published test split. all: every record, for small "
        "collections that no model was trained on, and not beside a source with the role both.",
    )
    fractions: list[Annotated[float, Field(gt=0, le=1)]] = Field(
        [0.01, 0.1, 1.0], min_length=1, description="Shares of the training records for the linear probe, above 0 to 1."
    )
    shots: list[Annotated[int, Field(ge=1)]] = Field(
        [1, 4, 16], description="Positive training records of each class for the few-shot probe; []: none is trained."
    )
    seeds: int = Field(
        5, ge=1, le=1000, description="Random draws of the training records for fractions below 1, and of the shots."
    )
    regularization: list[Annotated[float, Field(gt=0)]] = Field(
        [0.01, 0.1, 1.0, 10.0],
        min_length=1,
        description="Inverse strengths C of the L2 penalty of the probe; the best on the validation split is taken, "
        "with few shots the middle one.",
    )
    transfer_classes: int = Field(
        3,
        ge=1,
        description="Classes that two tasks of different databases must share for a probe to be trained on the one and "
        "tested on the other; above the number of all classes: none is.",
    )
    retrieval_records: int = Field(
        5000,
        ge=1,
        description="Test records with a report, drawn from each source of the pre-training, that ECGs and reports "
        "look for each other among.",
    )
    bootstrap: int = Field(
        1000,
        ge=0,
        le=MOST_RESAMPLES,
        description="Resamples of the test patients for the 95 % confidence intervals; 0: no intervals.",
    )
    min_positives: int = Field(
        10,
        ge=1,
        description="Patients with a positive test record that a class needs to count in the average macro_supported.",
    )
    batch_size: AskedAtOnce = Field(256, description="Prompts scored at once; changes speed and memory only.")

    @field_validator("tasks", "prompts", "fractions", "shots", "regularization")
    @classmethod
    def _each_once(cls, values: list) -> list:
        if twice := sorted({str(value) for value in values if values.count(value) > 1}):
            raise ValueError(f"{', '.join(twice)} is given more than once")
        return values


class PromptSettings(Section):
    """What ``build_prompts`` takes of the config."""

    prompts: list[PromptSet]


class ComparisonSettings(Seeded):
    """What ``compare_models`` takes of the config."""

    bootstrap: int


class ZeroShotSettings(Seeded):
    """What ``evaluate_zero_shot`` takes of the config."""

    prompts: list[PromptSet]
    zero_shot_split: ZeroShotSplit
    bootstrap: int
    min_positives: int
    batch_size: AskedAtOnce


class ProbeSettings(Seeded):
    """What ``evaluate_linear_probe`` takes of the config."""

    fractions: list[float]
    shots: list[int]
    seeds: int
    transfer_classes: int
    regularization: list[float]
    bootstrap: int
    min_positives: int


class RetrievalSettings(InferenceSettings, Seeded):
    """What ``evaluate_retrieval`` takes of the config."""

    retrieval_records: int
    bootstrap: int


class VariantSettings(InferenceSettings, Seeded):
    """What ``evaluate_variant`` takes of the config."""

    prompts: list[PromptSet]
    zero_shot_split: ZeroShotSplit
    regularization: list[float]
