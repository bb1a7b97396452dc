"""What each class of a task reaches."""

from fgclep.report.results.metrics import ALL_RECORDS, MACRO, PROBE, Column, Metrics, model_name
from fgclep.report.tables.table import Block, Cell, Head, Row, Table


def class_tables(metrics: Metrics) -> dict[Column, Table]:
    """One table per task and label set: support and AUROC of its classes, as they come in the metrics."""
    return {column: _class_table(metrics, column) for column in metrics.columns()}


def _class_table(metrics: Metrics, column: Column) -> Table:
    shown = [c for c in metrics.headline() if c == ALL_RECORDS or c.protocol != PROBE]
    pairs = [(model, condition) for condition in shown for model in metrics.models(condition)]
    used = [pair for pair in pairs if metrics.row(*pair, column)]
    counts = metrics.counts(column)
    same = len({tuple(by_class.items()) for by_class in counts.values()}) == 1
    kinds = list(counts)[:1] if same else list(counts)
    suffixes = [""] if same else [f", {kind}" for kind in kinds]
    names = dict.fromkeys(name for by_class in counts.values() for name in by_class if not name.startswith(MACRO))
    heads = [head + suffix for suffix in suffixes for head in ("Positive", "Records")]
    heads += [f"{condition.name}: {model_name(model)}" for model, condition in used]
    rows = [
        Row(
            name,
            [Cell.count(count) for kind in kinds for count in counts[kind].get(name, (0, 0))]
            + [Cell.percent(metrics.get(*pair, column, name)) for pair in used],
        )
        for name in names
    ]
    caption = f"AUROC (%) of the classes of {column.name}, label set {column.label_set}"
    return Table(caption, "Class", [Head(name) for name in heads], [Block("", rows)])
