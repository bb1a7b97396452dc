"""How the ventricles are activated: the vectors of the QRS complex for each conduction, rhythm and disease.

The normal sequence (septum, apex, lateral wall, base) follows Durrer et al. 1970; conduction defects replace it as in
the AHA/ACCF/HRS recommendations part III (2009); hypertrophy (part V) enlarges the forces of a ventricle; infarcts
remove or reverse the early forces of their territory (part VI). Times are ms from a nominal onset; the beat is
stretched to its duration afterwards.
"""

import math

import numpy as np

from fgclep.simulation.heart.condition import PACED, Condition
from fgclep.simulation.heart.heart import Wave, bounded, horizontal_rotation, turn_to_axis
from fgclep.simulation.heart.patient import Patient

# Septum, apex, lateral wall and base; then the first septal fibres, and the last of the base: too small to be seen in
# most leads. Centre and width in ms, vector in mV, and how both differ between persons: what for each of the deviates.
_NORMAL_CENTER = np.array([17.0, 37, 50, 67, 6, 82])
_NORMAL_WIDTH = np.repeat([[5.6], [6.7], [7.4], [6.4], [4.5], [5.0]], 2, axis=1)
_NORMAL = np.array(
    [
        [-0.02, -0.04, 0.0], [1.04, 0.74, -0.02], [0.44, 0.26, 0.0], [-0.11, -0.03, 0.24], [-0.02, 0.01, -0.045],
        [-0.02, -0.02, 0.035],
    ]
)  # fmt: skip
_NORMAL_SPREAD = np.array(
    [[0.06, 0.09, 0.0], [0.11, 0.12, 0.18], [0.16, 0.18, 0.0], [0.13, 0.15, 0.15], [0.0] * 3, [0.02, 0.02, 0.0]]
)
_NORMAL_DEVIATES = np.array([[1, 2, 3], [5, 6, 7], [9, 10, 11], [13, 14, 15], [0] * 3, [16, 17, 0]])


def _normal_qrs(patient: Patient) -> Wave:
    """Onset near 0 ms, about 90 ms long."""
    d = patient.shape
    center = _NORMAL_CENTER.copy()
    center[:4] += d[[0, 4, 8, 12]] * (1.5, 2.0, 1.5, 2.0)
    vector = _NORMAL + _NORMAL_SPREAD * d[_NORMAL_DEVIATES]
    vector[0, 2], vector[2, 2] = -0.23 * math.exp(0.42 * d[3]), 0.88 * math.exp(0.24 * d[11])
    return Wave(center, _NORMAL_WIDTH.copy(), vector, np.zeros((6, 6)), sharp=True)


# how much more V1 to V6 see of small fronts than a dipole gives: V2 and V3 lie closest to the heart
_NEAR = np.array([0.45, 1.0, 0.9, 0.65, 0.4, 0.3])
_FRAGMENTS = np.linspace(0.02, 0.98, 12)  # of the time from the first front to the last


def fragment(wave: Wave, rng: np.random.Generator, share: float) -> None:
    """Break the smooth course of the fronts: the wall is no shell, and fronts meet, split and wait at scars.

    Energy at 40 to 100 Hz and slurs of the R wave come from there (Golden et al. 1973; Flowers et al. 1969, Am J Med
    46:583, more of it after infarction).

    Parameters
    ----------
    share
        Standard deviation of the additional vectors, relative to the vector of that moment.
    """
    first, last = float(wave.center.min()), float(wave.center.max())
    deviates = rng.standard_normal(120)
    times = first + (last - first) * _FRAGMENTS + 2.0 * deviates[:12]
    moment = wave.curves(times).T @ wave.vector
    size = share * np.sqrt(np.einsum("ij,ij->i", moment, moment))[:, None]
    vector, local = size * deviates[12:48].reshape(12, 3), size * deviates[48:].reshape(12, 6) * _NEAR
    wave.extend(times, np.repeat(rng.uniform(1.3, 4.0, (12, 1)), 2, axis=1), vector, local)


def _chest(center: float, width: float, height: float) -> np.ndarray:
    """Local part in V1 to V6: a bell over the leads around ``center`` (1 = V1)."""
    return height * np.exp(-0.5 * ((np.arange(1, 7) - center) / width) ** 2)


def _left_bundle(rng: np.random.Generator) -> Wave:
    wave = Wave(sharp=True)
    wave.add(22, 10, (0.24, 0.16 + 0.08 * rng.standard_normal(), rng.normal(0.03, 0.10)))
    wave.add(50, 15, (0.72 * rng.uniform(0.8, 1.2), 0.32, 0.66 * rng.uniform(0.75, 1.3)))
    wave.add(82, 15, (0.78 * rng.uniform(0.8, 1.2), 0.14, 0.62 * rng.uniform(0.75, 1.3)))
    wave.add(112, 11, (0.34, -0.02, 0.32 * rng.uniform(0.5, 1.4)))
    return wave


def _paced(rng: np.random.Generator) -> tuple[Wave, float]:
    """Activation from a right ventricular lead: at the apex (superior axis), septum or outflow tract."""
    site = rng.random()
    wave = Wave(sharp=True)
    back = rng.uniform(0.6, 1.3)
    side = rng.uniform(0.3, 1.0) if site < 0.75 else rng.uniform(0.5, 1.0)
    wave.add(24, 12, (0.28 * side, -0.20, 0.16))
    wave.add(56, 17, (0.66 * side, -0.62, 0.62 * back))
    wave.add(92, 17, (0.54 * side, -0.66, 0.68 * back))
    wave.add(126, 13, (0.16 * side, -0.26, 0.30 * back))
    if site < 0.85:  # V4 to V6 lie over the apex, from which the front moves away
        wave.local[1:3] = _chest(5.0, 1.4, -0.75 * rng.uniform(0.3, 1.3))
    if site < 0.65:
        axis = rng.normal(-74, 16)
    elif site < 0.85:
        axis = rng.normal(-20, 35)
    else:
        axis = rng.normal(78, 12)
    return wave, float(axis)


def ectopic_qrs(rng: np.random.Generator) -> Wave:
    """Ventricular beat from anywhere: from the right ventricle (as in LBBB) or the left one (dominant R in V1)."""
    wave = Wave(sharp=True)
    size = rng.uniform(0.65, 1.3)
    angle = np.radians(rng.choice([-75.0, 75.0, 105.0, -110.0, 20.0]) + rng.normal(0, 22))
    side = 1.0 if rng.random() < 0.55 else -1.0
    along = np.array([0.75 * np.cos(angle), 0.95 * np.sin(angle), side * rng.uniform(0.45, 0.95)])
    across = rng.normal(0, 0.28, 3)
    wave.add(28, 14, size * (0.40 * along + across))
    wave.add(62, 19, size * (0.95 * along + 0.4 * across))
    wave.add(98, 19, size * (0.85 * along - 0.5 * across))
    wave.add(132, 13, size * (0.25 * along - across))
    return wave


def _right_bundle(wave: Wave, rng: np.random.Generator, size: float, start: float, width: float, up: float) -> None:
    """Late forces to the right and the front; what they overlap of the basal forces fades.

    The outflow tract, which is last, lies high: ``up`` (negative: upwards) is the mean of their vertical part.
    """
    wave.vector[3] = wave.vector[3] * 0.4
    wave.vector[2] = wave.vector[2] * np.array([1.0, 1.0, rng.uniform(0.65, 1.0)])
    right, front = rng.uniform(0.28, 0.55), rng.uniform(0.45, 0.75)
    wave.add(start, width, size * np.array([-0.7 * right, rng.normal(0.7 * up, 0.08), -0.8 * front]))
    wave.add(start + 1.7 * width, width, size * np.array([-right, rng.normal(up, 0.10), -front]))


def _preexcitation(wave: Wave, rng: np.random.Generator) -> Wave:
    """A slow wave from one of three insertions of the pathway, then the rest of normal activation."""
    vector, weight = {
        0: (np.array([0.02, 0.22, -0.30]), 0.8),  # left lateral: positive in V1
        1: (np.array([0.34, 0.10, 0.12]), 1.0),  # right free wall: as LBBB
        2: (np.array([0.28, -0.26, -0.14]), 0.9),  # posteroseptal: negative in the inferior leads
    }[int(rng.integers(3))]
    size = rng.uniform(0.9, 1.7)
    result = Wave(sharp=True)
    result.add(26, 13, size * vector)
    result.add(48, 13, size * weight * vector)
    shift = rng.uniform(24, 34)
    for i in range(4):
        result.add(wave.center[i] + shift, wave.width[i, 0], wave.vector[i] * (0.35 if i == 0 else 0.85), wave.local[i])
    return result


def conducted_qrs(patient: Patient, condition: Condition, rng: np.random.Generator) -> tuple[Wave, np.ndarray, float]:
    """QRS as the condition conducts it, the area that it would have by the normal way, and its duration in ms."""
    wave = _normal_qrs(patient)
    wave.transform(horizontal_rotation(patient.horizontal))
    axis = patient.axis
    if condition.axis == "left":
        axis = bounded(rng.normal(-42, 8), -68, -32)
    elif condition.axis == "right":
        axis = float(rng.uniform(96, 132))
    turn_to_axis(wave, patient.torso, axis)
    normal = wave.area()
    duration = patient.qrs
    kind = condition.conduction
    if condition.rhythm in PACED:
        wave, axis = _paced(rng)
        turn_to_axis(wave, patient.torso, axis)
        duration = rng.uniform(136, 184)
    elif condition.rhythm in ("idioventricular", "ventricular_tachycardia"):
        wave = ectopic_qrs(rng)
        duration = rng.uniform(126, 176)
    elif kind in ("lbbb", "ilbbb"):
        full = kind == "lbbb"
        blocked = _left_bundle(rng)
        blocked.transform(horizontal_rotation(0.5 * patient.horizontal))
        turn_to_axis(blocked, patient.torso, bounded(rng.normal(0 if full else 18, 30), -72, 82))
        if full:
            wave, duration = blocked, rng.uniform(126, 172)
        else:
            blocked.transform(0.9)
            wave, duration = blocked, rng.uniform(104, 118.5)
            wave.vector = wave.vector * (1.0, 1.0, 0.85)
    elif kind == "wpw":
        wave = _preexcitation(wave, rng)
        duration = rng.uniform(108, 152)
    elif kind == "ivcd":
        for place in (46.0, 64.0, 80.0):
            wave.add(place + rng.normal(0, 4), 7, rng.normal(0, 0.14, 3) + np.array([0.12, 0.0, 0.14]))
        # more than 110 ms in adults (AHA/ACCF/HRS part III); most are not much wider
        duration = rng.uniform(111, 122) if rng.random() < 0.55 else rng.uniform(120, 148)
    elif kind:
        if "lafb" in kind:
            _left_anterior(wave, patient, rng)
            duration = duration + rng.uniform(2, 11)
        elif "lpfb" in kind:
            _left_posterior(wave, patient, rng)
            duration = duration + rng.uniform(4, 12)
        if kind.startswith("irbbb"):
            _right_bundle(wave, rng, rng.uniform(0.35, 0.80), 68, 7.5, -0.16)
            duration = bounded(duration + rng.uniform(4, 18), 92, 118.5)
        elif kind.startswith("rbbb"):
            _right_bundle(wave, rng, rng.uniform(0.75, 1.35), 78, 11, -0.08)
            duration = rng.uniform(122, 164)
    return wave, normal, float(min(duration, 118.5) if kind in ("lafb", "lpfb") else duration)


_BELOW = np.array([0.0, 0.1, 0.4, 0.8, 0.8, 0.6])


def _left_anterior(wave: Wave, patient: Patient, rng: np.random.Generator) -> None:
    """Inferior and right first, then slowly left and superior (Elizari et al. 2007, Circulation 115:1154)."""
    wave.vector[0] = np.array([-0.14, 0.14, -0.20]) * rng.uniform(0.7, 1.2)
    main, late = wave.vector[1], wave.vector[2]
    wave.vector[1] = np.array([0.64 * np.hypot(main[0], main[1]), -0.12, main[2]])
    wave.vector[2] = np.array([0.36, -0.44 * rng.uniform(0.7, 1.2), late[2] * 0.7])
    wave.vector[3] = np.array([-0.04, -0.34 * rng.uniform(0.7, 1.3), 0.24])
    wave.center[2] += 3.0  # by the posterior fascicle and around: the lateral wall is late
    # V4 to V6 lie below the late forces, which move away from them: S waves up to V6
    for i in (2, 3):
        wave.local[i] = wave.local[i] + wave.vector[i][1] * rng.uniform(0.5, 1.5) * _BELOW
    first = wave.copy(1)  # the initial force keeps its direction while the axis is set
    turn = turn_to_axis(first, patient.torso, bounded(rng.normal(-52, 8), -80, -46))
    wave.vector[1:] = wave.vector[1:] @ turn.T


def _left_posterior(wave: Wave, patient: Patient, rng: np.random.Generator) -> None:
    """Left and superior first, then right and inferior."""
    wave.vector[0] = np.array([0.12, -0.20, -0.22]) * rng.uniform(0.7, 1.2)
    wave.vector[1] = np.array([0.30, 0.80, wave.vector[1][2]])
    wave.vector[2] = np.array([-0.30, 0.62, wave.vector[2][2]])
    wave.vector[3] = np.array([-0.24, 0.24, 0.16])
    rest = wave.copy(1)
    turn = turn_to_axis(rest, patient.torso, float(rng.uniform(103, 136)))
    wave.vector[1:] = wave.vector[1:] @ turn.T


def enlarge(wave: Wave, patient: Patient, condition: Condition, rng: np.random.Generator) -> float:
    """Enlarge the forces of a ventricle; returns the time in ms by which the QRS grows."""
    size = condition.hypertrophy_size
    if condition.hypertrophy in ("lvh", "lvh_strain"):
        # wall forces act to the left and the back; a large absolute voltage is what the diagnosis rests on
        factor = 1 + size * np.array([0.62, 0.34, 0.10])
        boost = max(1.0, 1.10 / patient.amplitude) ** 0.8
        for i in range(1, len(wave.vector)):
            gain = factor if i < 3 else np.array([1.1, 1.1, 1.25])
            wave.vector[i] = wave.vector[i] * gain * boost
            wave.local[i] = wave.local[i] * factor.mean() * boost
        wave.vector[min(2, len(wave.vector) - 1)] += np.array([0.0, 0.0, 0.05 * size])
        wave.vector[0] = wave.vector[0] * rng.uniform(0.5, 1.3)
        return float(rng.uniform(2, 12))
    if condition.hypertrophy == "septal":
        # the thick septum adds early forces to the right and the front: deep narrow Q waves in the lateral leads
        # (2014 ESC guidelines on hypertrophic cardiomyopathy)
        wave.vector[0] = wave.vector[0] * 1.3 + size * np.array([-0.42, rng.normal(-0.12, 0.12), -0.30])
        for i in (1, 2):
            wave.vector[i] = wave.vector[i] * (1 + 0.30 * size)
        return float(rng.uniform(0, 6))
    size = size * 1.05
    wave.vector[1] = wave.vector[1] * np.array([0.62, 0.9, 1.0]) + size * np.array([-0.10, 0.10, -0.22])
    wave.vector[2] = wave.vector[2] * np.array([0.5, 1.0, 0.35]) + size * np.array([-0.44, 0.10, -0.34])
    wave.vector[3] = size * np.array([-0.42, rng.normal(0.0, 0.12), rng.uniform(-0.25, 0.18)])
    wave.transform(1.15 * max(1.0, 1.05 / patient.amplitude) ** 0.7)
    seen = patient.torso[:2] @ wave.area()
    if not 95 <= np.degrees(np.arctan2(seen[1] - seen[0] / 2, seen[0] * 0.866)) <= 160:
        turn_to_axis(wave, patient.torso, float(rng.uniform(92, 138)))
    return float(rng.uniform(0, 8))


def infarct(wave: Wave, kind: str, size: float, rng: np.random.Generator) -> None:
    """Remove and reverse the early forces of one territory. Component 0 is the earliest one.

    What is lost follows Selvester's score (Wagner et al. 1982, Circulation 65:342): most old infarcts take a few
    percent of the wall, so forces shrink and the first 30 ms turn away, and only large ones leave deep and wide Q
    waves. Forces turn up and to the left after inferior infarction; after anteroseptal infarction R is small up to V4,
    with QS in V1 and V2 at most; after infarction of the high lateral wall, the commoner lateral one, Q is in aVL and
    I and not in V5 and V6.
    """
    old = not kind.endswith("stemi")
    if not old and rng.random() < 0.55:
        return
    size = size if old else 0.7 * size
    if (
        kind.startswith("infero")
        or kind in ("inferior", "inferior_stemi")
        or (kind == "posterior" and rng.random() < 0.45)
    ):
        wave.vector[0] = wave.vector[0] * np.array([1.0, 0.2, 0.8])
        deep = rng.uniform(0.12, 1.0)  # Q waves shrink with the years, and a tenth of them goes
        wave.add(24, 9.5, (0.22 * size * (1 - deep), -0.48 * size * deep, rng.normal(0.0, 0.04)))
        wave.vector[1:3, 1] *= bounded(1 - rng.uniform(0.5, 0.85) * size, 0.0, 1)
    if kind in ("anteroseptal", "anterior", "anterolateral", "anterior_stemi"):
        small = kind == "anterior"  # what reaches beyond V3 is called anteroseptal or anterolateral
        wave.vector[0] = wave.vector[0] * np.array([0.6, 1.0, rng.uniform(-0.4, 0.7)])
        wide = kind == "anterolateral"
        deep = size * rng.uniform(0.6, 3.0)
        early = _chest(4.4, 0.9, -0.10 * deep) if wide else _chest(2.1, 1.0, -0.18 * deep)
        wave.add(26, 10, (0.0, 0.0, 0.06 * deep if wide else 0.10 * deep), early)
        wave.vector[1:3, 2] += (0.12 if small else 0.22 if wide else 0.30) * size
        wave.local[1] += _chest(4.3 if wide else 3.9, 1.0, (-0.15 if small else -0.65) * size)
    if kind in ("lateral", "anterolateral", "inferolateral", "inferoposterolateral", "lateral_stemi"):
        high = rng.random() < (0.85 if kind == "lateral" else 0.5)
        down = rng.uniform(0.1, 0.3) if high else 0.0
        wave.add(22, 9.5, (-0.24 * size, down * size, 0.0), _chest(5.0, 1.3, (0.34 if high else -0.08) * size))
        wave.vector[1:3, 0] *= bounded(1 - 0.42 * size, 0.3, 1)
    if "posterior" in kind:
        wave.vector[1] = wave.vector[1] + np.array([0.0, 0.0, -0.30 * size])
        wave.vector[2] = wave.vector[2] * np.array([1.0, 1.0, bounded(1 - 0.9 * size, -0.35, 0.6)])
        wave.vector[3] = wave.vector[3] * np.array([1.0, 1.0, 0.4])
