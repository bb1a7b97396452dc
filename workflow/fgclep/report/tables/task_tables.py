"""Tables of macro averages: models in rows, tasks in columns."""

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from fgclep.report.results.estimate import UNDEFINED, Estimate
from fgclep.report.results.metrics import (
    ALL_RECORDS,
    FEW_SHOT,
    MACRO,
    MODELS,
    PROMPT_SETS,
    TRANSFER,
    ZERO_SHOT,
    Column,
    Condition,
    Metrics,
    mean,
    model_name,
    task_name,
)
from fgclep.report.results.published import PUBLISHED, REMEASURED
from fgclep.report.tables.table import Block, Cell, Head, Row, Table

MEASURES = {"auprc": "AUPRC", "f1": "F1", "ece": "Calibration error"}
MODEL = "Model"


def _heads(columns: Iterable[Column]) -> list[Head]:
    heads = [Head(column.name, (column.label_set, *column.support)) for column in columns]
    return [*heads, Head("Mean")]


def _row(name: str, values: Mapping[Column, Estimate], kind: str = "") -> Row:
    """Cells of every task and their mean."""
    return Row(name, [*map(Cell.percent, values.values()), Cell.percent(mean(values))], kind)


def _models(
    metrics: Metrics, columns: Sequence[Column], condition: Condition, macro: str = MACRO, metric: str = "auroc"
) -> list[Row]:
    """A row for each model that has a value."""
    rows = []
    for model in metrics.models(condition):
        values = {column: metrics.get(model, condition, column, macro, metric) for column in columns}
        if any(estimate.value is not None for estimate in values.values()):
            rows.append(_row(model_name(model), values, "best" if model == "fine" else ""))
    return rows


def _published(columns: Sequence[Column], condition: Condition) -> list[Row]:
    """A row for each published model, and for each re-measured one; the zero-shot ones stand below any prompt set."""
    place = (condition.protocol, condition.fraction)
    named = {f"{name}, published": known for name, known in PUBLISHED.get(place, {}).items()}
    rows = []
    for name, known in (named | dict(REMEASURED.get(place, {}))).items():
        values = {c: Estimate(known[c.task] / 100) if c.task in known else UNDEFINED for c in columns}
        rows.append(_row(name, values, "published"))
    return rows


def headline(metrics: Metrics, macro: str = MACRO) -> Table:
    """Macro AUROC of every model, zero-shot and with linear probes, and below it what is published for the same tasks.

    ``macro`` is ``macro``, or ``macro_supported``, for which nothing is published.
    """
    columns = metrics.columns(macro)
    blocks = [
        Block(
            condition.name,
            [
                *_models(metrics, columns, condition, macro),
                *(_published(columns, condition) if macro == MACRO else []),
            ],
        )
        for condition in metrics.headline()
    ]
    caption = "Macro AUROC (%)" + ("" if macro == MACRO else ", classes with enough positive test records only")
    return Table(caption, MODEL, _heads(columns), [block for block in blocks if block.rows])


def prompt_sets(metrics: Metrics) -> Table:
    """Zero-shot macro AUROC by what is asked: names of the classes, wordings of reports, or waveform features."""
    columns = metrics.columns()
    conditions = [condition for condition in metrics.conditions(ZERO_SHOT) if condition.setting]
    blocks = [Block(f"Prompts: {PROMPT_SETS[c.setting]}", _models(metrics, columns, c)) for c in conditions]
    return Table("Zero-shot macro AUROC (%) by prompt set", MODEL, _heads(columns), blocks)


def few_shot(metrics: Metrics) -> Table:
    """Macro AUROC of linear probes on a few positives of each class, means over the seeds."""
    columns = metrics.columns()
    blocks = [Block(c.name, _models(metrics, columns, c)) for c in metrics.conditions(FEW_SHOT)]
    return Table("Few-shot macro AUROC (%)", MODEL, _heads(columns), blocks)


def other_measures(metrics: Metrics) -> Table:
    """Macro AUPRC, F1 and calibration error of the zero-shot and the linear-probe evaluation."""
    columns = metrics.columns()
    shown = [c for c in metrics.headline() if c == ALL_RECORDS or c.protocol == ZERO_SHOT]
    blocks = [
        Block(f"{name}, {condition.name.lower()}", _models(metrics, columns, condition, metric=metric))
        for metric, name in MEASURES.items()
        for condition in shown
    ]
    heads = [Head(head.name, head.notes[:1]) for head in _heads(columns)]  # each measure has support of its own
    caption = "Macro AUPRC, F1 and expected calibration error (%)"
    return Table(caption, MODEL, heads, [block for block in blocks if block.rows])


def transfer(metrics: Metrics) -> Table:
    """Macro AUROC of linear probes trained on one database and tested on another, over the classes that both have."""
    here = metrics.table.filter(pl.col("protocol") == TRANSFER, pl.col("class") == MACRO, pl.col("metric") == "auroc")
    models = [model for model in MODELS if model in set(here["model"])]
    rows = []
    for condition in metrics.conditions(TRANSFER):
        same = here.filter(pl.col("setting") == condition.setting, pl.col("fraction") == condition.fraction)
        pairs = same.group_by("task", "label_set", maintain_order=True).agg(pl.col("n_pos", "n").max()).rows()
        for task, label_set, classes, n in pairs:
            cells = [Cell.percent(metrics.get(model, condition, Column(task, label_set))) for model in models]
            name = f"{task_name(condition.setting)} → {task_name(task)}"
            rows.append(Row(name, [Cell.count(classes), Cell.count(n), *cells]))
    heads = [Head(name) for name in ("Classes", "Test records", *map(model_name, models))]
    return Table("Transfer macro AUROC (%)", "Trained on → tested on", heads, [Block("", rows)])
