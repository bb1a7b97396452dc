"""From electrodes through the cart to what it writes."""

from dataclasses import replace

import numpy as np
import pytest
from simulated import example

from fgclep.leads import INDEX
from fgclep.simulation.recorder.filters import Cart, response
from fgclep.simulation.recorder.noise import (
    AMPLIFIER,
    ELECTRODES,
    Levels,
    _add_sines,
    at_leads,
    draw_connection,
    noise_spectrum,
)
from fgclep.simulation.truth.measures import measure


def test_swapped_arm_cables_invert_lead_i_in_signal_and_truth():
    rng = np.random.default_rng(3)
    matrix = next(m for m in (draw_connection(rng) for _ in range(5000)) if m is not None and m[0, 0] < 0)
    right = example(4)
    swapped = replace(right, connection=matrix)
    eight = np.arange(8.0) + 1
    assert (matrix @ eight).tolist() == [-1.0, 1.0, *eight[2:]]  # I inverted, II has become III
    before, after = measure(right)[0], measure(swapped)[0]
    assert after["r_mv"][INDEX["aVL"]] == pytest.approx(before["r_mv"][INDEX["aVR"]], abs=1e-5)
    assert after["r_mv"][INDEX["V5"]] == pytest.approx(before["r_mv"][INDEX["V5"]], abs=1e-6)


def test_few_recordings_have_swapped_cables():
    rng = np.random.default_rng(0)
    assert 0.005 < np.mean([draw_connection(rng) is not None for _ in range(4000)]) < 0.025


def test_a_cart_passes_its_band_and_stops_the_mains():
    gain = np.abs(response(Cart(low_pass=100.0, high_pass=0.05, notch=50.0, step=0.001), 5000))  # 0.1 Hz per bin
    assert gain[0] == 0 and gain[500] < 0.01
    assert gain[100] == pytest.approx(1, abs=0.02)
    assert gain[1000] == pytest.approx(np.sqrt(0.5), abs=0.02)
    slow = np.abs(response(Cart(low_pass=40.0, high_pass=0.67, notch=0.0, step=0.001), 5000))
    assert slow[2] < 0.02 < 0.9 < slow[15]


def test_a_cart_writes_whole_steps():
    signal = example(8).signal.astype(float)
    assert any(np.abs(signal / step - np.rint(signal / step)).max() < 0.02 for step in (0.001, 0.0025, 0.00488, 0.005))


def noise_of(levels, seed):
    real, imaginary = noise_spectrum(5000, 2501, levels, np.random.default_rng(seed)).transpose(1, 0, 2)
    return np.fft.irfft(real + 1j * imaginary, 5000, axis=1)


def test_noise_has_the_level_that_was_drawn_and_reaches_leads_as_electrodes_do():
    levels = Levels(poor=False, muscle=0.01, wander=1e-6)
    noise = noise_of(levels, seed=1)
    # lead I is the difference of two electrodes of 0.01 mV each; muscle has lost little below 15 Hz
    assert np.sqrt(2) * 0.01 * 0.5 < noise[0].std() < np.sqrt(2) * 0.01 * 1.9


def test_most_muscle_noise_comes_from_the_arms_and_the_amplifier_is_never_silent():
    def spread(muscle):
        return noise_of(Levels(False, muscle, wander=1e-9), seed=2).std(axis=1)

    noisy, silent = spread(0.01), spread(1e-9)
    assert noisy[0] > 2 * noisy[2:].max()  # lead I lies between the arms, V1 to V6 see a third of each
    # independent inputs: two for I and II, one and a third of three for V1 to V6
    assert silent[:2] == pytest.approx(np.sqrt(2) * AMPLIFIER, rel=0.2)
    assert silent[2:] == pytest.approx(np.sqrt(4 / 3) * AMPLIFIER, rel=0.2)


def test_what_leads_see_of_electrodes_is_the_product_with_their_matrix():
    electrodes = np.random.default_rng(3).standard_normal((9, 2, 7)).astype(np.float32)
    expected = np.tensordot(ELECTRODES, electrodes, axes=1)
    np.testing.assert_allclose(at_leads(electrodes), expected, atol=1e-6)


def test_the_spectrum_of_noise_has_no_preferred_phase_and_its_samples_are_normal():
    noise = noise_of(Levels(False, muscle=0.01, wander=1e-6), seed=4)[0]
    assert abs(noise[0]) < 5 * noise.std()  # deviates of another mean than 0 would pile up there
    assert np.mean(np.abs(noise) < noise.std()) == pytest.approx(0.683, abs=0.03)


def test_breathing_and_mains_are_sines_and_cosines():
    rng = np.random.default_rng(5)
    signal, weights = np.zeros((8, 1234), np.float32), [rng.standard_normal((9, 2)) for _ in range(2)]
    _add_sines(signal, [0.21, 50.0], weights)
    time = np.arange(1234) / 500
    waves = [np.stack([np.sin(2 * np.pi * hertz * time), np.cos(2 * np.pi * hertz * time)]) for hertz in (0.21, 50.0)]
    expected = sum(ELECTRODES @ weight @ wave for weight, wave in zip(weights, waves, strict=True))
    np.testing.assert_allclose(signal, expected, atol=1e-5)
