"""Trainings that differ in one setting, to see what each is worth."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from fgclep.config.section import Section

COARSE, REFERENCE = "coarse", "fine"  # no variants: the start of all, and the config as it is
TEXT_TOWER = "results/ablation/text_tower"  # the coarse model's, frozen

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Changeable = Literal["pretraining", "similarity", "verification"]
Changes = dict[Changeable, dict[str, Any]]
DEFAULT_VARIANTS: Any = {
    "siglip": {"pretraining": {"loss": "siglip"}},
    "clip": {"pretraining": {"loss": "clip"}},
    "soft_sigmoid": {"pretraining": {"loss": "soft_sigmoid"}},
    "fg_clep": {"pretraining": {"loss": "fg_clep"}},
    "fg_clep_as_published": {"pretraining": {"loss": "fg_clep", "mitigation": 0.5}},
    "similarity_encoder": {"similarity": {"source": "encoder", "encoder": TEXT_TOWER}},
    "similarity_raw": {"similarity": {"source": "raw", "encoder": TEXT_TOWER}},
    "similarity_identity": {"similarity": {"source": "identity"}},
    "features_filtered": {"verification": {"features": "filtered"}},
    "features_none": {"verification": {"features": "none"}},
    "features_unfiltered": {"verification": {"features": "unfiltered"}},
    "features_random": {"verification": {"features": "random"}},
    "features_shuffled": {"verification": {"features": "shuffled"}},
}


class AblationSection(Section):
    """What `snakemake --cores all ablation` compares: fine stages that differ from the config in one setting."""

    seeds: int = Field(3, ge=1, le=20, description="Trainings of every variant, with seeds from the config's on.")
    variants: dict[Name, Changes | None] = Field(
        DEFAULT_VARIANTS,
        description="Name of each variant, and what it changes for the fine stage: settings of pretraining, similarity "
        "and verification.features; null leaves a variant out. Each is compared with the config as it is (fine) and "
        "with the coarse model.",
    )
