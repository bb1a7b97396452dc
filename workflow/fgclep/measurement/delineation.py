"""Onsets and ends of the waves of a median beat, all leads together.

Positions are samples of the median beat (``fgclep.measurement.beats``: ``RATE`` Hz, the QRS at ``BEFORE``).
"""

from dataclasses import dataclass

import numpy as np

from fgclep.measurement.beats import AFTER, BEFORE, MS, magnitude, quantile, slope

_SMOOTH = (np.hanning(9)[1:-1] / np.hanning(9).sum()).astype(np.float32)
# Fit LUDB's cardiologists without bias, in the median over leads; a P wave close to the QRS reaches 4 % of its velocity
QRS_EDGES = (0.05, 0.03)
# what decides on the ends of the QRS, with a margin for smoothing
AROUND_QRS = slice(BEFORE - round(220 * MS), BEFORE + round(370 * MS))
_QUIET = round(10 * MS)  # for so long it must stay below
# a tangent ends before the wave does: by these factors, LUDB's cardiologists see its foot further out
_T_FOOT = 1.35
_P_FOOT = 1.2
_P_MV = 0.03  # mV, root mean square over the leads: smaller bumps are no P wave


@dataclass(frozen=True)
class Delineation:
    """Fiducial points in samples; ``None`` for a wave that is not there."""

    qrs_onset: int
    qrs_end: int
    p_onset: int | None
    p_peak: int | None
    p_end: int | None
    t_peak: int | None
    t_end: int | None


def smooth(beat: np.ndarray) -> np.ndarray:
    """Weighted moving mean over 14 ms along time."""
    reach = len(_SMOOTH) // 2
    line = np.empty((len(beat), beat.shape[1] + 2 * reach), beat.dtype)
    line[:, reach:-reach] = beat
    line[:, :reach], line[:, -reach:] = beat[:, :1], beat[:, -1:]
    # all leads in one line, whose seams lie in what is cut off
    return np.convolve(line.ravel(), _SMOOTH, "same").reshape(line.shape)[:, reach:-reach]


def delineate(even: np.ndarray, rr_ms: float) -> Delineation:
    """Delineate a median beat.

    QRS: from the spatial velocity, the root mean square of the leads' slopes. P and T: tangents at the steepest flanks
    (Lepeschkin and Surawicz 1952) of the leads' root mean square (P) or of their main direction (T).

    Parameters
    ----------
    even
        (12, samples) in mV, smoothed.
    rr_ms
        Typical RR interval, which limits where P and T can be.
    """
    onset, end = qrs_limits(even[:, AROUND_QRS])
    t = find_t(even, onset, end, rr_ms)
    p = find_p(even, onset, rr_ms, t[1] if t else None)
    return Delineation(onset, end, *(p or (None, None, None)), *(t or (None, None)))


def qrs_limits(even: np.ndarray, edges: tuple[float, float] = QRS_EDGES) -> tuple[int, int]:
    """First and last sample of a beat's QRS by its spatial velocity, the root mean square of the leads' slopes.

    Beyond them the velocity stays below ``edges`` (before, after) times the largest, counted from a quiet level, which
    in a single beat is the noise.

    Parameters
    ----------
    even
        (12, samples) in mV, the samples ``AROUND_QRS`` of a smoothed beat.
    edges
        Shares of the largest velocity.
    """
    velocity = magnitude(slope(even))
    center = BEFORE - AROUND_QRS.start
    earliest = center - round(60 * MS)
    peak = int(np.argmax(velocity[earliest : center + round(80 * MS)])) + earliest
    rise = velocity - quantile(velocity[center - round(200 * MS) : center + round(350 * MS)], 0.25)
    before = rise[peak - round(140 * MS) - _QUIET + 1 : peak + 1] < edges[0] * rise[peak]
    after = rise[peak : peak + round(200 * MS) + _QUIET] < edges[1] * rise[peak]
    peak += AROUND_QRS.start
    return peak - _until_quiet(before[::-1]), peak + _until_quiet(after)


def _until_quiet(below: np.ndarray) -> int:
    """Samples before ``_QUIET`` of them in a row are below; at most as many as there are but the last ``_QUIET``."""
    found = below.tobytes().find(bytes([True] * _QUIET))
    return found if found >= 0 else len(below) - _QUIET


def find_p(beat: np.ndarray, qrs_onset: int, rr_ms: float, t_end: int | None) -> tuple[int, int, int] | None:
    """Onset, peak and end of the P wave, or ``None``; it lies after the T wave of the preceding beat."""
    earliest = 0 if t_end is None else t_end - round(rr_ms * MS)
    start = max(earliest, qrs_onset - round(330 * MS), 0)
    stop = qrs_onset - round(8 * MS)
    if stop - start < round(50 * MS):
        return None
    part = beat[:, start:stop]
    edge = max(3, round(12 * MS))
    height = magnitude(above_ends(part, edge))
    peak = int(np.argmax(height))
    if height[peak] < _P_MV or peak < edge or peak > len(height) - edge:
        return None
    slopes = slope(height)
    onset = _foot(height, slopes, peak, -1)
    end = _foot(height, slopes, peak, 1)
    return start + onset, start + peak, start + min(end, stop - start)


def above_line(waves: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Subtract straight lines from ``left`` to ``right``, both (..., 1), of (..., samples)."""
    share = np.arange(waves.shape[-1], dtype=waves.dtype) / max(waves.shape[-1] - 1, 1)
    return waves - left - (right - left) * share


def above_ends(waves: np.ndarray, edge: int) -> np.ndarray:
    """Subtract straight lines from the mean of the first ``edge`` of (..., samples) to that of the last ones."""
    ends = (waves[..., :edge], waves[..., -edge:])
    left, right = (end.sum(axis=-1, keepdims=True) / end.shape[-1] for end in ends)
    return above_line(waves, left, right)


def _foot(height: np.ndarray, slopes: np.ndarray, peak: int, direction: int) -> int:
    """Where the tangent at the steepest point of a flank meets the floor."""
    reach = round(90 * MS)
    first, last = (max(peak - reach, 0), peak) if direction < 0 else (peak + 1, min(peak + reach, len(height)))
    if last > first:
        steepest = first + int(np.argmax(-direction * slopes[first:last]))
        floor = float(height[first:last].min())
    else:
        steepest, floor = peak, 0.0
    rise = max(abs(float(slopes[steepest])), 1e-6)
    foot = steepest + direction * _P_FOOT * (float(height[steepest]) - floor) / rise
    return round(min(max(foot, 0), len(height)))


def find_t(beat: np.ndarray, qrs_onset: int, qrs_end: int, rr_ms: float) -> tuple[int, int] | None:
    """Peak and end of the T wave, or ``None``; QT is at most 0.54 s at RR = 1 s, longer by the width of the QRS."""
    wide = max((qrs_end - qrs_onset) / MS - 100, 0)
    longest = min(540 * np.sqrt(rr_ms / 1000) + 0.75 * wide, rr_ms - 90)
    stop = min(qrs_onset + round(longest * MS), BEFORE + AFTER)
    start = qrs_end + round(50 * MS)
    if stop - start < round(80 * MS):
        return None
    part = beat[:, start:stop]
    # the direction of the leads in which T is largest: the sign stays, unlike in the root mean square
    wave = np.linalg.eigh(part @ part.T)[1][:, -1] @ part
    bend = above_line(wave, wave[:1], wave[-1:])
    peak = int(np.argmax(np.abs(bend)))
    wave = wave if bend[peak] > 0 else -wave
    slopes = slope(wave)
    steepest = peak + int(np.argmin(slopes[peak : peak + round(200 * MS)]))
    if slopes[steepest] > -1e-5:
        return None
    floor = quantile(wave[-round(20 * MS) :], 0.5)
    end = steepest + _T_FOOT * float((wave[steepest] - floor) / -slopes[steepest])
    return start + peak, start + round(min(max(end, peak), len(wave)))
