"""What is recorded beside the heart: muscle, wander, mains, electrodes that move, and cables on the wrong limb.

Noise arises at the electrodes (RA, LA, LL, V1 to V6), so that Einthoven's and Goldberger's relations hold for it as for
the heart. Kinds and spectra as in the MIT-BIH noise stress test database (Moody, Muldrow, Mark 1984): muscle is broad
above 15 Hz, baseline wander falls with frequency, electrode motion lies at 1 to 8 Hz and looks like ectopic beats.
Levels are those of a resting ECG: mostly clean, sometimes poor.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fgclep.simulation.heart.heart import SAMPLING_RATE

# nine electrodes to I, II, V1..V6; the chest leads refer to Wilson's terminal
ELECTRODES = np.zeros((8, 9), np.float32)
ELECTRODES[0, :2] = (-1, 1)
ELECTRODES[1, [0, 2]] = (-1, 1)
ELECTRODES[2:, :3] = -1 / 3
ELECTRODES[2:, 3:] = np.eye(6)
_BLOCK = 100  # samples
POOR = 0.12  # share of poor recordings
# muscle noise is that of the limb below the electrode: most of it comes from the arms
MUSCLE = np.array([1.15, 1.15, 0.4, *[0.25] * 6])
# drift and breathing are smallest where electrodes do not move with the chest
WANDER = np.array([0.6, 0.6, 1.1, *[1.25] * 6])
_BELOW_ELECTRODES = np.stack([MUSCLE, WANDER], axis=1)
_DEVIATES = np.arange(-128, 128) + 0.5  # each as likely
AMPLIFIER = 0.0018  # mV root mean square of an input; IEC 60601-2-25 allows 30 microvolts from peak to valley
# arm cables are swapped in 0.4 % of outpatients and up to 4 % in intensive care (Rudiger et al. 2007, Swiss Med Wkly
# 137:190; Batchvarov et al. 2007, Europace 9:1081); adjacent chest cables about as often
SWAPPED_ARMS = 0.006
SWAPPED_CHEST = 0.006


def draw_connection(rng: np.random.Generator) -> np.ndarray | None:
    """Draw how the cables were put on: an (8, 8) matrix that acts on I, II, V1 to V6, or ``None`` if rightly."""
    chance = rng.random()
    if chance > SWAPPED_ARMS + SWAPPED_CHEST:
        return None
    matrix = np.eye(8, dtype=np.float32)
    if chance < SWAPPED_ARMS:  # I is inverted, II becomes III
        matrix[:2, :2] = ((-1, 0), (-1, 1))
    else:
        first = 2 + int(rng.integers(5))
        matrix[[first, first + 1]] = matrix[[first + 1, first]]
    return matrix


@dataclass(frozen=True)
class Levels:
    """How strong the noise of one recording is, mV root mean square at an electrode."""

    poor: bool
    muscle: float
    wander: float


def draw_levels(rng: np.random.Generator) -> Levels:
    """Draw the levels: lognormal, higher in poor recordings."""
    poor = rng.random() < POOR
    muscle = np.exp(rng.normal(np.log(0.0045), 0.32)) * (2.5 if poor else 1.0)
    wander = np.exp(rng.normal(np.log(0.034), 0.65)) * (2.5 if poor else 1.0)
    return Levels(poor, float(muscle), float(wander))


@lru_cache(maxsize=32)
def _bands(samples: int, bins: int) -> np.ndarray:
    """Power of amplifier (white), muscle (15 to 220 Hz) and drift (as f^-3 above 0.1 Hz) at 1 mV, shape (3, bins)."""
    frequency = np.maximum(np.arange(bins) * (SAMPLING_RATE / samples), 0.1)
    drift = frequency**-1.5
    drift[0] = 0.0
    muscle = 1 / (1 + (15 / frequency) ** 2) / (1 + (frequency / 220) ** 4)
    bands = np.stack([np.ones(bins), muscle, drift**2 * (samples / 2 / np.sum(drift**2))])
    # a bin of white noise has a variance of samples / 2 in either part
    return (bands * (samples / 2 / _DEVIATES.var())).astype(np.float32)


@lru_cache(maxsize=8)
def times(samples: int) -> np.ndarray:
    """Time of each sample in s, float32; not to be written to."""
    return np.arange(samples, dtype=np.float32) / np.float32(SAMPLING_RATE)


def noise_spectrum(samples: int, bins: int, levels: Levels, rng: np.random.Generator) -> np.ndarray:
    """Spectrum of amplifier and muscle noise and slow drift in the eight leads, as ``scipy.fft.rfft`` would give it.

    Parameters
    ----------
    samples
        Length of the signal that the spectrum is of.
    bins
        Number of the lowest bins; no noise is made above them.

    Returns
    -------
    numpy.ndarray
        float32, shape (8, 2, bins): real and imaginary parts.
    """
    # The sum of thousands of bins is normal whatever each is drawn from: even deviates of a byte, the fastest to draw.
    drawn = rng.bit_generator.random_raw(-(-18 * bins // 8)).astype("<u8", copy=False).view(np.int8)
    deviates = drawn[: 18 * bins].reshape(9, 2, bins).astype(np.float32)
    deviates += np.float32(0.5)
    strength = np.exp(rng.standard_normal((9, 3)) * (0.1, 0.2, 0.35)) * (AMPLIFIER, levels.muscle, 0.35 * levels.wander)
    strength[:, 1:] *= _BELOW_ELECTRODES
    power = np.square(strength).astype(np.float32) @ _bands(samples, bins)
    deviates *= np.sqrt(power, out=power)[:, None]
    return at_leads(deviates)


def at_leads(electrodes: np.ndarray) -> np.ndarray:
    """I, II, V1 to V6 of nine electrodes, as by ``ELECTRODES``; shape (9, ...) to (8, ...), in place."""
    right, left, foot = electrodes[:3]
    terminal = right + left
    terminal += foot
    terminal *= np.float32(1 / 3)
    leads = electrodes[1:]
    leads[2:] -= terminal
    leads[:2] -= right
    return leads


def add_disturbances(signal: np.ndarray, levels: Levels, rng: np.random.Generator, mains: float) -> None:
    """Add breathing, mains, bursts of muscle, moving and failing electrodes to ``signal`` (8, n), mV, in place."""
    n = signal.shape[1]
    seconds = n / SAMPLING_RATE
    hertz = [rng.uniform(0.15, 0.35)]  # breathing
    waves = [0.7 * levels.wander * rng.standard_normal((9, 2)) * WANDER[:, None]]
    if rng.random() < 0.35:
        hertz.append(mains)
        waves.append(rng.standard_normal((9, 2)) * math.exp(rng.normal(math.log(0.004), 0.8)))
    _add_sines(signal, hertz, waves)
    basis, weights, time = [], [], times(n)
    if rng.random() < (0.5 if levels.poor else 0.05):  # motion of one electrode, 1 to 8 Hz for a second or two
        center, width = rng.uniform(0, seconds), rng.uniform(0.3, 1.2)
        course = sum(
            np.sin(2 * math.pi * rng.uniform(1, 8) * time + rng.uniform(0, 6.28)) * rng.uniform(0.3, 1.0)
            for _ in range(3)
        )
        basis.append(course * np.exp(-0.5 * ((time - center) / width) ** 2))
        weights.append(_at_one_electrode(rng, math.exp(rng.normal(math.log(0.08), 0.6))))
    if levels.poor and rng.random() < 0.3:  # contact lost for a moment: a step that the amplifier forgets
        start = rng.uniform(0, seconds)
        basis.append(np.where(time > start, np.exp(-np.abs(time - start) / rng.uniform(0.1, 1.0)), np.float32(0)))
        weights.append(_at_one_electrode(rng, rng.normal(0, 0.5)))
    if basis:
        signal += (ELECTRODES @ np.concatenate(weights, axis=1).astype(np.float32)) @ np.stack(basis)
    if rng.random() < 0.15:  # a burst of tremor
        center, width = rng.uniform(0, seconds), rng.uniform(0.4, 1.5)
        low, high = max(0, int((center - 2.5 * width) * SAMPLING_RATE)), int((center + 2.5 * width) * SAMPLING_RATE)
        part = time[low:high]
        white = rng.standard_normal((9, len(part) + 1), dtype=np.float32)
        strength = (levels.muscle * rng.uniform(1, 4) * np.exp(rng.normal(0, 0.5, (9, 1)))).astype(np.float32)
        burst = white[:, 1:] - np.float32(0.5) * white[:, :-1]
        burst *= np.exp(-0.5 * ((part - center) / width) ** 2) * strength
        signal[:, low:high] += at_leads(burst)
    if levels.poor and rng.random() < 0.02:  # a chest electrode that is off for a few seconds
        start = int(rng.uniform(0, n))
        signal[2 + int(rng.integers(6)), start : start + int(rng.uniform(1, 4) * SAMPLING_RATE)] = 0.0


def _add_sines(signal: np.ndarray, hertz: list[float], waves: list[np.ndarray]) -> None:
    """Add sines and cosines to ``signal`` (8, n), each with its weights at the electrodes, (9, 2).

    A block's samples follow from its first one by the addition theorems: few values are sines.
    """
    n = signal.shape[1]
    blocks = -(-n // _BLOCK)
    turn = 2 * math.pi / SAMPLING_RATE * np.array(hertz)
    starts = np.exp(1j * turn * (_BLOCK * np.arange(blocks))[:, None])  # (blocks, waves)
    within = np.exp(1j * turn[:, None] * np.arange(_BLOCK)).view(np.float64).reshape(len(hertz), _BLOCK, 2)
    # a sine and a cosine with weights a and b are the imaginary part of (a + ib) times a unit vector that turns
    weights = ELECTRODES.astype(float) @ np.stack(waves)
    turned = starts * (weights[..., 0] + 1j * weights[..., 1]).T[:, None]
    left = np.concatenate([turned.imag, turned.real], axis=2).reshape(8 * blocks, -1)
    right = np.concatenate([within[..., 0], within[..., 1]])
    signal += (left.astype(np.float32) @ right.astype(np.float32)).reshape(8, -1)[:, :n]


def _at_one_electrode(rng: np.random.Generator, size: float) -> np.ndarray:
    weights = np.zeros((9, 1))
    weights[int(rng.integers(9))] = size
    return weights
