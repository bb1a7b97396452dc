"""The filter against hallucinated features."""

from typing import Literal, Self

from pydantic import Field, model_validator

from fgclep.config.named_models import made_by_this_run
from fgclep.config.section import Section


class ChecksSection(Section):
    """Checks that every recovered feature must pass: what ``verify_features`` takes of the config."""

    folds: int = Field(
        2,
        ge=2,
        le=10,
        description="Parts of the patients for cross-fitting with the reader coarse: a record is judged by a coarse "
        "model that was not trained on its part. Each costs one coarse training.",
    )
    min_votes: int = Field(1, ge=1, description="Answers of the language model that must name the feature.")
    measurement: bool = Field(True, description="Drop features that the measured intervals or amplitudes refute.")
    contradiction: bool = Field(True, description="Drop features that another statement of the report excludes.")
    reader: Literal["none", "coarse", "simulated"] = Field(
        "simulated",
        description="Who reads in the ECG what could not be measured for sure; what it does not see is dropped. none: "
        "nobody, they are accepted. coarse: a coarse model that has not been trained on the patient. simulated: a "
        "model trained on simulated ECGs, of which every feature is known (reader_model).",
    )
    target_fdr: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="Share of false features tolerated among those that the reader lets pass, 0 to 1; its "
        "threshold per feature is calibrated to it.",
    )
    threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Fixed probability that the reader must give to every feature, 0 to 1, in place of "
        "target_fdr; the published method has 0.95.",
    )

    def idle(self) -> set[str]:
        """See ``Section``."""
        idle = set() if self.reader == "coarse" else {"folds"}
        if self.reader == "none":
            return idle | {"target_fdr", "threshold"}
        return idle if self.threshold is None else idle | {"target_fdr"}


class VerificationSection(ChecksSection):
    """Checks that every recovered feature must pass before the fine stage trains on it."""

    reader_model: str = Field(
        "shipped",
        min_length=1,
        description="The model of the reader simulated. shipped: the one that comes with the package. Else the folder "
        "of a model, such as that of a run with simulated-large.yaml, or its Hugging Face name.",
    )
    features: Literal["filtered", "labelled", "none", "unfiltered", "random", "shuffled", "truth"] = Field(
        "filtered",
        description="Features that the fine stage trains on. filtered: those that pass the checks, as if the ECG had "
        "no other. labelled: all that the report states, the checks pass or the measurement supports; those of which "
        "nobody knows whether the ECG has them are left out of the loss. The next are controls that show what the "
        "checks are worth. none: no features. unfiltered: all that were proposed. random: as many per record as pass, "
        "drawn from all that pass anywhere. shuffled: those that pass, handed on to "
        "another record. truth: those that the simulation knows to be present, whatever was proposed; for simulated "
        "sources.",
    )

    @model_validator(mode="after")
    def _reader_is_from_another_run(self) -> Self:
        if self.reader == "simulated" and made_by_this_run(self.reader_model):
            raise ValueError(
                f"reader_model {self.reader_model} is made by this run itself, from what the reader has judged. "
                "Copy the model of another run to a folder of its own, and write\n\n"
                "    verification:\n      reader_model: models/reader"
            )
        return self
