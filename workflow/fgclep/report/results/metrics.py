"""Looking metrics up: which tasks, models and conditions ``metrics.csv`` has, and their values over the seeds."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from fgclep.report.results.estimate import UNDEFINED, Estimate
from fgclep.report.results.published import TASKS

TASK_NAMES = {
    "ptbxl_super": "PTB-XL super",
    "ptbxl_sub": "PTB-XL sub",
    "ptbxl_form": "PTB-XL form",
    "ptbxl_rhythm": "PTB-XL rhythm",
    "cpsc2018": "CPSC2018",
    "csn": "CSN",
    "csn_published": "CSN published",
}
MODELS = ("fine", "coarse", "random", "measurements", "fine_measurements")
MODEL_NAMES = {"fine_measurements": "fine and measurements"}  # of those whose name is not what it reads
ZERO_SHOT, LEADS, PROBE, FEW_SHOT, TRANSFER, RETRIEVAL = (
    "zero_shot", "zero_shot_leads", "linear_probe", "few_shot", "transfer", "retrieval",
)  # fmt: skip
PROMPT_SETS = {
    "names": "names of the classes",
    "synonyms": "wordings of reports",
    "features": "waveform features",
    "both": "wordings and features together",
}
# Test records of zero-shot and of what is trained may differ (evaluation.zero_shot_split).
KINDS = {"zero-shot": (ZERO_SHOT, LEADS), "probe": (PROBE,)}
MACRO, SUPPORTED = "macro", "macro_supported"


@dataclass(frozen=True)
class Condition:
    """How a model was evaluated: by a protocol in a setting, with a share of the training records."""

    protocol: str
    setting: str = ""
    fraction: float = 0.0

    @property
    def name(self) -> str:
        """The condition in words.

        >>> Condition("linear_probe", "", 0.01).name, Condition("few_shot", "4").name
        ('Linear probe, 1 %', 'Few-shot, 4 positives per class')
        """
        if self.protocol == FEW_SHOT:
            return f"Few-shot, {self.setting} {'positive' if self.setting == '1' else 'positives'} per class"
        names = {ZERO_SHOT: "Zero-shot", LEADS: "Zero-shot, lead ensemble", PROBE: "Linear probe"}
        name = names.get(self.protocol, self.protocol)
        return f"{name}, {100 * self.fraction:g} %" if self.protocol == PROBE else name


ALL_RECORDS = Condition(PROBE, "", 1.0)


@dataclass(frozen=True)
class Column:
    """A task with one of its label sets, and in words how many classes and test records it has."""

    task: str
    label_set: str
    support: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The task as papers write it."""
        return task_name(self.task)


def task_name(task: str) -> str:
    """Name a task, or another database, as papers do."""
    return TASK_NAMES.get(task, task)


def model_name(model: str) -> str:
    """Name a model in words.

    >>> model_name("fine_measurements"), model_name("fine")
    ('fine and measurements', 'fine')
    """
    return MODEL_NAMES.get(model, model)


def over_seeds(metrics: pl.DataFrame) -> pl.DataFrame:
    """Average values and bounds over the seeds, in the order of first appearance, and count them.

    Bounds that a seed does not have are not defined.
    """
    keys = ["model", "task", "label_set", "protocol", "setting", "fraction", "metric", "class"]
    bounds = pl.col("ci_low", "ci_high")
    values = (pl.col("value").mean(), pl.when(bounds.null_count() == 0).then(bounds.mean()))
    filled = metrics.with_columns(pl.col("setting").fill_null(""))
    return filled.group_by(keys, maintain_order=True).agg(*values, pl.col("n", "n_pos").first(), seeds=pl.len())


def seed_spread(metrics: pl.DataFrame) -> dict[str, float]:
    """Standard deviation over the seeds of the fine model's few-shot AUROC, by positives per class.

    The AUROC is the mean over the tasks, of each the first label set. ``metrics`` has the schema ``METRICS``. Nothing
    comes of a single seed.
    """
    here = metrics.filter(protocol=FEW_SHOT, model="fine", metric="auroc")
    first = here.filter(pl.col("class") == MACRO).unique(["task", "setting", "seed"], keep="first", maintain_order=True)
    means = first.group_by("setting", "seed", maintain_order=True).agg(pl.col("value").mean())
    spread = means.group_by("setting", maintain_order=True).agg(pl.col("value").std()).drop_nulls()
    return dict(sorted(spread.rows(), key=lambda row: int(row[0])))


class Metrics:
    """Values of ``metrics.csv``, each the mean over its seeds.

    Parameters
    ----------
    table
        With the schema ``METRICS``.
    prompts
        The prompt sets of the zero-shot evaluation, that of the headline table first.
    """

    _KEYS = ("model", "protocol", "setting", "fraction", "task", "label_set", "metric", "class")

    def __init__(self, table: pl.DataFrame, prompts: Sequence[str]) -> None:
        self.table, self.prompts = over_seeds(table), list(prompts)
        self._rows = {tuple(row[key] for key in self._KEYS): row for row in self.table.iter_rows(named=True)}

    def get(
        self, model: str, condition: Condition, column: Column, class_: str = MACRO, metric: str = "auroc"
    ) -> Estimate:
        """Return an estimate, undefined if there is none."""
        row = self.row(model, condition, column, class_, metric)
        return Estimate(row["value"], row["ci_low"], row["ci_high"]) if row else UNDEFINED

    def row(
        self, model: str, condition: Condition, column: Column, class_: str = MACRO, metric: str = "auroc"
    ) -> Mapping | None:
        """Return a row of the table, averaged over the seeds; ``None`` if there is none."""
        place = (column.task, column.label_set, metric, class_)
        return self._rows.get((model, condition.protocol, condition.setting, condition.fraction, *place))

    def conditions(self, *protocols: str) -> list[Condition]:
        """Conditions of some protocols that the table has, by protocol, setting and fraction.

        Prompt sets come as the config has them, numbers of positives by size, tasks as papers order them.
        """
        found = self.table.filter(pl.col("protocol").is_in(protocols))
        rows = found.select("protocol", "setting", "fraction").unique(maintain_order=True).rows()
        order = {setting: place for place, setting in enumerate((*self.prompts, *TASKS))}

        def rank(row: tuple[str, str, float]) -> tuple:
            protocol, setting, fraction = row
            number = int(setting) if setting.isdigit() else order.get(setting, len(order))
            return protocols.index(protocol), number, setting, fraction

        return [Condition(*row) for row in sorted(rows, key=rank)]

    def headline(self) -> list[Condition]:
        """Conditions of the headline table: zero-shot by the first prompt set, and the linear probe."""
        first = self.prompts[0]
        found = self.conditions(ZERO_SHOT, LEADS, PROBE)
        return [condition for condition in found if condition.protocol == PROBE or condition.setting == first]

    def models(self, condition: Condition) -> list[str]:
        """Models that were evaluated in a condition, in the order of the report."""
        same = [pl.col(name) == getattr(condition, name) for name in ("protocol", "setting", "fraction")]
        present = set(self.table.filter(*same)["model"])
        return [model for model in MODELS if model in present]

    def seeds(self, protocol: str) -> int:
        """Draws of the training records that values of a protocol are means over."""
        return max(self._of([protocol])["seeds"].to_list(), default=0)

    def columns(self, macro: str = MACRO) -> list[Column]:
        """Tasks of the headline in the published order, others behind, each with its label sets as they come."""
        rank = {task: place for place, task in enumerate(TASKS)}
        here = self._of((ZERO_SHOT, LEADS, PROBE))
        pairs = here.select("task", "label_set").unique(maintain_order=True).rows()
        found = [Column(task, labels, self._support(Column(task, labels), macro)) for task, labels in pairs]
        return sorted(found, key=lambda column: rank.get(column.task, len(rank)))

    def mean(self, model: str, condition: Condition, macro: str = MACRO, metric: str = "auroc") -> Estimate:
        """Mean over the tasks; see ``mean``."""
        return mean({column: self.get(model, condition, column, macro, metric) for column in self.columns()})

    def counts(self, column: Column) -> dict[str, dict[str, tuple[int, int]]]:
        """Positive and all test records by kind of evaluation and class; of a macro, classes averaged and records."""
        counts: dict[str, dict[str, tuple[int, int]]] = {}
        for kind, protocols in KINDS.items():
            here = self._of(protocols).filter(
                pl.col("task") == column.task, pl.col("label_set") == column.label_set, pl.col("metric") == "auroc"
            )
            if here.height:
                rows = here.group_by("class", maintain_order=True).agg(pl.col("n_pos", "n").max()).rows()
                counts[kind] = {name: (n_pos, n) for name, n_pos, n in rows}
        return counts

    def _of(self, protocols: Collection[str]) -> pl.DataFrame:
        return self.table.filter(pl.col("protocol").is_in(list(protocols)))

    def _support(self, column: Column, macro: str) -> tuple[str, ...]:
        written = {}
        for kind, counts in self.counts(column).items():
            averaged, n = counts.get(macro, (0, 0))
            classes = sum(not name.startswith(MACRO) for name in counts)
            of_all = f"{classes}" if averaged == classes else f"{averaged} of {classes}"
            written[kind] = f"{of_all} classes, n {n:,}"
        if len(set(written.values())) == 1:
            return tuple(written.values())[:1]
        return tuple(f"{kind}: {text}" for kind, text in written.items())


def mean(cells: Mapping[Column, Estimate]) -> Estimate:
    """Mean over the tasks, of the first label set of each; undefined if a task is."""
    first: dict[str, float | None] = {}
    for column, estimate in cells.items():
        first.setdefault(column.task, estimate.value)
    values = [value for value in first.values() if value is not None]
    return Estimate(sum(values) / len(values)) if values and len(values) == len(first) else UNDEFINED


def column_names(columns: Sequence[Column]) -> list[str]:
    """Names of the tasks, with the label set where a task has several."""
    tasks = [column.task for column in columns]
    return [c.name if tasks.count(c.task) == 1 else f"{c.name} ({c.label_set})" for c in columns]
