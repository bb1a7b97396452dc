"""Metrics as the report shows them: the headline table and one table per task."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from fgclep.report.plots import Estimate
from fgclep.report.published import PUBLISHED, TASKS

TASK_NAMES = {
    "ptbxl_super": "PTB-XL super",
    "ptbxl_sub": "PTB-XL sub",
    "ptbxl_form": "PTB-XL form",
    "ptbxl_rhythm": "PTB-XL rhythm",
    "cpsc2018": "CPSC2018",
    "csn": "CSN",
}
PROTOCOL_NAMES = {
    "zero_shot": "Zero-shot",
    "zero_shot_leads": "Zero-shot, lead ensemble",
    "linear_probe": "Linear probe",
}
MODELS = ("fine", "coarse", "random")
MACRO = "macro"
UNDEFINED = Estimate(None)


@dataclass(frozen=True)
class Column:
    """A task with one of its label sets."""

    task: str
    label_set: str
    records: int
    classes: int

    @property
    def name(self) -> str:
        """The task as papers write it."""
        return TASK_NAMES.get(self.task, self.task)


@dataclass(frozen=True)
class Row:
    """One line of the headline table; ``cells`` follow the columns."""

    name: str
    published: bool
    cells: list[Estimate]
    mean: Estimate


@dataclass(frozen=True)
class Block:
    """The rows of one protocol."""

    name: str
    protocol: str
    fraction: float
    rows: list[Row]


@dataclass(frozen=True)
class ClassTable:
    """Per-class AUROCs of one task and label set: the column heads, and per class its support and estimates."""

    column: Column
    heads: list[str]
    rows: list[tuple[str, int, int, list[Estimate]]]


def over_seeds(metrics: pl.DataFrame) -> pl.DataFrame:
    """Average values and bounds over the seeds, in the order of first appearance."""
    keys = ["model", "task", "label_set", "protocol", "fraction", "metric", "class"]
    values = pl.col("value", "ci_low", "ci_high").mean()
    return metrics.group_by(keys, maintain_order=True).agg(values, pl.col("n", "n_pos").first())


def columns(metrics: pl.DataFrame) -> list[Column]:
    """Tasks in the published order, others behind, each with its label sets as they come in the table."""
    macro = metrics.filter(pl.col("metric") == "auroc")
    counted = macro.group_by("task", "label_set", maintain_order=True).agg(
        pl.col("n").max(), pl.col("class").filter(~pl.col("class").str.starts_with(MACRO)).n_unique().alias("classes")
    )
    rank = {task: place for place, task in enumerate(TASKS)}
    found = [Column(row["task"], row["label_set"], row["n"], row["classes"]) for row in counted.iter_rows(named=True)]
    return sorted(found, key=lambda column: rank.get(column.task, len(rank)))


class Lookup:
    """AUROCs by model, protocol, fraction, task, label set and class."""

    _KEYS = ("model", "protocol", "fraction", "task", "label_set", "class")

    def __init__(self, metrics: pl.DataFrame) -> None:
        self._estimates = {
            tuple(row[key] for key in self._KEYS): Estimate(row["value"], row["ci_low"], row["ci_high"])
            for row in metrics.filter(pl.col("metric") == "auroc").iter_rows(named=True)
        }

    def get(self, model: str, protocol: str, fraction: float, column: Column, class_: str = MACRO) -> Estimate:
        """Return the estimate, undefined if there is none."""
        return self._estimates.get((model, protocol, fraction, column.task, column.label_set, class_), UNDEFINED)


def protocols(metrics: pl.DataFrame) -> list[tuple[str, float]]:
    """Protocols and fractions that the table has, in the order of the report."""
    rank = {protocol: place for place, protocol in enumerate(PROTOCOL_NAMES)}
    found = metrics.filter(pl.col("protocol").is_in(list(rank))).select("protocol", "fraction").unique().rows()
    return sorted(found, key=lambda pair: (rank[pair[0]], pair[1]))


def protocol_name(protocol: str, fraction: float) -> str:
    """Name a protocol with its share of the training records.

    >>> protocol_name("linear_probe", 0.01)
    'Linear probe, 1 %'
    """
    name = PROTOCOL_NAMES.get(protocol, protocol)
    return f"{name}, {100 * fraction:g} %" if fraction else name


def mean(cells: Mapping[Column, Estimate]) -> Estimate:
    """Mean over the tasks, of the first label set of each; undefined if a task is."""
    first: dict[str, float | None] = {}
    for column, estimate in cells.items():
        first.setdefault(column.task, estimate.value)
    values = [value for value in first.values() if value is not None]
    return Estimate(sum(values) / len(values)) if values and len(values) == len(first) else UNDEFINED


def headline(metrics: pl.DataFrame, macro: str = MACRO) -> list[Block]:
    """Macro AUROC of every model and protocol, and below it what is published for the same task names."""
    heads, lookup, blocks = columns(metrics), Lookup(metrics), []
    for protocol, fraction in protocols(metrics):
        rows = []
        for model in MODELS:
            cells = {column: lookup.get(model, protocol, fraction, column, macro) for column in heads}
            if any(cell.value is not None for cell in cells.values()):
                rows.append(Row(model, False, list(cells.values()), mean(cells)))
        if macro == MACRO:
            for name, values in PUBLISHED.get((protocol, fraction), {}).items():
                known = {c: Estimate(values[c.task] / 100) if c.task in values else UNDEFINED for c in heads}
                rows.append(Row(name, True, list(known.values()), mean(known)))
        blocks.append(Block(protocol_name(protocol, fraction), protocol, fraction, rows))
    return blocks


def class_tables(metrics: pl.DataFrame) -> list[ClassTable]:
    """One table per task and label set: what each class reaches, the classes as they come in the table."""
    lookup, tables = Lookup(metrics), []
    shown = [(model, *pair) for pair in protocols(metrics) for model in MODELS if pair[1] in (0.0, 1.0)]
    for column in columns(metrics):
        here = metrics.filter(
            (pl.col("task") == column.task) & (pl.col("label_set") == column.label_set) & (pl.col("metric") == "auroc")
        )
        used = [
            (model, protocol, fraction)
            for model, protocol, fraction in shown
            if lookup.get(model, protocol, fraction, column) is not UNDEFINED
        ]
        support = here.group_by("class", maintain_order=True).agg(pl.col("n", "n_pos").max())
        rows = [
            (name, n_pos, n, [lookup.get(*setting, column, name) for setting in used])
            for name, n, n_pos in support.iter_rows()
            if not name.startswith(MACRO)
        ]
        heads = [f"{protocol_name(protocol, fraction)}: {model}" for model, protocol, fraction in used]
        tables.append(ClassTable(column, heads, rows))
    return tables
