"""Why a candidate was accepted or rejected, in words and numbers."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fgclep.leads import INDEX
from fgclep.measurement.names import INTERVALS, LEAD_UNITS


def decimal(value: float | None, places: int = 2) -> str:
    """Write a number, a dash where there is none.

    >>> decimal(-1.256), decimal(-0.001), decimal(None), decimal(float("inf"))
    ('−1.26', '0.00', '–', '∞')
    """
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{round(value, places) + 0.0:.{places}f}".replace("-", "−")  # + 0.0: no negative zero


def is_missing(value: float | None) -> bool:
    """Whether a measure has no value."""
    return value is None or math.isnan(value)


def intervals(measures: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and value of every scalar that was measured."""
    return [
        (name, f"{decimal(measures[key], decimals)} {unit}".rstrip().replace(" °", "°"))
        for key, (name, decimals, unit) in INTERVALS.items()
        if not is_missing(measures.get(key))
    ]


def _thresholds(rule: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for part in [*rule.get("all", []), *rule.get("any", [])]:
        yield from _thresholds(part)
    if "measure" in rule:
        yield rule


def measured(rule: Mapping[str, Any] | None, measures: Mapping[str, Any]) -> str:
    """Write the measured values that a feature's rule looks at.

    >>> measured({"measure": "pr_ms", "above": 200}, {"pr_ms": 214.0})
    'PR 214 ms'
    >>> measured({"measure": "st_mv", "leads": ["II", "V6"], "above": 0.1}, {"st_mv": [0.0, 0.12, *[0.0] * 9, 0.2]})
    'ST II 0.12, V6 0.20 mV'
    """
    written: dict[str, None] = {}
    for threshold in _thresholds(rule or {}):
        key = threshold["measure"]
        values = measures.get(key)
        if "leads" in threshold:
            decimals, unit = LEAD_UNITS[key[-3:]]
            known = [(lead, values[INDEX[lead]]) for lead in threshold["leads"]] if values is not None else []
            parts = [f"{lead} {decimal(value, decimals)}" for lead, value in known if not is_missing(value)]
            wave = {"rp": "R'"}.get(key[:-3], key[:-3].upper())
            if parts:
                written[f"{wave} {', '.join(parts)} {unit}"] = None
        elif not is_missing(values):
            name, decimals, unit = INTERVALS[key]
            written[f"{name} {decimal(values, decimals)} {unit}".rstrip().replace(" °", "°")] = None
    return "; ".join(written)


def explain(
    candidate: Mapping[str, Any], statements: Sequence[str], rule: Mapping[str, Any] | None, measures: Mapping[str, Any]
) -> str:
    """Say what each check found about a candidate, a row of the audit, and for which statements it was proposed."""
    values = measured(rule, measures)
    parts = [f"measurement: {candidate['measurement']}" + (f" ({values})" if values else "")]
    if candidate["contradiction"] is not None:
        parts.append(f"excluded by “{candidate['contradiction']}”")
    score, threshold = candidate["reader_score"], candidate["reader_threshold"]
    if not is_missing(score):
        limit = "not calibrated" if is_missing(threshold) else f"threshold {decimal(threshold)}"
        parts.append(f"reader: logit {decimal(score)}, {limit}")
    return " · ".join([*parts, "proposed for " + ", ".join(f"“{statement}”" for statement in statements)])
