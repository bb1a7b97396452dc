"""A waveform in mV as the model takes it: band-passed, resampled, of fixed length."""

from collections.abc import Mapping
from fractions import Fraction
from functools import cache

import numpy as np
from scipy.signal import butter, firwin, resample_poly, sosfiltfilt


def prepare_signal(mv: np.ndarray, fs: float, settings: Mapping[str, float]) -> np.ndarray:
    """Band-pass without phase shift, resample, and crop or tile to the model's length.

    The amplitude stays in mV: scaling each record would destroy voltage criteria.

    Parameters
    ----------
    mv
        (12, samples) in mV.
    fs
        Its sampling rate in Hz.
    settings
        ``sampling_rate`` (Hz), ``duration`` (s), ``highpass`` and ``lowpass`` (Hz): the config's ``signal`` section.

    Returns
    -------
    numpy.ndarray
        float32 (12, sampling_rate * duration): the center of a longer record; a shorter one is repeated.

    Raises
    ------
    ValueError
        If the signal is empty or holds NaN or infinite values.
    """
    mv = np.asarray(mv, dtype=np.float32)
    if mv.ndim != 2 or not mv.shape[1]:
        raise ValueError(f"expected a signal of shape (leads, samples), got {mv.shape}")
    if not np.isfinite(mv).all():
        raise ValueError("the signal holds NaN or infinite values")
    rate = settings["sampling_rate"]
    resampled = resample(mv - mv.mean(axis=1, keepdims=True), fs, rate)
    # two periods of the lower edge on either side: the default of 15 samples lets the edges swing
    padding = min(resampled.shape[1] - 1, round(2 * rate / settings["highpass"]))
    band = _band_pass(settings["highpass"], settings["lowpass"], rate)
    filtered = sosfiltfilt(band, resampled, axis=1, padlen=padding)
    return fit_length(filtered, round(rate * settings["duration"])).astype(np.float32)


def resample(signal: np.ndarray, fs: float, rate: float) -> np.ndarray:
    """Resample (leads, samples) from ``fs`` to ``rate`` Hz with an anti-aliasing filter, without phase shift."""
    if fs == rate:
        return signal
    ratio = Fraction(rate / fs).limit_denominator(1000)
    taps = _anti_aliasing(ratio.numerator, ratio.denominator)
    return resample_poly(signal, ratio.numerator, ratio.denominator, axis=1, window=taps, padtype="line")


def fit_length(signal: np.ndarray, samples: int) -> np.ndarray:
    """Crop the center of (leads, samples), or repeat it, to exactly ``samples``."""
    present = signal.shape[1]
    if present < samples:
        return np.tile(signal, (1, -(-samples // present)))[:, :samples]
    start = (present - samples) // 2
    return signal[:, start : start + samples]


@cache
def _band_pass(low: float, high: float, rate: float) -> np.ndarray:
    return butter(2, [low, high], "bandpass", fs=rate, output="sos")


@cache
def _anti_aliasing(up: int, down: int) -> np.ndarray:
    factor = max(up, down)
    return firwin(16 * factor + 1, 1 / factor, window=("kaiser", 5.0)).astype(np.float32)
