import numpy as np
import pytest
from scipy.signal import find_peaks, peak_prominences, sosfiltfilt

from fgclep.measurement import beats
from fgclep.measurement.beats import AFTER, BEFORE, RATE
from fgclep.measurement.delineation import _until_quiet, smooth

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 11, 12, 31, 40])
def test_medians_are_those_of_numpy(count):
    arrays = RNG.standard_normal((count, 3, 7)).astype(np.float32)
    np.testing.assert_array_equal(beats.median(arrays), np.median(arrays, axis=0))
    for share in (0.25, 0.5, 0.98):
        assert beats.quantile(arrays[:, 0, 0], share) == pytest.approx(np.quantile(arrays[:, 0, 0], share), abs=1e-6)


def test_slopes_are_those_of_numpy():
    values = RNG.standard_normal((3, 20))
    np.testing.assert_allclose(beats.slope(values), np.gradient(values, axis=1))


@pytest.mark.parametrize(("filtering", "samples"), [(beats._DRIFT, 250), (beats._DRIFT, 40), (beats._QRS_BAND, 2500)])
def test_filters_run_both_ways_as_those_of_scipy(filtering, samples):
    signal = np.cumsum(RNG.standard_normal((2, samples)), axis=1)
    expected = sosfiltfilt(filtering.sections, signal, axis=1, padlen=min(samples - 1, filtering.padding))
    found = filtering(signal)
    inner = slice(None, -min(filtering.memory // 2, samples // 2))  # SciPy begins the way back as if all were level
    np.testing.assert_allclose(found[:, inner], expected[:, inner], atol=2e-3 * np.abs(signal).max())
    np.testing.assert_allclose(filtering(signal.astype(np.float32)), found, atol=1e-5 * np.abs(signal).max())


def test_drift_is_followed_by_straight_lines():
    mv = RNG.standard_normal((2, 1013))
    slow = beats._DRIFT(mv[:, :1000].reshape(2, 50, 20).mean(axis=2))
    center = np.arange(50) * 20 + 9.5
    expected = mv - np.stack([np.interp(np.arange(1013), center, row) for row in slow])
    np.testing.assert_allclose(beats.remove_drift(mv), expected, atol=1e-12)


@pytest.mark.parametrize("positions", [[100, 300, 310, 900], [-20, 400, 1050], [500]])
def test_the_baseline_is_made_of_straight_lines(positions):
    mv, levels = RNG.standard_normal((2, 1000)), RNG.standard_normal((2, len(positions)))
    expected = mv - np.stack([np.interp(np.arange(1000), positions, row) for row in levels])
    beats.remove_baseline(mv, np.array(positions), levels)
    np.testing.assert_allclose(mv, expected, atol=1e-12)


@pytest.mark.parametrize("levels", [2, 5, 10**6])
@pytest.mark.parametrize("samples", [1, 2, 3, 10, 300])
def test_peaks_and_their_prominences_are_those_of_scipy(levels, samples):
    for _ in range(10):  # few levels make plateaus, also at the ends
        values = RNG.integers(0, levels, samples).astype(np.float32) / 7
        peaks, _ = find_peaks(values)
        np.testing.assert_array_equal(beats.find_peaks(values), peaks)
        assert beats.prominences(values, peaks) == peak_prominences(values, peaks)[0].tolist()


def test_each_steep_stretch_gives_its_most_prominent_peak():
    time = np.arange(10 * RATE // 2) / (RATE / 2)
    envelope = 0.02 * np.abs(RNG.standard_normal(time.size))
    for beat in np.arange(0.6, 9.8, 0.8):  # of two bumps, in turns of either height
        envelope += np.exp(-0.5 * ((time - beat) / 0.02) ** 2)
        envelope += RNG.uniform(0.5, 1.5) * np.exp(-0.5 * ((time - beat - 0.07) / 0.02) ** 2)
    slope = np.abs(np.gradient(envelope))
    pad = np.pad(slope, 200, mode="edge")
    short = np.array([pad[i + 200 - 12 : i + 200 + 13].mean() for i in range(slope.size)])
    pad = np.pad(short, 200, mode="edge")
    steep = short > 1.5 * np.array([pad[i + 200 - 94 : i + 200 + 94].mean() for i in range(slope.size)])
    changes = np.flatnonzero(np.diff(steep.astype(int)))[int(steep[0]) :]
    stretches = list(zip(changes[::2], changes[1::2], strict=False))
    mean, expected = np.mean([last - first for first, last in stretches]), []
    for first, last in stretches:
        tops, properties = find_peaks(envelope[first:last], prominence=(None, None))
        if last - first >= 0.4 * mean and len(tops):
            expected.append(first + tops[np.argmax(properties["prominences"])])
    assert len(expected) > 8
    assert beats._steep_peaks(envelope).tolist() == expected


@pytest.mark.parametrize(
    ("gap_ms", "height", "rise", "kept"),
    [
        (296, 1.0, 1.0, False),  # nothing is so soon
        (304, 1.0, 1.0, True),
        (304, 1.0, 0.5, False),  # a tall T wave
        (356, 1.0, 0.5, False),
        (364, 1.0, 0.5, True),
        (332, 1.4, 0.5, True),  # as the ectopic beats of PTB-XL 5292
    ],
)
def test_t_waves_are_less_steep_than_what_they_follow(gap_ms, height, rise, kept):
    peaks = np.array([20, 250, 250 + gap_ms // 4, 500])  # the first lies too near to the beginning
    found = beats._without_t_waves(peaks, np.array([1, 1, height, 1]), np.array([1, 1, rise, 1]))
    assert found.tolist() == [250, *[250 + gap_ms // 4] * kept, 500]


def test_beats_are_shifted_to_where_they_fit_best():
    mv, reach, length = RNG.standard_normal((3, 900)), 7, beats._QRS_BEFORE + beats._QRS_AFTER
    template = RNG.standard_normal((3, length))
    template -= template.mean(axis=1, keepdims=True)
    template /= np.linalg.norm(template)
    positions = np.array([200, 450, 700])
    moved, similarity = beats._align(mv, positions, template, reach)
    for position, at, alike in zip(positions, moved, similarity, strict=True):
        scores = []
        for shift in range(-reach, reach + 1):
            first = position + shift - beats._QRS_BEFORE
            window = mv[:, first : first + length]
            window = window - window.mean(axis=1, keepdims=True)
            scores.append(np.sum(window * template) / np.linalg.norm(window))
        assert at == position - reach + np.argmax(scores) and alike == pytest.approx(max(scores))


def test_what_lies_outside_of_the_recording_is_left_out_of_the_median():
    mv, positions = RNG.standard_normal((2, 900)), np.array([150, 420, 700])
    padded = beats.pad(mv)
    segments, seen = beats.cut(padded, positions, BEFORE + AFTER), beats.inside(positions, 900)
    apart = np.where(seen[:, None], segments, np.nan)
    expected = np.stack([np.nanmedian(apart[:, :, sample], axis=0) for sample in range(BEFORE + AFTER)], axis=1)
    np.testing.assert_allclose(beats.median_beat(segments, seen, np.arange(3)), expected)
    first = positions[1] - BEFORE
    np.testing.assert_array_equal(segments[1], mv[:, first : first + BEFORE + AFTER])


def test_a_wave_ends_where_it_stays_quiet():
    for below in RNG.random((50, 40)) < 0.8:
        quiet = [all(below[first : first + 5]) for first in range(36)]
        assert _until_quiet(below) == (quiet.index(True) if any(quiet) else 35)


def test_smoothing_goes_along_time_only():
    beat = RNG.standard_normal((3, 30)).astype(np.float32)
    weights = np.hanning(9)[1:-1] / np.hanning(9).sum()
    expected = [np.convolve(np.pad(row, 3, mode="edge"), weights, "valid") for row in beat]
    np.testing.assert_allclose(smooth(beat), expected, atol=1e-6)
