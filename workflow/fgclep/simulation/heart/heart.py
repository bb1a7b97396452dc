"""The forward model: waves as moving cardiac vectors, projected to the leads of a torso.

A wave is a sum of components in time, each with a vector (x to the patient's left, y to the feet, z to the back, mV).
A torso's matrix gives the eight independent leads I, II, V1 to V6 of a vector: Dower's (Dower, Machado and Osborne
1980), or one that agrees with Kors' regression; the other four follow by Einthoven and Goldberger. Near the chest the
heart is no dipole: a component may carry an extra local part that reaches the chest leads alone.
"""

import math
from dataclasses import dataclass, field

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


_FRONT = _front()


@dataclass
class Wave:
    """Components of one wave: centre and widths in ms, vector in mV, and what reaches the chest leads alone.

    The components of a QRS complex are ``sharp``: they rise and fall as activation fronts do; others are Gaussian.
    """

    center: list[float] = field(default_factory=list)
    left: list[float] = field(default_factory=list)
    right: list[float] = field(default_factory=list)
    vector: list[np.ndarray] = field(default_factory=list)
    local: list[np.ndarray] = field(default_factory=list)
    sharp: bool = False

    def add(
        self, center: float, width: float | tuple[float, float], vector: object, local: np.ndarray | None = None
    ) -> None:
        """Append a component; ``width`` is one standard deviation in ms, or those before and after the peak."""
        left, right = width if isinstance(width, tuple) else (width, width)
        self.center.append(center)
        self.left.append(left)
        self.right.append(right)
        self.vector.append(np.asarray(vector, float))
        self.local.append(np.zeros(6) if local is None else local)

    def copy(self) -> "Wave":
        """Return a copy whose lists may be changed."""
        return Wave(
            list(self.center), list(self.left), list(self.right), list(self.vector), list(self.local), self.sharp
        )

    def transform(self, matrix: np.ndarray | float) -> None:
        """Multiply all vectors by a 3 x 3 matrix or a number (a number reaches the local parts too)."""
        if np.ndim(matrix):
            self.vector = [matrix @ vector for vector in self.vector]
        else:
            self.vector = [matrix * vector for vector in self.vector]
            self.local = [matrix * local for local in self.local]

    def area(self) -> np.ndarray:
        """Time integral of the vector, mV ms, shape (3,)."""
        widths = (np.array(self.left) + np.array(self.right)) * _AREA
        return widths @ np.array(self.vector)

    def leads(self, torso: np.ndarray) -> np.ndarray:
        """Amplitude of each component in the eight independent leads, shape (components, 8)."""
        seen = np.array(self.vector) @ torso.T
        seen[:, 2:] += np.array(self.local)
        return seen

    def curves(self, times: np.ndarray) -> np.ndarray:
        """Time course of each component at ``times`` (ms), shape (components, len(times))."""
        offset = times[None, :] - np.array(self.center)[:, None]
        width = np.where(offset < 0, np.array(self.left)[:, None], np.array(self.right)[:, None])
        if self.sharp:
            return _FRONT.take((np.abs(offset / width) * _FRONT_STEPS + 0.5).astype(np.intp), mode="clip")
        return np.exp(-0.5 * (offset / width) ** 2)


@dataclass(frozen=True)
class Table:
    """A wave in eight leads at ``TABLE_RATE``: mV, shape (8, n); ``origin`` is the sample of its reference event."""

    values: np.ndarray
    origin: int


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
    area = wave.area()
    plane = np.array([[1.0, 0.0], [-1 / np.sqrt(3), 2 / np.sqrt(3)]]) @ torso[:2]  # to lead I and scaled aVF
    across = np.array([-np.sin(np.radians(target)), np.cos(np.radians(target))]) @ plane
    cosine = across[0] * area[0] + across[1] * area[1]
    sine = across[1] * area[0] - across[0] * area[1]
    limit = np.clip(-across[2] * area[2] / np.hypot(cosine, sine), -1, 1)
    along = np.array([np.cos(np.radians(target)), np.sin(np.radians(target))]) @ plane
    rotations = [
        frontal_rotation(float(np.degrees(np.arctan2(sine, cosine) + sign * np.arccos(limit)))) for sign in (-1, 1)
    ]
    rotation = max(rotations, key=lambda turn: along @ turn @ area)
    wave.transform(rotation)
    return rotation


def tabulate(wave: Wave, torso: np.ndarray, before: float, after: float, rate: int = TABLE_RATE) -> Table:
    """Tabulate a wave from ``-before`` to ``after`` ms around its reference time 0, at ``rate`` Hz."""
    origin = round(before * rate / 1000)
    times = (np.arange(origin + round(after * rate / 1000)) - origin) * (1000 / rate)
    return Table((wave.leads(torso).T @ wave.curves(times)).astype(np.float32), origin)


def support(values: np.ndarray, share: float) -> tuple[int, int]:
    """First and last sample at which any lead exceeds ``share`` of the largest deflection."""
    size = np.abs(values).max(axis=0)
    above = np.flatnonzero(size > share * size.max())
    return int(above[0]), int(above[-1])


def add_table(signal: np.ndarray, table: Table, time: float, stretch: float = 1.0) -> None:
    """Add a tabulated wave to ``signal`` (8, n) with its origin at ``time`` seconds, stretched in time about it."""
    length = table.values.shape[1]
    start = time - table.origin * stretch / TABLE_RATE
    first = max(0, math.ceil(start * SAMPLING_RATE))
    last = min(signal.shape[1], int((start + (length - 1) * stretch / TABLE_RATE) * SAMPLING_RATE) + 1)
    if last <= first:
        return
    place = (first / SAMPLING_RATE - time) * TABLE_RATE / stretch + table.origin
    if stretch == 1.0:
        begin = min(max(round(place), 0), length - 1)
        values = table.values[:, begin : begin + (last - first) * STRIDE : STRIDE]
        last = first + values.shape[1]
    else:
        index = (place + np.arange(last - first) * (STRIDE / stretch)).astype(np.intp)
        values = table.values.take(index, axis=1, mode="clip")
    signal[:, first:last] += values


def twelve_leads(eight: np.ndarray) -> np.ndarray:
    """The twelve standard leads in canonical order from I, II, V1 to V6; shape (8, ...) to (12, ...)."""
    return (_EIGHT_TO_TWELVE_32 if eight.dtype == np.float32 else _EIGHT_TO_TWELVE) @ eight
