"""What the functions of the features look at: a recording, its measures, and the turns and slopes of its main beat."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fgclep.leads import INDEX
from fgclep.simulation.measures import Main
from fgclep.simulation.record import Recording

NOTCH = 0.1  # mV, one small box; a smaller turn is no notch
_PAIRS = [
    *(("I", "aVL"), ("II", "aVF"), ("III", "aVF"), ("II", "III")),
    *(("V1", "V2"), ("V2", "V3"), ("V3", "V4"), ("V4", "V5"), ("V5", "V6")),
]
_ONE, _OTHER = (np.array([INDEX[pair[side]] for pair in _PAIRS]) for side in (0, 1))
_STEP = 4  # ms between the samples at which the slopes of T are taken


def rows(*leads: str) -> np.ndarray:
    """Places of leads in an array of twelve."""
    return np.array([INDEX[lead] for lead in leads])


def contiguous(shown: np.ndarray) -> bool:
    """Whether two leads that look at neighboring parts of the heart are both among those ``shown``, bool of (12,)."""
    return bool(np.any(shown[_ONE] & shown[_OTHER]))


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
    rising = leads[:, 1:] > leads[:, :-1]
    turns = np.ones(leads.shape, bool)
    turns[:, 1:-1] = rising[:, 1:] != rising[:, :-1]
    samples = np.nonzero(turns)[1].tolist()
    values = leads[turns].tolist()
    stop = 0
    for count in np.count_nonzero(turns, axis=1).tolist():
        start, stop = stop, stop + count
        points = [(samples[start], values[start])]
        before, last = values[start], values[start]
        for sample, value in zip(samples[start + 1 : stop], values[start + 1 : stop], strict=True):
            if (value - last) * (last - before) > 0:  # goes on as before
                points[-1] = (sample, value)
                last = value
            elif abs(value - last) >= smallest:
                points.append((sample, value))
                before, last = last, value
        found.append(points)
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

    def lead(self, measure_name: str, lead: str) -> float:
        """One measure of one lead."""
        return float(self.measures[measure_name][INDEX[lead]])

    def p_wave(self, lead: str) -> np.ndarray | None:
        """The P wave of a lead, 1 sample per ms."""
        if self.main.p is None or self.measures["p_present"] == 0.0:
            return None
        return self.main.p[INDEX[lead]]

    @cached_property
    def onsets(self) -> np.ndarray:
        """Onsets of the QRS complexes in the recording, s."""
        return np.array([time for time, _ in self.recording.timeline.qrs if 0 <= time <= self.recording.duration])

    @cached_property
    def net(self) -> np.ndarray:
        """Net area of QRS in each lead, mV ms."""
        return self.main.qrs.sum(axis=1)

    @cached_property
    def peak_ms(self) -> list[int]:
        """Time from the onset of QRS to its highest point in each lead."""
        return self.main.qrs.argmax(axis=1).tolist()

    @cached_property
    def turns(self) -> list[list[tuple[int, float]]]:
        """Turning points of QRS in each lead."""
        return turning_points(self.main.qrs, NOTCH)

    @cached_property
    def j_mv(self) -> np.ndarray:
        """Level of the J point in each lead."""
        return self.main.repolarization[:, 0] - self.main.pr_level

    @cached_property
    def j80_mv(self) -> np.ndarray:
        """Level of the ST segment 80 ms after the J point in each lead."""
        return self.main.repolarization[:, 80] - self.main.pr_level

    @cached_property
    def t_ms(self) -> np.ndarray:
        """Time from the J point to the peak of T in each lead."""
        window = self.main.t_window
        return window.start + np.abs(self.main.repolarization[:, window]).argmax(axis=1)

    @cached_property
    def t_range(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest point of each lead where T is looked for."""
        window = self.main.repolarization[:, self.main.t_window]
        return window.min(axis=1), window.max(axis=1)

    @cached_property
    def t_waves(self) -> TWaves:
        """Onset, end and symmetry of T in each lead."""
        lead = np.arange(12)
        upright = np.where(self.measures["t_mv"] < 0, -1.0, 1.0)[:, None]
        course = self.main.repolarization[:, ::_STEP] * upright
        peak = self.t_ms // _STEP
        slope = np.diff(course, axis=1)
        before = np.arange(slope.shape[1]) < peak[:, None]
        after = ~before & (np.arange(slope.shape[1]) < self.main.t_window.stop // _STEP + 20)  # U lies behind
        steep_up = np.where(before, slope, -np.inf).argmax(axis=1)
        steep_down = np.where(after, slope, np.inf).argmin(axis=1)
        up = np.maximum(slope[lead, steep_up], 1e-6)
        down = np.maximum(-slope[lead, steep_down], 1e-6)
        level = np.minimum.accumulate(course, axis=1)[lead, steep_up]
        onset = steep_up - (course[lead, steep_up] - level) / up
        offset = steep_down + course[lead, steep_down] / down
        return TWaves(np.maximum(_STEP * onset, 0.0), _STEP * offset, down / up)
