"""The ECGs that the report shows: some with their recovered features, and those that report texts find."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from fgclep.report.charts.figures import Strip
from fgclep.report.ecg.attention import Look, Patch
from fgclep.report.ecg.paper import on_paper
from fgclep.report.results import audit_summary
from fgclep.report.results.read import Key, millivolts, rows_of
from fgclep.report.results.run import Results
from fgclep.report.tables.retrieval import Found, Query, queries
from fgclep.verification.explain import explain, intervals, reason_in_words


@dataclass(frozen=True)
class Judged:
    """A candidate's feature, the decision's reason, what each check found, and whether the simulated heart has it."""

    name: str
    reason: str
    why: str
    true: bool | None = None


@dataclass(frozen=True)
class Ecg:
    """What the report shows of a recording; ``looks`` only of models with attention."""

    source: str
    record_id: str
    age: float | None
    sex: str | None
    flags: list[str]
    report: list[str]
    intervals: list[tuple[str, str]]
    intervals_from: str | None
    strip: Strip


@dataclass(frozen=True)
class Example:
    """An ECG with the candidates that were accepted for it, and those that were not; ``simulated``: truth is known."""

    ecg: Ecg
    accepted: list[Judged]
    rejected: list[Judged]
    simulated: bool = False


@dataclass(frozen=True)
class Answered:
    """A report text with the ECGs that it finds, best first."""

    text: str
    found: list[tuple[Found, Ecg]]


def examples(results: Results, count: int) -> list[Example]:
    """Choose ECGs (see ``audit_summary.choose_records``) and gather what the report shows of them."""
    keys = audit_summary.choose_records(results.audit, results.shards, count)
    audited, measured = rows_of(results.audit, keys), rows_of(results.measurements, keys)
    true = {key: {row["feature"] for row in rows} for key, rows in rows_of(results.truth, keys).items()}
    simulated = set(results.truth.select("source").unique().collect(engine="streaming")["source"])
    return [
        Example(
            ecg,
            *_judged(audited[key], (measured[key] or [{}])[0], results, true[key] if key[0] in simulated else None),
            key[0] in simulated,
        )
        for key, ecg in read_ecgs(results, keys).items()
    ]


def answered(results: Results, count: int) -> list[Answered]:
    """Gather the ECGs that the first ``count`` report texts find."""
    asked: list[Query] = queries(results.retrieved, count)
    keys = dict.fromkeys((found.source, found.record_id) for query in asked for found in query.found)
    ecgs = read_ecgs(results, list(keys))
    return [
        Answered(query.text, [(found, ecgs[found.source, found.record_id]) for found in query.found]) for query in asked
    ]


def read_ecgs(results: Results, keys: list[Key]) -> dict[Key, Ecg]:
    """Read recordings with what is known of them."""
    waveforms, written, measured = (
        rows_of(table, keys) for table in (results.shards, results.manifest, results.measurements)
    )
    looks = looks_by_record(results.attention)
    ecgs = {}
    for key in keys:
        row, measures = waveforms[key][0], (measured[key] or [{}])[0]
        report, fs = written[key][0]["report"], row["sampling_rate"]
        caption = f"12-lead ECG of record {row['record_id']} of {row['source']}. Report: {'; '.join(report)}"
        strip = Strip(caption, on_paper(millivolts(row), fs), fs, looks.get(key, ()))
        known = {name: row[name] for name in ("source", "record_id", "age", "sex", "flags")}
        ecgs[key] = Ecg(
            **known,
            report=report,
            intervals=intervals(measures),
            intervals_from=measures.get("intervals_from"),
            strip=strip,
        )
    return ecgs


def looks_by_record(attention: pl.DataFrame) -> dict[Key, Sequence[Look]]:
    """Group a table with the schema ``ATTENTION`` by record and text."""
    looks: dict[Key, dict[str, list[Patch]]] = {}
    for row in attention.iter_rows(named=True):
        texts = looks.setdefault((row["source"], row["record_id"]), {})
        patch = Patch(row["lead"], row["start"], row["end"], row["weight"])
        texts.setdefault(row["text"], []).append(patch)
    return {key: [Look(text, patches) for text, patches in texts.items()] for key, texts in looks.items()}


def _judged(
    candidates: list[dict[str, Any]], measures: dict[str, Any], results: Results, true: set[str] | None
) -> tuple[list[Judged], list[Judged]]:
    """Accepted and dropped candidates of a record, a feature that several statements suggest once for each decision."""
    together: dict[tuple[str, bool, str], list[dict[str, Any]]] = {}
    for candidate in candidates:
        together.setdefault((candidate["feature"], candidate["accepted"], candidate["reason"]), []).append(candidate)
    groups: dict[bool, list[Judged]] = {True: [], False: []}
    for (name, accepted, reason), rows in sorted(together.items()):
        feature = results.vocabulary.features.get(name)
        statements = sorted({candidate["statement"] for candidate in rows})
        rule = feature.rule if feature else None
        groups[accepted].append(
            Judged(
                feature.text if feature else name,
                reason_in_words(reason, rule),
                explain(rows[0], statements, rule, measures),
                None if true is None else name in true,
            )
        )
    return groups[True], groups[False]
