"""A 12-lead ECG as it is printed: 3 x 4 leads and a rhythm strip at 25 mm/s and 10 mm/mV, as inline SVG.

The unit of the drawing is 0.1 mm, as in ``fgclep.report.ecg.paper``, so that one sample at 250 Hz is one unit wide and
10 µV are one unit high: paths are written in whole numbers and an ECG takes about 40 kB.
"""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

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
    on_paper,
    shown,
)
from fgclep.report.svg.elements import drawing, element


def ecg_strip(millivolts: np.ndarray, fs: float, label: str) -> Markup:
    """Draw an ECG on paper.

    Parameters
    ----------
    millivolts
        Shape (12, samples), leads as in ``fgclep.leads.LEADS``, in mV. The first 10 s are shown; NaN leaves a gap. The
        median of each lead is put on the base line, nothing else is filtered.
    fs
        Sampling rate in Hz.
    label
        Says what the picture shows, for readers who cannot see it.

    Returns
    -------
    Markup
        An ``svg`` element whose colors come from the classes ``paper``, ``fine``, ``coarse``, ``trace`` and ``lead``.

    Raises
    ------
    ValueError
        If there are not 12 leads.
    """
    return draw_strip(on_paper(millivolts, fs), fs, label)


def draw_strip(traces: np.ndarray, fs: float, label: str, looks: Sequence[Look] = ()) -> Markup:
    """Draw traces as ``on_paper`` returns them; see ``ecg_strip``.

    Behind the traces there is a group of the class ``look`` for each of ``looks``, which shades the patches that the
    text attends to, as far as the page shows them; the first text's has the class ``look-1``, and so on.
    """
    top, bottom = margins(traces)
    height = top + LAST_ROW * ROW + bottom
    parts = [_paper(height)]
    for number, look in enumerate(looks, start=1):
        parts.append(element("g", *_shades(look, top), class_=f"look look-{number}"))
    parts += [_pulse(top + row * ROW) for row in range(LAST_ROW + 1)]
    for place in PLACES:
        base_line, left = top + place.row * ROW, _x(place.start)
        parts.append(element("path", d=polyline(place.samples(traces), left, base_line), class_="trace"))
        if place.start:
            parts.append(element("path", d=f"M{left} {base_line - 40}v-30m0 110v-30", class_="divider"))
        parts.append(element("text", place.lead, x=left + 8, y=base_line - 88, class_="lead"))
    caption = f"25 mm/s   10 mm/mV   {fs:g} Hz"
    parts.append(element("text", caption, x=WIDTH - 10, y=height - 12, text_anchor="end", class_="lead small"))
    return drawing(WIDTH, height, label, parts, class_="ecg")


def draw_small(traces: np.ndarray, label: str) -> Markup:
    """Draw traces as ``on_paper`` returns them on squares of 5 mm, without the rhythm strip and every other sample."""
    last_row = LAST_ROW - 1
    top, bottom = margins(traces, last_row)
    height = top + last_row * ROW + bottom
    parts = [_paper(height, fine=False), *(_pulse(top + row * ROW) for row in range(last_row + 1))]
    for place in PLACES:
        if place.row <= last_row:
            base_line, left = top + place.row * ROW, _x(place.start)
            path = polyline(place.samples(traces)[::2], left, base_line, 2)
            parts.append(element("path", d=path, class_="trace"))
            parts.append(element("text", place.lead, x=left + 8, y=base_line - 78, class_="lead"))
    return drawing(WIDTH, height, label, parts, class_="ecg thumb")


def polyline(millivolts: np.ndarray, left: int, base_line: int, step: int = 1) -> str:
    """Write samples, ``step`` units apart, as path data in units of 0.1 mm, with a gap where they are NaN.

    >>> polyline(np.array([0.0, 0.1, -0.02, np.nan, 0.0, 0.01]), 100, 200)
    'M100 200l1-10 1 12M104 200l1-1'
    """
    heights = np.round(np.nan_to_num(-UNITS_PER_MV * millivolts)).astype(int)
    pieces, pen = [], None
    for place, (height, missing) in enumerate(zip(heights.tolist(), np.isnan(millivolts).tolist(), strict=True)):
        if missing:
            pen = None
        elif pen is None:
            pieces.append(f"M{left + place * step} {base_line + height}")
            pen, first = height, True
        else:
            gap = "" if height < pen else " "
            pieces.append(f"{'l' if first else ' '}{step}{gap}{height - pen}")
            pen, first = height, False
    return "".join(pieces)


def _shades(look: Look, top: int) -> list[Markup]:
    """Rectangles behind the traces, one path for each shade."""
    paths: dict[int, str] = {}
    for patch, shade in look.levels():
        for place, start, end in shown(patch.lead, patch.start, patch.end):
            left, width = _x(start), _x(end) - _x(start)
            rectangle = f"M{left} {top + place.row * ROW - ROW // 2}h{width}v{ROW}h-{width}z"
            paths[shade] = paths.get(shade, "") + rectangle
    return [element("path", d=path, class_=f"shade-{shade}") for shade, path in sorted(paths.items())]


def _x(seconds: float) -> int:
    return LEFT + round(seconds * PAPER_RATE)


def _paper(height: int, fine: bool = True) -> Markup:
    """Squares of 5 mm, and of 1 mm where they are wanted."""
    thin = "".join(f"M{x} 0v{height}" for x in range(0, WIDTH + 1, MM) if x % (5 * MM))
    thin += "".join(f"M0 {y}h{WIDTH}" for y in range(0, height + 1, MM) if y % (5 * MM))
    coarse = "".join(f"M{x} 0v{height}" for x in range(0, WIDTH + 1, 5 * MM))
    coarse += "".join(f"M0 {y}h{WIDTH}" for y in range(0, height + 1, 5 * MM))
    sheet = element("rect", width=str(WIDTH), height=str(height), class_="paper")
    squares = element("path", d=coarse, class_="coarse")
    return sheet + (element("path", d=thin, class_="fine") if fine else Markup()) + squares


def _pulse(base_line: int) -> Markup:
    """The calibration pulse: 1 mV for 0.2 s."""
    width, start = int(PULSE_SECONDS * PAPER_RATE), 2 * MM
    return element("path", d=f"M{start} {base_line}h15v-{UNITS_PER_MV}h{width}v{UNITS_PER_MV}h15", class_="trace")
