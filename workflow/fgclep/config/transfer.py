"""How files are fetched."""

from pydantic import Field

from fgclep.config.section import SPEED, Section


class TransferSection(Section):
    """How files are fetched; none of this changes what is written."""

    parallel: int = Field(
        4,
        ge=1,
        le=32,
        description="Files fetched at the same time by one job. However many cores there are, one job fetches from the "
        "network at a time (--resources downloads=2: two), so this is the number of connections to a server.",
        json_schema_extra=SPEED,
    )
    timeout_seconds: float = Field(
        60,
        gt=0,
        description="Seconds without an answer after which a request is repeated.",
        json_schema_extra=SPEED,
    )
    retries: int = Field(
        4,
        ge=0,
        description="Repetitions of a request, with growing pauses, that bring nothing new before giving up; a file "
        "that broke off is continued.",
        json_schema_extra=SPEED,
    )
