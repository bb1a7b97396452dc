"""How well ECGs find their reports and reports their ECGs, and which ECGs a report finds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from fgclep.report.results.metrics import MODELS, RETRIEVAL, Column, Condition, Metrics
from fgclep.report.tables.table import Block, Cell, Head, Row, Table
from fgclep.schemas.metrics import RECALLS

DIRECTIONS = {"ecg_to_text": "From ECG to report", "text_to_ecg": "From report to ECG"}
SHOWN = 3  # ECGs per report text
ALL = "all"


def retrieval_table(metrics: Metrics) -> Table:
    """Recall at 1, 5 and 10 and the median rank, by direction, source and model."""
    here = metrics.table.filter(pl.col("protocol") == RETRIEVAL)
    sources = here.select("task", "label_set").unique(maintain_order=True).rows()
    blocks = []
    for direction, name in DIRECTIONS.items():
        condition = next((c for c in metrics.conditions(RETRIEVAL) if c.setting == direction), None)
        if condition is None:
            continue
        rows = []
        for source in sources:
            for model in MODELS:
                if own := metrics.row(model, condition, Column(*source), ALL, "recall@10"):
                    rows.append(_row(metrics, model, condition, Column(*source), own["n"]))
        blocks.append(Block(name, rows))
    heads = [Head("Source", numeric=False), *(Head(f"Recall at {k} (%)") for k in RECALLS)]
    heads += [Head("Median rank"), Head("ECGs")]
    return Table("Retrieval between ECGs and reports", "Model", heads, blocks)


def _row(metrics: Metrics, model: str, condition: Condition, source: Column, n: int) -> Row:
    recalls = [metrics.get(model, condition, source, ALL, f"recall@{k}") for k in RECALLS]
    rank = metrics.get(model, condition, source, ALL, "median_rank")
    limits = "" if rank.low is None or rank.high is None else f"{rank.low:g}–{rank.high:g}"
    written = Cell("–" if rank.value is None else f"{rank.value:g}", limits, rank.value)
    cells = [Cell.words(source.task), *map(Cell.percent, recalls), written, Cell.count(n)]
    return Row(model, cells, "best" if model == "fine" else "")


@dataclass(frozen=True)
class Found:
    """An ECG that a report text has found."""

    rank: int
    source: str
    record_id: str
    probability: float
    hit: bool


@dataclass(frozen=True)
class Query:
    """A report text and the ECGs that it finds, best first."""

    text: str
    found: list[Found]


def queries(retrieved: Iterable[Mapping[str, Any]], count: int) -> list[Query]:
    """Return the first ``count`` texts of a table with the schema ``RETRIEVED``, each with its ``SHOWN`` best ECGs."""
    by_text: dict[tuple[str, str], list[Found]] = {}  # sources may share a text
    for row in retrieved:
        found = Found(*(row[key] for key in ("rank", "source", "record_id", "probability", "hit")))
        by_text.setdefault((row["source"], row["query"]), []).append(found)
    chosen = list(by_text.items())[:count]
    return [Query(text, sorted(found, key=lambda ecg: ecg.rank)[:SHOWN]) for (_, text), found in chosen]
