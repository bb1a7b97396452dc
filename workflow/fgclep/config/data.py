"""Where the ECGs come from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema, field_validator, model_validator

from fgclep.config.address import Base
from fgclep.config.quality import QualitySection
from fgclep.config.section import Section, over_defaults
from fgclep.config.simulation import DEFAULT_RECORDS
from fgclep.config.transfer import TransferSection
from fgclep.errors import UserError
from fgclep.sources import SOURCES, Source, get_source

SIMULATION = "results/simulation/files"


def _known_source(key: str) -> str:
    try:
        return get_source(key).key
    except UserError as error:
        raise ValueError(str(error)) from None


SourceKey = Annotated[str, AfterValidator(_known_source), WithJsonSchema({"type": "string", "enum": list(SOURCES)})]

DEFAULT_SOURCES: Any = {  # validated with the rest
    "mimic-iv-ecg": {"version": "1.0", "chunks": 4, "role": "pretrain"},
    "ptb-xl": {"version": "1.0.3", "chunks": 2, "role": "evaluate"},
    "cpsc2018": {"version": "1.0.3", "chunks": 1, "role": "evaluate"},
    "csn": {"version": "1.0.0", "chunks": 2, "role": "evaluate"},
}
# what a source takes that is not among the defaults, once it is named
OTHER_SOURCES: Any = {
    key: {"version": source.version, "chunks": 1, "role": "store"} | ({"base": SIMULATION} if source.streamed else {})
    for key, source in SOURCES.items()
    if key not in DEFAULT_SOURCES
}


class SourceSection(Section):
    """One database."""

    # an overlay gives only what differs from the default of that source
    model_config = ConfigDict(json_schema_extra=lambda schema: schema.pop("required", None))

    version: Annotated[str, Field(pattern=r"^\d+(\.\d+)+$")] | None = Field(
        description="Version of the database as in its address, in quotes: '1.0'; null for local and simulated, which "
        "have none."
    )
    base: Base | None = Field(
        None,
        description="Folder or URL that holds this database as <name>/<version>/; null: data.base. For local, the "
        "folder with records.csv and the records itself.",
    )
    chunks: int = Field(
        ge=1,
        le=10_000,
        description="Pieces the records are divided into; each is fetched and converted by a job of its own. About "
        "5,000 ten-second records per chunk keep a job below 2 GB of memory.",
    )
    role: Literal["pretrain", "evaluate", "both", "store"] = Field(
        description="pretrain: its ECGs and reports train the models. evaluate: its labels test them. both: its "
        "records of the splits train and val train the models, and those of test, of other patients, test them. store: "
        "it is fetched, checked and kept as shards and measurements, and has no part in training or evaluation."
    )
    sampling_rate: int | None = Field(
        None,
        ge=1,
        description="Hz of the files to take, of a database that comes at several: ptb-xl at 500 or 100, which is a "
        "fifth to fetch. null: 500 for ptb-xl, and what there is for the others. Another value fetches its records "
        "again.",
    )
    test_fold: int | None = Field(
        None,
        ge=1,
        description="Official fold that is the test split, of ptb-xl: 10 or 9. The fold before it is val, the others "
        "before it are train; records of a later one are in no split, and set aside. null: the official one, 10.",
    )

    limit: int | None = Field(
        None,
        ge=1,
        description="At most so many of its records, for a first trial: those of patients in an order that is drawn "
        "once and for all, so that a higher limit has the same ones and more. They are spread over all chunks: set "
        "chunks to fit, too. Another limit has its records fetched again. null: all.",
    )
    in_place: bool = Field(
        False,
        description="For a base that is a folder: its files are checked by their checksums and converted where they "
        "lie, and not copied into archives first, which takes as much disk again. They must stay there.",
    )

    @property
    def trains(self) -> bool:
        """Whether models are pre-trained on it."""
        return self.role in ("pretrain", "both")

    @property
    def tests(self) -> bool:
        """Whether models may be evaluated on it."""
        return self.role in ("evaluate", "both")


class DataSection(Section):
    """Where the ECGs come from."""

    base: Base = Field(
        SIMULATION,
        description="Folder or URL with databases in PhysioNet's layout: https://physionet.org/files, a mirror, a "
        "folder (relative to where snakemake runs), or results/simulation/files, which the workflow fills with "
        "simulated ECGs.",
    )
    sources: dict[SourceKey, SourceSection] = Field(
        DEFAULT_SOURCES,
        description=f"The databases, by name: {', '.join(SOURCES)}. Those not given here need no more than their "
        "name, such as 'ludb: {}'; local needs a base.",
    )
    transfer: TransferSection = TransferSection()

    @field_validator("sources", mode="before")
    @classmethod
    def _complete(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        named = {key: OTHER_SOURCES[key] for key in given if key in OTHER_SOURCES}
        return over_defaults(
            DEFAULT_SOURCES | named, {key: {} if value is None else value for key, value in given.items()}
        )

    @model_validator(mode="after")
    def _sources_can_be_used(self) -> Self:
        if not self.pretraining_sources():
            raise ValueError("no source has the role pretrain; give it to mimic-iv-ecg")
        for key, section in self.sources.items():
            place = f"    data:\n      sources:\n        {key}:\n"
            if SOURCES[key].is_own_folder:
                if section.base is None or "://" in section.base:
                    raise ValueError(
                        f"{key} needs the folder with your records. Write\n\n{place}          base: path/to/records"
                    )
            elif SOURCES[key].streamed:
                if section.base is None or Path(section.base) != Path(SIMULATION) or section.version is not None:
                    raise ValueError(f"{key} is simulated, and has neither base nor version; leave them out")
            elif section.version is None:
                raise ValueError(f"{key} needs a version. Write\n\n{place}          version: '{SOURCES[key].version}'")
            elif key not in DEFAULT_RECORDS and Path(self.base_of(key)) == Path(SIMULATION):
                raise ValueError(
                    f"{key} is not simulated and needs a base. Write\n\n{place}"
                    "          base: https://physionet.org/files"
                )
            if section.limit and SOURCES[key].streamed:
                raise ValueError(f"{key} has no limit; set its number of records, simulation.records.{key}")
            if section.in_place and (SOURCES[key].streamed or "://" in self.base_of(key)):
                raise ValueError(
                    f"data.sources.{key}.in_place needs a folder with the files. Write\n\n{place}"
                    f"          base: path/to/files\n\nwhich holds {SOURCES[key].slug}/<version>, or leave in_place out"
                )
            self._choice_can_be_used(key, place)
        return self

    def _choice_can_be_used(self, key: str, place: str) -> None:
        section, source = self.sources[key], SOURCES[key]
        try:
            chosen = self.source(key)
        except UserError as error:
            raise ValueError(f"data.sources.{key}.{error}") from None
        if self.is_simulated(key) and chosen.sampling_rate != source.sampling_rate:
            raise ValueError(
                f"{key} is simulated at {source.sampling_rate:g} Hz alone, and its sampling_rate is "
                f"{section.sampling_rate}. Write\n\n{place}          sampling_rate: {source.sampling_rate:g}\n\n"
                f"or take it from elsewhere\n\n{place}          base: https://physionet.org/files"
            )
        if section.role == "both" and not source.knows_patients:
            raise ValueError(
                f"{key} does not say whose its records are, so that a patient could be trained on and tested on; it "
                f"cannot have the role both. Write\n\n{place}          role: evaluate"
            )

    def source(self, key: str) -> Source:
        """Return the database of ``key`` at the sampling rate and with the test fold that are asked for."""
        section = self.sources[key]
        return get_source(key).at(section.sampling_rate, section.test_fold)

    def base_of(self, source: str) -> str:
        """Folder or URL that holds the database of ``source``."""
        return self.sources[source].base or self.base

    def pretraining_sources(self) -> list[str]:
        """Sources that train, by name: the order of the keys in the config changes nothing."""
        return sorted(key for key, source in self.sources.items() if source.trains)

    def stored_sources(self) -> list[str]:
        """Sources that are fetched, checked and measured only, by name."""
        return sorted(key for key, source in self.sources.items() if source.role == "store")

    def is_simulated(self, source: str) -> bool:
        """Whether the workflow simulates the records of ``source``."""
        return "://" not in self.base_of(source) and Path(self.base_of(source)) == Path(SIMULATION)


class RecordsSettings(TransferSection):
    """What ``fetch_records`` takes of the config."""

    sampling_rate: int | None = None  # null: that of the source, for which nothing is fetched anew
    limit: int | None = None
    in_place: bool = False

    def idle(self) -> set[str]:
        """What is not asked for: archives that were fetched when it could not be are the same."""
        return {name for name in ("sampling_rate", "limit", "in_place") if not getattr(self, name)}


class ManifestSettings(Section):
    """What ``build_manifest`` takes of the config."""

    sampling_rate: int | None = None
    test_fold: int | None = None
    limit: int | None = None


class ShardSettings(QualitySection):
    """What ``build_shards`` takes of the config."""

    sampling_rate: int | None = None
