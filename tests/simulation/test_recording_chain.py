"""From electrodes through the cart to what it writes."""

from dataclasses import replace

import numpy as np
import pytest
from simulated import example

from fgclep.leads import INDEX
from fgclep.simulation.recorder.filters import Cart, response
from fgclep.simulation.recorder.noise import AMPLIFIER, Levels, draw_connection, noise_spectrum
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


def test_noise_has_the_level_that_was_drawn_and_reaches_leads_as_electrodes_do():
    levels = Levels(poor=False, muscle=0.01, wander=1e-6)
    spectrum = noise_spectrum(5000, 2501, levels, np.random.default_rng(1))
    noise = np.fft.irfft(spectrum, 5000, axis=1)
    # lead I is the difference of two electrodes of 0.01 mV each; muscle has lost little below 15 Hz
    assert np.sqrt(2) * 0.01 * 0.5 < noise[0].std() < np.sqrt(2) * 0.01 * 1.9


def test_most_muscle_noise_comes_from_the_arms_and_the_amplifier_is_never_silent():
    def spread(muscle):
        spectrum = noise_spectrum(5000, 2501, Levels(False, muscle, wander=1e-9), np.random.default_rng(2))
        return np.fft.irfft(spectrum, 5000, axis=1).std(axis=1)

    noisy, silent = spread(0.01), spread(1e-9)
    assert noisy[0] > 2 * noisy[2:].max()  # lead I lies between the arms, V1 to V6 see a third of each
    # independent inputs: two for I and II, one and a third of three for V1 to V6
    assert silent[:2] == pytest.approx(np.sqrt(2) * AMPLIFIER, rel=0.2)
    assert silent[2:] == pytest.approx(np.sqrt(4 / 3) * AMPLIFIER, rel=0.2)
