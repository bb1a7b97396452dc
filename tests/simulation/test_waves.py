"""Waves of a beat as curves, and as tables that are added to a signal."""

import numpy as np
import pytest

from fgclep.simulation.heart.heart import DOWER, Wave, add_stretched, add_table, tabulate


@pytest.mark.parametrize(("time", "stretch"), [(0.5, 1.0), (-0.02, 1.0), (0.9, 1.0), (0.5, 1.3), (0.95, 0.8)])
def test_a_tabulated_wave_is_added_where_and_as_slowly_as_it_is_asked_for(time, stretch):
    wave = Wave()
    wave.add(20, (10, 25), (1.0, 0.5, 0.2))
    table, signal = tabulate(wave, DOWER, 60, 150), np.zeros((8, 500), np.float32)
    if stretch == 1:
        add_table(signal, table, time, table, -0.5)
    else:
        add_stretched(signal, table, time, stretch)
    elapsed = (np.arange(500) / 500 - time) * 1000 / stretch - 20
    course = np.exp(-0.5 * (elapsed / np.where(elapsed < 0, 10, 25)) ** 2) * (0.5 if stretch == 1 else 1)
    np.testing.assert_allclose(signal, (DOWER @ (1.0, 0.5, 0.2))[:, None] * course, atol=0.04 if stretch != 1 else 1e-5)


def test_fronts_and_gaussians_are_the_curves_that_they_were():
    times = np.linspace(-60, 60, 241)
    wave = Wave()
    wave.add(3.0, (8.0, 14.0), (0, 0, 0))
    offset = times - 3
    np.testing.assert_allclose(
        wave.curves(times)[0], np.exp(-0.5 * (offset / np.where(offset < 0, 8, 14)) ** 2), atol=1e-6
    )
    front = Wave(sharp=True)
    front.add(0.0, 10.0, (0, 0, 0))
    (curve,) = front.curves(times)
    assert curve.sum() * 0.5 == pytest.approx(10 * np.sqrt(2 * np.pi), rel=0.01)  # the area of a Gaussian
    assert curve.argmax() == 120 and curve[[0, -1]].tolist() == pytest.approx([0, 0], abs=1e-5)
    assert front.span() == (-40.0, 40.0)
