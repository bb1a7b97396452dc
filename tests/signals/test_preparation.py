import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.signal import butter, firwin, resample_poly, sosfiltfilt

from fgclep.config.quality import QualitySection
from fgclep.config.signal import SignalSection
from fgclep.signals.preparation import fit_length, prepare_signal, resample

QUALITY = QualitySection()
SIGNAL = SignalSection(sampling_rate=100, duration=10.0, highpass=0.5, lowpass=40.0)


def _sine(frequency, fs=500, seconds=10.0, offset=0.0):
    time = np.arange(round(fs * seconds)) / fs
    return np.tile(np.sin(2 * np.pi * frequency * time) + offset, (12, 1)).astype(np.float32)


@pytest.mark.parametrize(
    ("frequency", "low", "high"), [(0.1, 0, 0.01), (5, 0.98, 1.02), (15, 0.97, 1.02), (70, 0, 0.01)]
)
def test_the_band_passes_and_the_rest_does_not(frequency, low, high):
    prepared = prepare_signal(_sine(frequency), 500, SIGNAL)
    assert prepared.shape == (12, 1000) and prepared.dtype == np.float32
    assert low <= prepared[0, 200:800].std() * np.sqrt(2) <= high


def test_there_is_no_phase_shift():
    prepared = prepare_signal(_sine(5), 500, SIGNAL)
    np.testing.assert_allclose(prepared[0, 200:800], _sine(5, fs=100)[0, 200:800], atol=0.03)


def test_an_offset_leaves_no_swing_at_the_edges():
    assert np.abs(prepare_signal(np.full((12, 5000), 3.0), 500, SIGNAL)).max() < 1e-3


@pytest.mark.parametrize("fs", [100, 250, 500, 1000])
def test_any_sampling_rate_gives_the_same_signal(fs):
    reference = prepare_signal(_sine(8), 500, SIGNAL)
    np.testing.assert_allclose(prepare_signal(_sine(8, fs), fs, SIGNAL)[:, 100:900], reference[:, 100:900], atol=0.05)


@settings(max_examples=30, deadline=None)
@given(
    fs=st.one_of(
        st.floats(QUALITY.min_sampling_rate, QUALITY.max_sampling_rate),
        st.sampled_from([100, 250, 500, 1000]).flatmap(lambda rate: st.floats(rate * 0.999, rate * 1.001)),
    ),
    seconds=st.floats(QUALITY.min_seconds, 15),
    rate=st.sampled_from([100, 250, 500]),
)
@example(fs=119.5, seconds=5.0, rate=250)  # which has samples of 0
def test_any_rate_within_the_limits_and_any_length_is_prepared(fs, seconds, rate):
    settings_of_model = SIGNAL.model_copy(update={"sampling_rate": rate})
    prepared = prepare_signal(_sine(8, fs, seconds), fs, settings_of_model)
    assert prepared.shape == (12, rate * 10) and np.isfinite(prepared).all()
    resampled = resample(_sine(8, fs, seconds), fs, rate)
    assert abs(resampled.shape[1] / rate - seconds) < 0.02
    middle = slice(rate, round(rate * (seconds - 1)))  # frequency by the crossings of zero, to 0.1 %
    rising = np.flatnonzero(np.diff((resampled[0, middle] >= 0).astype(int)) > 0)  # a sample of 0 is one crossing
    cycles = (rising[-1] - rising[0]) / (len(rising) - 1)
    assert abs(rate / cycles - 8) < 8 * (0.001 + 1 / (rising[-1] - rising[0]))


@pytest.mark.parametrize(("fs", "rate"), [(499.9, 500), (500.2, 500), (100.02, 100), (99.99, 100)])
def test_rates_that_are_nearly_the_same_need_no_filter(fs, rate):
    wave = _sine(8, fs)
    np.testing.assert_array_equal(resample(wave, fs, rate), wave)


def test_a_longer_record_is_cropped_at_the_center_and_a_shorter_one_repeated():
    ramp = np.tile(np.arange(10.0), (12, 1))
    np.testing.assert_array_equal(fit_length(ramp, 4)[0], [3, 4, 5, 6])
    np.testing.assert_array_equal(fit_length(ramp, 12)[0], [*range(10), 0, 1])
    assert prepare_signal(_sine(5, seconds=60), 500, SIGNAL).shape == (12, 1000)
    assert prepare_signal(_sine(5, seconds=6), 500, SIGNAL).shape == (12, 1000)


def test_missing_values_are_refused():
    signal = _sine(5)
    signal[3, 7] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        prepare_signal(signal, 500, SIGNAL)
    with pytest.raises(ValueError, match="shape"):
        prepare_signal(np.zeros((12, 0)), 500, SIGNAL)


@pytest.mark.parametrize("fs", [100, 250, 500, 1000, 257, 80, 249.9])
@pytest.mark.parametrize("seconds", [10, 6.003, 0.3, 47])
def test_blocks_give_what_scipy_gives(fs, seconds):
    signal = np.random.default_rng(0).normal(0, 0.05, (12, round(fs * seconds))).cumsum(axis=1).astype(np.float32)
    up, down = {100: (1, 1), 250: (2, 5), 500: (1, 5), 1000: (1, 10), 257: (100, 257), 80: (5, 4), 249.9: (399, 997)}[
        fs
    ]
    expected = signal.astype(np.float64)
    expected -= expected.mean(axis=1, keepdims=True)
    if fs != 100:
        taps = firwin(16 * max(up, down) + 1, 1 / max(up, down), window=("kaiser", 5.0))
        expected = resample_poly(expected, up, down, axis=1, window=taps, padtype="line")
    band = butter(2, [0.5, 40], "bandpass", fs=100, output="sos")
    expected = sosfiltfilt(band, expected, axis=1, padlen=min(400, expected.shape[1] - 1))
    np.testing.assert_allclose(
        prepare_signal(signal, fs, SIGNAL), fit_length(expected, 1000), rtol=0, atol=1e-6 * np.abs(signal).max()
    )


@pytest.mark.parametrize("samples", [1, 2, 700, 5000])
@pytest.mark.parametrize("fs", [100, 250, 500])
def test_a_record_is_the_same_alone_and_among_others(fs, samples):
    signals = np.random.default_rng(0).normal(0, 1, (7, 12, samples)).astype(np.float32)
    together = prepare_signal(signals, fs, SIGNAL)
    assert together.shape == (7, 12, 1000)
    for signal, prepared in zip(signals, together, strict=True):
        np.testing.assert_array_equal(prepare_signal(signal, fs, SIGNAL), prepared)
