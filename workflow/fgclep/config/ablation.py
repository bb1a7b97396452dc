"""Trainings that differ in one setting, to see what each is worth."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints, with_config
from typing_extensions import TypedDict

from fgclep.config.section import Section

COARSE, REFERENCE = "coarse", "fine"  # no variants: the start of all, and the config as it is
NO_FEATURES = "features_none"  # of the defaults, the one that says what the recovered features are worth
TEXT_TOWER = "results/ablation/text_tower"  # the coarse model's, frozen

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


@with_config(ConfigDict(extra="forbid"))
class Changes(TypedDict, total=False):
    """What a variant changes for its fine stage, and whether for a coarse stage of its own as well."""

    pretraining: Annotated[dict[str, Any], Field(description="Settings of pretraining.")]
    similarity: Annotated[dict[str, Any], Field(description="Settings of similarity.")]
    verification: Annotated[dict[str, Any], Field(description="The setting features.")]
    throughout: Annotated[bool, Field(description="Whether a coarse stage of its own has the changes as well.")]


DEFAULT_VARIANTS: Any = {
    "balanced": {"pretraining": {"loss": "balanced"}, "throughout": True},
    "siglip": {"pretraining": {"loss": "siglip"}, "throughout": True},
    "fg_clep": {"pretraining": {"loss": "fg_clep"}, "throughout": True},
    "fg_clep_as_published": {"pretraining": {"loss": "fg_clep", "mitigation": 0.5}, "throughout": True},
    "soft_sigmoid": {"pretraining": {"loss": "soft_sigmoid"}, "throughout": True},
    "clip": {"pretraining": {"loss": "clip"}, "throughout": True},
    NO_FEATURES: {"verification": {"features": "none"}},
    "features_labelled": {"verification": {"features": "labelled"}},
    "features_unfiltered": {"verification": {"features": "unfiltered"}},
    "features_random": {"verification": {"features": "random"}},
    "features_shuffled": {"verification": {"features": "shuffled"}},
}


class AblationSection(Section):
    """What `snakemake --cores all ablation` compares: trainings that differ from the config in one setting."""

    seeds: int = Field(3, ge=1, le=20, description="Trainings of every variant, with seeds from the config's on.")
    variants: dict[Name, Changes | None] = Field(
        DEFAULT_VARIANTS,
        description="Name of each variant, and what it changes for the fine stage: settings of pretraining, similarity "
        "and verification.features; null leaves a variant out. With throughout: true, pretraining and similarity "
        "change for the coarse stage as well, which the variant then has of its own; all others start from the "
        "config's. Each is compared with the config as it is (fine) and with the coarse model.",
    )
