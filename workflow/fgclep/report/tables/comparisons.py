"""Differences between models on the same test records, with intervals and corrected p-values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fgclep.report.results.estimate import Estimate, p_value
from fgclep.report.results.metrics import LEADS, MODELS, PROBE, PROMPT_SETS, ZERO_SHOT, Condition, model_name, task_name
from fgclep.report.tables.table import Block, Cell, Head, Row, Table
from fgclep.schemas.comparisons import MEAN
from fgclep.schemas.metrics import MIN_PATIENTS

FINE_AND_COARSE = ("fine", "coarse")
_CLASSES = f"classes with {MIN_PATIENTS} patients or more among their positives and negatives"
Comparison = Mapping[str, Any]  # a row with the schema COMPARISONS


def fine_against_coarse(comparisons: Iterable[Comparison], prompts: Sequence[str]) -> Table:
    """What the fine stage gains over the coarse one, zero-shot by the first prompt set and with linear probes."""
    blocks: dict[str, list[Row]] = {}
    for comparison in comparisons:
        if models_of(comparison) == FINE_AND_COARSE and _is_headline(comparison, prompts):
            blocks.setdefault(_condition(comparison, prompts), []).append(_row(_task(comparison), comparison))
    heads = [Head(name) for name in ("fine", "coarse", *_MEASURES)]
    caption = f"Macro AUROC (%) of the fine model minus that of the coarse one, {_CLASSES}"
    return Table(caption, "Task", heads, [Block(name, rows) for name, rows in blocks.items()])


def all_comparisons(comparisons: Iterable[Comparison], prompts: Sequence[str]) -> Table:
    """Every comparison, one below the other."""
    rows = []
    for comparison in comparisons:
        one, other = models_of(comparison)
        row = _row(f"{model_name(one)} − {model_name(other)}", comparison)
        words = [Cell.words(_task(comparison)), Cell.words(_condition(comparison, prompts))]
        rows.append(Row(row.name, [*words, *row.cells]))
    heads = [Head("Task", numeric=False), Head("Protocol", numeric=False), Head("First"), Head("Second")]
    return Table(
        f"Differences of macro AUROC (%) between every two models, {_CLASSES}",
        "Models",
        [*heads, *(Head(name) for name in _MEASURES)],
        [Block("", rows)],
    )


@dataclass(frozen=True)
class Verdict:
    """On how many tasks the fine model is better or worse than the coarse one, zero-shot, beyond chance."""

    better: int
    worse: int
    tasks: int


def verdict(comparisons: Iterable[Comparison], prompts: Sequence[str], level: float = 0.05) -> Verdict | None:
    """Count the tasks by the corrected p-value; ``None`` where there is no such comparison."""
    rows = [
        comparison
        for comparison in comparisons
        if models_of(comparison) == FINE_AND_COARSE
        and comparison["task"] != MEAN
        and comparison["protocol"] == ZERO_SHOT
        and (comparison["setting"] or "") == prompts[0]
        and comparison["p_holm"] is not None
    ]
    certain = [change_of(row)[0] or 0.0 for row in rows if row["p_holm"] < level]
    found = Verdict(sum(value > 0 for value in certain), sum(value < 0 for value in certain), len(rows))
    return found if rows else None


_MEASURES = ("Difference", "p", "p, corrected", "Test records")


def models_of(comparison: Comparison) -> tuple[str, str]:
    """The models, in the order of the report."""
    rank = {model: place for place, model in enumerate(MODELS)}
    names = comparison["model_a"], comparison["model_b"]
    one, other = sorted(names, key=lambda name: (rank.get(name, len(rank)), name))
    return one, other


def _row(name: str, comparison: Comparison) -> Row:
    """Values of both models, and the first one's minus the second one's."""
    values = [comparison["value_a"], comparison["value_b"]]
    if models_of(comparison)[0] == comparison["model_b"]:
        values.reverse()
    cells = [Cell.percent(Estimate(value)) for value in values]
    p = [Cell(p_value(comparison[key]), value=comparison[key]) for key in ("p", "p_holm")]
    return Row(name, [*cells, Cell.difference(Estimate(*change_of(comparison))), *p, Cell.count(comparison["n"])])


def change_of(comparison: Comparison) -> tuple[float | None, float | None, float | None]:
    """Difference and its interval of the first model, in the order of the report, minus the second one."""
    value, low, high = (comparison[key] for key in ("difference", "ci_low", "ci_high"))  # b minus a
    if models_of(comparison)[0] == comparison["model_b"]:
        return value, low, high
    value, low, high = (None if number is None else -number for number in (value, high, low))
    return value, low, high


def _task(comparison: Comparison) -> str:
    if comparison["task"] == MEAN:
        return "mean over the tasks"
    return f"{task_name(comparison['task'])} ({comparison['label_set']})"


def _is_headline(comparison: Comparison, prompts: Sequence[str]) -> bool:
    protocol, setting = comparison["protocol"], comparison["setting"] or ""
    return protocol == PROBE or (protocol in (ZERO_SHOT, LEADS) and setting == prompts[0])


def _condition(comparison: Comparison, prompts: Sequence[str]) -> str:
    """Protocol and setting in words; a probe has seen all training records."""
    protocol, setting = comparison["protocol"], comparison["setting"] or ""
    name = Condition(protocol, setting, 1.0).name
    if protocol in (ZERO_SHOT, LEADS) and setting and setting != prompts[0]:
        return f"{name}, {PROMPT_SETS[setting]}"
    return name
