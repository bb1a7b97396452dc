"""The ECGs that the fine model gets most wrong, class by class: high scores without the label, low ones with it."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from fgclep.keys import KEY
from fgclep.report.charts.examples import Ecg, read_ecgs
from fgclep.report.results.metrics import ZERO_SHOT, Column, Condition
from fgclep.report.results.run import Results

CLASSES, EACH = 5, 2  # classes of the task that are ranked worst, and ECGs of either kind
_SHOWN = ["record_id", "patient_id", "source"]


@dataclass(frozen=True)
class Mistake:
    """An ECG with its labels, and the share of the test records that score lower."""

    ecg: Ecg
    labels: list[str]
    above: float


@dataclass(frozen=True)
class Mistakes:
    """Of a class its AUROC, the highest-scored ECGs without its label, and the lowest-scored ones with it."""

    name: str
    auroc: float
    high: list[Mistake]
    low: list[Mistake]


def gallery(results: Results) -> tuple[Column, list[Mistakes]] | None:
    """Gather the mistakes of the fine model, zero-shot by the first prompt set, in the first task of the report.

    Classes come from the lowest AUROC on, at most ``CLASSES``; of a patient a list has one ECG.

    Returns
    -------
    tuple or None
        The task and its classes; ``None`` if the fine model was not asked for any.
    """
    metrics = results.metrics
    condition = Condition(ZERO_SHOT, metrics.prompts[0])
    column = next(iter(metrics.columns()), None)
    scores = _scores(results, condition, column) if column else pl.DataFrame()
    if column is None or not scores.height:
        return None
    ranked = []
    for place, name in enumerate(scores["classes"][0]):
        value = metrics.get("fine", condition, column, name).value
        if value is not None:
            ranked.append((value, name, place))
    worst = sorted(ranked)[:CLASSES]
    chosen = {name: _extremes(scores, place) for _, name, place in worst}
    keys = dict.fromkeys(
        (row["source"], row["record_id"]) for kinds in chosen.values() for rows in kinds for row in rows
    )
    ecgs = read_ecgs(results, list(keys))

    def drawn(rows: Sequence[dict]) -> list[Mistake]:
        return [
            Mistake(
                ecgs[row["source"], row["record_id"]],
                [name for name, positive in zip(row["classes"], row["labels"], strict=True) if positive],
                row["above"],
            )
            for row in rows
        ]

    return column, [Mistakes(name, value, *map(drawn, chosen[name])) for value, name, _ in worst]


def _scores(results: Results, condition: Condition, column: Column) -> pl.DataFrame:
    """Scores of the records whose ECG there is."""
    place = {"model": "fine", "protocol": condition.protocol, "setting": condition.setting}
    place |= {"task": column.task, "label_set": column.label_set}
    of_task = results.scores_table.filter(*(pl.col(name) == value for name, value in place.items()))
    usable = of_task.join(results.shards.select(*KEY), on=KEY, how="semi")
    return usable.select(*_SHOWN, "classes", "labels", "scores").collect(engine="streaming").sort(*KEY)


def _extremes(scores: pl.DataFrame, place: int) -> tuple[list[dict], list[dict]]:
    """Rows of the highest-scored negatives and of the lowest-scored positives of a class."""
    score, positive = pl.col("scores").list.get(place), pl.col("labels").list.get(place)
    table = scores.with_columns(score=score, positive=positive)
    table = table.with_columns(above=(pl.col("score").rank("min") - 1) / pl.len())
    kinds = []
    for wanted, descending in ((False, True), (True, False)):
        rows = table.filter(positive=wanted).sort("score", descending=descending, maintain_order=True)
        kinds.append(rows.unique("patient_id", keep="first", maintain_order=True).head(EACH).to_dicts())
    return kinds[0], kinds[1]
