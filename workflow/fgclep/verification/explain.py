"""Why a candidate was accepted or rejected, in words and numbers."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fgclep.leads import INDEX
from fgclep.measurement.names import INTERVALS, LEAD_UNITS
from fgclep.verification.reasons import Reason, reason_of

_BY_MEASUREMENT = {
    Reason.SUPPORTED: "the measurement supports it",
    Reason.LIKELY: "the measurement supports it, by less than its error",
    Reason.UNLIKELY: "the measurement refutes it, by less than its error",
    Reason.REFUTED: "the measurement refutes it",
}


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


def _wave(key: str) -> str:
    return {"rp": "R'"}.get(key[:-3], key[:-3].upper())


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
            if parts:
                written[f"{_wave(key)} {', '.join(parts)} {unit}"] = None
        elif not is_missing(values):
            name, decimals, unit = INTERVALS[key]
            written[f"{name} {decimal(values, decimals)} {unit}".rstrip().replace(" °", "°")] = None
    return "; ".join(written)


def limits(rule: Mapping[str, Any]) -> str:
    """Write what a rule asks for.

    >>> limits({"measure": "pr_ms", "above": 119.5, "below": 200.5, "margin": 8})
    'PR above 119.5 and below 200.5 ms'
    >>> voltage = {"measure": "t_mv", "leads": ["V2", "V3"], "count": 1, "above": 1.0}
    >>> limits({"all": [voltage, {"measure": "qrs_ms", "below": 120}]})
    'T in 1 of V2, V3 above 1 mV, and QRS below 120 ms'
    """
    for joint, word in (("all", ", and "), ("any", ", or ")):
        if joint in rule:
            return word.join(map(limits, rule[joint]))
    key = rule["measure"]
    if "leads" in rule:
        unit = LEAD_UNITS[key[-3:]][1]
        some = f"{rule['count']} of " if rule.get("count", len(rule["leads"])) < len(rule["leads"]) else ""
        name = f"{_wave(key)} in {some}{', '.join(rule['leads'])}"
    else:
        name, _, unit = INTERVALS[key]
    asked = [f"{side} {rule[side]:g}".replace("-", "−") for side in ("above", "below") if side in rule]
    return f"{name} {' and '.join(asked)} {unit}".rstrip().replace(" °", "°")


def reason_in_words(code: str, rule: Mapping[str, Any] | None) -> str:
    """Say why a candidate was accepted or dropped, with the limit of its feature's rule where the measurement decided.

    >>> reason_in_words("likely", {"measure": "pr_ms", "above": 200})
    'the measurement supports it, by less than its error (rule: PR above 200 ms)'
    """
    reason = reason_of(code)
    if rule is None or reason not in _BY_MEASUREMENT:
        return reason.sentence
    return f"{_BY_MEASUREMENT[reason]} (rule: {limits(rule)})"


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
        if is_missing(threshold):
            told = "not calibrated for this feature"
        elif math.isinf(threshold):
            told = "no score is high enough to trust it on this feature"
        else:
            told = f"score {decimal(score)}, seen from {decimal(threshold)} on"
        parts.append(f"reader: {told}")
    return " · ".join([*parts, f"proposed for {in_quotes(statements)}"])


def in_quotes(statements: Sequence[str]) -> str:
    """Write what a feature was proposed for; the empty text stands for every record.

    >>> in_quotes(["", "sinus rhythm"])
    'every record, “sinus rhythm”'
    """
    return ", ".join(f"“{statement}”" if statement else "every record" for statement in statements)
