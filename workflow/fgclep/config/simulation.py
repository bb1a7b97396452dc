"""The simulated databases."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from fgclep.config.section import SPEED, Section, Seeded, over_defaults

SimulatedKey = Literal["mimic-iv-ecg", "ptb-xl", "cpsc2018", "csn", "simulated"]
Prevalence = Literal["flat", "reports"]
DEFAULT_RECORDS: Any = {"mimic-iv-ecg": 8000, "ptb-xl": 1500, "cpsc2018": 700, "csn": 1500, "simulated": 20_000}


class SimulationSection(Section):
    """Simulated ECGs: of the source simulated, and in native layout of those whose base is results/simulation/files."""

    records: dict[SimulatedKey, Annotated[int, Field(ge=20)]] = Field(
        DEFAULT_RECORDS,
        description="Recordings per database; at least 20. Those of the source simulated, of which there may be a "
        "million, go straight into its shards.",
    )
    broken_records: int = Field(
        3,
        ge=0,
        le=10,
        description="Recordings per database that are damaged on purpose, to be found in the quarantine.",
    )
    feature_mention_rate: float = Field(
        0.45,
        ge=0,
        le=1,
        description="Share of the simulated reports, 0 to 1, that mention waveform features beside the diagnoses.",
    )
    prevalence: Prevalence = Field(
        "flat",
        description="How frequent findings are. flat: rare ones more often than in life, so that they can be learnt. "
        "reports: each alone and beside others as PTB-XL states them.",
    )
    workers: int = Field(
        2,
        ge=1,
        le=1024,
        description="Processes that simulate at the same time; the result is the same.",
        json_schema_extra=SPEED,
    )

    @field_validator("records", mode="before")
    @classmethod
    def _complete(cls, given: Any) -> Any:
        return over_defaults(DEFAULT_RECORDS, given)


class RecordingSettings(Seeded):
    """What ``simulate_chunk`` takes of the config, and what all simulated recordings depend on."""

    feature_mention_rate: float
    prevalence: Prevalence


class DatabaseSettings(RecordingSettings):
    """What ``simulate_physionet`` takes of the config; ``records`` has at least the database that is simulated."""

    records: dict[SimulatedKey, int]
    broken_records: int
    workers: int = Field(1, ge=1, json_schema_extra=SPEED)
