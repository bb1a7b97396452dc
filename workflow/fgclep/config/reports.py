"""Cleaning of the reports."""

from pydantic import Field

from fgclep.config.section import Section


class ReportsSection(Section):
    """Which reports are good enough to train on."""

    min_words: int = Field(
        3,
        ge=1,
        description="Words a report must have in all, without administrative statements; shorter ones are quarantined.",
    )
