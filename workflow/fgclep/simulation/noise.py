"""The recording chain: electrode noise, wander, muscle, mains.

Noise arises at the electrodes (RA, LA, LL, V1 to V6), so that Einthoven's and Goldberger's relations hold for it as for
the heart. Amplitudes as in the MIT-BIH noise stress test and CSE databases: mostly clean, sometimes poor.
"""

import numpy as np

from fgclep.simulation.heart import SAMPLING_RATE

# nine electrodes to I, II, V1..V6; the chest leads refer to Wilson's terminal
_ELECTRODES = np.zeros((8, 9), np.float32)
_ELECTRODES[0, :2] = (-1, 1)
_ELECTRODES[1, [0, 2]] = (-1, 1)
_ELECTRODES[2:, :3] = -1 / 3
_ELECTRODES[2:, 3:] = np.eye(6)


def add_noise(signal: np.ndarray, rng: np.random.Generator, mains: float) -> None:
    """Add the noise of one recording to ``signal`` (8, n), in mV, in place."""
    n = signal.shape[1]
    time = np.arange(n, dtype=np.float32) / SAMPLING_RATE
    poor = rng.random() < 0.12
    # muscle: white noise, smoothed a little, of uneven strength over the electrodes
    white = rng.standard_normal((9, n + 2), dtype=np.float32)
    muscle = white[:, 1:-1] + 0.5 * (white[:, :-2] + white[:, 2:])
    level = np.exp(rng.normal(np.log(0.0035), 0.7)) * (3.0 if poor else 1.0)
    strength = (level * np.exp(rng.normal(0, 0.35, 9))).astype(np.float32)
    electrodes = muscle * strength[:, None]
    if rng.random() < 0.15:  # a burst of tremor
        center, width = rng.uniform(0, n / SAMPLING_RATE), rng.uniform(0.4, 1.5)
        electrodes *= 1 + rng.uniform(1, 4) * np.exp(-0.5 * ((time - center) / width) ** 2, dtype=np.float32)
    # wander: breathing and slow drifts
    frequencies = np.concatenate([rng.uniform(0.15, 0.35, 1), rng.uniform(0.03, 0.15, 1), rng.uniform(0.3, 0.6, 1)])
    scale = np.exp(rng.normal(np.log(0.025), 0.8)) * (2.5 if poor else 1.0)
    weights = rng.normal(0, 1, (9, 6)) * np.tile([1.0, 1.2, 0.3], 2) * scale
    phase = 2 * np.pi * frequencies[:, None].astype(np.float32) * time
    basis = np.concatenate([np.sin(phase), np.cos(phase)])
    if rng.random() < 0.35:
        hum = (2 * np.pi * mains * time + rng.uniform(0, 6.28)).astype(np.float32)
        basis = np.concatenate([basis, np.sin(hum)[None], np.cos(hum)[None]])
        mains_weights = rng.normal(0, 1, (9, 2)) * np.exp(rng.normal(np.log(0.004), 0.8))
        weights = np.concatenate([weights, mains_weights], axis=1)
    if poor and rng.random() < 0.3:  # an electrode that moves: a step that the amplifier forgets
        start = rng.uniform(0, n / SAMPLING_RATE)
        step = np.where(time > start, np.exp(-(time - start) / 0.8), 0.0)
        electrodes[int(rng.integers(9))] += (rng.normal(0, 0.5) * step).astype(np.float32)
    electrodes += weights.astype(np.float32) @ basis.astype(np.float32)
    signal += _ELECTRODES @ electrodes
