"""The forward model: waves as moving cardiac vectors, projected to the leads of a torso.

A wave is a sum of components in time, each with a vector (x to the patient's left, y to the feet, z to the back, mV).
A torso's matrix gives the eight independent leads I, II, V1 to V6 of a vector: Dower's (Dower, Machado and Osborne
1980), or one that agrees with Kors' regression; the other four follow by Einthoven and Goldberger. Near the chest the
heart is no dipole: a component may carry an extra local part that reaches the chest leads alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

TABLE_RATE = 2000  # Hz; the rate at which waves are tabulated
SAMPLING_RATE = 500  # Hz; the rate of the records
STRIDE = TABLE_RATE // SAMPLING_RATE
DOWER = np.array(
    [
        [0.632, -0.235, 0.059],  # I
        [0.235, 1.066, -0.132],  # II
        [-0.515, 0.157, -0.917],  # V1
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],  # V6
    ]
)
# x, y and z from I, II, V1 to V6 by regression over 90 people (Kors et al. 1990, Eur Heart J 11:1083)
KORS = np.array(
    [
        [0.38, -0.07, -0.13, 0.05, -0.01, 0.14, 0.06, 0.54],
        [-0.07, 0.93, 0.06, -0.02, -0.05, 0.06, -0.17, 0.13],
        [0.11, -0.23, -0.43, -0.06, -0.14, -0.20, -0.11, 0.31],
    ]
)
# the torso nearest to Dower's of which Kors' regression finds the vectors again
KORS_TORSO = DOWER + np.linalg.pinv(KORS) @ (np.eye(3) - KORS @ DOWER)
_EIGHT_TO_TWELVE = np.zeros((12, 8))  # rows as fgclep.leads.LEADS
_EIGHT_TO_TWELVE[0, 0] = _EIGHT_TO_TWELVE[1, 1] = 1.0
_EIGHT_TO_TWELVE[2, :2] = (-1.0, 1.0)  # III = II - I
_EIGHT_TO_TWELVE[3, :2] = (-0.5, -0.5)  # aVR = -(I + II) / 2
_EIGHT_TO_TWELVE[4, :2] = (1.0, -0.5)  # aVL = I - II / 2
_EIGHT_TO_TWELVE[5, :2] = (-0.5, 1.0)  # aVF = II - I / 2
_EIGHT_TO_TWELVE[6:, 2:] = np.eye(6)
_EIGHT_TO_TWELVE_32 = _EIGHT_TO_TWELVE.astype(np.float32)
_AREA = np.sqrt(np.pi / 2)  # of half a Gaussian of unit height and width; a front below has the same
# A front of depolarization begins and ends within a few ms, where a Gaussian trails off: a triangle, whose corners are
# rounded by the time that a front takes to reach the whole wall. Energy up to 100 Hz, as a QRS complex has (Golden,
# Wolthuis, Hoffler 1973, IEEE Trans Biomed Eng 20:366), needs such corners.
_FRONT_STEPS = 64  # per width
_ROUNDED = 0.42  # width of the rounding Gaussian


def _front() -> np.ndarray:
    """A rounded triangle of unit area and height about 1 from 0 to 4 widths, sampled ``_FRONT_STEPS`` times a width."""
    place = np.arange(-4 * _FRONT_STEPS, 4 * _FRONT_STEPS + 1) / _FRONT_STEPS
    half = 2 * _AREA
    triangle = np.maximum(0, 1 - np.abs(place) / half)
    kernel = np.exp(-0.5 * (place / _ROUNDED) ** 2)
    rounded = np.convolve(triangle, kernel / kernel.sum(), mode="same")
    return rounded[4 * _FRONT_STEPS :]


_FRONT = _front().astype(np.float32)
_REACH = 4.0  # widths from its peak at which a component is over


@dataclass
class Wave:
    """Components of one wave, each with its time course and its vector.

    The components of a QRS complex are ``sharp``: they rise and fall as activation fronts do; others are Gaussian.

    Parameters
    ----------
    center
        (components,) ms.
    width
        (components, 2) standard deviations before and after the peak, ms; the same for a sharp one.
    vector
        (components, 3) mV.
    local
        (components, 6) mV that reach V1 to V6 alone.
    """

    center: np.ndarray = field(default_factory=lambda: np.empty(0))
    width: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    vector: np.ndarray = field(default_factory=lambda: np.empty((0, 3)))
    local: np.ndarray = field(default_factory=lambda: np.empty((0, 6)))
    sharp: bool = False

    def add(
        self, center: float, width: float | tuple[float, float], vector: object, local: np.ndarray | None = None
    ) -> None:
        """Append a component; ``width`` is one standard deviation in ms, or those before and after the peak."""
        both = width if isinstance(width, tuple) else (width, width)
        self.extend([center], [both], [vector], np.zeros((1, 6)) if local is None else local[None])

    def extend(self, center: object, width: object, vector: object, local: np.ndarray) -> None:
        """Append several components, given as the attributes are."""
        self.center = np.concatenate([self.center, center])
        self.width = np.concatenate([self.width, width])
        self.vector = np.concatenate([self.vector, vector])
        self.local = np.concatenate([self.local, local])

    def copy(self, first: int = 0) -> "Wave":
        """Return a copy, which may be changed, of the components from the ``first`` on."""
        center, width, vector, local = (
            part[first:].copy() for part in (self.center, self.width, self.vector, self.local)
        )
        return Wave(center, width, vector, local, self.sharp)

    def transform(self, matrix: np.ndarray | float) -> None:
        """Multiply all vectors by a 3 x 3 matrix or a number (a number reaches the local parts too)."""
        if np.ndim(matrix):
            self.vector = self.vector @ np.transpose(matrix)
        else:
            self.vector = self.vector * matrix
            self.local = self.local * matrix

    def stretch(self, onset: float, factor: float) -> None:
        """Let time ``onset`` (ms) be 0, and go on ``factor`` times as slowly."""
        self.center = (self.center - onset) * factor
        self.width = self.width * factor

    def area(self) -> np.ndarray:
        """Time integral of the vector, mV ms, shape (3,)."""
        return (self.width[:, 0] + self.width[:, 1]) * _AREA @ self.vector

    def span(self) -> tuple[float, float]:
        """First and last time in ms at which a component may be seen."""
        reach = _REACH * self.width
        return float((self.center - reach[:, 0]).min()), float((self.center + reach[:, 1]).max())

    def leads(self, torso: np.ndarray) -> np.ndarray:
        """Amplitude of each component in the eight independent leads, shape (components, 8)."""
        seen = self.vector @ torso.T
        seen[:, 2:] += self.local
        return seen

    def curves(self, times: np.ndarray) -> np.ndarray:
        """Time course of each component at ``times`` (ms), float32, shape (components, len(times))."""
        offset = times.astype(np.float32) - self.center.astype(np.float32)[:, None]
        if self.sharp:
            offset *= (_FRONT_STEPS / self.width[:, :1]).astype(np.float32)
            np.abs(offset, out=offset)
            offset += np.float32(0.5)
            return _FRONT.take(offset.astype(np.intp), mode="clip")
        before, after = (1 / self.width.astype(np.float32)).T
        offset = np.maximum(offset * -before[:, None], offset * after[:, None])
        offset *= offset
        offset *= np.float32(-0.5)
        return np.exp(offset, out=offset)


@dataclass(frozen=True)
class Table:
    """A wave in eight leads at ``TABLE_RATE``: mV, shape (8, n); ``origin`` is the sample of its reference event."""

    values: np.ndarray
    origin: int

    @cached_property
    def phases(self) -> list[np.ndarray]:
        """The samples at ``SAMPLING_RATE`` from each of the first ``STRIDE`` samples on."""
        return [np.ascontiguousarray(self.values[:, phase::STRIDE]) for phase in range(STRIDE)]


def frontal_rotation(degrees: float) -> np.ndarray:
    """Rotation about the z axis; positive turns from left towards the feet, as the axis of the ECG is counted."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def horizontal_rotation(degrees: float) -> np.ndarray:
    """Rotation about the y axis; positive turns from left towards the back (later transition in the chest leads)."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])


def bounded(value: float, low: float, high: float) -> float:
    """The value, or the limit that it exceeds."""
    return float(min(max(value, low), high))


def axis_of(lead_i: float, lead_ii: float) -> float:
    """Frontal axis in degrees from net areas (or amplitudes) of I and II."""
    avf = lead_ii - lead_i / 2
    return math.degrees(math.atan2(2 * avf / math.sqrt(3), lead_i))


def turn_to_axis(wave: Wave, torso: np.ndarray, target: float) -> np.ndarray:
    """Rotate the wave in the frontal plane so that its axis in the leads is ``target`` degrees; returns the rotation.

    The leads are neither orthogonal nor blind to z. With u the wanted direction, the turned area fulfills
    A cos(phi) + B sin(phi) + C = 0, where A, B and C are cross products of u with its parts in the leads.
    """
    x, y, z = wave.area().tolist()
    first, second = torso[:2].tolist()
    cosine, sine = math.cos(math.radians(target)), math.sin(math.radians(target))
    # in the plane of lead I and aVF, scaled as the axis of the ECG has it: along u, and across it
    rows = [(lead_i, (2 * lead_ii - lead_i) / math.sqrt(3)) for lead_i, lead_ii in zip(first, second, strict=True)]
    along = [cosine * a + sine * b for a, b in rows]
    across = [cosine * b - sine * a for a, b in rows]
    a, b = across[0] * x + across[1] * y, across[1] * x - across[0] * y
    middle, half = math.atan2(b, a), math.acos(bounded(-across[2] * z / math.hypot(a, b), -1, 1))

    def seen(turn: float) -> float:
        c, s = math.cos(turn), math.sin(turn)
        return along[0] * (c * x - s * y) + along[1] * (s * x + c * y)

    rotation = frontal_rotation(math.degrees(max((middle - half, middle + half), key=seen)))
    wave.transform(rotation)
    return rotation


def tabulate(wave: Wave, torso: np.ndarray, before: float, after: float, rate: int = TABLE_RATE) -> Table:
    """Tabulate a wave from ``-before`` to ``after`` ms around its reference time 0, at ``rate`` Hz."""
    (table,) = tabulate_as([wave.leads(torso)], wave, before, after, rate)
    return table


def tabulate_as(
    leads: Sequence[np.ndarray], wave: Wave, before: float, after: float, rate: int = TABLE_RATE
) -> list[Table]:
    """Tabulate the components of a wave as they are seen in different ways, ``Wave.leads`` each; see ``tabulate``."""
    origin = round(before * rate / 1000)
    times = (np.arange(origin + round(after * rate / 1000)) - origin) * (1000 / rate)
    values = np.concatenate(leads, axis=1).astype(np.float32).T @ wave.curves(times)
    return [Table(values[8 * i : 8 * i + 8], origin) for i in range(len(leads))]


def support(values: np.ndarray, share: float) -> tuple[int, int]:
    """First and last sample at which any lead exceeds ``share`` of the largest deflection."""
    size = np.abs(values).max(axis=0)
    above = (size > share * size.max()).nonzero()[0]
    return int(above[0]), int(above[-1])


def add_table(signal: np.ndarray, table: Table, time: float, change: Table | None = None, share: float = 0.0) -> None:
    """Add a tabulated wave, and a share of how it may change, to ``signal`` (8, n) with its origin at ``time`` s."""
    start = table.origin - round(time * TABLE_RATE)  # the table's sample at the first one of the signal
    first = max(0, -(start // STRIDE))
    place, phase = divmod(start + STRIDE * first, STRIDE)
    part = slice(place, place + max(0, signal.shape[1] - first))
    values = table.phases[phase][:, part]
    if change is not None:
        values = values + np.float32(share) * change.phases[phase][:, part]
    target = signal[:, first : first + values.shape[1]]
    target += values


def add_stretched(signal: np.ndarray, table: Table, time: float, stretch: float) -> None:
    """Add a tabulated wave to ``signal`` (8, n), stretched in time about its origin at ``time`` seconds."""
    step = STRIDE / stretch
    start = table.origin - time * SAMPLING_RATE * step
    first = max(0, math.ceil(-start / step))
    last = min(signal.shape[1], int((table.values.shape[1] - 1 - start) / step) + 1)
    if first < last:
        index = (np.arange(first, last) * step + start).astype(np.intp)
        target = signal[:, first:last]
        target += table.values.take(index, axis=1, mode="clip")


def twelve_leads(eight: np.ndarray) -> np.ndarray:
    """The twelve standard leads in canonical order from I, II, V1 to V6; shape (8, ...) to (12, ...)."""
    return (_EIGHT_TO_TWELVE_32 if eight.dtype == np.float32 else _EIGHT_TO_TWELVE) @ eight
