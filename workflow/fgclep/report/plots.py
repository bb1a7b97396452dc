"""Charts as inline SVG; colors come from classes in the style sheet, so that they follow the light or dark theme."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from fgclep.report.svg import drawing, element, number

WIDTH = 460.0
ROW = 15.0
MARKERS = ("circle", "square", "diamond", "triangle")


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; ``None`` where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None


def marker(shape: str, x: float, y: float, class_: str) -> Markup:
    """Draw one of ``MARKERS``, about 7 units wide; series differ by shape as well as by color."""
    if shape == "circle":
        return element("circle", cx=x, cy=y, r=3.6, class_=class_)
    outlines = {"square": "m-3.2-3.2h6.4v6.4h-6.4z", "diamond": "m0-4.6 4.6 4.6-4.6 4.6-4.6-4.6z"}
    outline = outlines.get(shape, "m0-4.4 4.4 7.6h-8.8z")
    return element("path", d=f"M{number(x)} {number(y)}{outline}", class_=class_)


def text(value: str, x: float, y: float, anchor: str = "start", class_: str = "label") -> Markup:
    """Write one line of text."""
    return element("text", value, x=x, y=y, text_anchor=anchor, class_=class_)


def _legend(series: Sequence[str], x: float, y: float) -> list[Markup]:
    parts = []
    for place, name in enumerate(series):
        parts += [marker(MARKERS[place % 4], x + 5, y - 4, f"mark s{place}"), text(name, x + 14, y)]
        x += 24 + 7.8 * len(name)
    return parts


def forest(groups: Mapping[str, Sequence[Estimate]], series: Sequence[str], label: str) -> Markup:
    """Draw AUROCs with their intervals, one band per group and one row per series.

    Parameters
    ----------
    groups
        Name of the group (a task) -> one estimate per series, as shares (0 to 1).
    series
        Names of the series, for the legend.
    label
        Says what the picture shows.
    """
    left, right, top = 112.0, 54.0, 26.0
    known = [v for row in groups.values() for e in row for v in (e.value, e.low) if v is not None]
    lowest = min(0.5, math.floor(10 * min(known, default=0.5)) / 10)

    def x(value: float) -> float:
        return left + (WIDTH - left - right) * (value - lowest) / (1 - lowest)

    band = ROW * len(series) + 8
    bottom = top + band * len(groups)
    parts = _legend(series, left, 12)
    for tenth in range(round(10 * lowest), 11):
        class_ = "chance" if tenth == 5 else "grid"
        parts.append(element("path", d=f"M{number(x(tenth / 10))} {number(top)}V{number(bottom)}", class_=class_))
        parts.append(text(str(10 * tenth), x(tenth / 10), bottom + 14, "middle", "label muted"))
    for group, (name, estimates) in enumerate(groups.items()):
        start = top + group * band
        parts.append(element("path", d=f"M0 {number(start)}H{number(WIDTH)}", class_="grid"))
        parts.append(text(name, 0, start + 4 + ROW / 2 + 4))
        for place, estimate in enumerate(estimates):
            y = start + 4 + ROW * (place + 0.5)
            if estimate.value is None:
                parts.append(text("not defined", left + 4, y + 4, class_="label muted"))
                continue
            if estimate.low is not None and estimate.high is not None:
                line = f"M{number(x(estimate.low))} {number(y)}H{number(x(estimate.high))}"
                parts.append(element("path", d=line, class_=f"line s{place}"))
            parts.append(marker(MARKERS[place % 4], x(estimate.value), y, f"mark s{place}"))
            parts.append(text(f"{100 * estimate.value:.1f}", WIDTH, y + 4, "end", "label number"))
    return drawing(WIDTH, bottom + 20, label, parts)


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round numbers that cover ``low`` to ``high`` in about ``count`` steps.

    >>> ticks(0.13, 0.52)
    [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    """
    span = high - low if high > low else max(abs(high), 1.0) * 0.1
    raw = span / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(place * step, 10) for place in range(first, max(last, first + 1) + 1)]


def curves(lines: Mapping[str, Sequence[tuple[float, float]]], x_label: str, label: str) -> Markup:
    """Draw lines through points (x, y) over whole-numbered x, such as losses over epochs."""
    left, top, height = 46.0, 26.0, 150.0
    points = [point for line in lines.values() for point in line]
    y_ticks = ticks(min((y for _, y in points), default=0.0), max((y for _, y in points), default=1.0))
    x_low, x_high = (min(x for x, _ in points), max(x for x, _ in points)) if points else (0.0, 1.0)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - x_low) / (x_high - x_low) if x_high > x_low else 0.5
        up = (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])
        return left + 10 + (WIDTH - left - 30) * across, top + height * (1 - up)

    parts = _legend(list(lines), left, 12)
    for tick in y_ticks:
        y = place(x_low, tick)[1]
        parts.append(element("path", d=f"M{number(left)} {number(y)}H{number(WIDTH)}", class_="grid"))
        parts.append(text(f"{tick:g}", left - 6, y + 4, "end", "label muted"))
    step = max(1, math.ceil((x_high - x_low) / 10))
    for x in range(math.ceil(x_low), math.floor(x_high) + 1, step):
        parts.append(text(str(x), place(x, y_ticks[0])[0], top + height + 16, "middle", "label muted"))
    parts.append(text(x_label, WIDTH, top + height + 32, "end", "label muted"))
    for number_, line in enumerate(lines.values()):
        placed = [place(x, y) for x, y in line]
        path = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in placed)
        if len(placed) > 1:
            parts.append(element("path", d=path, class_=f"line s{number_}"))
        parts += [marker(MARKERS[number_ % 4], x, y, f"mark s{number_}") for x, y in placed]
    return drawing(WIDTH, top + height + 38, label, parts)


def histogram(edges: Sequence[float], counts: Sequence[int], x_label: str, label: str) -> Markup:
    """Draw a histogram with a logarithmic count axis: rare and common bins are both to be seen.

    Raises ``ValueError`` if there is not one edge more than there are counts.
    """
    if len(edges) != len(counts) + 1:
        raise ValueError(f"a histogram has one edge more than counts, got {len(edges)} and {len(counts)}")
    left, top, height = 52.0, 10.0, 150.0
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
