"""What the recovered features are worth in a run, in one sentence with numbers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fgclep.config.ablation import NO_FEATURES
from fgclep.report.results.estimate import Estimate, difference
from fgclep.report.results.metrics import PROBE, ZERO_SHOT
from fgclep.report.tables.ablation import differences, place_name
from fgclep.report.tables.comparisons import FINE_AND_COARSE, Comparison, change_of, models_of
from fgclep.schemas.comparisons import MEAN


@dataclass(frozen=True)
class Worth:
    """What the fine model has gained, mean over the tasks.

    Parameters
    ----------
    gains
        For each protocol and prompt set the difference with its intervals, in words.
    seeds
        Of the ablation, whose variant without features the fine model is compared with. ``None``: there is none, and
        the comparison is with the coarse model, which has been trained for fewer epochs.
    """

    gains: Sequence[str]
    seeds: int | None = None


def worth(ablation: Sequence[Mapping[str, Any]], comparisons: Iterable[Comparison]) -> Worth | None:
    """Compare with training without features where the ablation has it, else with the coarse model.

    ``None`` if neither has been compared with the fine model.
    """
    without = {place: found for (name, place), found in differences(ablation).items() if name == NO_FEATURES}
    if without:
        gains = [
            _gain(place_name(place), {"seeds": _negative(found.seeds), "patients": _negative(found.patients)})
            for place, found in without.items()
        ]
        return Worth(gains, next(row["seeds"] for row in ablation if row["variant"] == NO_FEATURES))
    rows = [
        row
        for row in comparisons
        if models_of(row) == FINE_AND_COARSE and row["protocol"] in (ZERO_SHOT, PROBE) and row["setting"] != "names"
    ]
    means = [row for row in rows if row["task"] == MEAN]
    shown = means if means or len({row["task"] for row in rows}) > 1 else rows  # of a single task there is no mean
    gains = [
        _gain(place_name((row["protocol"], row["setting"] or "")), {"patients": Estimate(*change_of(row))})
        for row in shown
    ]
    return Worth(gains) if gains else None


def _negative(estimate: Estimate) -> Estimate:
    value, low, high = (None if x is None else -x for x in (estimate.value, estimate.high, estimate.low))
    return Estimate(value, low, high)


def _gain(where: str, over: Mapping[str, Estimate]) -> str:
    """A difference with its intervals over seeds and patients.

    >>> _gain("zero-shot", {"patients": Estimate(0.012, 0.001, 0.02)})
    '+1.2 points zero-shot (95 % interval over patients +0.1 to +2.0)'
    """
    value, *_ = difference(next(iter(over.values()))).partition(" ")
    found = {name: difference(estimate).partition(" ")[2].strip("()") for name, estimate in over.items()}
    intervals = " and ".join(f"over {name} {limits}" for name, limits in found.items() if limits)
    return f"{value} points {where}" + (f" (95 % interval {intervals})" if intervals else "")
