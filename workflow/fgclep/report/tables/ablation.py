"""The comparison of training variants, as the report shows it."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from fgclep.config.ablation import COARSE, REFERENCE
from fgclep.evaluation.ablation import MEAN
from fgclep.report.results.estimate import Estimate
from fgclep.report.tables.table import Block, Cell, Head, Row, Table
from fgclep.verification.explain import is_missing

PROTOCOLS = {"zero_shot": "zero-shot", "linear_probe": "linear probe, all training records"}


def change(name: str, variants: Mapping[str, Any]) -> str:
    """What a variant changes, as YAML on one line.

    >>> change("clip", {"clip": {"pretraining": {"loss": "clip"}}})
    'pretraining: {loss: clip}'
    """
    if name in (COARSE, REFERENCE):
        return {COARSE: "no fine stage", REFERENCE: "the settings of this report"}[name]
    return "; ".join(
        f"{section}: {yaml.safe_dump(dict(values), default_flow_style=True, width=1000).strip()}"
        for section, values in (variants.get(name) or {}).items()
    )


def comparison(rows: Sequence[Mapping[str, Any]], variants: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one row per variant, with its means over the tasks and its differences from the reference per protocol.

    Parameters
    ----------
    rows
        Of ``ablation.csv`` (see ``fgclep.evaluation.ablation.summarize``), with numbers.
    variants
        The config's ``ablation.variants``.
    """
    means = {(row["variant"], row["protocol"]): row for row in rows if row["task"] == MEAN}
    return [
        {
            "name": name.replace("_", " "),
            "change": change(name, variants),
            "seeds": means[name, next(iter(PROTOCOLS))]["seeds"],
            "values": [_estimate(means[name, protocol], "mean", "ci_low", "ci_high") for protocol in PROTOCOLS],
            "differences": [
                None
                if name == REFERENCE
                else _estimate(means[name, protocol], "difference", "difference_low", "difference_high")
                for protocol in PROTOCOLS
            ],
        }
        for name in dict.fromkeys(row["variant"] for row in rows)
    ]


def ablation_table(rows: Sequence[Mapping[str, Any]], variants: Mapping[str, Any]) -> Table:
    """Return the comparison as a table; see ``comparison``."""
    heads = [Head("What differs", numeric=False)]
    for protocol in PROTOCOLS.values():
        heads += [Head(protocol), Head("difference")]
    lines = []
    for row in comparison(rows, variants):
        cells = [Cell.words(row["change"])]
        for value, difference in zip(row["values"], row["differences"], strict=True):
            cells += [Cell.percent(value), Cell.difference(difference) if difference else Cell("")]
        lines.append(Row(row["name"], cells))
    return Table("Macro AUROC (%), mean over the tasks", "Variant", heads, [Block("", lines)])


def _estimate(row: Mapping[str, Any], value: str, low: str, high: str) -> Estimate:
    """An estimate whose interval is missing with a single seed."""
    low_value, high_value = (None if is_missing(row[name]) else row[name] for name in (low, high))
    return Estimate(row[value], low_value, high_value)
