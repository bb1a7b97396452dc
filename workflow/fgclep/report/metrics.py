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
KINDS = {"zero-shot": ["zero_shot", "zero_shot_leads"], "probe": ["linear_probe"]}
MODELS = ("fine", "coarse", "random")
MACRO = "macro"
UNDEFINED = Estimate(None)


@dataclass(frozen=True)
class Column:
    """A task with one of its label sets, and in words how many classes and test records it has."""

    task: str
    label_set: str
    support: tuple[str, ...] = ()

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
    """Per-class AUROCs of one task and label set: heads of support and estimates, and per class their values."""

    column: Column
    support_heads: list[str]
    heads: list[str]
    rows: list[tuple[str, list[int], list[Estimate]]]


def over_seeds(metrics: pl.DataFrame) -> pl.DataFrame:
    """Average values and bounds over the seeds, in the order of first appearance."""
    keys = ["model", "task", "label_set", "protocol", "fraction", "metric", "class"]
    values = pl.col("value", "ci_low", "ci_high").mean()
    return metrics.group_by(keys, maintain_order=True).agg(values, pl.col("n", "n_pos").first())


def _of(column: Column) -> pl.Expr:
    return (pl.col("task") == column.task) & (pl.col("label_set") == column.label_set)


def _counts(metrics: pl.DataFrame, column: Column) -> dict[str, dict[str, tuple[int, int]]]:
    """Positive and all test records by kind of evaluation and class; of a macro, classes averaged and all records."""
    counts: dict[str, dict[str, tuple[int, int]]] = {}
    for kind, protocols in KINDS.items():
        here = metrics.filter(_of(column) & (pl.col("metric") == "auroc") & pl.col("protocol").is_in(protocols))
        if here.height:
            rows = here.group_by("class", maintain_order=True).agg(pl.col("n_pos", "n").max()).rows()
            counts[kind] = {name: (n_pos, n) for name, n_pos, n in rows}
    return counts


def _support(metrics: pl.DataFrame, column: Column, macro: str) -> tuple[str, ...]:
    written = {}
    for kind, counts in _counts(metrics, column).items():
        averaged, n = counts.get(macro, (0, 0))
        classes = sum(not name.startswith(MACRO) for name in counts)
        of_all = f"{classes}" if averaged == classes else f"{averaged} of {classes}"
        written[kind] = f"{of_all} classes, n {n:,}"
    if len(set(written.values())) == 1:
        return tuple(written.values())[:1]
    return tuple(f"{kind}: {text}" for kind, text in written.items())


def columns(metrics: pl.DataFrame, macro: str = MACRO) -> list[Column]:
    """Tasks in the published order, others behind, each with its label sets as they come in the table."""
    rank = {task: place for place, task in enumerate(TASKS)}
    pairs = metrics.select("task", "label_set").unique(maintain_order=True).rows()
    found = [Column(task, labels, _support(metrics, Column(task, labels), macro)) for task, labels in pairs]
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
    heads, lookup, blocks = columns(metrics, macro), Lookup(metrics), []
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
        used = [setting for setting in shown if lookup.get(*setting, column) is not UNDEFINED]
        counts = _counts(metrics, column)
        same = len({tuple(by_class.items()) for by_class in counts.values()}) == 1
        kinds = list(counts)[:1] if same else list(counts)
        suffixes = [""] if same else [f", {kind}" for kind in kinds]
        names = dict.fromkeys(name for by_class in counts.values() for name in by_class if not name.startswith(MACRO))
        tables.append(
            ClassTable(
                column,
                [head + suffix for suffix in suffixes for head in ("Positive", "Records")],
                [f"{protocol_name(protocol, fraction)}: {model}" for model, protocol, fraction in used],
                [
                    (
                        name,
                        [count for kind in kinds for count in counts[kind].get(name, (0, 0))],
                        [lookup.get(*setting, column, name) for setting in used],
                    )
                    for name in names
                ],
            )
        )
    return tables
