"""Figures as SVG and PDF for print, drawn with matplotlib; the same data give the same bytes."""

import io
import math
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure as Page

from fgclep.leads import INDEX
from fgclep.report.charts.figures import Attention, Figure, Forest, Funnel, Histogram, Lines, Strip
from fgclep.report.ecg.attention import Look
from fgclep.report.ecg.paper import (
    LAST_ROW,
    LEFT,
    MM,
    PAPER_RATE,
    PLACES,
    PULSE_SECONDS,
    ROW,
    UNITS_PER_MV,
    WIDTH,
    margins,
)
from fgclep.report.svg.marks import sign

INCH = 254  # units of 0.1 mm
COLORS = ("#1d5a8a", "#b4601d", "#6b6f76", "#7a4a8c", "black", "#2f7a55")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (4, 1.2, 1, 1.2)), (0, (2, 2)), (0, (8, 2)))
MARKERS = ("o", "s", "D", "^", "o", "v")
ALPHAS = (0.2, 0.4, 0.65, 1.0)  # of the shades of attention
RING = 4  # of the signs, the one that is not filled
STYLE: Any = {
    "font.size": 8,
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that every machine draws the same
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "text.parse_math": False,  # a "$" in a report is a "$"
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "fgclep",
    "pdf.fonttype": 42,
}
# neither dates nor versions
METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def print_plot(figure: Figure) -> dict[str, bytes]:
    """Draw a figure; returns its ``svg`` and its ``pdf``."""
    draw: dict[type, Callable[[Any], Page]] = {
        Forest: _forest,
        Lines: _lines,
        Histogram: _histogram,
        Funnel: _funnel,
        Strip: _strip,
        Attention: _attention,
    }
    files = {}
    with mpl.rc_context(STYLE):
        page = draw[type(figure)](figure)
        for kind, metadata in METADATA.items():
            buffer = io.BytesIO()
            page.savefig(buffer, format=kind, metadata=metadata)
            files[kind] = buffer.getvalue()
            page.set_layout_engine("none")  # once laid out, it stays so
    return files


def _mark(number: int) -> dict[str, Any]:
    """Color and shape of a series' marks."""
    face = "white" if number == RING else COLORS[number]
    return {"color": COLORS[number], "marker": MARKERS[number], "markerfacecolor": face}


def _forest(figure: Forest) -> Page:
    rows = len(figure.series)
    page = Page(figsize=(5.2, 0.9 + len(figure.groups) * (0.13 * rows + 0.12)), layout="constrained")
    axes = page.add_subplot()
    for place, name in enumerate(figure.series):
        known = [
            (group + (place + 0.5) / (rows + 1) - 0.5 + 0.5 / (rows + 1), estimates[place])
            for group, estimates in enumerate(figure.groups.values())
        ]
        number = sign(figure.series, name)
        drawn = [(y, e) for y, e in known if e.value is not None]
        for y, estimate in drawn:
            if estimate.low is not None and estimate.high is not None:
                axes.plot([100 * estimate.low, 100 * estimate.high], [y, y], color=COLORS[number], linewidth=1)
        values = [100 * (estimate.value or 0.0) for _, estimate in drawn]
        axes.plot(values, [y for y, _ in drawn], linestyle="", label=name, **_mark(number))
    axes.set_yticks(range(len(figure.groups)), list(figure.groups))
    axes.set_ylim(len(figure.groups) - 0.5, -0.5)
    axes.axvline(50, color="#888888", linewidth=0.6, linestyle="--")
    axes.set_xlabel("AUROC (%)")
    axes.grid(axis="x", linewidth=0.3)
    axes.set_axisbelow(True)
    page.legend(loc="outside upper center", ncols=rows, columnspacing=1, handletextpad=0.2)
    return page


def _lines(figure: Lines) -> Page:
    count, width = len(figure.panels), 2.0 if figure.unit_square else 3.2
    across = min(count, 3 if figure.unit_square else 2)
    down = math.ceil(count / across)
    height = 2.1 if figure.unit_square else 2.2
    page = Page(figsize=(width * across + 0.3, height * down + 0.3), layout="constrained")
    series = figure.series
    handles: dict[str, Any] = {}
    for number, (title, lines) in enumerate(figure.panels.items(), start=1):
        axes = page.add_subplot(down, across, number)
        axes.set_title(title)
        for name, points in lines.items():
            place = sign(series, name)
            marks = _mark(place) if figure.marked else {"color": COLORS[place]}
            (handles[name],) = axes.plot(*zip(*points, strict=True), linestyle=DASHES[place], **marks)
        _axes_of_lines(axes, figure, sorted({x for points in lines.values() for x, _ in points}))
    beside = 4 if across > 1 else 2
    page.legend([handles[name] for name in series], series, loc="outside upper center", ncols=min(beside, len(series)))
    return page


def _axes_of_lines(axes: Axes, figure: Lines, xs: Sequence[float]) -> None:
    axes.set_xlabel(figure.x_label)
    axes.set_ylabel(figure.y_label)
    if figure.unit_square:
        axes.plot([0, 1], [0, 1], color="#888888", linewidth=0.6, linestyle="--")
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal", xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    elif figure.logarithmic:
        axes.set_xscale("log")
        axes.set_xticks(xs, [f"{x:g}" for x in xs])
        axes.set_xticks([], minor=True)
    else:
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))


def _histogram(figure: Histogram) -> Page:
    page = Page(figsize=(3.4, 2.3), layout="constrained")
    axes = page.add_subplot()
    axes.stairs(figure.counts, figure.edges, fill=True, color=COLORS[0])
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(0)
    axes.set_xlabel(figure.x_label)
    axes.set_ylabel("pairs")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    return page


def _funnel(figure: Funnel) -> Page:
    page = Page(figsize=(6.5, 0.4 + sum(0.17 * len(part.steps) + 0.35 for part in figure.parts)), layout="constrained")
    ratios = [len(part.steps) + 1 for part in figure.parts]
    rows = page.subplots(len(figure.parts), height_ratios=ratios, squeeze=False)[:, 0]
    for axes, part in zip(rows, figure.parts, strict=True):
        whole = part.steps[0].left or 1
        places = np.arange(len(part.steps))
        left = np.array([step.left / whole for step in part.steps])
        dropped = np.array([(step.dropped or 0) / whole for step in part.steps])
        axes.barh(places, left, color=COLORS[0])
        axes.barh(places, dropped, left=left, color=COLORS[1], alpha=0.45)
        for place, step in enumerate(part.steps):
            lost = f"  (−{step.dropped:,})" if step.dropped else ""
            axes.text(1.01, place, f"{step.left:,}{lost}", va="center")
        axes.set_yticks(places, [step.name for step in part.steps])
        axes.set(ylim=(len(part.steps) - 0.4, -0.6), xlim=(0, 1), xticks=[])
        axes.set_title(part.unit)
        axes.spines["bottom"].set_visible(False)
    return page


def _strip(figure: Strip) -> Page:
    """Draw at full size: 25 mm/s and 10 mm/mV."""
    top, bottom = margins(figure.traces)
    height = top + LAST_ROW * ROW + bottom
    page = Page(figsize=(WIDTH / INCH, height / INCH))
    axes = page.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))
    axes.axis("off")
    for step, color, width in ((MM, "#f6dcd6", 0.25), (5 * MM, "#e6aea5", 0.45)):
        lines = [((x, 0), (x, height)) for x in range(0, WIDTH + 1, step)]
        lines += [((0, y), (WIDTH, y)) for y in range(0, height + 1, step)]
        axes.add_collection(LineCollection(lines, colors=color, linewidths=width))
    ink: dict[str, Any] = {"color": "black", "linewidth": 0.75, "linestyle": "-", "solid_joinstyle": "round"}
    for row in range(LAST_ROW + 1):
        base, wide = top + row * ROW, PULSE_SECONDS * PAPER_RATE
        x = np.cumsum([2 * MM, 15, 0, wide, 0, 15])
        axes.plot(x, base - UNITS_PER_MV * np.array([0, 0, 1, 1, 0, 0]), **ink)
    for place in PLACES:
        samples, base = place.samples(figure.traces), top + place.row * ROW
        left = LEFT + place.start * PAPER_RATE
        axes.plot(left + np.arange(len(samples)), base - UNITS_PER_MV * samples, **ink)
        axes.text(left + 8, base - 88, place.lead, fontsize=9, fontweight="bold")
    axes.text(WIDTH - MM, height - 12, f"25 mm/s   10 mm/mV   {figure.fs:g} Hz", ha="right")
    return page


def _attention(figure: Attention) -> Page:
    """All patches of each text, shaded by the attention to them."""
    across = min(3, len(figure.looks))
    down = math.ceil(len(figure.looks) / across)
    page = Page(figsize=(2.4 * across + 0.3, 2.1 * down), layout="constrained")
    for number, look in enumerate(figure.looks, start=1):
        axes = page.add_subplot(down, across, number)
        axes.set_title(look.text, wrap=True)
        _patches(axes, look)
    return page


def _patches(axes: Axes, look: Look) -> None:
    leads = sorted({patch.lead for patch in look.patches}, key=lambda lead: INDEX.get(lead, -1))
    corners, colors = [], []
    for patch, shade in look.levels():
        row = leads.index(patch.lead)
        corners.append([(patch.start, row), (patch.end, row), (patch.end, row + 1), (patch.start, row + 1)])
        colors.append((*mpl.colors.to_rgb(COLORS[1]), ALPHAS[shade - 1]))
    axes.add_collection(PolyCollection(corners, facecolors=colors))
    first, last = min(patch.start for patch in look.patches), max(patch.end for patch in look.patches)
    axes.set(xlim=(first, last), ylim=(len(leads), 0), xlabel="seconds")
    axes.set_yticks(np.arange(len(leads)) + 0.5, leads)
