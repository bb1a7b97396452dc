"""What the inline charts share: marks that differ by shape as well as by color, text, legends, and round ticks."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from fgclep.report.svg.elements import drawing, element, number

MARKERS = ("circle", "square", "diamond", "triangle", "ring", "wedge")
# Each model has its sign, whatever it is drawn beside; other series are numbered as they come.
SIGNS = {
    "fine": 0,
    "coarse": 1,
    "random": 2,
    "measurements": 3,
    "FG-CLEP, published": 4,
    "fine and measurements": 5,
}


def sign(series: Sequence[str], name: str) -> int:
    """Number of a series' color, mark and dashes.

    >>> sign(["coarse", "random"], "random"), sign(["training", "validation"], "validation")
    (2, 1)
    """
    return SIGNS.get(name, series.index(name) % len(MARKERS))


def marker(shape: str, x: float, y: float, class_: str) -> Markup:
    """Draw one of ``MARKERS``, about 7 units wide."""
    if shape in ("circle", "ring"):
        return element("circle", cx=x, cy=y, r=3.6 if shape == "circle" else 3.0, class_=class_)
    outlines = {
        "wedge": "m0 4.4 4.4-7.6h-8.8z",
        "square": "m-3.2-3.2h6.4v6.4h-6.4z",
        "diamond": "m0-4.6 4.6 4.6-4.6 4.6-4.6-4.6z",
    }
    outline = outlines.get(shape, "m0-4.4 4.4 7.6h-8.8z")
    return element("path", d=f"M{number(x)} {number(y)}{outline}", class_=class_)


def text(value: str, x: float, y: float, anchor: str = "start", class_: str = "label") -> Markup:
    """Write one line of text."""
    return element("text", value, x=x, y=y, text_anchor=anchor, class_=class_)


def legend(series: Sequence[str], lines: bool, marks: bool) -> Markup:
    """List the series, each with its line or mark; the list wraps where there is little room."""
    items = []
    for name in series:
        number_ = sign(series, name)
        parts = [element("path", d="M1 7h26", class_=f"line s{number_}")] if lines else []
        parts += [marker(MARKERS[number_], 14, 7, f"mark s{number_}")] if marks else []
        items.append(element("li", drawing(28, 14, f"sign of {name}", parts, "chart sign"), name))
    return element("ul", *items, class_="legend")


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
