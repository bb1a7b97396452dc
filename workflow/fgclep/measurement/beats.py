"""Beats of a 12-lead ECG: where they are, which belong together, and their median.

All functions work at ``RATE`` Hz on mV, shape (12, samples); positions are sample numbers. Signals are float32: its
rounding, of a ten-millionth, is far below the step of any recorder.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise

import numpy as np
from scipy import fft
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from fgclep.signals.sections import band_pass_sections, low_pass_section

RATE = 500  # Hz
MS = RATE / 1000  # samples per millisecond
BEFORE, AFTER = round(420 * MS), round(700 * MS)  # extent of a beat around its QRS
_QRS_BEFORE, _QRS_AFTER = round(90 * MS), round(110 * MS)  # what is compared between beats
_MAX_SHIFT = round(40 * MS)
_FINE_SHIFT = _MAX_SHIFT // 4
_SAME_SHAPE = 0.9  # correlation of the QRS in all leads
_BLOCK = 20  # samples, whose means follow the drift
_QRS_WINDOW = (np.hanning(17) / np.hanning(17).sum()).astype(np.float32)
_SMALLEST_QRS = 0.2  # of the larger ones, in that band
_REFRACTORY, _T_WITHIN = round(150 * MS), round(180 * MS)  # at RATE / 2
_T_RISE = 0.6  # of the slope of the QRS before: steepest T wave; Pan and Tompkins take half
_T_HEIGHT = 1.2  # of the QRS before, in that band
_SPIKE_MV = 0.1  # smallest second difference of a spike, root mean square over the leads
_SPIKE_RATIO = 0.5


@dataclass(frozen=True, eq=False)
class _BothWays:
    """A filter that runs forwards and backwards, as ``scipy.signal.sosfiltfilt``, but by Fourier transforms.

    Attributes
    ----------
    sections
        float64 (sections, 6), the filter.
    padding
        Samples by which the ends are continued: the signal turned about its first and last sample.
    memory
        Samples after which the filter has forgotten; for so long the ends then stay level.
    """

    sections: np.ndarray
    padding: int
    memory: int

    def __call__(self, signal: np.ndarray) -> np.ndarray:
        """Filter (leads, samples)."""
        samples = signal.shape[1]
        padding = min(self.padding, samples - 1)
        first, behind = self.memory + padding, self.memory + padding + samples
        size = fft.next_fast_len(behind + first, real=True)
        line = np.empty((len(signal), size), dtype=signal.dtype)
        line[:, first:behind] = signal
        line[:, self.memory : first] = 2 * signal[:, :1] - signal[:, padding:0:-1]
        line[:, behind : behind + padding] = 2 * signal[:, -1:] - signal[:, -2 : -2 - padding : -1]
        line[:, : self.memory] = line[:, self.memory, None]
        line[:, behind + padding :] = line[:, behind + padding - 1, None]
        spectrum = fft.rfft(line, axis=1)
        spectrum *= self._gains(size).astype(signal.dtype)
        return fft.irfft(spectrum, size, axis=1)[:, first:behind]

    @lru_cache(64)  # noqa: B019 (there are two filters, which stay)
    def _gains(self, size: int) -> np.ndarray:
        """Square of the gain at the frequencies of a transform of ``size`` samples."""
        delay = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
        powers = np.stack([np.ones_like(delay), delay, np.square(delay)])
        return np.square(np.abs(np.prod((self.sections[:, :3] @ powers) / (self.sections[:, 3:] @ powers), axis=0)))


_QRS_BAND = _BothWays(band_pass_sections(5, 25, RATE / 2), 15, RATE // 4)
_DRIFT = _BothWays(low_pass_section(0.35, RATE / _BLOCK), 3 * RATE // _BLOCK, 6 * RATE // _BLOCK)


@dataclass(frozen=True)
class Beats:
    """The beats of a recording.

    Attributes
    ----------
    positions
        int (beats,), the same point of every QRS.
    similarity
        float (beats,), correlation of each QRS with the median beat's, all leads together.
    dominant
        bool (beats,), beats of the prevailing shape.
    """

    positions: np.ndarray
    similarity: np.ndarray
    dominant: np.ndarray


def find_spikes(mv: np.ndarray) -> np.ndarray:
    """Positions of pacing spikes: deflections of one or two samples, which no QRS is.

    A spike bends as much over 2 ms as over 6 ms; a QRS, which is smooth there, only a ninth as much.
    """
    bend = _bend(mv, 1)
    steep = np.flatnonzero(bend > _SPIKE_MV)
    if len(steep):
        # QRS complexes take up about 2 % of the samples with strong bends, spikes far less
        steep = steep[bend[steep] > 4 * quantile(bend, 0.98)]
    if len(steep):
        steep = steep[bend[steep] > _SPIKE_RATIO * _bend(mv, 3)[steep]]
    if not len(steep):
        return steep
    groups = np.split(steep, np.flatnonzero(np.diff(steep) > round(20 * MS)) + 1)
    return np.array([group[np.argmax(bend[group])] for group in groups])


def _bend(mv: np.ndarray, lag: int) -> np.ndarray:
    """Second difference, root mean square over the leads: (samples,); 0 at the edges."""
    bend = np.zeros(mv.shape[1], dtype=mv.dtype)
    rise = mv[:, lag:] - mv[:, :-lag]
    bend[lag:-lag] = magnitude(rise[:, lag:] - rise[:, :-lag])
    return bend


def magnitude(mv: np.ndarray) -> np.ndarray:
    """Root mean square over the leads of (leads, samples)."""
    return np.sqrt(np.einsum("ls,ls->s", mv, mv) / len(mv))


def quantile(values: np.ndarray, share: float) -> float:
    """Do what ``np.quantile`` does with one dimension, which takes ten times as long for a few values."""
    at = share * (len(values) - 1)
    first, last = int(at), math.ceil(at)
    ordered = np.partition(values, (first, last))
    low, high = float(ordered[first]), float(ordered[last])
    return low + (high - low) * (at - first)


def slope(values: np.ndarray) -> np.ndarray:
    """Do what ``np.gradient`` does along the last dimension, which takes four times as long for few values."""
    slopes = np.empty_like(values)
    np.subtract(values[..., 2:], values[..., :-2], out=slopes[..., 1:-1])
    slopes[..., 1:-1] /= 2
    slopes[..., 0] = values[..., 1] - values[..., 0]
    slopes[..., -1] = values[..., -1] - values[..., -2]
    return slopes


def remove_spikes(mv: np.ndarray, spikes: np.ndarray) -> np.ndarray:
    """Bridge each spike by a straight line."""
    if not len(spikes):
        return mv
    clean = mv.copy()
    for spike in spikes:
        first, last = max(spike - 4, 0), min(spike + 6, mv.shape[1] - 1)
        share = np.linspace(0, 1, last - first + 1)
        clean[:, first : last + 1] = clean[:, [first]] * (1 - share) + clean[:, [last]] * share
    return clean


def remove_drift(mv: np.ndarray) -> np.ndarray:
    """Subtract what is slower than about 0.35 Hz, without phase shift; estimated at a low rate, as it is slow."""
    leads, samples = mv.shape
    count = samples // _BLOCK
    coarse = mv[:, : count * _BLOCK].reshape(leads, count, _BLOCK) @ np.full(_BLOCK, 1 / _BLOCK, mv.dtype)
    slow = _DRIFT(coarse)
    flat = mv.copy()
    first, last = _BLOCK // 2, _BLOCK // 2 + (count - 1) * _BLOCK
    flat[:, :first] -= slow[:, :1]
    flat[:, last:] -= slow[:, -1:]
    share = ((np.arange(_BLOCK) + 0.5) / _BLOCK).astype(mv.dtype)  # straight lines from middle to middle
    ends = np.stack([slow[:, :-1], slow[:, 1:]], axis=-1)
    flat[:, first:last] -= (ends @ np.stack([1 - share, share])).reshape(leads, -1)
    return flat


def find_qrs(mv: np.ndarray) -> np.ndarray:
    """Positions of the QRS complexes, by NeuroKit2's rule on the root mean square of all leads between 5 and 25 Hz.

    The mean over leads finds complexes that are small in any single one. What is far smaller than the others is a P or
    T wave; a T wave may be as large, but is less steep. Gaps are searched again with a lower threshold, as in Pan and
    Tompkins 1985: broad ectopic complexes have less in this band.
    """
    even = mv.shape[1] // 2 * 2
    half = (mv[:, :even:2] + mv[:, 1:even:2]) / 2
    envelope = np.convolve(magnitude(_QRS_BAND(half)), _QRS_WINDOW, "same")
    peaks = _steep_peaks(envelope)
    rise = maximum_filter1d(magnitude(slope(half)), 2 * round(30 * MS) + 1)
    peaks = _without_t_waves(peaks, envelope[peaks], rise[peaks])
    if len(peaks):
        peaks = peaks[envelope[peaks] > _SMALLEST_QRS * quantile(envelope[peaks], 0.75)]
    return _search_gaps(envelope, peaks) * 2


def _steep_peaks(envelope: np.ndarray) -> np.ndarray:
    """Most prominent peak of each steep stretch, by the rule of NeuroKit2 (Makowski et al. 2021); at ``RATE`` / 2.

    Steep is where the slope, its mean over 0.1 s, exceeds 1.5 times its mean over 0.75 s. Stretches of less than 0.4
    times the mean length are left out.
    """
    steepness = uniform_filter1d(np.abs(slope(envelope)), round(50 * MS), mode="nearest")
    steep = steepness > 1.5 * uniform_filter1d(steepness, round(375 * MS), mode="nearest")
    changes = np.flatnonzero(steep[1:] != steep[:-1])[int(steep[0]) :]  # the first begins a stretch
    if len(changes) < 2:
        return np.empty(0, dtype=int)
    stretches = changes[: len(changes) // 2 * 2].reshape(-1, 2)
    lengths = stretches[:, 1] - stretches[:, 0]
    stretches = stretches[lengths >= 0.4 * lengths.mean()]
    tops = find_peaks(envelope)
    within = np.searchsorted(tops, stretches + np.array([1, -1]))  # the ends of a stretch are no peaks of it
    peaks = []
    for (first, last), (one, behind) in zip(stretches.tolist(), within.tolist(), strict=True):
        found = tops[one:behind]
        if len(found) > 1:
            found = found[[np.argmax(prominences(envelope[first:last], found - first))]]
        peaks += found.tolist()
    return np.array(peaks, dtype=int)


def _without_t_waves(peaks: np.ndarray, heights: np.ndarray, rises: np.ndarray) -> np.ndarray:
    """Leave out what follows a QRS too soon to be another one; at ``RATE`` / 2.

    That is, as in NeuroKit2, whatever lies within 0.3 s of the one before or of the beginning. What lies within 0.36 s
    and is far less steep is a T wave (Pan and Tompkins 1985), unless it is higher, as ectopic beats are.

    Parameters
    ----------
    peaks
        int (peaks,), positions.
    heights, rises
        float (peaks,), the envelope there, and the steepest slope around.
    """
    kept: list[int] = []
    for number, peak in enumerate(peaks.tolist()):
        if kept:
            last = kept[-1]
            gap = peak - peaks[last]
            flat = rises[number] < _T_RISE * rises[last] and heights[number] < _T_HEIGHT * heights[last]
            if (gap <= _T_WITHIN and flat) or (gap <= _REFRACTORY < peaks[last]):
                continue
        kept.append(number)
    return peaks[kept][peaks[kept] > _REFRACTORY]


def find_peaks(values: np.ndarray) -> np.ndarray:
    """Middles of what is higher than its neighbours on both sides, as ``scipy.signal.find_peaks``."""
    steps = np.flatnonzero(values[1:] != values[:-1])  # between them the values stay as they are
    before, after = values[steps], values[steps + 1]
    tops = np.flatnonzero((before < after)[:-1] & (before > after)[1:])
    return (steps[tops] + 1 + steps[tops + 1]) // 2


def prominences(values: np.ndarray, peaks: np.ndarray) -> list[float]:
    """How far each peak rises above the way down from it to what is higher, as ``scipy.signal.peak_prominences``."""
    found = []
    for peak in peaks.tolist():
        higher = np.flatnonzero(values > values[peak])
        place = int(np.searchsorted(higher, peak))
        before, after = np.split(values, [peak])
        if place:
            before = values[higher[place - 1] + 1 : peak]
        if place < len(higher):
            after = values[peak : higher[place]]
        lowest = max(float(side.min(initial=values[peak])) for side in (before, after))
        found.append(float(values[peak]) - lowest)
    return found


def _search_gaps(envelope: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """Add the largest peak within each long interval, between the T wave and the next QRS; at ``RATE`` / 2."""
    if len(peaks) < 3:
        return peaks
    intervals = np.diff(peaks)
    found = []
    for number in np.flatnonzero(intervals > 1.4 * quantile(intervals, 0.5)):
        first, last = peaks[number] + round(170 * MS), peaks[number + 1] - round(100 * MS)
        if last > first:
            peak = first + int(np.argmax(envelope[first:last]))
            if envelope[peak] > _SMALLEST_QRS * quantile(envelope[peaks], 0.75) and first < peak < last - 1:
                found.append(peak)
    return np.sort(np.append(peaks, np.array(found, dtype=int)))


def sort_beats(mv: np.ndarray, positions: np.ndarray) -> Beats | None:
    """Align the beats on each other and find the prevailing shape; ``None`` if no QRS lies within the recording.

    The shape with the most beats prevails; ectopic and aberrant beats correlate less with it.
    """
    shift = _MAX_SHIFT + _FINE_SHIFT
    positions = positions[(positions >= _QRS_BEFORE + shift) & (positions < mv.shape[1] - _QRS_AFTER - shift)]
    if not len(positions):
        return None
    shapes = _normalized(_qrs_windows(mv, positions))
    leader = int(np.argmax(((shapes @ shapes.T) > _SAME_SHAPE).sum(axis=1)))
    template = shapes[leader].reshape(len(mv), -1)
    positions, similarity = _align(mv, positions, template, _MAX_SHIFT)
    typical = _qrs_windows(mv, positions[_members(similarity)])
    template = _normalized(median(typical)[None])[0].reshape(len(mv), -1)
    positions, similarity = _align(mv, positions, template, _FINE_SHIFT)
    return Beats(positions, similarity, _members(similarity))


def _members(similarity: np.ndarray) -> np.ndarray:
    """Beats of the prevailing shape; the best one if it is nobody's."""
    members = similarity > _SAME_SHAPE
    if not members.any():
        members[np.argmax(similarity)] = True
    return members


def cut(mv: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
    """Cut stretches of one length: (stretches, leads, length)."""
    stretches = np.empty((len(starts), len(mv), length), mv.dtype)
    for stretch, start in zip(stretches, starts.tolist(), strict=True):
        stretch[...] = mv[:, start : start + length]
    return stretches


def _qrs_windows(mv: np.ndarray, positions: np.ndarray, reach: int = 0) -> np.ndarray:
    return cut(mv, positions - _QRS_BEFORE - reach, _QRS_BEFORE + _QRS_AFTER + 2 * reach)


def _normalized(windows: np.ndarray) -> np.ndarray:
    """Rows of unit length, each lead without its mean: (beats, leads * samples)."""
    centered = windows - windows.sum(axis=2, keepdims=True) / windows.shape[2]
    flat = centered.reshape(len(windows), -1)
    return flat / np.maximum(np.sqrt(np.einsum("bn,bn->b", flat, flat)), 1e-9)[:, None]


def _align(mv: np.ndarray, positions: np.ndarray, template: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Shift each position by up to ``reach`` to where its QRS fits the template best; also return the correlations.

    The template has no mean, so the windows need not lose theirs for the products; their norms come from the sums of
    the signal and of its squares.
    """
    length = template.shape[1]
    windows = _qrs_windows(mv, positions, reach)
    products = windows.reshape(len(windows), -1) @ _shifted(template, reach).T
    box = _box(length, reach).astype(mv.dtype, copy=False)
    sums = windows @ box  # (beats, leads, shifts)
    energy = np.einsum("bls,bls->bs", windows, windows) @ box - np.einsum("bls,bls->bs", sums, sums) / length
    scores = products / np.sqrt(np.maximum(energy, 1e-12))
    best = np.argmax(scores, axis=1)
    return positions + best - reach, scores[np.arange(len(positions)), best]


def _shifted(template: np.ndarray, reach: int) -> np.ndarray:
    """Copies of (leads, samples), shifted by 0 to twice ``reach``: (shifts, leads * (samples + 2 * reach))."""
    leads, samples = template.shape
    copies = np.zeros((2 * reach + 1, leads, samples + 2 * reach), template.dtype)
    by_shift, by_lead, by_sample = copies.strides
    strides = (by_shift + by_sample, by_lead, by_sample)
    np.lib.stride_tricks.as_strided(copies, (len(copies), leads, samples), strides)[...] = template
    return copies.reshape(len(copies), -1)


@cache
def _box(length: int, reach: int) -> np.ndarray:
    return np.ascontiguousarray(_shifted(np.ones((1, length), np.float32), reach).T)


def level_at(mv: np.ndarray, positions: np.ndarray, before: int, width: int) -> np.ndarray:
    """Mean over ``width`` samples that end ``before`` samples ahead of each position: (leads, positions)."""
    index = positions[:, None] - before - width + np.arange(width)
    return mv[:, np.minimum(np.maximum(index, 0), mv.shape[1] - 1)].sum(axis=2) / width


def remove_baseline(mv: np.ndarray, positions: np.ndarray, levels: np.ndarray) -> None:
    """Subtract, in place, straight lines through the PR segments: ``levels`` (leads, positions)."""
    bounds = np.clip(positions, 0, mv.shape[1])
    mv[:, : bounds[0]] -= levels[:, :1]
    mv[:, bounds[-1] :] -= levels[:, -1:]
    steps = np.diff(positions)
    lines = np.stack([levels[:, :-1], np.diff(levels, axis=1) / np.maximum(steps, 1).astype(levels.dtype)], axis=-1)
    ramp = np.ones((2, int(steps.max(initial=0))), mv.dtype)
    ramp[1] = np.arange(ramp.shape[1])
    for line, start, (first, last) in zip(
        lines.transpose(1, 0, 2), positions[:-1].tolist(), pairwise(bounds.tolist()), strict=True
    ):
        mv[:, first:last] -= line @ ramp[:, first - start : last - start]


def pad(mv: np.ndarray) -> np.ndarray:
    """Put zeros around a recording: (leads, BEFORE + samples + AFTER)."""
    padded = np.zeros((len(mv), BEFORE + mv.shape[1] + AFTER), mv.dtype)
    padded[:, BEFORE:-AFTER] = mv
    return padded


def inside(positions: np.ndarray, samples: int) -> np.ndarray:
    """Which samples of beats, from ``-BEFORE`` to ``AFTER``, lie inside the recording: bool (beats, samples)."""
    at = positions[:, None] + np.arange(-BEFORE, AFTER)
    return (at >= 0) & (at < samples)


def median_beat(segments: np.ndarray, seen: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Median of some beats, leaving out what lies outside of the recording; 0 where nothing is inside.

    Parameters
    ----------
    segments
        (beats, leads, samples).
    seen
        bool (beats, samples), what of them lies inside.
    chosen
        Numbers of beats.

    Returns
    -------
    numpy.ndarray
        (leads, samples).
    """
    whole = chosen[seen[chosen, 0] & seen[chosen, -1]]
    if len(whole) >= 3:  # enough, and much faster
        return median([segments[number] for number in whole])
    beat = np.zeros(segments.shape[1:], segments.dtype)
    for members in np.unique(seen[chosen], axis=1).T:  # of which beats a stretch is made up
        if members.any():
            same = (seen[chosen] == members[:, None]).all(axis=0)
            beat[:, same] = median(segments[chosen[members]][:, :, same])
    return beat


def median(arrays: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Median over arrays of one shape, place by place.

    NumPy's sorts the values of each place by themselves; this one whole arrays, which it compares two by two.
    """
    rows = list(arrays)
    for low, high in _comparisons(len(rows)).tolist():
        rows[low], rows[high] = np.minimum(rows[low], rows[high]), np.maximum(rows[low], rows[high])
    middle = len(rows) // 2
    return rows[middle] if len(rows) % 2 else (rows[middle - 1] + rows[middle]) / 2


@lru_cache(128)
def _comparisons(count: int) -> np.ndarray:
    """Which two of ``count`` values to put in order, one after the other, until the middle ones are in their places.

    Batcher's odd-even merge sort, without what the middle does not need: int32 (comparisons, 2).
    """
    pairs = []
    length = 1
    while length < count:
        step = length
        while step:
            for first in range(step % length, count - step, 2 * step):
                for low in range(first, min(first + step, count - step)):
                    if low // (2 * length) == (low + step) // (2 * length):
                        pairs.append((low, low + step))
            step //= 2
        length *= 2
    needed, kept = {(count - 1) // 2, count // 2}, []
    for pair in reversed(pairs):
        if not needed.isdisjoint(pair):
            needed.update(pair)
            kept.append(pair)
    return np.array(kept[::-1], np.int32).reshape(-1, 2)
