"""Panels of lines as inline SVG: over free axes, or in the unit square."""

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from fgclep.report.svg.elements import WIDTH, drawing, element, number
from fgclep.report.svg.marks import MARKERS, marker, sign, text, ticks

HEIGHT = 150.0
SIDE = 180.0  # of the unit square

LinesOfPanel = Mapping[str, Sequence[tuple[float, float]]]


def curves(
    lines: LinesOfPanel, series: Sequence[str], title: str, x_label: str, label: str, logarithmic: bool = False
) -> Markup:
    """Draw lines through marked points (x, y).

    Parameters
    ----------
    lines
        Name of the line -> its points; their x are whole numbers.
    series
        Names of the lines over all panels, which decide color and mark.
    title, x_label
        Written above and below.
    label
        Says what the picture shows.
    logarithmic
        Whether the x axis is; then its ticks are the points' x.
    """
    left, top = 46.0, 22.0 if title else 8.0
    points = [point for line in lines.values() for point in line]
    y_ticks = ticks(min((y for _, y in points), default=0.0), max((y for _, y in points), default=1.0))
    xs = sorted({x for x, _ in points}) or [0.0, 1.0]
    scale = math.log if logarithmic else float
    x_low, x_high = scale(xs[0]), scale(xs[-1])

    def place(x: float, y: float) -> tuple[float, float]:
        across = (scale(x) - x_low) / (x_high - x_low) if x_high > x_low else 0.5
        up = (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])
        return left + 10 + (WIDTH - left - 30) * across, top + HEIGHT * (1 - up)

    parts = [text(title, left, 12, class_="label title")] if title else []
    for tick in y_ticks:
        y = place(xs[0], tick)[1]
        parts.append(element("path", d=f"M{number(left)} {number(y)}H{number(WIDTH)}", class_="grid"))
        parts.append(text(f"{tick:g}", left - 6, y + 4, "end", "label muted"))
    step = max(1, math.ceil((xs[-1] - xs[0]) / 10))
    for x in xs if logarithmic else range(math.ceil(xs[0]), math.floor(xs[-1]) + 1, step):
        parts.append(text(f"{x:g}", place(x, y_ticks[0])[0], top + HEIGHT + 16, "middle", "label muted"))
    parts.append(text(x_label, WIDTH, top + HEIGHT + 32, "end", "label muted"))
    for name, line in lines.items():
        parts += _line([place(x, y) for x, y in line], sign(series, name), True)
    return drawing(WIDTH, top + HEIGHT + 38, label, parts)


def unit_square(
    lines: LinesOfPanel, series: Sequence[str], title: str, axes: tuple[str, str], label: str, marked: bool
) -> Markup:
    """Draw lines over axes from 0 to 1 with the diagonal; see ``curves``."""
    left, top = 54.0, 22.0

    def place(x: float, y: float) -> tuple[float, float]:
        return left + SIDE * x, top + SIDE * (1 - y)

    parts = [text(title, left, 12, class_="label title")]
    frame = f"M{number(left)} {number(top)}h{number(SIDE)}v{number(SIDE)}h-{number(SIDE)}z"
    parts.append(element("path", d=frame, class_="grid frame"))
    diagonal = f"M{number(left)} {number(top + SIDE)}L{number(left + SIDE)} {number(top)}"
    parts.append(element("path", d=diagonal, class_="chance"))
    for tick in (0.0, 0.5, 1.0):
        x, y = place(tick, tick)
        parts.append(text(f"{tick:g}", x, top + SIDE + 17, "middle", "label muted"))
        parts.append(text(f"{tick:g}", left - 6, y + 4, "end", "label muted"))
    parts.append(text(axes[0], left + SIDE, top + SIDE + 36, "end", "label muted"))
    middle = top + SIDE / 2
    turned = f"rotate(-90 {number(left - 38)} {number(middle)})"
    parts.append(
        element("text", axes[1], x=left - 38, y=middle, text_anchor="middle", transform=turned, class_="label muted")
    )
    for name, line in lines.items():
        parts += _line([place(x, y) for x, y in line], sign(series, name), marked)
    return drawing(left + SIDE + 12, top + SIDE + 42, label, parts, "chart square")


def _line(placed: Sequence[tuple[float, float]], number_: int, marked: bool) -> list[Markup]:
    parts = []
    if len(placed) > 1:
        path = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in placed)
        parts.append(element("path", d=path, class_=f"line s{number_}"))
    if marked:
        parts += [marker(MARKERS[number_], x, y, f"mark s{number_}") for x, y in placed]
    return parts
