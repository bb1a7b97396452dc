"""What the report and the review sheet show."""

from pydantic import Field

from fgclep.config.section import Section


class ReportSection(Section):
    """What the report and the review sheet show."""

    strips: int = Field(8, ge=0, description="ECGs drawn as 3 x 4 strips with their report and recovered features.")
    examples: int = Field(8, ge=0, description="Rows of the tables of examples.")
    retrieved: int = Field(
        4, ge=0, description="Texts of reports that are shown with the three ECGs that the fine model ranks first."
    )
    review: int = Field(
        200,
        ge=0,
        description="Decisions of the filter drawn at random for a clinician to judge in results/review.html: half of "
        "them accepted, half dropped.",
    )
