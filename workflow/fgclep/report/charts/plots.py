"""Forests and histograms as inline SVG; colors come from classes in the style sheet, so that they follow the theme."""

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from fgclep.report.results.estimate import Estimate
from fgclep.report.svg.elements import WIDTH, drawing, element, number
from fgclep.report.svg.marks import MARKERS, marker, sign, text, ticks

ROW = 15.0


def forest(groups: Mapping[str, Sequence[Estimate]], series: Sequence[str], label: str) -> Markup:
    """Draw AUROCs with their intervals, one band per group and one row per series, which ``marks.legend`` names.

    Parameters
    ----------
    groups
        Name of the group (a task) -> one estimate per series, as shares (0 to 1).
    series
        Their names, which decide color and mark.
    label
        Says what the picture shows.
    """
    left, right, top = max(112.0, 7.0 * max(map(len, groups), default=0)), 54.0, 4.0
    known = [v for row in groups.values() for e in row for v in (e.value, e.low) if v is not None]
    lowest = min(0.5, math.floor(10 * min(known, default=0.5)) / 10)

    def x(value: float) -> float:
        return left + (WIDTH - left - right) * (value - lowest) / (1 - lowest)

    band = ROW * len(series) + 8
    bottom = top + band * len(groups)
    parts = []
    for tenth in range(round(10 * lowest), 11):
        class_ = "chance" if tenth == 5 else "grid"
        parts.append(element("path", d=f"M{number(x(tenth / 10))} {number(top)}V{number(bottom)}", class_=class_))
        parts.append(text(str(10 * tenth), x(tenth / 10), bottom + 14, "middle", "label muted"))
    for group, (name, estimates) in enumerate(groups.items()):
        start = top + group * band
        parts.append(element("path", d=f"M0 {number(start)}H{number(WIDTH)}", class_="grid"))
        parts.append(text(name, 0, start + 4 + ROW / 2 + 4))
        for place, estimate in enumerate(estimates):
            number_ = sign(series, series[place])
            y = start + 4 + ROW * (place + 0.5)
            if estimate.value is None:
                parts.append(text("not defined", left + 4, y + 4, class_="label muted"))
                continue
            if estimate.low is not None and estimate.high is not None:
                line = f"M{number(x(estimate.low))} {number(y)}H{number(x(estimate.high))}"
                parts.append(element("path", d=line, class_=f"bounds s{number_}"))
            parts.append(marker(MARKERS[number_], x(estimate.value), y, f"mark s{number_}"))
            parts.append(text(f"{100 * estimate.value:.1f}", WIDTH, y + 4, "end", "label number"))
    return drawing(WIDTH, bottom + 20, label, parts)


def histogram(edges: Sequence[float], counts: Sequence[int], x_label: str, label: str) -> Markup:
    """Draw a histogram with a logarithmic count axis: rare and common bins are both to be seen.

    Raises ``ValueError`` if there is not one edge more than there are counts.
    """
    if len(edges) != len(counts) + 1:
        raise ValueError(f"a histogram has one edge more than counts, got {len(edges)} and {len(counts)}")
    left, top, height = 66.0, 10.0, 150.0
    decades = max(1, math.ceil(math.log10(max([*counts, 1]) + 1)))
    span = (edges[-1] - edges[0]) or 1.0

    def x(value: float) -> float:
        return left + (WIDTH - left - 12) * (value - edges[0]) / span

    def y(count: float) -> float:
        return top + height * (1 - math.log10(count + 1) / decades)

    parts = []
    for decade in range(decades + 1):
        count = 10**decade if decade else 0
        parts.append(element("path", d=f"M{number(left)} {number(y(count))}H{number(WIDTH)}", class_="grid"))
        parts.append(text(f"{count:,}", left - 6, y(count) + 4, "end", "label muted"))
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        if count:
            width = max(x(high) - x(low) - 1, 0.5)
            parts.append(
                element("rect", x=x(low) + 0.5, y=y(count), width=width, height=top + height - y(count), class_="bar")
            )
    for tick in ticks(edges[0], edges[-1], 5):
        if edges[0] - 1e-9 <= tick <= edges[-1] + 1e-9:
            parts.append(text(f"{tick:g}", x(tick), top + height + 16, "middle", "label muted"))
    parts.append(text(x_label, WIDTH, top + height + 32, "end", "label muted"))
    return drawing(WIDTH, top + height + 38, label, parts)
