"""A figure as the report shows it: its drawings as inline SVG, below their legend."""

from markupsafe import Markup

from fgclep.report.charts.figures import Attention, Figure, Forest, Histogram, Lines, Strip
from fgclep.report.charts.line_plots import curves, unit_square
from fgclep.report.charts.plots import forest, histogram
from fgclep.report.ecg.attention_grid import grid
from fgclep.report.ecg.strips import draw_strip
from fgclep.report.svg.elements import element
from fgclep.report.svg.marks import legend

ALSO = "the numbers are in results/figures"


def inline(figure: Figure) -> Markup:
    """Draw a figure.

    Raises
    ------
    TypeError
        For a funnel, which the report shows as a table.
    """
    label = f"{figure.caption}; {ALSO}"
    match figure:
        case Forest():
            return legend(figure.series, lines=False, marks=True) + forest(figure.groups, figure.series, label)
        case Histogram():
            return histogram(figure.edges, figure.counts, figure.x_label, label)
        case Lines():
            return _panels(figure)
        case Strip():
            return draw_strip(figure.traces, figure.fs, figure.caption, figure.looks)
        case Attention():
            return Markup("").join(grid(look) for look in figure.looks)
    raise TypeError(f"{type(figure).__name__} is not drawn inline")


def _panels(figure: Lines) -> Markup:
    series = figure.series
    drawings = []
    for title, lines in figure.panels.items():
        label = f"{figure.caption}{': ' * bool(title)}{title}; {ALSO}"
        if figure.unit_square:
            axes = (figure.x_label, figure.y_label)
            drawings.append(unit_square(lines, series, title, axes, label, figure.marked))
        else:
            drawings.append(curves(lines, series, title, figure.x_label, label, figure.logarithmic))
    class_ = "panels small" if figure.unit_square else "panels"
    return legend(series, lines=True, marks=figure.marked) + element("div", *drawings, class_=class_)
