"""Where the ECGs come from."""

from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from fgclep.config.section import Section, over_defaults

SourceKey = Literal["mimic-iv-ecg", "ptb-xl", "cpsc2018", "csn"]

DEFAULT_SOURCES: Any = {  # validated with the rest
    "mimic-iv-ecg": {"version": "1.0", "chunks": 4, "role": "pretrain"},
    "ptb-xl": {"version": "1.0.3", "chunks": 2, "role": "evaluate"},
    "cpsc2018": {"version": "1.0.3", "chunks": 1, "role": "evaluate"},
    "csn": {"version": "1.0.0", "chunks": 2, "role": "evaluate"},
}


class SourceSection(Section):
    """One database."""

    # an overlay gives only what differs from the default of that source
    model_config = ConfigDict(json_schema_extra=lambda schema: schema.pop("required", None))

    version: str = Field(
        pattern=r"^\d+(\.\d+)+$", description="Version of the database as in its address, in quotes: '1.0'."
    )
    base: str | None = Field(
        None,
        min_length=1,
        description="Folder or URL that holds this database as <name>/<version>/; null: data.base.",
    )
    chunks: int = Field(
        ge=1,
        description="Pieces the records are divided into; each is fetched and converted by a job of its own. About "
        "5,000 ten-second records per chunk keep a job below 2 GB of memory.",
    )
    role: Literal["pretrain", "evaluate"] = Field(
        description="pretrain: its ECGs and reports train the models. evaluate: its labels test them."
    )


class TransferSection(Section):
    """How files are fetched; none of this changes what is written."""

    parallel: int = Field(4, ge=1, le=32, description="Files fetched at the same time by one job.")
    timeout_seconds: float = Field(60, gt=0, description="Seconds without an answer after which a request is repeated.")
    retries: int = Field(4, ge=0, description="Repetitions of a failed request, with growing pauses, before giving up.")


class DataSection(Section):
    """Where the ECGs come from."""

    base: str = Field(
        "results/simulation/files",
        min_length=1,
        description="Folder or URL with databases in PhysioNet's layout: https://physionet.org/files, a mirror, a "
        "folder (relative to where snakemake runs), or results/simulation/files, which the workflow fills with "
        "simulated ECGs.",
    )
    sources: dict[SourceKey, SourceSection] = Field(DEFAULT_SOURCES, description="The databases, by name.")
    transfer: TransferSection = TransferSection()

    @field_validator("sources", mode="before")
    @classmethod
    def _complete(cls, given: Any) -> Any:
        return over_defaults(DEFAULT_SOURCES, given)

    @model_validator(mode="after")
    def _some_source_to_train_on(self) -> Self:
        if not any(source.role == "pretrain" for source in self.sources.values()):
            raise ValueError("no source has the role pretrain; give it to mimic-iv-ecg")
        return self

    def base_of(self, source: SourceKey) -> str:
        """Folder or URL that holds the database of ``source``."""
        return self.sources[source].base or self.base
