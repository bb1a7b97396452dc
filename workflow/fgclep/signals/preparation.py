"""Waveforms in mV as the model takes them: resampled, band-passed, of fixed length.

SciPy's resampling and filtering hold Python's lock, so that threads take turns. Both are linear; here the same filters
run as products of matrices, which do not hold it: a waveform is cut into blocks of samples, and the matrices hold what
SciPy makes of unit impulses.
"""

import math
import threading
from fractions import Fraction
from functools import cache, lru_cache

import numpy as np
from numpy.typing import DTypeLike

from fgclep.config.signal import SignalSection
from fgclep.signals.sections import band_pass_sections, filter_sections, steady_states

_HALF_WIDTH = 8  # of the anti-aliasing filter, in samples at the lower of the two rates
_RESAMPLED = 20  # samples that a block of the resampling gives, or a few more
_FILTERED = 60  # samples in a block of the band-pass
_BLOCKS = 32  # blocks whose states are found at once
_KEPT = 2**21  # values in an array that a thread keeps for the next records


def prepare_signal(mv: np.ndarray, fs: float, signal: SignalSection) -> np.ndarray:
    """Band-pass without phase shift, resample, and crop or tile to the model's length.

    The amplitude stays in mV: scaling each record would destroy voltage criteria. Records of one rate and length can
    come together; each gets the numbers that it gets alone.

    Parameters
    ----------
    mv
        (..., leads, samples) in mV: one record, or many.
    fs
        Sampling rate in Hz.
    signal
        The config's ``signal`` section.

    Returns
    -------
    numpy.ndarray
        float32 (..., leads, sampling_rate * duration): the center of longer records; shorter ones are repeated.

    Raises
    ------
    ValueError
        If the signal is empty or holds NaN or infinite values.
    """
    mv = np.asarray(mv, dtype=np.float32)
    if mv.ndim < 2 or not mv.shape[-1]:
        raise ValueError(f"expected a signal of shape (leads, samples), got {mv.shape}")
    with np.errstate(invalid="ignore", over="ignore"):
        mean = mv.mean(axis=-1, keepdims=True)
    if not np.isfinite(mean).all():
        raise ValueError("the signal holds NaN or infinite values")
    rate = signal.sampling_rate
    centered = np.subtract(mv, mean, out=_array("centered", mv.shape, np.float32))
    filtered = _band_pass(_resample(centered, fs, rate), signal.highpass, signal.lowpass, rate)
    return fit_length(filtered, round(rate * signal.duration)).astype(np.float32)


def resample(signal: np.ndarray, fs: float, rate: float) -> np.ndarray:
    """Resample from ``fs`` to ``rate`` Hz with an anti-aliasing filter, without phase shift.

    As ``scipy.signal.resample_poly`` with ``padtype="line"``: beyond its ends, a waveform goes on along the line
    through its first and last sample.

    Parameters
    ----------
    signal
        float32 or float64 (..., samples).
    fs, rate
        Sampling rates in Hz, before and after; their ratio is taken as one of numbers up to 1,000.

    Returns
    -------
    numpy.ndarray
        Of the same type, (..., samples * rate / fs, rounded up).
    """
    return _resample(signal, fs, rate).copy()


def _resample(signal: np.ndarray, fs: float, rate: float) -> np.ndarray:
    """Do what ``resample`` does; the result is overwritten at this thread's next call."""
    if fs == rate:
        return signal
    lower, higher = sorted((rate, fs))
    ratio = Fraction(lower / higher).limit_denominator(1000)
    ratio = 1 / ratio if rate > fs else ratio
    if ratio == 1:  # such as 499.9 Hz for 500: over a minute no sample is moved by more than 30 ms
        return signal
    impulses, stride, margin = _resampling(ratio.numerator, ratio.denominator)
    samples = signal.shape[-1]
    wanted = math.ceil(samples * ratio)
    blocks = -(-wanted // impulses.shape[1])
    length = (blocks - 1) * stride + len(impulses)
    padded = _array("padded", (*signal.shape[:-1], length), signal.dtype)
    padded[..., margin : margin + samples] = signal
    slope = (signal[..., -1:] - signal[..., :1]) / max(1, samples - 1)
    padded[..., :margin] = signal[..., :1] + np.arange(-margin, 0, dtype=signal.dtype) * slope
    after = np.arange(1, length - margin - samples + 1, dtype=signal.dtype)
    padded[..., margin + samples :] = signal[..., -1:] + after * slope
    windows = np.lib.stride_tricks.sliding_window_view(padded, len(impulses), axis=-1)[..., ::stride, :]
    apart = _array("windows", windows.shape, signal.dtype)
    apart[...] = windows
    resampled = _array("resampled", (*windows.shape[:-1], impulses.shape[1]), signal.dtype)
    np.matmul(apart, impulses.astype(signal.dtype, copy=False), out=resampled)
    return resampled.reshape(*signal.shape[:-1], -1)[..., :wanted]


def _band_pass(signal: np.ndarray, low: float, high: float, rate: float) -> np.ndarray:
    """Filter (..., samples) forwards and backwards with a Butterworth filter of second order; edges and rate in Hz.

    As ``scipy.signal.sosfiltfilt``: the ends are continued by the signal turned about its first and last sample.
    """
    samples = signal.shape[-1]
    # two periods of the lower edge on either side: the default of 15 samples lets the edges swing
    padding = min(samples - 1, round(2 * rate / low))
    length = samples + 2 * padding
    blocks = _array("blocks", (*signal.shape[:-1], -(-length // _FILTERED), _FILTERED), np.float64)
    line = blocks.reshape(*signal.shape[:-1], -1)
    inside = line[..., padding : padding + samples]
    inside[...] = signal
    np.subtract(2 * inside[..., :1], inside[..., padding:0:-1], out=line[..., :padding])
    behind = line[..., padding + samples : length]
    np.subtract(2 * inside[..., -1:], inside[..., -2 : -2 - padding : -1], out=behind)
    line[..., length:] = 0
    parts = _filtering(low, high, rate)
    line[..., :length] = _filter(blocks, *parts)[..., length - 1 :: -1]
    return _filter(blocks, *parts)[..., length - 1 :: -1][..., padding : padding + samples]


def _filter(
    blocks: np.ndarray,
    impulses: np.ndarray,
    ends: np.ndarray,
    responses: np.ndarray,
    course: np.ndarray,
    steady: np.ndarray,
) -> np.ndarray:
    """Filter float64 (..., blocks, samples) forwards, from a state as if the first sample had been there forever.

    The matrices are those of ``_filtering``. Returns (..., blocks * samples).
    """
    states, size = blocks @ ends, len(steady)
    state = blocks[..., 0, :1] * steady
    for first in range(0, states.shape[-2], _BLOCKS):
        run = states[..., first : first + _BLOCKS, :]  # what each block adds becomes the state before it
        known = np.concatenate([state, run.reshape(*run.shape[:-2], -1)], axis=-1)
        followed = known @ course[: known.shape[-1], : known.shape[-1]]
        run[...] = followed[..., :-size].reshape(run.shape)
        state = followed[..., -size:]
    filtered = np.matmul(blocks, impulses, out=_array("filtered", blocks.shape, np.float64))
    filtered += np.matmul(states, responses, out=_array("responses", blocks.shape, np.float64))
    return filtered.reshape(*blocks.shape[:-2], -1)


def fit_length(signal: np.ndarray, samples: int) -> np.ndarray:
    """Crop the center of (..., samples), or repeat it, to exactly ``samples``."""
    present = signal.shape[-1]
    if present < samples:
        return np.tile(signal, -(-samples // present))[..., :samples]
    start = (present - samples) // 2
    return signal[..., start : start + samples]


class _Kept(threading.local):
    def __init__(self) -> None:
        self.arrays: dict[tuple[str, np.dtype], np.ndarray] = {}


_kept = _Kept()


def _array(name: str, shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    """Return an array of any content, which this thread may have used before under this name.

    The system takes as long to give new memory, and to take it back, as the products take to fill it.
    """
    size, key = math.prod(shape), (name, np.dtype(dtype))
    if size > _KEPT:
        return np.empty(shape, dtype)
    if key not in _kept.arrays or len(_kept.arrays[key]) < size:
        _kept.arrays[key] = np.empty(size, dtype)
    return _kept.arrays[key][:size].reshape(shape)


@lru_cache(16)  # a ratio of large numbers takes 12 MB
def _resampling(up: int, down: int) -> tuple[np.ndarray, int, int]:
    """What makes a block of resampled signal: matrix (samples before, samples after), step, and samples of margin.

    The block begins at the sample ``margin`` of those that go in, which are ``margin`` more on either side.
    """
    factor = max(up, down)
    half = _HALF_WIDTH * factor
    taps = np.sinc(np.arange(-half, half + 1) / factor) * np.kaiser(2 * half + 1, 5.0)
    taps = (taps / taps.sum()).astype(np.float32) * np.float32(up)
    steps = -(-_RESAMPLED // up)
    margin = -(-_HALF_WIDTH * factor // (up * down)) * down
    before, after = np.arange(steps * down + 2 * margin)[:, None], np.arange(steps * up)
    place = after * down - (before - margin) * up + half  # of the tap that a sample before has for one after
    inside = (place >= 0) & (place < len(taps))
    return np.where(inside, taps[np.clip(place, 0, len(taps) - 1)], np.float32(0)), steps * down, margin


@cache
def _filtering(low: float, high: float, rate: float) -> tuple[np.ndarray, ...]:
    """What filters blocks of n samples, where the filter's state is four numbers; all float64.

    Matrices from samples to samples (n, n), from samples to the state behind the block (n, 4), and from the state
    before it to samples (4, n); one from the state before the first of m blocks and what each of them adds to the
    states before each and behind the last, (4 + 4 m, 4 m + 4), whose upper left corner does for fewer; and the state
    (4,) of a constant 1.
    """
    sections = band_pass_sections(low, high, rate)
    size = 2 * len(sections)

    def by_row(states: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(states.transpose(1, 0, 2).reshape(-1, size))

    impulses, ends = filter_sections(sections, np.eye(_FILTERED), np.zeros((len(sections), _FILTERED, 2)))
    unit = np.eye(size).reshape(size, len(sections), 2).transpose(1, 0, 2)
    responses, decay = filter_sections(sections, np.zeros((size, _FILTERED)), unit)
    steps = [np.linalg.matrix_power(by_row(decay), count) for count in range(_BLOCKS + 1)]
    none = np.zeros((size, size))
    course = np.block(
        [[steps[to - at] if to >= at else none for to in range(_BLOCKS + 1)] for at in range(_BLOCKS + 1)]
    )
    return impulses, by_row(ends), responses, course, steady_states(sections).ravel()
