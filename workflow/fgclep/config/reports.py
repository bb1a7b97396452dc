"""What a model is told of the reports."""

from pydantic import Field

from fgclep.config.section import Section


class ReportsSection(Section):
    """Which reports are good enough to train on, and in which words."""

    min_words: int = Field(
        3,
        ge=1,
        description="Words a report must have in all, without administrative statements; shorter ones are quarantined.",
    )
    vocabulary_words: bool = Field(
        True,
        description="Whether the diagnoses that a report names, and the wider ones that these are, are added in the "
        "words of the vocabulary, so that long statements and other languages meet the words that models are asked "
        "with. false: the statements as written, as published.",
    )
