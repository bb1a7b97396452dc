"""The comparison of training variants, as the report shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from fgclep.config.ablation import COARSE, REFERENCE
from fgclep.report.results.estimate import Estimate, difference
from fgclep.report.results.metrics import PROBE, PROMPT_SETS
from fgclep.report.tables.table import Block, Cell, Head, Row, Table
from fgclep.schemas.comparisons import MEAN
from fgclep.verification.explain import is_missing

Place = tuple[str, str]  # protocol and setting


def place_name(place: Place) -> str:
    """A protocol and setting in words.

    >>> place_name(("zero_shot", "both")), place_name(("linear_probe", ""))
    ('zero-shot by wordings and features together', 'linear probe, all training records')
    """
    protocol, setting = place
    return "linear probe, all training records" if protocol == PROBE else f"zero-shot by {PROMPT_SETS[setting]}"


def change(name: str, variants: Mapping[str, Any]) -> str:
    """What a variant changes, as YAML on one line.

    >>> change("clip", {"clip": {"pretraining": {"loss": "clip"}, "throughout": True}})
    'pretraining: {loss: clip}; in the coarse stage as well'
    """
    if name in (COARSE, REFERENCE):
        return {COARSE: "no fine stage", REFERENCE: "the settings of this report"}[name]
    changes = dict(variants.get(name) or {})
    throughout = changes.pop("throughout", False)
    parts = [
        f"{section}: {yaml.safe_dump(dict(values), default_flow_style=True, width=1000).strip()}"
        for section, values in changes.items()
    ]
    return "; ".join([*parts, *(["in the coarse stage as well"] if throughout else [])])


@dataclass(frozen=True)
class OverBoth:
    """A mean over the seeds with its 95 % interval over the seeds, and with that over the patients."""

    seeds: Estimate
    patients: Estimate


def means(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, Place], OverBoth]:
    """By variant and place the mean over the tasks, from rows of ``ablation.csv`` with numbers."""
    return {key: _over_both(row, "mean", "ci", "patients") for key, row in _mean_rows(rows).items()}


def differences(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, Place], OverBoth]:
    """By variant and place the difference from the reference, mean over the tasks; the reference itself has none."""
    return {
        (name, place): _over_both(row, "difference", "difference", "difference_patients")
        for (name, place), row in _mean_rows(rows).items()
        if name != REFERENCE
    }


def ablation_table(rows: Sequence[Mapping[str, Any]], variants: Mapping[str, Any]) -> Table:
    """Return the means over the tasks as a table, a row for each variant.

    Parameters
    ----------
    rows
        Of ``ablation.csv`` (see ``fgclep.evaluation.ablation.summarize``), with numbers.
    variants
        The config's ``ablation.variants``.
    """
    cells = {key: Cell.percent(found.seeds) for key, found in means(rows).items()}
    return _table("Macro AUROC (%), mean over the tasks", rows, variants, cells)


def differences_table(rows: Sequence[Mapping[str, Any]], variants: Mapping[str, Any]) -> Table:
    """Return the differences from the reference as a table, each with both intervals; see ``ablation_table``."""
    cells = {}
    for key, found in differences(rows).items():
        value, _, seeds = difference(found.seeds).partition(" ")
        patients = difference(found.patients).partition(" ")[2]
        named = (("seeds", seeds), ("patients", patients))
        details = [f"{name} {limits.strip('()')}" for name, limits in named if limits]
        cells[key] = Cell(value, "; ".join(details), found.seeds.value)
    return _table("Difference of macro AUROC (%) from fine, mean over the tasks", rows, variants, cells)


def places(rows: Sequence[Mapping[str, Any]]) -> list[Place]:
    """Protocols and settings, as they come."""
    return list(dict.fromkeys(place for _, place in _mean_rows(rows)))


def _table(
    caption: str,
    rows: Sequence[Mapping[str, Any]],
    variants: Mapping[str, Any],
    cells: Mapping[tuple[str, Place], Cell],
) -> Table:
    heads = [Head("What differs", numeric=False), *(Head(place_name(place)) for place in places(rows))]
    lines = [
        Row(
            name.replace("_", " "),
            [Cell.words(change(name, variants)), *(cells[name, place] for place in places(rows))],
        )
        for name in dict.fromkeys(row["variant"] for row in rows)
        if (name, places(rows)[0]) in cells
    ]
    return Table(caption, "Variant", heads, [Block("", lines)])


def _mean_rows(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, Place], Mapping[str, Any]]:
    return {(row["variant"], (row["protocol"], row["setting"] or "")): row for row in rows if row["task"] == MEAN}


def _over_both(row: Mapping[str, Any], value: str, seeds: str, patients: str) -> OverBoth:
    """A value with both intervals, of which that over the seeds is missing with a single one."""

    def estimate(name: str) -> Estimate:
        low, high = (None if is_missing(row[f"{name}_{end}"]) else row[f"{name}_{end}"] for end in ("low", "high"))
        return Estimate(row[value], low, high)

    return OverBoth(estimate(seeds), estimate(patients))
