"""A 12-lead ECG as it is printed: 3 x 4 leads and a rhythm strip at 25 mm/s and 10 mm/mV, as inline SVG.

The unit of the drawing is 0.1 mm, so that one sample at 250 Hz is one unit wide and 10 µV are one unit high: paths are
written in whole numbers and an ECG takes about 40 kB.
"""

from fractions import Fraction

import numpy as np
from markupsafe import Markup
from scipy.signal import resample_poly

from fgclep.leads import INDEX
from fgclep.report.svg import drawing, element

RATE = 250  # Hz; at 25 mm/s one sample is 0.1 mm wide
UNITS_PER_MV = 100  # 10 mm
MM = 10
# Rows and columns of the standard page; every column shows the 2.5 s that follow those of the column before.
# The last row is the rhythm strip.
LAYOUT = (("I", "aVR", "V1", "V4"), ("II", "aVL", "V2", "V5"), ("III", "aVF", "V3", "V6"), ("II",))
SECONDS = 10.0
PULSE_SECONDS = 0.2  # of the calibration pulse of 1 mV
LEFT, ROW, TOP, BOTTOM = 12 * MM, 26 * MM, 18 * MM, 11 * MM
WIDTH = LEFT + int(SECONDS * RATE) + 3 * MM
MOST = 60 * MM  # that the sheet is extended for high amplitudes; an artifact beyond it is cut off


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
    if millivolts.shape[0] != len(INDEX):
        raise ValueError(f"an ECG has 12 leads, got an array of shape {millivolts.shape}")
    traces = at_paper_rate(millivolts[:, : round(SECONDS * fs)], fs)
    top, bottom = _margins(traces)
    height = top + 3 * ROW + bottom
    parts = [_paper(height)]
    for row, names in enumerate(LAYOUT):
        base_line = top + row * ROW
        parts.append(_pulse(base_line))
        width = int(SECONDS * RATE) // len(names)
        for column, name in enumerate(names):
            start, left = column * width, LEFT + column * width
            path = polyline(traces[INDEX[name], start : start + width], left, base_line)
            parts.append(element("path", d=path, class_="trace"))
            if column:
                parts.append(element("path", d=f"M{left} {base_line - 40}v-30m0 110v-30", class_="divider"))
            parts.append(element("text", name, x=left + 8, y=base_line - 88, class_="lead"))
    caption = f"25 mm/s   10 mm/mV   {fs:g} Hz"
    parts.append(element("text", caption, x=WIDTH - 10, y=height - 12, text_anchor="end", class_="lead small"))
    return drawing(WIDTH, height, label, parts, class_="ecg")


def at_paper_rate(millivolts: np.ndarray, fs: float) -> np.ndarray:
    """Resample to 250 Hz, with the median of each lead at zero; gaps (NaN) stay gaps.

    Returns an array of shape (leads, round(samples * 250 / fs)) in mV.
    """
    samples = millivolts.shape[1]
    length = round(samples * RATE / fs)
    if not length:
        return np.zeros((millivolts.shape[0], 0))
    gaps = np.isnan(millivolts)
    filled = np.where(gaps, 0.0, millivolts).astype(np.float64)
    counted = np.where(gaps.all(axis=1, keepdims=True), 0.0, millivolts)
    filled = np.where(gaps, 0.0, filled - np.nanmedian(counted, axis=1, keepdims=True))
    ratio = Fraction(RATE / fs).limit_denominator(1000)
    resampled = resample_poly(filled, ratio.numerator, ratio.denominator, axis=1, padtype="line")
    shown = np.full((millivolts.shape[0], length), np.nan)
    shown[:, : resampled.shape[1]] = resampled[:, :length]
    nearest = np.minimum(np.arange(length) * samples // length, samples - 1)
    shown[gaps[:, nearest]] = np.nan
    return shown


def polyline(millivolts: np.ndarray, left: int, base_line: int) -> str:
    """Write samples at 250 Hz as path data in units of 0.1 mm, with a gap where they are NaN.

    >>> polyline(np.array([0.0, 0.1, -0.02, np.nan, 0.0, 0.01]), 100, 200)
    'M100 200l1-10 1 12M104 200l1-1'
    """
    heights = np.round(np.nan_to_num(-UNITS_PER_MV * millivolts)).astype(int)
    pieces, pen = [], None
    for place, (height, missing) in enumerate(zip(heights.tolist(), np.isnan(millivolts).tolist(), strict=True)):
        if missing:
            pen = None
        elif pen is None:
            pieces.append(f"M{left + place} {base_line + height}")
            pen, first = height, True
        else:
            gap = "" if height < pen else " "
            pieces.append(f"{'l' if first else ' '}1{gap}{height - pen}")
            pen, first = height, False
    return "".join(pieces)


def _margins(traces: np.ndarray) -> tuple[int, int]:
    """Room above the first base line and below the last, more than usual where amplitudes are high."""
    above, below = TOP, BOTTOM
    for row, names in enumerate(LAYOUT):
        width = int(SECONDS * RATE) // len(names)
        for column, name in enumerate(names):
            shown = traces[INDEX[name], column * width : (column + 1) * width]
            shown = shown[~np.isnan(shown)]
            if shown.size:
                above = max(above, int(UNITS_PER_MV * shown.max()) + 3 * MM - row * ROW)
                below = max(below, int(-UNITS_PER_MV * shown.min()) + 3 * MM - (3 - row) * ROW)
    return min(above, MOST), min(below, MOST)


def _paper(height: int) -> Markup:
    """Squares of 1 mm and 5 mm."""
    fine = "".join(f"M{x} 0v{height}" for x in range(0, WIDTH + 1, MM) if x % (5 * MM))
    fine += "".join(f"M0 {y}h{WIDTH}" for y in range(0, height + 1, MM) if y % (5 * MM))
    coarse = "".join(f"M{x} 0v{height}" for x in range(0, WIDTH + 1, 5 * MM))
    coarse += "".join(f"M0 {y}h{WIDTH}" for y in range(0, height + 1, 5 * MM))
    sheet = element("rect", width=str(WIDTH), height=str(height), class_="paper")
    return sheet + element("path", d=fine, class_="fine") + element("path", d=coarse, class_="coarse")


def _pulse(base_line: int) -> Markup:
    """The calibration pulse: 1 mV for 0.2 s."""
    width, start = int(PULSE_SECONDS * RATE), 2 * MM
    return element("path", d=f"M{start} {base_line}h15v-{UNITS_PER_MV}h{width}v{UNITS_PER_MV}h15", class_="trace")
