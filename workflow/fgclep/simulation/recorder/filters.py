"""The electrocardiograph: its pass band, its notch against the mains, and the step of its converter.

Recommended are 0.05 to 150 Hz for adults (Kligfield et al. 2007, AHA/ACC/HRS recommendations part I), or 0.67 Hz for
digital high-pass filters without phase distortion; in use are 40 and 100 Hz more often than 150 Hz (Kligfield and Okin
2007, Am J Cardiol 99:711), though what carts store is seldom filtered as what they print. All filters but the analog
high-pass are linear in phase, as in digital carts.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fgclep.simulation.heart.heart import SAMPLING_RATE
from fgclep.simulation.heart.prevalence import pick

# names of the table's keys are Hz or microvolts
_LOW_PASS = {"250": 0.30, "150": 0.47, "100": 0.17, "40": 0.06}
_HIGH_PASS = {"0.05": 0.70, "0.16": 0.16, "0.67": 0.14}
_STEP = {"1": 0.3, "2.5": 0.15, "4.88": 0.35, "5": 0.2}  # of Mortara, Marquette, GE Muse, Schiller and Philips carts
_ZERO_PHASE = 0.5  # Hz; high-pass filters from here on are digital and without phase


@dataclass(frozen=True)
class Cart:
    """One setting: edges of the pass band in Hz, the notch's frequency (0: none), and mV per unit."""

    low_pass: float
    high_pass: float
    notch: float
    step: float

    @property
    def highest(self) -> float:
        """Frequency in Hz above which nothing of what comes in is left."""
        return min(4.0 * self.low_pass, SAMPLING_RATE / 2)


@lru_cache(maxsize=256)
def response(cart: Cart, samples: int) -> np.ndarray:
    """Complex gain of a cart up to its highest frequency, for the bins of an FFT of ``samples``, complex64."""
    step = SAMPLING_RATE / samples
    frequency = np.arange(int(cart.highest / step) + 1) * step
    gain = 1 / np.sqrt(1 + (frequency / cart.low_pass) ** 4)
    if cart.notch:
        with np.errstate(divide="ignore"):
            gain = gain / np.sqrt(1 + (2.0 * frequency / (frequency**2 - cart.notch**2)) ** 2)
    if cart.high_pass < _ZERO_PHASE:
        return (gain * (1j * frequency / (cart.high_pass + 1j * frequency))).astype(np.complex64)
    return (gain / (1 + (cart.high_pass / np.maximum(frequency, 1e-6)) ** 4)).astype(np.complex64)


def draw_cart(rng: np.random.Generator, mains: float) -> Cart:
    """Draw the setting of one recording; half of the carts filter the mains."""
    return Cart(
        low_pass=float(pick(rng, _LOW_PASS)),
        high_pass=float(pick(rng, _HIGH_PASS)),
        notch=mains if rng.random() < 0.5 else 0.0,
        step=float(pick(rng, _STEP)) / 1000,
    )
