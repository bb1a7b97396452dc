"""What the report shows."""

from pydantic import Field

from fgclep.config.section import Section


class ReportSection(Section):
    """What the report shows."""

    strips: int = Field(8, ge=0, description="ECGs drawn as 3 x 4 strips with their report and recovered features.")
    examples: int = Field(8, ge=0, description="Rows of the tables of examples.")
