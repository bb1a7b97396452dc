"""ECGs are changed within the limits of the config, and stay ECGs: of fewer leads, another stretch, scale or noise."""

import math

import numpy as np
import pytest
import torch

from fgclep.config.augmentation import AugmentationSection
from fgclep.leads import LEADS
from fgclep.signals.preparation import fit_length
from fgclep.signals.repair import EQUATIONS
from fgclep.training.augmentation import augmented, draw_leads, draw_stretch, electrode_noise, stretch

ALL = AugmentationSection(lead_masking=0.5, crop=0.5, time_scale=0.05, noise=0.05, amplitude=0.2)
SIGNALS = torch.from_numpy(np.random.default_rng(1).normal(size=(6, 12, 100)).astype(np.float32))


def drawn(signals=SIGNALS, settings=ALL, seed=0):
    return augmented(signals, settings, np.random.default_rng(seed))


def test_what_is_off_changes_nothing():
    signals, present = drawn(settings=AugmentationSection())
    assert signals is SIGNALS and present is None and AugmentationSection().is_off and not ALL.is_off


def test_the_same_seed_draws_the_same_and_the_signals_stay_as_they_are():
    before = SIGNALS.clone()
    first, again, other = drawn(), drawn(), drawn(seed=1)
    assert all(map(torch.equal, first, again)) and not any(map(torch.equal, first, other))
    assert SIGNALS.equal(before) and first[0].shape == SIGNALS.shape and first[0].dtype == torch.float32


def test_one_kind_of_change_does_not_depend_on_the_others():
    alone = {name: drawn(settings=AugmentationSection(**{name: value})) for name, value in ALL}
    assert drawn()[1].equal(alone["lead_masking"][1])
    loud = drawn(settings=AugmentationSection(amplitude=0.2, noise=0.05))[0]
    torch.testing.assert_close(loud - alone["amplitude"][0], alone["noise"][0] - SIGNALS, rtol=0, atol=1e-6)


def lanczos(x: float) -> float:
    if x == 0:
        return 1.0
    return 4 * math.sin(math.pi * x) * math.sin(math.pi * x / 4) / (math.pi * x) ** 2 if abs(x) < 4 else 0.0


def test_a_stretch_is_what_plain_loops_interpolate():
    scale, first, length = np.array([1.04, 0.97]), np.array([3, 0]), np.array([70, 97])
    signals = SIGNALS[:2, :2]
    found = stretch(signals, scale, first, length)
    for ecg in range(2):
        for t in range(100):
            place = (first[ecg] + t % length[ecg]) / scale[ecg]
            weights = {n: lanczos(place - n) for n in range(math.floor(place) - 3, math.floor(place) + 5)}
            for lead in range(2):
                values = signals[ecg, lead].double().tolist()
                expected = sum(weight * values[min(max(n, 0), 99)] for n, weight in weights.items())
                assert float(found[ecg, lead, t]) == pytest.approx(expected / sum(weights.values()), abs=1e-5)


def test_a_wave_is_slower_by_the_scale():
    time = np.arange(1000) / 100
    wave = torch.from_numpy(np.sin(2 * np.pi * 12 * time).astype(np.float32)).expand(1, 12, -1)
    found = stretch(wave, np.array([1.05]), np.array([20]), np.array([1000]))[0, 5, 5:-5].numpy()
    expected = np.sin(2 * np.pi * 12 / 1.05 * (time + 0.2))[5:-5]
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_what_is_left_of_a_cut_ecg_is_repeated_as_a_short_recording_is():
    first, length = np.array([0, 7, 50, 10, 1, 0]), np.array([100, 60, 50, 83, 99, 51])
    found = stretch(SIGNALS, np.ones(6), first, length).numpy()
    for ecg, (begin, count) in enumerate(zip(first, length, strict=True)):
        np.testing.assert_array_equal(found[ecg], fit_length(SIGNALS[ecg, :, begin : begin + count].numpy(), 100))


@pytest.mark.parametrize(("crop", "time_scale"), [(0.5, 0.0), (0.0, 0.05), (0.3, 0.02)])
def test_a_stretch_lies_within_the_ecg_and_the_limits(crop, time_scale):
    scale, first, length = draw_stretch(5000, 1000, crop, time_scale, np.random.default_rng(0))
    assert (np.abs(scale - 1) <= time_scale).all() and np.ptp(scale) >= 1.98 * time_scale
    assert (first >= 0).all() and ((first + length - 1) / scale <= 999 + 1e-9).all()
    there = np.minimum(1000, 999 * scale + 1)
    assert (length <= there).all() and (length >= (1 - crop) * (there - 1)).all()
    assert length.min() < (1 - 0.98 * crop) * 1000  # the limit is reached


def test_noise_meets_the_equations_of_the_leads_and_its_level():
    noise = electrode_noise(np.array([0.0, 0.02, 0.1]), 20_000, np.random.default_rng(0)).double().numpy()
    assert not noise[0].any()
    np.testing.assert_allclose(np.einsum("el,blt->bet", EQUATIONS, noise[:, :6]), 0, atol=1e-6)
    # independent electrodes: variances add, weighted by squares; aVR has 1 + 1/4 + 1/4, V1 has 1 + 3/9
    for lead, variance in (("I", 2), ("II", 2), ("III", 2), ("aVR", 1.5), ("aVF", 1.5), ("V1", 4 / 3), ("V6", 4 / 3)):
        np.testing.assert_allclose(noise[1:, LEADS.index(lead)].std(1), np.sqrt(variance) * np.array([0.02, 0.1]), 0.03)


def test_the_amplitude_changes_by_one_factor_for_all_leads():
    signals = SIGNALS.repeat(100, 1, 1)
    factors = (drawn(signals, AugmentationSection(amplitude=0.2))[0] / signals).numpy()
    np.testing.assert_allclose(factors, factors[:, :1, :1].repeat(12, 1).repeat(100, 2), rtol=1e-5)
    assert factors.min() == pytest.approx(0.8, abs=0.01) and factors.max() == pytest.approx(1.2, abs=0.01)


def test_leads_are_those_of_recorders_or_any():
    count = 20_000
    kept = draw_leads(count, 0.5, np.random.default_rng(0))
    sets = [frozenset(lead for lead, there in zip(LEADS, row, strict=True) if there) for row in kept.tolist()]
    limb = frozenset(LEADS[:6])
    share = {name: np.mean([own == name for own in sets]) for name in (limb, frozenset({"I"}), frozenset({"II"}))}
    # a fifth of the half each, and of any leads 1 of 11 sizes times 1 of 12 leads; limb leads of fewer follow as well
    assert share[frozenset({"I"})] == pytest.approx(0.1 + 0.1 / 132, abs=0.01)
    assert share[frozenset({"II"})] == pytest.approx(0.1 + 0.1 / 132, abs=0.01)
    assert 0.1 < share[limb] < 0.12
    for chest in LEADS[6:]:
        assert np.mean([own == limb | {chest} for own in sets]) == pytest.approx(0.1 / 6, abs=0.005)
    assert all(sets) and np.mean([len(own) == 12 for own in sets]) == pytest.approx(0.5, abs=0.03)
    for own in sets:
        assert len(own & {"I", "II", "III"}) < 2 or limb <= own


def test_every_ecg_or_none_is_masked_at_the_ends_of_the_probability():
    assert draw_leads(50, 0.0, np.random.default_rng(0)).all()
    # but for leads from which all others follow
    assert draw_leads(2000, 1.0, np.random.default_rng(0)).all(axis=1).mean() < 0.03
