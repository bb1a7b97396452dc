"""Measurements on the waveforms."""

from typing import Literal

from pydantic import Field

from fgclep.config.section import SPEED, Section


class MeasurementSection(Section):
    """Intervals, axes and amplitudes, against which recovered features are checked."""

    intervals: Literal["database", "signal"] = Field(
        "database",
        description="database: the intervals and axes that come with the database, where it has them. signal: always "
        "measured on the waveform.",
    )
    workers: int = Field(
        1,
        ge=1,
        le=1024,
        description="Processes that measure at the same time; the result is the same.",
        json_schema_extra=SPEED,
    )
