"""What the functions of the features look at: a recording, its measures, and the turns and slopes of its main beat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any

import numpy as np

from fgclep.leads import INDEX
from fgclep.schemas.measurements import LEAD_MEASURES
from fgclep.simulation.recorder.recording import Recording
from fgclep.simulation.truth.measures import Main

NOTCH = 0.1  # mV, one small box; a smaller turn is no notch
STEP = 4  # ms between the samples at which the course of T is looked at
_PAIRS = tuple(
    (INDEX[one], INDEX[other])
    for one, other in [
        *(("I", "aVL"), ("II", "aVF"), ("III", "aVF"), ("II", "III")),
        *(("V1", "V2"), ("V2", "V3"), ("V3", "V4"), ("V4", "V5"), ("V5", "V6")),
    ]
)
# mV, in canonical order; aVR does not count
_ELEVATED = [0.1, 0.1, 0.1, np.inf, 0.1, 0.1, 0.2, 0.2, 0.2, 0.1, 0.1, 0.1]


def rows(*leads: str) -> np.ndarray:
    """Places of leads in an array of twelve."""
    return np.array([INDEX[lead] for lead in leads])


def contiguous(shown: Sequence[bool]) -> bool:
    """Whether two leads that look at neighboring parts of the heart are both shown, of twelve; aVR has no neighbor."""
    return any(shown[one] and shown[other] for one, other in _PAIRS)


def turning_points(leads: np.ndarray, smallest: float) -> list[list[tuple[int, float]]]:
    """Maxima and minima of curves, in turn, each ``smallest`` or more away from the one before.

    Parameters
    ----------
    leads
        Shape (leads, n).
    smallest
        In the unit of the curves.

    Returns
    -------
    list
        For each lead (sample, value) of the first sample, of the turns, and of the end if it lies off the last turn.
    """
    found = []
    count, n = leads.shape
    rising = leads[:, 1:] > leads[:, :-1]
    turns = np.ones((count, n), bool)
    np.not_equal(rising[:, 1:], rising[:, :-1], out=turns[:, 1:-1])
    places = np.flatnonzero(turns)
    stops = np.searchsorted(places, np.arange(n, (count + 1) * n, n)).tolist()
    values, samples = leads.ravel()[places].tolist(), (places % n).tolist()
    start = 0
    for stop in stops:
        last = before = values[start]
        points = [(samples[start], last)]
        for place in range(start + 1, stop):
            value = values[place]
            if (value > last) == (last > before) and last != before:  # goes on as before
                if value != last:
                    points[-1] = (samples[place], value)
                    last = value
            elif not -smallest < value - last < smallest:
                points.append((samples[place], value))
                before, last = last, value
        found.append(points)
        start = stop
    return found


@dataclass(frozen=True)
class TWaves:
    """The T waves of twelve leads, each an array of (12,)."""

    onset: np.ndarray  # ms from the J point, where the tangent at the steepest rise meets the level of ST
    offset: np.ndarray  # where that at the steepest fall meets the baseline (Lepeschkin, Surawicz 1952)
    asymmetry: np.ndarray  # slope of the fall relative to that of the rise


@dataclass(frozen=True)
class Seen:
    """A recording with its measures and its main beat; what several features need is worked out once."""

    recording: Recording
    measures: Mapping[str, Any]
    main: Main

    @cached_property
    def by_lead(self) -> dict[str, list[float]]:
        """The measures that each lead has, which as numbers of Python are faster to compare one by one."""
        return {name: self.measures[name].tolist() for name in LEAD_MEASURES}

    def lead(self, measure_name: str, lead: str) -> float:
        """One measure of one lead."""
        return self.by_lead[measure_name][INDEX[lead]]

    def p_wave(self, lead: str) -> np.ndarray | None:
        """The P wave of a lead, 1 sample per ms."""
        if self.main.p is None or self.measures["p_present"] == 0.0:
            return None
        return self.main.p[INDEX[lead]]

    @cached_property
    def onsets(self) -> list[float]:
        """Onsets of the QRS complexes in the recording, s."""
        return [time for time, _ in self.recording.timeline.qrs if 0 <= time <= self.recording.duration]

    @cached_property
    def net(self) -> list[float]:
        """Area of QRS in each lead, mV ms."""
        return self.main.net.tolist()

    @cached_property
    def peak_ms(self) -> list[int]:
        """Time from the onset of QRS to its highest point in each lead."""
        return self.main.qrs.argmax(axis=1).tolist()

    @cached_property
    def turns(self) -> list[list[tuple[int, float]]]:
        """Turning points of QRS in each lead."""
        return turning_points(self.main.qrs, NOTCH)

    @cached_property
    def j_mv(self) -> list[float]:
        """Level of the J point in each lead."""
        return (self.main.repolarization[:, 0] - self.main.pr_level).tolist()

    @cached_property
    def j80_mv(self) -> list[float]:
        """Level of the ST segment 80 ms after the J point in each lead."""
        return (self.main.repolarization[:, 80] - self.main.pr_level).tolist()

    @cached_property
    def elevated(self) -> list[int]:
        """Leads with ST elevation, as ``st_elevation`` of the vocabulary has it; none if they are too few for that."""
        leads = [i for i, (st, least) in enumerate(zip(self.by_lead["st_mv"], _ELEVATED, strict=True)) if st > least]
        right = sum(6 <= i <= 8 for i in leads)
        return leads if right >= 2 or len(leads) - right >= 2 else []

    @cached_property
    def convex_share(self) -> float:
        """Share of the elevated leads in which ST lies on or above the line from J to the peak of T, or T is inverted.

        NaN without an elevated lead.
        """
        convex = 0
        for lead in self.elevated:
            course, peak = self.main.repolarization[lead], int(self.main.t_ms[lead])
            convex += bool(course[peak] < 0 or course[:peak].mean() >= 0.5 * (course[0] + course[peak]))
        return convex / len(self.elevated) if self.elevated else float("nan")

    @cached_property
    def inverted_asymmetry(self) -> float:
        """Median asymmetry of inverted T waves of 0.1 mV or more in two contiguous leads; NaN without such."""
        inverted = [t < -0.1 for t in self.by_lead["t_mv"]]
        if not contiguous(inverted):
            return float("nan")
        return median(self.t_waves.asymmetry[[i for i in range(12) if inverted[i] and i != INDEX["aVR"]]].tolist())

    @cached_property
    def t_course(self) -> np.ndarray:
        """The repolarization where T is looked for, and shortly after, 1 sample per ``STEP`` ms."""
        return self.main.repolarization[:, self.main.t_window.start : self.main.t_window.stop + 30 : STEP]

    @cached_property
    def t_low(self) -> list[float]:
        """Lowest point of each lead where T is looked for."""
        return self.t_course.min(axis=1).tolist()

    @cached_property
    def t_waves(self) -> TWaves:
        """Onset, end and symmetry of T in each lead."""
        lead = np.arange(12)
        upright = np.where(self.measures["t_mv"] < 0, np.float32(-1), np.float32(1))[:, None]
        last = self.main.t_window.stop // STEP + 20  # U lies behind
        course = self.main.repolarization[:, : last * STEP : STEP] * upright
        slope = course[:, 1:] - course[:, :-1]
        before = np.arange(slope.shape[1]) < (self.main.t_ms // STEP)[:, None]
        steep_up = np.where(before, slope, -np.inf).argmax(axis=1)
        steep_down = np.where(before, np.inf, slope).argmin(axis=1)
        up = np.maximum(slope[lead, steep_up], 1e-6)
        down = np.maximum(-slope[lead, steep_down], 1e-6)
        level = np.minimum.accumulate(course, axis=1)[lead, steep_up]
        onset = steep_up - (course[lead, steep_up] - level) / up
        offset = steep_down + course[lead, steep_down] / down
        return TWaves(np.maximum(STEP * onset, 0.0), STEP * offset, down / up)
