"""``fgclep plan``: what a run will take, before it starts: records, bytes to fetch, disk, and questions to a model."""

import argparse
import json
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl
from tabulate import tabulate

from fgclep.commands.output import show
from fgclep.config.load import load
from fgclep.config.root import Config
from fgclep.documents import read_yaml
from fgclep.errors import UserError
from fgclep.fetch.database import is_url
from fgclep.fetch.lists import CHECKSUMS, folder_records, iterate_checksums, listed_records
from fgclep.fetch.origin import is_from
from fgclep.language.parser import parse_statements
from fgclep.language.statements import clean_statement
from fgclep.language.vocabulary import Vocabulary, load_vocabulary
from fgclep.recovery.backend import is_asked
from fgclep.recovery.questions import Question, make_questions
from fgclep.sources import Source

VOCABULARY = Path("resources/vocabulary")
PROMPTS = Path("resources/prompts")
TASKS = Path("resources/tasks")
RECORD_BYTES = 121_000  # ten seconds of twelve leads at 500 Hz in 16 bits, with a header; where nothing better is known
SHARD_SHARE = 0.4  # of the raw files; benchmarks/codecs.py measures it
TABLE_BYTES = 1_000  # per record: a row each of the manifest, the measurements and the reports
TRAINED_MODELS = 2  # whose embeddings of the evaluated records are kept, coarse and fine
PROBED_BESIDE = 2  # of which features are: an untrained model, and the fine one with the measurements
SMALL_MODELS = 200_000_000  # coarse, per fold, and fine, with a checkpoint, if the text encoder is made from scratch
HEAD = ("source", "from", "records", "to fetch", "fetched", "disk", "LLM calls")
ALIGNED = ("left", "left", *["right"] * 5)
LARGE_MODELS = 6_000_000_000  # the same with a text encoder of BERT's size: 0.5 GB a model, 1.5 GB a checkpoint


def run(args: argparse.Namespace) -> None:
    """Print the plan of a run."""
    if not Path("config.yaml").exists():
        raise UserError("there is no config.yaml here; run this where the Snakefile is")
    made = make_plan(load("config.yaml", *args.configfile))
    show(json.dumps(made.as_json(), indent=1) if args.json else plan_text(made))


@dataclass(frozen=True)
class SourcePlan:
    """What one source takes.

    Attributes
    ----------
    source, origin
        Its key, and ``simulated``, ``folder`` or ``web``.
    records
        Recordings; ``None`` if nobody knows yet.
    records_exact
        Whether they were counted, and not taken from the publication.
    fetch_bytes
        Still to be fetched; 0 where files are read in place or simulated.
    fetched_bytes
        Fetched already.
    disk_bytes, present_bytes
        Taken in the end by simulated files, archives, shards and tables, and how much of it is there.
    bytes_exact
        Whether the sizes of the files are known; shards and tables are estimated always.
    passing_bytes
        Taken while a chunk is fetched: its files beside its archive.
    llm_calls
        Questions to the language model; ``None`` if unknown.
    llm_calls_exact
        Whether the statements were counted in the reports.
    """

    source: str
    origin: str
    records: int | None
    records_exact: bool
    fetch_bytes: int
    fetched_bytes: int
    disk_bytes: int
    present_bytes: int
    bytes_exact: bool
    passing_bytes: int
    llm_calls: int | None
    llm_calls_exact: bool


@dataclass(frozen=True)
class Plan:
    """All sources in use, and the disk.

    Attributes
    ----------
    sources
        In the order of the config.
    llm_calls
        Of all sources, questions that they share once, the probe left out; ``None`` if unknown for one of them.
    not_asked
        Statements that no question is about, because the measurement decides on all that goes with them.
    disk_bytes, missing_bytes
        Taken in the end, and what is not there yet, with the files in passing and the models.
    free_bytes
        Free on the disk of the folder.
    """

    sources: tuple[SourcePlan, ...]
    records: int
    fetch_bytes: int
    llm_calls: int | None
    not_asked: int
    disk_bytes: int
    missing_bytes: int
    free_bytes: int

    def as_json(self) -> dict:
        """The plan as numbers and texts."""
        return asdict(self)


def make_plan(config: Config, folder: Path = Path()) -> Plan:
    """Plan a run in ``folder``, where the Snakefile is, from what is there and from what the databases publish."""
    vocabulary = load_vocabulary(folder / VOCABULARY)
    asked: dict[str, list[Question]] = {}
    sources = []
    for key in _sources_in_use(config, folder):
        files = _Files(config, config.data.source(key), folder)
        questions = _questions(files, config, folder, vocabulary) if _asks(config, key) else None
        asked |= questions or {}
        sources.append(_plan_source(config, files, questions))
    calls = [plan.llm_calls for plan in sources]
    if None in calls:
        llm_calls = None
    elif all(plan.llm_calls_exact for plan in sources):
        llm_calls = _count(asked)
    else:
        llm_calls = sum(call or 0 for call in calls)
    models = SMALL_MODELS if config.pretraining.text_encoder.name == "scratch" else LARGE_MODELS
    present_models = _size(folder / "results/models")
    disk = sum(plan.disk_bytes for plan in sources) + models
    present = sum(plan.present_bytes for plan in sources) + min(present_models, models)
    passing = max((plan.passing_bytes for plan in sources), default=0)  # one job fetches at a time
    return Plan(
        sources=tuple(sources),
        records=sum(plan.records or 0 for plan in sources),
        fetch_bytes=sum(plan.fetch_bytes for plan in sources),
        llm_calls=llm_calls,
        not_asked=sum(not questions for questions in asked.values()),
        disk_bytes=disk + passing,
        missing_bytes=max(0, disk + passing - present),
        free_bytes=shutil.disk_usage(folder).free,
    )


class _Files:
    """What a source has on the disk, as far as it comes from where the config says."""

    def __init__(self, config: Config, source: Source, folder: Path):
        section = config.data.sources[source.key]
        self.source = source
        self.section = section
        self.base = config.data.base_of(source.key)
        self.version = section.version or ""
        self.simulated_records = config.simulation.model_dump()["records"].get(source.key)
        if is_url(self.base):
            self.origin = "web"
        else:
            self.origin = "simulated" if config.data.is_simulated(source.key) else "folder"
        self.database = folder / self.base / source.slug / self.version if source.slug else folder / self.base
        self.raw = folder / "resources/physionet" / source.key
        self.shards = folder / "results/shards" / source.key
        metadata = self.raw / "metadata"
        here = is_from(metadata, self.base, source.slug, self.version) and (metadata / CHECKSUMS).is_file()
        self.metadata = metadata if here else None
        self.manifest = None
        manifest = folder / "results/manifest" / f"{source.key}.parquet"
        if here and manifest.is_file() and not _older(manifest, metadata / CHECKSUMS):
            self.manifest = manifest

    def archives(self) -> dict[int, Path]:
        """Archives of the listed records, by chunk; none of files that are read in place."""
        if self.metadata is None or self.section.in_place:
            return {}
        paths = {chunk: self.raw / f"{chunk}.tar" for chunk in range(self.section.chunks)}
        lists = self.metadata / CHECKSUMS
        found = {chunk: path for chunk, path in paths.items() if path.is_file() and not _older(path, lists)}
        return {chunk: path for chunk, path in found.items() if self._is_of_these_files(path)}

    def _is_of_these_files(self, archive: Path) -> bool:
        """Whether an archive is of the folder that is asked for; a database has another one for each sampling rate."""
        try:
            with tarfile.open(archive, "r:") as tar:
                first = tar.next()
        except tarfile.TarError as error:
            raise UserError(f"{archive} is cut or damaged ({error}); delete it and run snakemake again") from None
        return first is None or not self.source.folder or first.name.startswith(f"{self.source.folder}/")

    def parts(self) -> int:
        """Bytes that interrupted jobs have fetched."""
        if self.metadata is None:
            return 0
        folders = (self.raw / f".{chunk}.tar.parts" / self.source.folder for chunk in range(self.section.chunks))
        return sum(_size(folder) for folder in folders)

    def records(self) -> tuple[int | None, bool]:
        """Number of records, and whether it was counted."""
        if self.manifest is not None:
            return pl.scan_parquet(self.manifest).select(pl.len()).collect().item(), True
        found, exact = self.all_records()
        limit = self.section.limit
        return (found, exact) if limit is None or found is None else (min(found, limit), exact)

    def all_records(self) -> tuple[int | None, bool]:
        """Number of records of the database whatever its limit, and whether it was counted."""
        if self.origin == "simulated" and self.simulated_records is not None:
            return self.simulated_records, True
        for metadata in (self.metadata, self.database if self.origin == "folder" else None):
            if metadata is not None and (metadata / CHECKSUMS).is_file():
                own = self.source.is_own_folder
                records = folder_records(metadata) if own else listed_records(metadata, self.source.folder)
                return len(records[0]), True
        if self.source.is_own_folder and all((self.database / name).is_file() for name in self.source.tables):
            return len(self.source.records(self.database, set())), True
        published = self.source.published
        return (published.records, False) if published else (None, False)

    def record_bytes(self) -> float:
        """Mean size of a record's files: of the archives, else as published."""
        archives = self.archives()
        if archives and self.manifest is not None:
            chunks = pl.scan_parquet(self.manifest).select("chunk").collect()["chunk"]
            if count := int(chunks.is_in(list(archives)).sum()):
                return sum(map(_size, archives.values())) / count
        return self.source.published.record_bytes if self.source.published else RECORD_BYTES

    def bytes_in_place(self) -> int | None:
        """Size of the records' files in a folder that is there; ``None`` if none is."""
        if self.origin == "web" or not (self.database / CHECKSUMS).is_file():
            return None
        above = f"{self.source.folder}/" if self.source.folder else ""
        names = (name for name, _ in iterate_checksums(self.database / CHECKSUMS) if name.startswith(above))
        return sum(_size(self.database / name) for name in names if name.endswith((".hea", ".dat", ".mat")))


def embedding_bytes(config: Config) -> int:
    """Bytes of one record's embedding: float32, or float16 for each patch (see ``fgclep.models.ecg``)."""
    dimensions = config.pretraining.projection
    if config.pretraining.alignment == "global":
        return 4 * dimensions
    samples = round(config.signal.sampling_rate * config.signal.duration)
    by_lead = config.pretraining.ecg_encoder.kind.startswith("vit")
    return 2 * dimensions * (12 * (samples // config.signal.sampling_rate) if by_lead else -(-samples // 32))


def _plan_source(config: Config, files: _Files, questions: dict[str, list[Question]] | None) -> SourcePlan:
    records, exact = files.records()
    in_place = files.bytes_in_place()
    count = records or 0
    whole = 0 if in_place is None else in_place
    raw = round(count * files.record_bytes()) if in_place is None else in_place
    if in_place is not None and files.section.limit is not None:
        raw = round(whole * min(1.0, count / max(1, files.all_records()[0] or 0)))
    archives = files.archives()
    in_archives = sum(map(_size, archives.values()))
    parts = files.parts()
    all_there = len(archives) == files.section.chunks
    if all_there:
        raw = in_archives
    fetch = max(0, raw - in_archives - parts) if files.origin == "web" and not all_there else 0
    per_record = TRAINED_MODELS * embedding_bytes(config) + PROBED_BESIDE * 4 * config.pretraining.projection
    embeddings = per_record if files.section.tests else 0
    tables = count * (TABLE_BYTES + embeddings)
    shards = round(SHARD_SHARE * raw)
    simulated = (whole or raw) if files.origin == "simulated" else 0
    kept = 0 if files.section.in_place else raw
    if files.source.streamed:
        simulated = kept = 0
    simulated_present = (in_place or 0) if simulated else 0
    calls, calls_exact = _llm_calls(config, files, questions)
    return SourcePlan(
        source=files.source.key,
        origin=files.origin,
        records=records,
        records_exact=exact,
        fetch_bytes=fetch,
        fetched_bytes=in_archives + parts if files.origin == "web" else 0,
        disk_bytes=simulated + kept + shards + tables,
        present_bytes=simulated_present + in_archives + parts + min(shards, _size(files.shards)),
        bytes_exact=in_place is not None or all_there,
        passing_bytes=round(raw / files.section.chunks) if fetch else 0,
        llm_calls=calls,
        llm_calls_exact=calls_exact,
    )


def _asks(config: Config, key: str) -> bool:
    return config.recovery.asks and config.data.sources[key].trains


def _llm_calls(config: Config, files: _Files, questions: dict[str, list[Question]] | None) -> tuple[int | None, bool]:
    if not _asks(config, files.source.key):
        return 0, True
    if questions is not None:
        return _count(questions), True
    published = files.source.published
    if files.origin == "simulated" or published is None or published.statements is None:
        return None, False
    if config.recovery.question == "likelihood":
        return None, False  # a question for each feature that a statement's shortlist has
    return published.statements * config.recovery.samples, False


def _count(questions: dict[str, list[Question]]) -> int:
    return len({question for some in questions.values() for question in some})


def _questions(files: _Files, config: Config, folder: Path, vocabulary: Vocabulary) -> dict[str, list[Question]] | None:
    """Questions to a language model by the statements that leave features out; ``None`` without a manifest."""
    if files.manifest is None:
        return None
    written = pl.scan_parquet(files.manifest).select(pl.col("report").explode().unique()).collect()["report"]
    texts = sorted({text for raw in written.drop_nulls() if (text := clean_statement(raw))})
    statements = [s for s in parse_statements(texts, vocabulary) if is_asked(s, vocabulary)]
    made = make_questions(config.recovery, folder / PROMPTS, vocabulary)
    return {statement.text: made.about(statement) for statement in statements}


def _sources_in_use(config: Config, folder: Path) -> list[str]:
    """Sources that are trained on, stored, or needed by a task of the config, as the workflow chooses them."""
    needed = {*config.data.pretraining_sources(), *config.data.stored_sources()}
    for task in config.evaluation.tasks:
        path = folder / TASKS / f"{task}.yaml"
        if not path.is_file():
            raise UserError(f"{path} does not exist; run this where the Snakefile is, or mend evaluation.tasks")
        needed.add(read_yaml(path)["source"])
    return [key for key in config.data.sources if key in needed]


def _older(path: Path, than: Path) -> bool:
    return path.stat().st_mtime_ns < than.stat().st_mtime_ns


def _size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; 0 if there is none."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def plan_text(plan: Plan) -> str:
    """Lay the plan out as a table, with ``~`` before what is estimated."""
    rows = [HEAD, *map(_row, plan.sources)]
    about = any(not source.records_exact for source in plan.sources)
    unsure = any(not source.llm_calls_exact for source in plan.sources)
    rows.append(
        (
            *("total", "", _mark(f"{plan.records:,}", about), _estimated(plan.fetch_bytes), ""),
            *(f"~{human_bytes(plan.disk_bytes)}", _calls(plan.llm_calls, not unsure)),
        )
    )
    notes = [
        "~ estimated: from the published size of a database, until its lists have been fetched",
        "disk: archives, shards, tables, simulated files; in the total, models and the files of one chunk as well",
        f"free here: {human_bytes(plan.free_bytes)}, still needed: ~{human_bytes(plan.missing_bytes)}",
    ]
    if plan.not_asked:
        notes.append(
            f"LLM calls: none about {plan.not_asked:,} statements, because all that goes with them is measured"
        )
    if plan.missing_bytes > plan.free_bytes:
        notes.append(
            f"WARNING: {human_bytes(plan.missing_bytes - plan.free_bytes)} too little. Make room, run in a folder on "
            "another disk, or leave out sources and tasks"
        )
    table = tabulate(rows, tablefmt="plain", disable_numparse=True, colalign=ALIGNED)
    return "\n".join([table, "", *notes])


def _row(plan: SourcePlan) -> Sequence[str]:
    records = "?" if plan.records is None else _mark(f"{plan.records:,}", not plan.records_exact)
    in_place = {"folder": "in place", "simulated": "simulated"}
    fetch = in_place.get(plan.origin) or _estimated(plan.fetch_bytes)
    fetched = human_bytes(plan.fetched_bytes) if plan.fetched_bytes else "-"
    calls = _calls(plan.llm_calls, plan.llm_calls_exact)
    return plan.source, plan.origin, records, fetch, fetched, f"~{human_bytes(plan.disk_bytes)}", calls


def _calls(calls: int | None, exact: bool) -> str:
    return "?" if calls is None else _mark(f"{calls:,}", not exact)


def _mark(text: str, estimated: bool) -> str:
    return f"~{text}" if estimated else text


def _estimated(count: int) -> str:
    return f"~{human_bytes(count)}" if count else "0 B"


def human_bytes(count: float) -> str:
    """Write a number of bytes with a decimal unit.

    >>> human_bytes(96_644_228_000)
    '96.6 GB'
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.95:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
