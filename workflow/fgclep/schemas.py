"""Every table that crosses a rule: column names, types and units, checked on write and on read."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fgclep.files import damaged, whole_file

_key = [pa.field("source", pa.string(), nullable=False), pa.field("record_id", pa.string(), nullable=False)]
_strings = pa.list_(pa.string())
_per_lead = pa.list_(pa.float32(), 12)

MANIFEST = pa.schema(
    [
        *_key,
        pa.field("patient_id", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),  # below the database's folder, without extension
        pa.field("chunk", pa.int32(), nullable=False),
        pa.field("split", pa.string(), nullable=False),  # train | val | test, by patient
        pa.field("age", pa.float32()),  # years; 90 stands for 90 and older
        pa.field("sex", pa.string()),  # F | M
        pa.field("report", _strings, nullable=False),  # statements as written
        pa.field("codes", _strings),  # SCP or SNOMED-CT; null: they stand in the record's header
    ]
)
QUARANTINE = pa.schema(
    [*_key, pa.field("stage", pa.string(), nullable=False), pa.field("reason", pa.string(), nullable=False)]
)
SHARD = pa.schema(
    [
        *_key,
        pa.field("patient_id", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("age", pa.float32()),
        pa.field("sex", pa.string()),
        pa.field("codes", _strings, nullable=False),
        pa.field("sampling_rate", pa.float32(), nullable=False),  # Hz
        pa.field("n_samples", pa.int32(), nullable=False),
        pa.field("gain", _per_lead, nullable=False),  # ADC units per mV; mV = (waveform - baseline) / gain
        pa.field("baseline", pa.list_(pa.int32(), 12), nullable=False),  # ADC units
        pa.field("waveform", pa.large_binary(), nullable=False),  # see fgclep.shards.encode_waveform
        pa.field("flags", _strings, nullable=False),  # quality remarks that do not exclude the record
    ]
)
# Scalars: ms, bpm, degrees, mV. Per-lead lists follow fgclep.leads.LEADS. Null or NaN: not measured.
MEASURES = (
    "heart_rate",  # ventricular rate, bpm
    "rr_cv",  # standard deviation over mean of the RR intervals
    "rr_max_ms",  # longest RR interval
    "pr_ms",
    "qrs_ms",
    "qt_ms",
    "qtc_ms",  # Bazett: QT / sqrt(RR / 1 s)
    "p_ms",  # P duration
    "p_axis",  # degrees, -180..180, frontal plane
    "qrs_axis",
    "t_axis",
    "p_present",  # share of QRS complexes preceded by a P wave, 0..1
    "premature_narrow",  # count of premature beats with a narrow QRS
    "premature_wide",  # count of premature beats with a wide QRS
    "compensatory_pauses",  # count of premature beats between whose neighbors two cycles lie
    "pacing_spikes",  # count of pacing spikes
    "sokolow_mv",  # S in V1 + the larger R of V5, V6
    "cornell_mv",  # R in aVL + S in V3
)
LEAD_MEASURES = (
    "p_mv",  # P peak, signed
    "q_mv",  # depth of the Q wave, positive; 0: none
    "q_ms",  # width of the Q wave
    "r_mv",  # height of the R wave; 0: none
    "s_mv",  # depth of the S wave (or of a QS complex), positive; 0: none
    "rp_mv",  # height of a second R wave (R'); 0: none
    "st_mv",  # ST level at J + 60 ms against the PR segment, signed
    "t_mv",  # T peak, signed
)
MEASUREMENTS = pa.schema(
    [*_key]
    + [pa.field(name, pa.float32()) for name in MEASURES]
    + [pa.field(name, _per_lead) for name in LEAD_MEASURES]
    + [pa.field("intervals_from", pa.string(), nullable=False)]  # database | signal
)
TEXTS = pa.schema(
    [
        pa.field("text_id", pa.int32(), nullable=False),  # the row number
        pa.field("text", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),  # diagnosis | feature | administrative | unknown
        pa.field(
            "count", pa.int64(), nullable=False
        ),  # records whose report has it; 0: a feature of the vocabulary only
        pa.field("diagnoses", _strings, nullable=False),
        pa.field("features", _strings, nullable=False),
        pa.field("negated", _strings, nullable=False),  # ids of findings that the text denies
    ]
)
REPORTS = pa.schema([*_key, pa.field("text_ids", pa.list_(pa.int32()), nullable=False)])
CANDIDATES = pa.schema(
    [
        pa.field("text_id", pa.int32(), nullable=False),
        pa.field("statement", pa.string(), nullable=False),
        pa.field("feature", pa.string()),  # id in the vocabulary; null: the answer maps to nothing, see reason
        pa.field("answer", pa.string(), nullable=False),  # as the backend wrote it
        pa.field("votes", pa.int32(), nullable=False),
        pa.field("samples", pa.int32(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),  # empty, or why it is no candidate
        pa.field("backend", pa.string(), nullable=False),
        pa.field("model_digest", pa.string(), nullable=False),
        pa.field("prompt_hash", pa.string(), nullable=False),
    ]
)
SCORES = pa.schema(
    [
        *_key,
        pa.field("fold", pa.int32(), nullable=False),  # the fold the patient is in; its model has not seen the patient
        pa.field("scores", pa.list_(pa.float32()), nullable=False),  # logit per feature, in the vocabulary's order
    ]
)
AUDIT = pa.schema(
    [
        *_key,
        pa.field("statement", pa.string(), nullable=False),
        pa.field("feature", pa.string(), nullable=False),
        pa.field("votes", pa.int32(), nullable=False),
        pa.field("measurement", pa.string(), nullable=False),  # supported | likely | untestable | unlikely | refuted
        pa.field("contradiction", pa.string()),  # the finding of the report that excludes the feature
        pa.field("coarse_score", pa.float32()),
        pa.field("coarse_threshold", pa.float32()),
        pa.field("accepted", pa.bool_(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("backend", pa.string(), nullable=False),
        pa.field("model_digest", pa.string(), nullable=False),
        pa.field("prompt_hash", pa.string(), nullable=False),
    ]
)
TRUTH = pa.schema([*_key, pa.field("feature", pa.string(), nullable=False)])
EMBEDDINGS = pa.schema(
    [
        *_key,
        pa.field("patient_id", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("codes", _strings, nullable=False),
        pa.field("features", pa.list_(pa.float32()), nullable=False),  # pooled output of the ECG encoder
        pa.field("embedding", pa.list_(pa.float32())),  # projected, unit norm; null with alignment: attention
        pa.field("patches", pa.list_(pa.float16())),  # unit norm, one patch after another; null with alignment: global
    ]
)
SPLIT = pa.schema([*_key, pa.field("split", pa.string(), nullable=False)])  # train | val | test, of a benchmark
PROMPTS = pa.schema(
    [
        pa.field("task", pa.string(), nullable=False),
        pa.field("prompts", pa.string(), nullable=False),  # the set: names | synonyms | features
        pa.field("class", pa.string(), nullable=False),
        pa.field("texts", _strings, nullable=False),  # the mean of their logits counts; of the prompts the largest
    ]
)
METRICS = pa.schema(
    [
        pa.field("model", pa.string(), nullable=False),
        pa.field("task", pa.string(), nullable=False),
        pa.field("label_set", pa.string(), nullable=False),
        pa.field("protocol", pa.string(), nullable=False),
        pa.field("setting", pa.string()),  # prompts of zero_shot, shots of few_shot, other task of transfer, direction
        pa.field("fraction", pa.float64(), nullable=False),  # of the training data; 0: no share is drawn
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("class", pa.string(), nullable=False),  # or macro, macro_supported; retrieval: all
        pa.field("value", pa.float64()),  # null: not defined
        pa.field("ci_low", pa.float64()),
        pa.field("ci_high", pa.float64()),
        pa.field("n", pa.int64(), nullable=False),
        pa.field("n_pos", pa.int64(), nullable=False),
    ]
)
CLASS_SCORES = pa.schema(  # of the test records, for curves and for comparing models
    [
        *(
            pa.field(name, pa.string(), nullable=False)
            for name in ("model", "task", "label_set", "protocol", "setting")
        ),
        *_key,
        pa.field("patient_id", pa.string(), nullable=False),
        pa.field("classes", _strings, nullable=False),
        pa.field("labels", pa.list_(pa.bool_()), nullable=False),  # of each class
        pa.field("scores", pa.list_(pa.float32()), nullable=False),  # of each class: logits or log odds
    ]
)
COMPARISONS = pa.schema(  # of every two models on the same test records: macro AUROC of b minus that of a
    [
        *(pa.field(name, pa.string(), nullable=False) for name in ("task", "label_set", "protocol")),
        pa.field("setting", pa.string()),
        *(pa.field(name, pa.string(), nullable=False) for name in ("model_a", "model_b")),
        *(pa.field(name, pa.float64()) for name in ("value_a", "value_b", "difference", "ci_low", "ci_high")),
        pa.field("p", pa.float64()),  # paired bootstrap by patient, two-sided; null: not defined
        pa.field("p_holm", pa.float64()),  # corrected over the table
        pa.field("n", pa.int64(), nullable=False),
    ]
)
RETRIEVED = pa.schema(  # ECGs that a model finds for a report, best first
    [
        pa.field("query", pa.string(), nullable=False),
        pa.field("rank", pa.int64(), nullable=False),  # from 1
        *_key,
        pa.field("probability", pa.float32(), nullable=False),
        pa.field("hit", pa.bool_(), nullable=False),  # the ECG has this very report
    ]
)
ATTENTION = pa.schema(  # of a text to the patches of an ECG; sums to 1
    [
        *_key,
        pa.field("text", pa.string(), nullable=False),
        pa.field("lead", pa.string(), nullable=False),  # or "all leads", where a patch sees them all
        pa.field("start", pa.float64(), nullable=False),  # s from the beginning of the recording
        pa.field("end", pa.float64(), nullable=False),
        pa.field("weight", pa.float32(), nullable=False),
    ]
)
ROWS_PER_GROUP = 2**14  # of a table written in parts


def _mismatch(found: pa.Schema, schema: pa.Schema) -> str:
    problems = [f"column {f.name!r} is missing" for f in schema if f.name not in found.names]
    problems += [f"column {n!r} is not expected" for n in found.names if n not in schema.names]
    problems += [
        f"column {f.name!r} is {found.field(f.name).type}, expected {f.type}"
        for f in schema
        if f.name in found.names and found.field(f.name).type != f.type
    ]
    return "; ".join(problems) or "the columns are in another order"


def _checked(table: pa.Table | list[dict], path: Path, schema: pa.Schema) -> pa.Table:
    if not isinstance(table, pa.Table):
        table = pa.Table.from_pylist(table, schema=schema)
    if table.schema.names != schema.names:
        raise ValueError(f"{path}: {_mismatch(table.schema, schema)}")
    try:
        table = table.cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error
    for field in schema:
        if not field.nullable and table.column(field.name).null_count:
            raise ValueError(f"{path}: column {field.name!r} holds nulls")
    return table


def _leaves(schema: pa.Schema) -> list[str]:
    """Names of a schema's columns as Parquet knows them: those of lists have two parts more."""
    return [f"{field.name}.list.element" if pa.types.is_nested(field.type) else field.name for field in schema]


@contextmanager
def table_writer(path: str | Path, schema: pa.Schema) -> Iterator[Callable[[pa.Table | list[dict]], None]]:
    """Write a Parquet file in pieces, each a row group; it appears under its name when all is written.

    Yields a function that takes rows or a table and raises ``ValueError``, which names the file and the column, when
    names or types differ from ``schema`` or a null stands where none may.
    """
    path = Path(path)
    # what is large is packed already (see fgclep.shards), hardly ever equal, and would fill the footer as statistics
    large = {field.name for field in schema if field.type == pa.large_binary()}
    small = [field.name for field in schema if field.name not in large and not pa.types.is_nested(field.type)]
    codecs = {column: "none" if column in large else "zstd" for column in _leaves(schema)}
    with (
        whole_file(path) as partial,
        pq.ParquetWriter(partial, schema, compression=codecs, use_dictionary=small, write_statistics=small) as writer,
    ):

        def write(rows: pa.Table | list[dict]) -> None:
            table = _checked(rows, path, schema)
            writer.write_table(table, row_group_size=max(1, len(table)))

        yield write


def write_table(
    table: pa.Table | list[dict], path: str | Path, schema: pa.Schema, row_group_size: int | None = None
) -> None:
    """Write rows or a table as Parquet at once; see ``table_writer``."""
    with table_writer(path, schema) as write:
        rows = _checked(table, Path(path), schema)
        size = row_group_size or 2**20
        for start in range(0, max(1, len(rows)), size):
            write(rows.slice(start, size))


def write_parts(parts: Iterable[pa.Table], path: str | Path, schema: pa.Schema) -> None:
    """Write a table that comes in parts and is never in memory as a whole; see ``table_writer``.

    Parts are joined to row groups of ``ROWS_PER_GROUP`` rows or a little more.
    """
    with table_writer(path, schema) as write:
        waiting, written = [schema.empty_table()], False
        for part in parts:
            waiting.append(_checked(part, Path(path), schema))
            if sum(map(len, waiting)) >= ROWS_PER_GROUP:
                write(pa.concat_tables(waiting))
                waiting, written = [schema.empty_table()], True
        if len(waiting) > 1 or not written:
            write(pa.concat_tables(waiting))


def check_table(path: str | Path, schema: pa.Schema) -> None:
    """Check names and types of a Parquet file against ``schema``; only its footer is read.

    Raises ``ValueError`` that names the file and the columns when it was written by something else, and ``UserError``
    when it is truncated or damaged.
    """
    with _damage_explained(path):
        found = pq.read_schema(path).remove_metadata()
    if found.names != schema.names or [f.type for f in found] != [f.type for f in schema]:
        raise ValueError(f"{path}: {_mismatch(found, schema)}; delete it and run snakemake again")


def read_table(path: str | Path, schema: pa.Schema, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a Parquet file after ``check_table``; ``columns`` limits what is read."""
    check_table(path, schema)
    with _damage_explained(path):
        return pq.read_table(path, columns=list(columns) if columns else None, partitioning=None)


@contextmanager
def _damage_explained(path: str | Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise damaged(path, error) from error
