"""Similarity between texts."""

from typing import Literal

from pydantic import Field

from fgclep.config.section import Section


class SimilaritySection(Section):
    """Similarity between texts, which tells the loss about false negatives."""

    source: Literal["concepts", "identity"] = Field(
        "concepts",
        description="concepts: from the diagnoses and features that two texts share. identity: 1 for the same text, "
        "else 0.",
    )
    related: float = Field(
        0.5, ge=0, le=1, description="Similarity of a diagnosis and a feature that is typical of it, 0 to 1."
    )
