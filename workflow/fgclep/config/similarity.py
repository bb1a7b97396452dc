"""Similarity between texts."""

from typing import Literal

from pydantic import Field

from fgclep.config.section import Section, Seeded


class SimilaritySection(Section):
    """Similarity between texts, which tells the loss about false negatives; docs/similarity.md compares its sources."""

    source: Literal["concepts", "encoder", "raw", "identity"] = Field(
        "concepts",
        description="concepts: from the diagnoses and features that two texts share. encoder: cosine of a frozen "
        "sentence encoder, calibrated so that most pairs are 0. raw: that cosine as it is, which says that nearly "
        "everything matches; for comparison. identity: 1 for the same text, else 0.",
    )
    related: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Similarity of a diagnosis and a feature that is typical of it, 0 to 1; for concepts and encoder.",
    )
    encoder: str = Field(
        "sentence-transformers/all-MiniLM-L6-v2",
        min_length=1,
        description="The sentence encoder of the sources encoder and raw: a folder, or a Hugging Face name, which is "
        "downloaded once.",
    )
    dense_texts: int = Field(
        30_000,
        ge=1,
        description="Up to so many texts the whole matrix is written, 2 bytes times the square of their number: 1.8 GB "
        "for 30,000. With more texts only the nearest of each are kept.",
    )
    neighbors: int = Field(
        1000,
        ge=1,
        description="Nearest texts that each text keeps where the matrix is not written whole, 6 bytes each; the "
        "similarity to all others is 0.",
    )

    def idle(self) -> set[str]:
        """See ``Section``."""
        own = {"concepts": {"related"}, "encoder": {"related", "encoder"}, "raw": {"encoder"}, "identity": set()}
        return {"related", "encoder"} - own[self.source]


class SimilaritySettings(SimilaritySection, Seeded):
    """What ``build_similarity`` takes of the config."""
