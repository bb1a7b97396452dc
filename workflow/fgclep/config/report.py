"""What the report and the review sheet show."""

from pydantic import Field

from fgclep.config.ablation import Changes
from fgclep.config.evaluation import PromptSet
from fgclep.config.section import Section, Seeded


class ReportSection(Section):
    """What the report and the review sheet show."""

    title: str = Field(
        "",
        max_length=100,
        description="Name of the run in the head of its report, to tell printed ones apart.",
    )
    strips: int = Field(
        8, ge=0, le=1000, description="ECGs drawn as 3 x 4 strips with their report and recovered features."
    )
    examples: int = Field(8, ge=0, le=1000, description="Rows of the tables of examples.")
    retrieved: int = Field(
        4,
        ge=0,
        le=1000,
        description="Texts of reports that are shown with the three ECGs that the fine model ranks first.",
    )
    review: int = Field(
        200,
        ge=0,
        le=10_000,
        description="Decisions of the filter drawn at random for a clinician to judge in results/review.html: half of "
        "them accepted, half dropped.",
    )


class AttentionSettings(Section):
    """What ``attend_examples`` takes of the config."""

    strips: int


class ShownSettings(Section):
    """What report and figures take of the config; the first of ``prompts`` is the set of the headline."""

    strips: int
    retrieved: int
    prompts: list[PromptSet]


class ReportSettings(ShownSettings):
    """What ``render_report`` takes of the config."""

    examples: int


class FigureSettings(ShownSettings):
    """What ``render_figures`` takes of the config; ``variants`` as in the section ``ablation``."""

    variants: dict[str, Changes | None]


class ReviewSettings(Seeded):
    """What ``render_review`` takes of the config."""

    review: int
