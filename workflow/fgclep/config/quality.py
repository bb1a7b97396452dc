"""Which recordings are good enough to be used."""

from pydantic import Field

from fgclep.config.section import Section


class QualitySection(Section):
    """Which recordings are good enough; the others are quarantined with the reason. Nothing of it scales a waveform."""

    min_seconds: float = Field(5.0, ge=1, description="Shortest recording in seconds.")
    min_sampling_rate: float = Field(100, gt=0, description="Lowest sampling rate of a recording in Hz.")
    max_sampling_rate: float = Field(2000, gt=0, description="Highest sampling rate of a recording in Hz.")
    flat_mv: float = Field(
        0.01, ge=0, description="Peak-to-peak mV below which a lead is dead; a connected electrode is never that quiet."
    )
    max_mv: float = Field(
        15.0, gt=0, description="mV from the lead's median that no heart reaches at the body surface."
    )
    max_artifact_share: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of a lead's samples, 0 to 1, that may be at the converter's limit or beyond max_mv.",
    )
    max_gap_ms: float = Field(
        40.0,
        ge=0,
        description="Longest run of missing samples in ms that is filled by a straight line; 0: missing samples "
        "exclude a recording.",
    )
    max_limb_error_mv: float = Field(
        0.1,
        gt=0,
        description="Root mean square in mV by which limb leads may miss II = I + III, aVR = -(I + II) / 2, and so on. "
        "Where another order of the limb leads meets it, they are taken in that order.",
    )
