"""The filters in sections have the numbers of SciPy."""

import numpy as np
import pytest
from scipy.signal import butter, sosfilt, sosfilt_zi

from fgclep.signals.sections import band_pass_sections, filter_sections, low_pass_section, steady_states


@pytest.mark.parametrize(
    ("low", "high", "rate"),
    [(0.5, 40, 100), (0.5, 40, 500), (0.05, 150, 500), (5, 15, 500), (0.67, 124, 250), (20, 49.9, 100), (40, 45, 100)],
)
def test_sections_and_what_they_filter_are_those_of_scipy(low, high, rate):
    expected = butter(2, [low, high], "bandpass", fs=rate, output="sos")
    sections = band_pass_sections(low, high, rate)
    np.testing.assert_allclose(sections, expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(steady_states(expected), sosfilt_zi(expected), rtol=1e-6, atol=1e-9)
    with pytest.raises(ValueError, match="critical frequencies"):
        band_pass_sections(low, high, 2 * high)
    rng = np.random.default_rng(0)
    signals, states = rng.normal(size=(3, 50)), rng.normal(size=(2, 3, 2))
    for ours, theirs in zip(
        filter_sections(expected, signals, states), sosfilt(expected, signals, zi=states), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("cutoff", "rate"), [(0.35, 25), (40, 100), (150, 500)])
def test_the_section_of_a_low_pass_is_that_of_scipy(cutoff, rate):
    np.testing.assert_allclose(low_pass_section(cutoff, rate), butter(1, cutoff, fs=rate, output="sos"), atol=1e-15)
