"""Markup for inline SVG: elements whose attributes and text are escaped."""

from collections.abc import Iterable

from markupsafe import Markup, escape

WIDTH = 460.0  # of a chart, px


def number(value: float, decimals: int = 1) -> str:
    """Write a coordinate as short as it can be.

    >>> number(12.04), number(3.14), number(-0.04)
    ('12', '3.1', '0')
    """
    text = f"{value:.{decimals}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def element(name: str, *children: str, **attributes: str | float | None) -> Markup:
    """Return one element; children and attribute values that are not ``Markup`` are escaped.

    Underscores in attribute names become hyphens, a trailing one is dropped (``class_``); ``None`` leaves the
    attribute out.

    >>> print(element("text", "R < S", x=1.25, text_anchor="end", class_="label"))
    <text x="1.2" text-anchor="end" class="label">R &lt; S</text>
    """
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), value if isinstance(value, str) else number(value))
        for key, value in attributes.items()
        if value is not None
    )
    inner = Markup("").join(escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), written, inner)  # nosec B704 # names are in the code


def drawing(width: float, height: float, label: str, parts: Iterable[Markup], class_: str = "chart") -> Markup:
    """Return an SVG image that screen readers announce as ``label`` and that scales to the width of its place."""
    view_box = f"0 0 {number(width)} {number(height)}"
    return element("svg", *parts, viewBox=view_box, role="img", aria_label=label, class_=class_)
