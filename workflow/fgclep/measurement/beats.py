"""Beats of a 12-lead ECG: where they are, which belong together, and their median.

All functions work at ``RATE`` Hz on mV, shape (12, samples); positions are sample numbers.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, find_peaks, sosfiltfilt

RATE = 500  # Hz
MS = RATE / 1000  # samples per millisecond
BEFORE, AFTER = round(420 * MS), round(700 * MS)  # extent of a beat around its QRS
_QRS_BEFORE, _QRS_AFTER = round(90 * MS), round(110 * MS)  # what is compared between beats
_MAX_SHIFT = round(40 * MS)
_SAME_SHAPE = 0.9  # correlation of the QRS in all leads
_QRS_BAND = butter(2, [5, 25], "bandpass", fs=RATE // 2, output="sos")
_DRIFT = butter(1, 0.35, "lowpass", fs=RATE // 20, output="sos")
_SMALLEST_QRS = 0.2  # of the larger ones, in that band
_SPIKE_MV = 0.1  # smallest second difference of a spike, root mean square over the leads
_SPIKE_RATIO = 0.5


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
    # QRS complexes take up about 2 % of the samples with strong bends, spikes far less
    steep = np.flatnonzero(bend > max(_SPIKE_MV, 4 * float(np.percentile(bend, 98))))
    steep = steep[bend[steep] > _SPIKE_RATIO * _bend(mv, 3)[steep]]
    if not len(steep):
        return steep
    groups = np.split(steep, np.flatnonzero(np.diff(steep) > round(20 * MS)) + 1)
    return np.array([group[np.argmax(bend[group])] for group in groups])


def _bend(mv: np.ndarray, lag: int) -> np.ndarray:
    """Second difference, root mean square over the leads: (samples,); 0 at the edges."""
    bend = np.zeros(mv.shape[1])
    bend[lag:-lag] = np.sqrt(np.mean(np.square(mv[:, : -2 * lag] - 2 * mv[:, lag:-lag] + mv[:, 2 * lag :]), axis=0))
    return bend


def remove_spikes(mv: np.ndarray, spikes: np.ndarray) -> np.ndarray:
    """Bridge each spike by a straight line."""
    clean = mv.copy()
    for spike in spikes:
        first, last = max(spike - 4, 0), min(spike + 6, mv.shape[1] - 1)
        share = np.linspace(0, 1, last - first + 1)
        clean[:, first : last + 1] = clean[:, [first]] * (1 - share) + clean[:, [last]] * share
    return clean


def remove_drift(mv: np.ndarray) -> np.ndarray:
    """Subtract what is slower than about 0.35 Hz, without phase shift; estimated at a low rate, as it is slow."""
    block = 20
    count = mv.shape[1] // block
    coarse = mv[:, : count * block].reshape(len(mv), count, block).mean(axis=2)
    slow = sosfiltfilt(_DRIFT, coarse, axis=1, padlen=min(count - 1, 3 * RATE // block))
    center = np.arange(count) * block + (block - 1) / 2
    samples = np.arange(mv.shape[1])
    return mv - np.stack([np.interp(samples, center, row) for row in slow])


def find_qrs(mv: np.ndarray) -> np.ndarray:
    """Positions of the QRS complexes, by NeuroKit2's rule on the root mean square of all leads between 5 and 25 Hz.

    The mean over leads finds complexes that are small in any single one. What is far smaller than the others is a P or
    T wave. Gaps are searched again with a lower threshold, as in Pan and Tompkins 1985: broad ectopic complexes have
    less in this band.
    """
    half = mv[:, : mv.shape[1] // 2 * 2].reshape(len(mv), -1, 2).mean(axis=2)
    band = sosfiltfilt(_QRS_BAND, half, axis=1)
    window = np.hanning(17)
    envelope = np.convolve(np.sqrt(np.mean(np.square(band), axis=0)), window / window.sum(), "same")
    peaks = _steep_peaks(envelope)
    if len(peaks):
        peaks = peaks[envelope[peaks] > _SMALLEST_QRS * np.percentile(envelope[peaks], 75)]
    return _search_gaps(envelope, peaks) * 2


def _steep_peaks(envelope: np.ndarray) -> np.ndarray:
    """Most prominent peak of each steep stretch, by the rule of NeuroKit2 (Makowski et al. 2021); at ``RATE`` / 2.

    Steep is where the slope, its mean over 0.1 s, exceeds 1.5 times its mean over 0.75 s. Stretches of less than 0.4
    times the mean length are left out, and peaks within 0.3 s of the one before or of the beginning.
    """
    slope = uniform_filter1d(np.abs(np.gradient(envelope)), round(50 * MS), mode="nearest")
    steep = slope > 1.5 * uniform_filter1d(slope, round(375 * MS), mode="nearest")
    changes = np.flatnonzero(steep[1:] != steep[:-1])[int(steep[0]) :]  # the first begins a stretch
    if len(changes) < 2:
        return np.empty(0, dtype=int)
    stretches = changes[: len(changes) // 2 * 2].reshape(-1, 2)
    lengths = stretches[:, 1] - stretches[:, 0]
    peaks = [0]
    for first, last in stretches[lengths >= 0.4 * lengths.mean()]:
        found, properties = find_peaks(envelope[first:last], prominence=(None, None))
        if len(found):
            peak = first + int(found[np.argmax(properties["prominences"])])
            if peak - peaks[-1] > round(150 * MS):
                peaks.append(peak)
    return np.array(peaks[1:], dtype=int)


def _search_gaps(envelope: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """Add the largest peak within each long interval, between the T wave and the next QRS; at ``RATE`` / 2."""
    if len(peaks) < 3:
        return peaks
    long = 1.4 * np.median(np.diff(peaks))
    threshold = _SMALLEST_QRS * np.percentile(envelope[peaks], 75)
    found = []
    for before, after in pairwise(peaks):
        first, last = before + round(170 * MS), after - round(100 * MS)
        if after - before > long and last > first:
            peak = first + int(np.argmax(envelope[first:last]))
            if envelope[peak] > threshold and first < peak < last - 1:
                found.append(peak)
    return np.sort(np.append(peaks, np.array(found, dtype=int)))


def sort_beats(mv: np.ndarray, positions: np.ndarray) -> Beats | None:
    """Align the beats on each other and find the prevailing shape; ``None`` if no QRS lies within the recording.

    The shape with the most beats prevails; ectopic and aberrant beats correlate less with it.
    """
    shift = _MAX_SHIFT + _MAX_SHIFT // 4
    positions = positions[(positions >= _QRS_BEFORE + shift) & (positions < mv.shape[1] - _QRS_AFTER - shift)]
    if not len(positions):
        return None
    shapes = _normalized(_qrs_windows(mv, positions))
    leader = int(np.argmax(((shapes @ shapes.T) > _SAME_SHAPE).sum(axis=1)))
    template = shapes[leader].reshape(len(mv), -1)
    similarity = np.ones(len(positions))
    running = tuple(np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1) for values in (mv, np.square(mv)))
    for reach in (_MAX_SHIFT, _MAX_SHIFT // 4):
        positions, similarity = _align(mv, running, positions, template, reach)
        members = similarity > _SAME_SHAPE
        if not members.any():
            members[np.argmax(similarity)] = True
        template = _normalized(np.median(_qrs_windows(mv, positions[members]), axis=0, keepdims=True))[0].reshape(
            len(mv), -1
        )
    return Beats(positions, similarity, members)


def _qrs_windows(mv: np.ndarray, positions: np.ndarray) -> np.ndarray:
    index = positions[:, None] + np.arange(-_QRS_BEFORE, _QRS_AFTER)
    return mv[:, index].transpose(1, 0, 2)


def _normalized(windows: np.ndarray) -> np.ndarray:
    """Rows of unit length, each lead without its mean: (beats, leads * samples)."""
    centered = windows - windows.mean(axis=2, keepdims=True)
    flat = centered.reshape(len(windows), -1)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)


def _align(
    mv: np.ndarray, running: tuple[np.ndarray, ...], positions: np.ndarray, template: np.ndarray, reach: int
) -> tuple[np.ndarray, np.ndarray]:
    """Shift each position by up to ``reach`` to where its QRS fits the template best; also return the correlations.

    The template has no mean, so the windows need not lose theirs for the products; their norms come from the
    ``running`` sums of the signal and of its squares.
    """
    length = template.shape[1]
    sums, squares = running
    starts = positions[:, None] - _QRS_BEFORE + np.arange(-reach, reach + 1)  # (beats, shifts)
    energy = (
        squares[:, starts + length]
        - squares[:, starts]
        - np.square(sums[:, starts + length] - sums[:, starts]) / length
    )
    norms = np.sqrt(np.maximum(energy.sum(axis=0), 1e-12))
    products = np.empty(starts.shape)
    for number, first in enumerate(starts[:, 0]):
        stretch = mv[:, first : first + length + 2 * reach]
        products[number] = sum(np.correlate(row, part, "valid") for row, part in zip(stretch, template, strict=True))
    scores = products / norms
    best = np.argmax(scores, axis=1)
    return positions + best - reach, scores[np.arange(len(positions)), best]


def level_at(mv: np.ndarray, positions: np.ndarray, before: int, width: int) -> np.ndarray:
    """Mean over ``width`` samples that end ``before`` samples ahead of each position: (leads, positions)."""
    index = np.clip(positions[:, None] - before - width + np.arange(width), 0, mv.shape[1] - 1)
    return mv[:, index].mean(axis=2)


def remove_baseline(mv: np.ndarray, positions: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Subtract straight lines through the PR segments: ``levels`` (leads, positions)."""
    samples = np.arange(mv.shape[1])
    return mv - np.stack([np.interp(samples, positions, row) for row in levels])


def cut_beats(mv: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Cut beats from ``-BEFORE`` to ``AFTER``, NaN outside of the recording: (beats, leads, samples)."""
    padded = np.pad(mv, ((0, 0), (BEFORE, AFTER)), constant_values=np.nan)
    index = positions[:, None] + np.arange(BEFORE + AFTER)
    return padded[:, index].transpose(1, 0, 2)


def median_beat(segments: np.ndarray) -> np.ndarray:
    """Median over beats (beats, leads, samples), leaving out what lies outside of the recording; 0 where nothing is."""
    whole = ~np.isnan(segments[:, 0, [0, -1]]).any(axis=1)
    if whole.sum() >= 3:  # enough, and much faster
        return np.median(segments[whole], axis=0)
    seen = ~np.isnan(segments[:, 0]).all(axis=0)
    beat = np.zeros(segments.shape[1:])
    beat[:, seen] = np.nanmedian(segments[:, :, seen], axis=0)
    return beat
