"""The filter against hallucinated features."""

from typing import Literal

from pydantic import Field

from fgclep.config.section import Section


class ChecksSection(Section):
    """Checks that every recovered feature must pass: what ``verify_features`` takes of the config."""

    folds: int = Field(
        2,
        ge=2,
        le=10,
        description="Parts of the patients for cross-fitting: a record is judged by a coarse model that was not "
        "trained on its part. Each costs one coarse training.",
    )
    min_votes: int = Field(1, ge=1, description="Answers of the language model that must name the feature.")
    measurement: bool = Field(True, description="Drop features that the measured intervals or amplitudes refute.")
    contradiction: bool = Field(True, description="Drop features that another statement of the report excludes.")
    coarse: bool = Field(True, description="Drop features that the coarse model does not see in this ECG.")
    target_fdr: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="Share of false features tolerated among those that the coarse model lets pass, 0 to 1; its "
        "threshold per feature is calibrated to it.",
    )
    threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Fixed probability that the coarse model must give to every feature, 0 to 1, in place of "
        "target_fdr; the published method has 0.95.",
    )


class VerificationSection(ChecksSection):
    """Checks that every recovered feature must pass before the fine stage trains on it."""

    features: Literal["labelled", "filtered", "none", "unfiltered", "random", "shuffled", "truth"] = Field(
        "labelled",
        description="Features that the fine stage trains on. labelled: all that the report states, the checks pass or "
        "the measurement supports; those of which nobody knows whether the ECG has them are left out of the loss. "
        "filtered: those that pass the checks, as if the ECG had no other. The next are controls that show what the "
        "checks are worth. none: no features. unfiltered: all that were proposed. random: "
        "as many per record as pass, drawn from all that pass anywhere. shuffled: those that pass, handed on to "
        "another record. truth: those that the simulation knows to be present, whatever was proposed; for simulated "
        "sources.",
    )
