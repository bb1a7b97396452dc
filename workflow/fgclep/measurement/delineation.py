"""Onsets and ends of the waves of a median beat, all leads together.

Positions are samples of the median beat (``fgclep.measurement.beats``: ``RATE`` Hz, the QRS at ``BEFORE``).
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import correlate1d

from fgclep.measurement.beats import AFTER, BEFORE, MS

_SMOOTH = np.hanning(9)[1:-1] / np.hanning(9).sum()
# Fit LUDB's cardiologists without bias, in the median over leads; a P wave close to the QRS reaches 4 % of its velocity
QRS_EDGES = (0.05, 0.03)
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
    return correlate1d(beat, _SMOOTH, axis=1, mode="nearest")


def delineate(beat: np.ndarray, rr_ms: float) -> Delineation:
    """Delineate a median beat.

    QRS: from the spatial velocity, the root mean square of the leads' slopes. P and T: tangents at the steepest flanks
    (Lepeschkin and Surawicz 1952) of the leads' root mean square (P) or of their main direction (T).

    Parameters
    ----------
    beat
        (12, samples) in mV.
    rr_ms
        Typical RR interval, which limits where P and T can be.
    """
    even = smooth(beat)
    onset, end = qrs_limits(even)
    t = find_t(even, onset, end, rr_ms)
    p = find_p(even, onset, rr_ms, t[1] if t else None)
    return Delineation(onset, end, *(p or (None, None, None)), *(t or (None, None)))


def spatial_velocity(beat: np.ndarray) -> np.ndarray:
    """Root mean square over the leads of the slope, mV per sample: (samples,)."""
    return np.sqrt(np.mean(np.square(np.gradient(beat, axis=1)), axis=0))


def qrs_limits(beat: np.ndarray, edges: tuple[float, float] = QRS_EDGES) -> tuple[int, int]:
    """First and last sample of the QRS of a smoothed beat, by its spatial velocity.

    Beyond them the velocity stays below ``edges`` (before, after) times the largest, counted from a quiet level, which
    in a single beat is the noise.
    """
    velocity = spatial_velocity(beat)
    center = slice(BEFORE - round(60 * MS), BEFORE + round(80 * MS))
    peak = int(np.argmax(velocity[center])) + center.start
    quiet = np.percentile(velocity[BEFORE - round(200 * MS) : BEFORE + round(350 * MS)], 25)
    rise = velocity - quiet
    before, after = rise < edges[0] * rise[peak], rise < edges[1] * rise[peak]
    onset, end = peak, peak
    first, last = max(peak - round(140 * MS), _QUIET), min(peak + round(200 * MS), len(rise) - _QUIET)
    while onset > first and not before[onset - _QUIET + 1 : onset + 1].all():
        onset -= 1
    while end < last and not after[end : end + _QUIET].all():
        end += 1
    return onset, end


def _magnitude(beat: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(np.square(beat), axis=0))


def find_p(beat: np.ndarray, qrs_onset: int, rr_ms: float, t_end: int | None) -> tuple[int, int, int] | None:
    """Onset, peak and end of the P wave, or ``None``; it lies after the T wave of the preceding beat."""
    earliest = 0 if t_end is None else t_end - round(rr_ms * MS)
    start = max(earliest, qrs_onset - round(330 * MS), 0)
    stop = qrs_onset - round(8 * MS)
    if stop - start < round(50 * MS):
        return None
    share = np.linspace(0, 1, stop - start)
    part = beat[:, start:stop]
    edge = max(3, round(12 * MS))
    left, right = part[:, :edge].mean(axis=1, keepdims=True), part[:, -edge:].mean(axis=1, keepdims=True)
    height = _magnitude(part - left * (1 - share) - right * share)
    peak = int(np.argmax(height))
    if height[peak] < _P_MV or peak < edge or peak > len(height) - edge:
        return None
    slope = np.gradient(height)
    onset = _foot(height, slope, peak, -1)
    end = _foot(height, slope, peak, 1)
    return start + onset, start + peak, start + min(end, stop - start)


def _foot(height: np.ndarray, slope: np.ndarray, peak: int, direction: int) -> int:
    """Where the tangent at the steepest point of a flank meets the floor."""
    reach = round(90 * MS)
    flank = (
        np.arange(max(peak - reach, 0), peak) if direction < 0 else np.arange(peak + 1, min(peak + reach, len(height)))
    )
    steepest = flank[np.argmax(-direction * slope[flank])] if len(flank) else peak
    floor = float(height[flank].min()) if len(flank) else 0.0
    rise = max(abs(float(slope[steepest])), 1e-6)
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
    weights = np.linalg.svd(part, full_matrices=False)[0][:, 0]
    wave = weights @ part
    bend = wave - np.linspace(wave[0], wave[-1], len(wave))
    peak = int(np.argmax(np.abs(bend)))
    sign = 1.0 if bend[peak] > 0 else -1.0
    wave = sign * wave
    slope = np.gradient(wave)
    flank = np.arange(peak, min(peak + round(200 * MS), len(wave)))
    steepest = flank[np.argmin(slope[flank])]
    if slope[steepest] > -1e-5:
        return None
    floor = float(np.median(wave[-round(20 * MS) :]))
    end = steepest + _T_FOOT * (wave[steepest] - floor) / -slope[steepest]
    return start + peak, start + round(min(max(end, peak), len(wave)))
