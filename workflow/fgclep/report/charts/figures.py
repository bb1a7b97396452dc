"""The data of the figures, which the report draws inline and ``results/figures`` holds as SVG, PDF and CSV."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fgclep.leads import LEADS
from fgclep.report.ecg.attention import Look
from fgclep.report.ecg.paper import PAPER_RATE
from fgclep.report.results.estimate import Estimate
from fgclep.report.results.funnel import Part

Points = Sequence[tuple[float, float]]
Data = tuple[Sequence[str], Iterable[Sequence[str | float | None]]]  # columns and rows


@dataclass(frozen=True)
class Forest:
    """AUROCs with their intervals: for each group (a task) one estimate per series, as shares (0 to 1)."""

    caption: str
    series: Sequence[str]
    groups: Mapping[str, Sequence[Estimate]]

    def data(self) -> Data:
        """One row per group and series."""
        rows = [
            (group, series, estimate.value, estimate.low, estimate.high)
            for group, estimates in self.groups.items()
            for series, estimate in zip(self.series, estimates, strict=True)
        ]
        return ("group", "series", "value", "ci_low", "ci_high"), rows


@dataclass(frozen=True)
class Lines:
    """Lines through points (x, y) in one or several panels.

    Parameters
    ----------
    caption, x_label, y_label
        In words.
    panels
        Name of the panel -> name of the line -> its points.
    unit_square
        Both axes go from 0 to 1, with the diagonal.
    logarithmic
        The x axis is; its ticks are the points' own x.
    marked
        Whether the points are marked.
    """

    caption: str
    x_label: str
    y_label: str
    panels: Mapping[str, Mapping[str, Points]]
    unit_square: bool = False
    logarithmic: bool = False
    marked: bool = True

    @property
    def series(self) -> list[str]:
        """Names of the lines, over all panels."""
        return list(dict.fromkeys(name for lines in self.panels.values() for name in lines))

    def data(self) -> Data:
        """One row per point."""
        rows = [
            (panel, line, x, y)
            for panel, lines in self.panels.items()
            for line, points in lines.items()
            for x, y in points
        ]
        return ("panel", "line", "x", "y"), rows


@dataclass(frozen=True)
class Histogram:
    """Counts between edges, of which there is one more; drawn with a logarithmic axis."""

    caption: str
    x_label: str
    edges: Sequence[float]
    counts: Sequence[int]

    def data(self) -> Data:
        """One row per bin."""
        return ("from", "to", "count"), list(zip(self.edges, self.edges[1:], self.counts, strict=False))


@dataclass(frozen=True)
class Funnel:
    """What each step leaves and drops, in parts that count different things."""

    caption: str
    parts: Sequence[Part]

    def data(self) -> Data:
        """One row per step."""
        rows = [(part.unit, step.name, step.left, step.dropped) for part in self.parts for step in part.steps]
        return ("counted", "step", "left", "dropped"), rows


@dataclass(frozen=True)
class Strip:
    """An ECG as it is printed.

    Parameters
    ----------
    caption
        What it is.
    traces
        As ``fgclep.report.ecg.paper.at_paper_rate`` returns them: mV, shape (12, samples), NaN where one is missing.
    fs
        Sampling rate of the recording in Hz.
    looks
        Where a model looks for several texts.
    """

    caption: str
    traces: np.ndarray
    fs: float
    looks: Sequence[Look] = ()

    def data(self) -> Data:
        """One row per sample, in mV."""
        rows = (
            (round(place / PAPER_RATE, 4), *(None if np.isnan(value) else round(float(value), 4) for value in sample))
            for place, sample in enumerate(self.traces.T)
        )
        return ("seconds", *LEADS), rows


@dataclass(frozen=True)
class Attention:
    """Attention of texts to the patches of an ECG."""

    caption: str
    looks: Sequence[Look]

    def data(self) -> Data:
        """One row per text and patch."""
        rows = [
            (look.text, patch.lead, patch.start, patch.end, patch.weight)
            for look in self.looks
            for patch in look.patches
        ]
        return ("text", "lead", "from_seconds", "to_seconds", "attention"), rows


Figure = Forest | Lines | Histogram | Funnel | Strip | Attention
