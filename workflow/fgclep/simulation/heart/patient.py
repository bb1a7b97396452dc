"""A person: age, sex, body, and the normal variation of the heart's size, position and timing.

Distributions of intervals and axis by age and sex follow Rijnbeek et al. 2014 (J Electrocardiol 47:914, Dutch adults)
and Mason et al. 2007 (J Electrocardiol 40:228); voltage by age, sex and habitus Macfarlane et al. (Comprehensive
Electrocardiology, 2nd ed., appendix 1) and Rautaharju et al. 1994.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fgclep.simulation.heart.heart import DOWER, KORS_TORSO, bounded
from fgclep.simulation.heart.prevalence import FLAT, Prevalence

# The atria lie behind and above: V2 to V6 see less of them (P about 0.06 mV in V4 to V6 and 0.12 mV in II, Macfarlane).
_ATRIAL = np.array([1.10, 0.88, 0.95, 0.36, 0.29, 0.31, 0.36, 0.52])
# Published voltages of healthy adults (Macfarlane) are higher in all leads but V1 than the matrices give them.
_GAIN = np.array([1.24, 1.07, 0.80, 1.18, 1.20, 1.21, 1.16, 1.05])[:, None]
_BY_KORS = KORS_TORSO - DOWER
_PLACES = np.arange(6.0)  # of V1 to V6


@dataclass(frozen=True)
class Patient:
    """What stays the same between two recordings of a person."""

    age: float  # years
    sex: str  # F | M
    healthy: bool
    bmi: float  # kg/m2
    amplitude: float  # voltage relative to the average man of 40
    axis: float  # degrees, of the normally conducted QRS
    horizontal: float  # degrees, rotation towards the back
    pr: float  # ms
    qrs: float  # ms
    qt: float  # ms at RR = 1 s (Fridericia), by the tangent to T, so 10 ms shorter than by eye (Vink et al. 2018)
    p: float  # ms, duration of the P wave
    t_gain: float  # size of the T wave
    torso: np.ndarray  # (8, 3) lead vectors of the ventricles
    shape: np.ndarray  # (64,) standard normal deviates for the vectors of each wave

    @cached_property
    def atrial_torso(self) -> np.ndarray:
        """Lead vectors of the atria, shape (8, 3)."""
        return self.torso * _ATRIAL[:, None]


def _torso(rng: np.random.Generator, bmi: float) -> np.ndarray:
    """Lead vectors of one torso: position of the heart, and chest electrodes that sit too high, low or wide."""
    torso = DOWER + rng.random() * _BY_KORS
    torso = torso * (1 + 0.09 * rng.standard_normal((8, 1))) + 0.05 * rng.standard_normal((8, 3))
    along = _PLACES + bounded(0.26 * rng.standard_normal(), -0.6, 0.6) + 0.13 * rng.standard_normal(6)
    before = np.minimum(along.clip(0, 5).astype(np.intp), 4)
    share = (along.clip(0, 5) - before)[:, None]
    chest = torso[2:]
    torso[2:] = chest[before] * (1 - share) + chest[before + 1] * share
    torso[2:, 1] += 0.15 * rng.standard_normal() + 0.06 * rng.standard_normal(6)
    torso *= _GAIN
    torso[2:] *= math.exp(0.08 * rng.standard_normal() - 0.008 * (bmi - 26))
    return torso


def draw_patient(rng: np.random.Generator, prevalence: Prevalence = FLAT) -> Patient:
    """Draw a person; the healthy are younger."""
    healthy = rng.random() < prevalence.healthy
    age = bounded(rng.normal(47, 17) if healthy else rng.normal(64, 16), 18, 97)
    sex = "F" if rng.random() < (0.52 if healthy else 0.46) else "M"
    female = sex == "F"
    bmi = bounded(26 + 4.5 * rng.gamma(2.0, 0.6) - 5.0, 17, 48)
    years = age - 40
    amplitude = 1.15 * math.exp(rng.normal(0, 0.16)) * (0.88 if female else 1.0)
    amplitude *= math.exp(-0.0035 * years if years > 0 else (-0.010 if not female else -0.004) * years)
    axis = bounded(rng.normal(46 - 0.55 * years - 1.0 * (bmi - 26), 31), -29, 94)
    t_size = (0.0, 0.30) if healthy else (-0.12, 0.36)  # mean and spread of its logarithm
    return Patient(
        age=age,
        sex=sex,
        healthy=bool(healthy),
        bmi=bmi,
        amplitude=float(amplitude),
        axis=axis,
        horizontal=bounded(rng.normal(2 + 0.12 * years, 14), -28, 38),
        pr=bounded(rng.normal(152 + 0.25 * years + (0 if female else 5), 22), 112, 198),
        qrs=bounded(rng.normal(84 if female else 92, 7.5), 68, 106),
        qt=bounded(rng.normal((389 if female else 378) + 0.15 * years, 14), 345, 432),
        p=bounded(rng.normal(103 + 0.10 * years, 8.5), 78, 118),
        t_gain=float(math.exp(rng.normal(*t_size)) * (0.84 if female else 1.0) * math.exp(-0.004 * years)),
        torso=_torso(rng, bmi),
        shape=rng.standard_normal(64),
    )
