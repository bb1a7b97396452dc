"""The sheet that ECGs are printed on: which lead stands where, and the signal as it is drawn there.

Lengths on the sheet are in units of 0.1 mm, from the left and from the top.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fgclep.leads import INDEX
from fgclep.signals.preparation import resample

ALL_LEADS = "all leads"  # in place of a lead
PAPER_RATE = 250  # Hz; at 25 mm/s one sample is 0.1 mm wide
SECONDS = 10.0
# Rows and columns of the standard page; every column shows the 2.5 s that follow those of the column before.
# The last row is the rhythm strip.
LAYOUT = (("I", "aVR", "V1", "V4"), ("II", "aVL", "V2", "V5"), ("III", "aVF", "V3", "V6"), ("II",))
MM = 10
UNITS_PER_MV = 100  # 10 mm
PULSE_SECONDS = 0.2  # of the calibration pulse of 1 mV
LEFT, ROW, TOP, BOTTOM = 12 * MM, 26 * MM, 18 * MM, 11 * MM
WIDTH = LEFT + int(SECONDS * PAPER_RATE) + 3 * MM
MOST = 60 * MM  # that the sheet is extended for high amplitudes; an artifact beyond it is cut off


@dataclass(frozen=True)
class Place:
    """A lead's place on the page: its row, and the seconds of the recording that it shows."""

    lead: str
    row: int
    start: float
    end: float

    def samples(self, traces: np.ndarray) -> np.ndarray:
        """Cut what is shown out of traces as ``at_paper_rate`` returns them."""
        return traces[INDEX[self.lead], round(self.start * PAPER_RATE) : round(self.end * PAPER_RATE)]


PLACES = tuple(
    Place(lead, row, SECONDS * column / len(leads), SECONDS * (column + 1) / len(leads))
    for row, leads in enumerate(LAYOUT)
    for column, lead in enumerate(leads)
)
LAST_ROW = len(LAYOUT) - 1


def on_paper(millivolts: np.ndarray, fs: float) -> np.ndarray:
    """Return the first 10 s as they are drawn, see ``at_paper_rate``.

    Raises
    ------
    ValueError
        If there are not 12 leads.
    """
    if millivolts.shape[0] != len(INDEX):
        raise ValueError(f"an ECG has 12 leads, got an array of shape {millivolts.shape}")
    return at_paper_rate(millivolts[:, : round(SECONDS * fs)], fs)


def at_paper_rate(millivolts: np.ndarray, fs: float) -> np.ndarray:
    """Resample to 250 Hz, with the median of each lead at zero; gaps (NaN) stay gaps.

    Returns an array of shape (leads, round(samples * 250 / fs)) in mV.
    """
    samples = millivolts.shape[1]
    length = round(samples * PAPER_RATE / fs)
    if not length:
        return np.zeros((millivolts.shape[0], 0))
    gaps = np.isnan(millivolts)
    filled = np.where(gaps, 0.0, millivolts).astype(np.float64)
    counted = np.where(gaps.all(axis=1, keepdims=True), 0.0, millivolts)
    filled = np.where(gaps, 0.0, filled - np.nanmedian(counted, axis=1, keepdims=True))
    resampled = resample(filled, fs, PAPER_RATE)
    shown = np.full((millivolts.shape[0], length), np.nan)
    shown[:, : resampled.shape[1]] = resampled[:, :length]
    nearest = np.minimum(np.arange(length) * samples // length, samples - 1)
    shown[gaps[:, nearest]] = np.nan
    return shown


def margins(traces: np.ndarray, last_row: int = LAST_ROW) -> tuple[int, int]:
    """Return the room above the first base line and below the last, more than usual where amplitudes are high."""
    above, below = TOP, BOTTOM
    for place in PLACES:
        if place.row > last_row:
            continue
        samples = place.samples(traces)
        samples = samples[~np.isnan(samples)]
        if samples.size:
            above = max(above, int(UNITS_PER_MV * samples.max()) + 3 * MM - place.row * ROW)
            below = max(below, int(-UNITS_PER_MV * samples.min()) + 3 * MM - (last_row - place.row) * ROW)
    return min(above, MOST), min(below, MOST)


def shown(lead: str, start: float, end: float) -> Iterator[tuple[Place, float, float]]:
    """Yield where the page shows a lead, or ``all leads``, between two times (s): places, and seconds from and to."""
    for place in PLACES:
        first, last = max(start, place.start), min(end, place.end)
        if lead in (place.lead, ALL_LEADS) and last > first:
            yield place, first, last
