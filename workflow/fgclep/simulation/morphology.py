"""From a patient and a condition to the waves of each kind of beat.

The normal activation sequence (septum, apex, lateral wall, base) follows Durrer et al. 1970; conduction defects replace
it as in the AHA/ACCF/HRS recommendations part III (2009). Repolarization after altered conduction follows Wilson's
ventricular gradient: the area of T changes by what the area of QRS has lost or gained. Infarcts remove or reverse the
early forces of their territory; acute injury adds an ST vector towards it (parts IV and VI).
"""

from dataclasses import dataclass

import numpy as np

from fgclep.simulation.findings import Condition
from fgclep.simulation.heart import (
    TABLE_RATE,
    Table,
    Wave,
    horizontal_rotation,
    support,
    tabulate,
    turn_to_axis,
)
from fgclep.simulation.patient import Patient

MS = TABLE_RATE / 1000  # samples per ms
QRS_EDGE = 0.035  # share of the largest deflection at which the QRS begins and ends
P_EDGE = 0.08
_BEFORE, _AFTER = 60.0, 320.0


@dataclass(frozen=True)
class Beat:
    """One kind of beat: its QRS (origin: onset) and its ST segment and T wave (origin: J point, at RR = 1 s)."""

    qrs: Table
    qrs_ms: float
    repolarization: Table
    qt: float  # ms at RR = 1 s
    wobble: np.ndarray | None = None  # change of the QRS at full inspiration, as ``qrs.values``


@dataclass(frozen=True)
class Morphology:
    """All waves of one recording, and the state that no measurement shows."""

    beats: dict[str, Beat]  # main, and ectopic kinds by name
    p: Table  # origin: onset
    p_ms: float
    ectopic_p: Table
    pr_level: np.ndarray  # (8,) mV by which atrial injury lowers the PR segment
    delta: bool = False
    j_notch: bool = False
    scooped: bool = False
    u_wave: bool = False
    discordant: bool = False


def _normal_qrs(patient: Patient) -> Wave:
    """Septum, apex, lateral wall and base; onset near 0 ms, about 90 ms long."""
    d = patient.shape
    wave = Wave()
    wave.add(17 + 1.5 * d[0], 6.5, (-0.11 + 0.05 * d[1], 0.03 + 0.09 * d[2], -0.34 * np.exp(0.30 * d[3])))
    wave.add(37 + 2.0 * d[4], 8.5, (0.95 + 0.10 * d[5], 0.66 + 0.08 * d[6], -0.02 + 0.16 * d[7]))
    wave.add(50 + 1.5 * d[8], 8.5, (0.42 + 0.10 * d[9], 0.25 + 0.10 * d[10], 0.80 * np.exp(0.22 * d[11])))
    wave.add(67 + 2.0 * d[12], 7.5, (-0.14 + 0.12 * d[13], -0.12 + 0.12 * d[14], 0.26 + 0.11 * d[15]))
    return wave


def _chest(center: float, width: float, height: float) -> np.ndarray:
    """Local part in V1 to V6: a bell over the leads around ``center`` (1 = V1)."""
    return height * np.exp(-0.5 * ((np.arange(1, 7) - center) / width) ** 2)


def _left_bundle(rng: np.random.Generator) -> Wave:
    wave = Wave()
    wave.add(22, 10, (0.24, 0.16 + 0.08 * rng.standard_normal(), rng.normal(0.03, 0.10)))
    wave.add(50, 15, (0.72 * rng.uniform(0.8, 1.2), 0.32, 0.66 * rng.uniform(0.75, 1.3)))
    wave.add(82, 15, (0.78 * rng.uniform(0.8, 1.2), 0.14, 0.62 * rng.uniform(0.75, 1.3)))
    wave.add(112, 11, (0.34, -0.02, 0.32 * rng.uniform(0.5, 1.4)))
    return wave


def _paced(rng: np.random.Generator) -> tuple[Wave, float]:
    """Activation from a right ventricular lead: at the apex (superior axis), septum or outflow tract."""
    site = rng.random()
    wave = Wave()
    back = rng.uniform(0.6, 1.3)
    side = rng.uniform(0.3, 1.0) if site < 0.75 else rng.uniform(0.5, 1.0)
    wave.add(24, 12, (0.28 * side, -0.20, 0.16))
    wave.add(56, 17, (0.66 * side, -0.62, 0.62 * back))
    wave.add(92, 17, (0.54 * side, -0.66, 0.68 * back))
    wave.add(126, 13, (0.16 * side, -0.26, 0.30 * back))
    if site < 0.65:
        axis = rng.normal(-74, 16)
    elif site < 0.85:
        axis = rng.normal(-20, 35)
    else:
        axis = rng.normal(78, 12)
    return wave, float(axis)


def _ectopic(rng: np.random.Generator) -> Wave:
    """Ventricular beat from anywhere: from the right ventricle (as in LBBB) or the left one (dominant R in V1)."""
    wave = Wave()
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


def _right_bundle(wave: Wave, rng: np.random.Generator, size: float, start: float, width: float) -> None:
    """Late forces to the right and the front; what they overlap of the basal forces fades."""
    wave.vector[3] = wave.vector[3] * 0.4
    wave.vector[2] = wave.vector[2] * np.array([1.0, 1.0, rng.uniform(0.65, 1.0)])
    right, front = rng.uniform(0.38, 0.60), rng.uniform(0.42, 0.72)
    wave.add(start, width, size * np.array([-0.7 * right, rng.normal(-0.02, 0.08), -0.8 * front]))
    wave.add(start + 1.7 * width, width, size * np.array([-right, rng.normal(-0.04, 0.08), -front]))


def _preexcitation(wave: Wave, rng: np.random.Generator) -> Wave:
    """A slow wave from one of three insertions of the pathway, then the rest of normal activation."""
    vector, weight = {
        0: (np.array([0.02, 0.22, -0.30]), 0.8),  # left lateral: positive in V1
        1: (np.array([0.34, 0.10, 0.12]), 1.0),  # right free wall: as LBBB
        2: (np.array([0.28, -0.26, -0.14]), 0.9),  # posteroseptal: negative in the inferior leads
    }[int(rng.integers(3))]
    size = rng.uniform(0.9, 1.7)
    result = Wave()
    result.add(26, 13, size * vector)
    result.add(48, 13, size * weight * vector)
    shift = rng.uniform(24, 34)
    for i in range(4):
        result.add(wave.center[i] + shift, wave.left[i], wave.vector[i] * (0.35 if i == 0 else 0.85), wave.local[i])
    return result


def _conducted(
    patient: Patient, condition: Condition, rng: np.random.Generator
) -> tuple[Wave, np.ndarray, float]:
    """QRS as the condition conducts it, the area that it would have by the normal way, and its duration in ms."""
    wave = _normal_qrs(patient)
    wave.transform(horizontal_rotation(patient.horizontal))
    axis = patient.axis
    if condition.axis == "left":
        axis = float(np.clip(rng.normal(-42, 8), -68, -32))
    elif condition.axis == "right":
        axis = float(rng.uniform(96, 132))
    turn_to_axis(wave, patient.torso, axis)
    normal = wave.area()
    duration = patient.qrs
    kind = condition.conduction
    if condition.rhythm in ("ventricular_pacing", "av_pacing"):
        wave, axis = _paced(rng)
        turn_to_axis(wave, patient.torso, axis)
        duration = rng.uniform(136, 184)
    elif condition.rhythm == "idioventricular":
        wave = _ectopic(rng)
        duration = rng.uniform(126, 176)
    elif kind in ("lbbb", "ilbbb"):
        full = kind == "lbbb"
        blocked = _left_bundle(rng)
        blocked.transform(horizontal_rotation(0.5 * patient.horizontal))
        turn_to_axis(blocked, patient.torso, float(np.clip(rng.normal(0 if full else 18, 30), -72, 82)))
        if full:
            wave, duration = blocked, rng.uniform(126, 172)
        else:
            blocked.transform(0.9)
            wave, duration = blocked, rng.uniform(104, 118.5)
            wave.vector = [v * np.array([1.0, 1.0, 0.85]) for v in wave.vector]
    elif kind == "wpw":
        wave = _preexcitation(wave, rng)
        duration = rng.uniform(108, 152)
    elif kind == "ivcd":
        for place in (46.0, 64.0, 80.0):
            wave.add(place + rng.normal(0, 4), 7, rng.normal(0, 0.14, 3) + np.array([0.12, 0.0, 0.14]))
        duration = rng.uniform(116, 148)
    elif kind:
        if "lafb" in kind:
            _left_anterior(wave, patient, rng)
            duration = duration + rng.uniform(6, 14)
        elif "lpfb" in kind:
            _left_posterior(wave, patient, rng)
            duration = duration + rng.uniform(4, 12)
        if kind == "irbbb":
            _right_bundle(wave, rng, rng.uniform(0.30, 0.75), 68, 7.5)
            duration = float(np.clip(duration + rng.uniform(4, 18), 92, 118.5))
        elif kind.startswith("rbbb"):
            _right_bundle(wave, rng, rng.uniform(0.75, 1.35), 78, 11)
            duration = rng.uniform(122, 164)
    return wave, normal, float(min(duration, 118.5) if kind in ("lafb", "lpfb") else duration)


def _left_anterior(wave: Wave, patient: Patient, rng: np.random.Generator) -> None:
    """Inferior and right first, then slowly left and superior."""
    wave.vector[0] = np.array([-0.14, 0.22, -0.24]) * rng.uniform(0.7, 1.2)
    main, late = wave.vector[1], wave.vector[2]
    wave.vector[1] = np.array([0.62 * np.hypot(main[0], main[1]), -0.14, main[2]])
    wave.vector[2] = np.array([0.52, -0.62 * rng.uniform(0.8, 1.2), late[2] * 0.9])
    wave.vector[3] = np.array([0.10, -0.34 * rng.uniform(0.7, 1.3), 0.20])
    first = wave.copy()
    for part in (first.center, first.left, first.right, first.vector, first.local):
        del part[0]  # the initial force keeps its direction while the axis is set
    turn = turn_to_axis(first, patient.torso, float(np.clip(rng.normal(-57, 8), -82, -47)))
    wave.vector[1:] = [turn @ vector for vector in wave.vector[1:]]


def _left_posterior(wave: Wave, patient: Patient, rng: np.random.Generator) -> None:
    """Left and superior first, then right and inferior."""
    wave.vector[0] = np.array([0.12, -0.20, -0.22]) * rng.uniform(0.7, 1.2)
    wave.vector[1] = np.array([0.30, 0.80, wave.vector[1][2]])
    wave.vector[2] = np.array([-0.30, 0.62, wave.vector[2][2]])
    wave.vector[3] = np.array([-0.24, 0.24, 0.16])
    rest = wave.copy()
    for part in (rest.center, rest.left, rest.right, rest.vector, rest.local):
        del part[0]
    turn = turn_to_axis(rest, patient.torso, float(rng.uniform(103, 136)))
    wave.vector[1:] = [turn @ vector for vector in wave.vector[1:]]


def _hypertrophy(wave: Wave, patient: Patient, condition: Condition, rng: np.random.Generator) -> float:
    """Enlarge the forces of a ventricle; returns the time in ms by which the QRS grows."""
    size = condition.hypertrophy_size
    if condition.hypertrophy in ("lvh", "lvh_strain"):
        # wall forces act to the left and the back; a large absolute voltage is what the diagnosis rests on
        factor = 1 + size * np.array([0.55, 0.25, 0.50])
        boost = max(1.0, 1.10 / patient.amplitude) ** 0.8
        for i in range(1, len(wave.vector)):
            gain = factor if i < 3 else np.array([1.1, 1.1, 1.25])
            wave.vector[i] = wave.vector[i] * gain * boost
            wave.local[i] = wave.local[i] * factor.mean() * boost
        wave.vector[min(2, len(wave.vector) - 1)] += np.array([0.0, 0.0, 0.30 * size])
        wave.vector[0] = wave.vector[0] * rng.uniform(0.5, 1.3)
        return float(rng.uniform(2, 12))
    size = size * 1.05
    wave.vector[1] = wave.vector[1] * np.array([0.62, 0.9, 1.0]) + size * np.array([-0.10, 0.10, -0.22])
    wave.vector[2] = wave.vector[2] * np.array([0.5, 1.0, 0.35]) + size * np.array([-0.44, 0.10, -0.34])
    wave.vector[3] = size * np.array([-0.42, rng.normal(0.0, 0.12), rng.uniform(-0.25, 0.18)])
    area = wave.area()
    seen = patient.torso[:2] @ area
    if not 95 <= np.degrees(np.arctan2(seen[1] - seen[0] / 2, seen[0] * 0.866)) <= 160:
        turn_to_axis(wave, patient.torso, float(rng.uniform(92, 138)))
    return float(rng.uniform(0, 8))


def _infarct(wave: Wave, condition: Condition, rng: np.random.Generator) -> None:
    """Remove and reverse the early forces of the territory. Component 0 is the earliest one."""
    kind, size = condition.infarct or "", condition.infarct_size
    old = not kind.endswith("stemi")
    if not old and rng.random() < 0.55:
        return
    size = size if old else 0.7 * size
    if kind in ("inferior", "inferolateral", "inferior_stemi") or (kind == "posterior" and rng.random() < 0.45):
        wave.vector[0] = wave.vector[0] * np.array([1.0, 0.2, 0.8])
        wave.add(22, 9.5, (0.06, -0.46 * size, rng.normal(0.0, 0.04)))
        wave.vector[1] = wave.vector[1] * np.array([1.0, np.clip(1 - 0.55 * size, 0.2, 1), 1.0])
    if kind in ("anteroseptal", "anterior", "anterolateral", "anterior_stemi"):
        septal = kind in ("anteroseptal", "anterior_stemi") or rng.random() < 0.5
        keep = rng.uniform(-0.7, 0.35) if septal else rng.uniform(0.1, 0.7)
        wave.vector[0] = wave.vector[0] * np.array([0.6, 1.0, keep])
        wave.add(26, 10, (0.0, 0.0, 0.24 * size), _chest(2.4 if septal else 3.5, 1.1, -0.45 * size))
        if kind != "anteroseptal":
            wave.add(34, 11, (-0.06, 0.0, 0.14 * size), _chest(3.7, 1.0, -0.70 * size))
        wave.vector[1] = wave.vector[1] + np.array([0.0, 0.0, 0.18 * size])
    if kind in ("lateral", "anterolateral", "inferolateral", "lateral_stemi"):
        high = rng.random() < 0.4
        wave.add(22, 9.5, (-0.42 * size, 0.12 * size if high else 0.0, 0.0), _chest(5.6, 0.9, 0.0 if high else -0.30 * size))
        wave.vector[1] = wave.vector[1] * np.array([np.clip(1 - 0.40 * size, 0.3, 1), 1.0, 1.0])
    if kind == "posterior":
        wave.vector[1] = wave.vector[1] + np.array([0.0, 0.0, -0.30 * size])
        wave.vector[2] = wave.vector[2] * np.array([1.0, 1.0, np.clip(1 - 0.9 * size, -0.35, 0.6)])
        wave.vector[3] = wave.vector[3] * np.array([1.0, 1.0, 0.4])


def _fit_duration(wave: Wave, torso: np.ndarray, duration: float, edge: float) -> Table:
    """Stretch the wave in time to ``duration`` ms between its visible edges; the table's origin is the onset."""
    coarse = tabulate(wave, torso, _BEFORE, _AFTER)
    first, last = support(coarse.values, edge)
    factor = duration * MS / max(last - first, 1)
    wave.center = [(center - (first - coarse.origin) / MS) * factor for center in wave.center]
    wave.left = [width * factor for width in wave.left]
    wave.right = [width * factor for width in wave.right]
    return tabulate(wave, torso, 40, duration + 45)


def _p_waves(patient: Patient, condition: Condition, rng: np.random.Generator) -> tuple[Table, float, Table]:
    """Right atrium, then left atrium; and the P wave of an ectopic focus."""
    d = patient.shape
    size = np.exp(0.22 * d[30]) * (0.85 if patient.bmi > 32 else 1.0)
    tilt = 0.03 * d[31]
    right, left = condition.right_atrium, condition.left_atrium
    fast = 1.15 if condition.rhythm == "sinus_tachycardia" else 1.0
    wave = Wave()
    wave.add(36, 15, fast * size * (1 + 1.0 * right) * np.array([0.05 - tilt, 0.105, -0.050 - 0.05 * right]))
    duration = patient.p
    late = 66.0
    posterior = 0.035 + 0.012 * d[32]
    if left:
        duration = rng.uniform(120.5, 146)
        late = 74.0 + rng.uniform(0, 10)
        posterior += rng.uniform(0.05, 0.11) * left
    vector = size * (1 + 0.25 * left) * np.array([0.070 + tilt, 0.055, posterior])
    wave.add(late, 17, vector)
    if condition.repolarization == "hyperkalemia" and condition.repolarization_size > 1.1:
        wave.transform(0.45)
        duration = max(duration, rng.uniform(112, 132))
    if condition.rhythm == "ectopic_atrial" or condition.rhythm == "svt":
        duration = rng.uniform(82, 112)
        focus = Wave()
        sign = rng.choice([-1.0, 1.0])
        focus.add(34, 15, size * np.array([0.02 * sign, -0.10, 0.02 * sign]))
        focus.add(60, 16, size * np.array([0.03 * sign, -0.11, -0.03]))
        wave = focus
    other = Wave()
    other.add(34, 14, rng.normal(0, 0.06, 3) + np.array([0.03, rng.choice([-0.08, 0.09]), 0.0]))
    other.add(60, 15, rng.normal(0, 0.06, 3))
    return (
        _fit_duration(wave, patient.torso, duration, P_EDGE),
        float(duration),
        _fit_duration(other, patient.torso, 95.0, P_EDGE),
    )


_TERRITORY = {"inferior": (0.0, 1.0, 0.15), "lateral": (1.0, -0.10, 0.10), "anterior": (0.25, 0.0, -1.0)}


def _repolarization(
    patient: Patient, condition: Condition, qrs: Wave, normal_area: np.ndarray, qrs_ms: float, rng: np.random.Generator
) -> tuple[Wave, float, dict[str, bool]]:
    """T wave, ST level and U wave: J point at 0, times at RR = 1 s; returns QT and what only the state tells."""
    d, kind, size = patient.shape, condition.repolarization, condition.repolarization_size
    state = {"j_notch": False, "scooped": False, "u_wave": False}
    # women and the old have smaller anterior T waves; the T axis follows the QRS axis in part
    turn = np.radians(0.25 * (patient.axis - 45) + 9 * d[40])
    anterior = (-0.15 if patient.sex == "F" else -0.26) * np.exp(0.35 * d[41]) + 0.0008 * (patient.age - 40)
    length = 0.39 * patient.t_gain
    t = np.array([length * np.cos(np.radians(32) + turn), length * np.sin(np.radians(32) + turn), anterior * patient.t_gain])
    st = np.array([0.018 + 0.012 * d[42], 0.012 + 0.012 * d[43], -0.012 + 0.015 * d[44]])
    if patient.sex == "M":
        st = st + np.array([0.008, 0.004, -0.038]) * np.exp(-0.015 * max(patient.age - 30, 0)) * np.exp(0.4 * d[45])
    qt = patient.qt
    right = (40 + 4 * d[46]) * qt / 410
    left = right * (1.45 + 0.12 * d[47])
    span = 1.2533 * (left + right)

    if condition.hypertrophy in ("lvh", "lvh_strain"):
        grow = condition.hypertrophy_size
        if condition.hypertrophy == "lvh_strain":
            t = t * 0.1 + grow * np.array([-0.22 * rng.uniform(0.6, 1.4), -0.06 + 0.06 * rng.standard_normal(), -0.24])
            st = st + grow * np.array([-0.085, -0.03, -0.085]) * rng.uniform(0.6, 1.4)
        else:
            t = t * np.array([rng.uniform(0.45, 1.0), 0.8, 1.15])
    elif condition.hypertrophy == "rvh":
        t = t + condition.hypertrophy_size * np.array([0.02, -0.05, rng.uniform(0.05, 0.42)])
        st = st + np.array([0.0, -0.01, 0.04]) * condition.hypertrophy_size

    change = normal_area - qrs.area()  # Wilson's ventricular gradient stays
    altered = condition.conduction in ("lbbb", "rbbb", "rbbb+lafb", "rbbb+lpfb", "ilbbb", "wpw", "ivcd")
    if altered or condition.rhythm in ("ventricular_pacing", "av_pacing", "idioventricular"):
        extra = change / span * rng.uniform(0.75, 1.0)
        t = t * 0.9 + 0.82 * extra
        st = st + 0.26 * extra
        qt = qt + 0.75 * max(0.0, qrs_ms - patient.qrs)

    infarct = condition.infarct or ""
    if infarct.endswith("stemi"):
        territory = infarct.split("_")[0]
        injury = np.array(_TERRITORY[territory]) * {"inferior": 0.25, "lateral": 0.22, "anterior": 0.24}[territory]
        injury = injury * rng.uniform(0.75, 1.9) * (1 + rng.normal(0, 0.12, 3))
        st = st + injury
        t = t + injury * rng.uniform(0.1, 1.3) if not condition.inverted_t else t - injury * rng.uniform(0.8, 1.6)
    elif infarct:
        away = np.zeros(3)
        for part, names in (
            ("inferior", ("inferior", "inferolateral")),
            ("anterior", ("anterior", "anteroseptal", "anterolateral")),
            ("lateral", ("lateral", "anterolateral", "inferolateral")),
        ):
            if infarct in names:
                away -= np.array(_TERRITORY[part])
        strength = rng.uniform(0.20, 0.42) if condition.inverted_t else rng.uniform(0.0, 0.14)
        t = t + away * strength
        if infarct == "posterior":
            t = t + np.array([0.0, 0.0, -rng.uniform(0.05, 0.22)])
        elif "anter" in infarct and not condition.inverted_t and rng.random() < 0.35:
            st = st + np.array([0.02, 0.0, -0.10]) * rng.uniform(0.5, 1.4)

    sag = 0.0
    if kind in ("inferior_ischemia", "lateral_ischemia", "anterior_ischemia"):
        territory = np.array(_TERRITORY[kind.split("_")[0]])
        form = rng.random()  # T inversion, ST depression, or both
        if form < 0.72:
            t = t * (0.7 - 0.3 * np.abs(territory)) - territory * rng.uniform(0.20, 0.42) * size
        else:
            t = t * (1 - 0.7 * np.abs(territory))
        if form > 0.30:
            depress = np.array([0.5, 0.35, -0.15]) if kind == "lateral_ischemia" else territory
            st = st - depress * rng.uniform(0.09, 0.17) * size
    elif kind == "diffuse_ischemia":
        st = st - np.array([0.13, 0.10, -0.07]) * size * rng.uniform(0.7, 1.3)
        t = t * rng.uniform(-0.5, 0.6)
    elif kind == "nonspecific_st_t":
        st = st - np.array([0.05, 0.04, -0.01]) * rng.uniform(0.5, 1.4)
        t = t * np.array([rng.uniform(0.05, 0.42), rng.uniform(0.05, 0.5), rng.uniform(0.3, 0.9)])
    elif kind == "nonspecific_t":
        t = t * np.array([rng.uniform(-0.15, 0.36), rng.uniform(-0.2, 0.45), rng.uniform(0.2, 1.0)])
    elif kind == "t_inversion":
        t = t * np.array([-rng.uniform(0.4, 1.1), rng.uniform(-0.9, 0.5), rng.uniform(-0.9, 0.9)])
        t = t * max(1.0, 0.24 / np.linalg.norm(t))
    elif kind == "early_repolarization":
        st = st + np.array([0.075, 0.055, -0.07]) * size * (1 + 0.3 * rng.standard_normal(3))
        t = t * rng.uniform(1.1, 1.5)
        state["j_notch"] = True
    elif kind == "pericarditis":
        st = st + np.array([0.12, 0.13, -0.10]) * size * rng.uniform(0.8, 1.2)
    elif kind == "long_qt":
        qt = rng.uniform(462, 545)
        right = right * rng.uniform(1.0, 1.5)
        left = left * rng.uniform(1.0, 1.6)
        t = t * rng.uniform(0.5, 1.1)
    elif kind == "short_qt":
        qt = rng.uniform(300, 342)
        right, left = right * 0.82, left * 0.72
        t = t * rng.uniform(1.0, 1.6)
    elif kind == "hyperkalemia":
        right = left = right * rng.uniform(0.58, 0.74)
        t = t * rng.uniform(1.6, 2.3)
        t = t * max(1.0, rng.uniform(0.75, 1.1) / np.linalg.norm(t))
    elif kind == "hypokalemia":
        t = t * rng.uniform(-0.05, 0.40)
        st = st - np.array([0.05, 0.04, -0.02]) * size
        state["u_wave"] = True
    elif kind == "digitalis":
        st = st * 0.4
        sag = rng.uniform(0.10, 0.22)
        t = t * rng.uniform(0.0, 0.5)
        qt = rng.uniform(338, 386)
        state["scooped"] = True
    if condition.rhythm in ("svt", "sinus_tachycardia") and condition.rate > 120:
        st = st - np.array([0.0006, 0.0005, -0.0002]) * (condition.rate - 110)

    peak = qt - qrs_ms - 2 * right
    plateau_end = peak - 0.3 * left
    wave = Wave()
    wave.add(peak, (left, right), t)
    # a plateau: bells that overlap from the J point to the ascent of T
    wave.add(0.42 * plateau_end, (max(0.36 * plateau_end, 22), max(0.42 * plateau_end, 24)), st * 1.04)
    if sag:
        direction = qrs.area() / np.linalg.norm(qrs.area())
        wave.add(0.62 * plateau_end, (52, 40), -sag * direction)
    if state["j_notch"]:
        wave.add(4, (6, 7), np.array([0.13, 0.10, 0.02]) * size * rng.uniform(0.7, 1.3))
    u = 0.016 * np.exp(0.4 * d[48])
    if state["u_wave"]:
        u = rng.uniform(0.09, 0.18)
    wave.add(qt - qrs_ms + rng.uniform(60, 85), 30, u * np.array([0.45, 0.30, -0.9]))
    return wave, float(qt), state


def _beat(qrs: Wave, qrs_ms: float, repolarization: Wave, qt: float, torso: np.ndarray, wobble: bool = False) -> Beat:
    table = _fit_duration(qrs, torso, qrs_ms, QRS_EDGE)
    change = None
    if wobble:
        turned = qrs.copy()
        turned.transform(horizontal_rotation(3.0))
        turned.vector = [np.array([[1.0, -0.07, 0.0], [0.07, 1.0, 0.0], [0.0, 0.0, 1.0]]) @ v for v in turned.vector]
        change = tabulate(turned, torso, 40, qrs_ms + 45).values - table.values
    return Beat(table, qrs_ms, tabulate(repolarization, torso, 60, qt - qrs_ms + 190), qt, change)


def _premature(patient: Patient, qrs: Wave, torso: np.ndarray, rng: np.random.Generator) -> Beat:
    """A ventricular premature beat, with its discordant T wave by the ventricular gradient."""
    wave = _ectopic(rng)
    wave.transform(patient.amplitude * rng.uniform(0.9, 1.2))
    duration = rng.uniform(128, 182)
    qt = patient.qt + 0.6 * (duration - 90)
    right, left = 46.0, 62.0
    t = (0.6 * qrs.area() - wave.area()) / (1.2533 * (right + left)) * 0.85
    repolarization = Wave()
    repolarization.add(qt - duration - 2 * right, (left, right), t)
    repolarization.add(60, (40, 55), 0.28 * t)
    return _beat(wave, float(duration), repolarization, float(qt), torso)


def _aberrant(patient: Patient, qrs: Wave, torso: np.ndarray, rng: np.random.Generator) -> Beat:
    """An early supraventricular beat that finds the right bundle refractory."""
    wave = qrs.copy()
    wave.add(92, 14, (-0.32, -0.03, -0.40))
    wave.add(112, 13, (-0.40, -0.03, -0.50))
    duration = rng.uniform(122, 142)
    right, left = 42.0, 60.0
    t = np.array([0.25, 0.16, 0.10]) * patient.amplitude
    repolarization = Wave()
    repolarization.add(patient.qt - duration - 2 * right, (left, right), t)
    return _beat(wave, float(duration), repolarization, patient.qt, torso)


def build(patient: Patient, condition: Condition, rng: np.random.Generator) -> Morphology:
    """Build the waves of all kinds of beats of one recording."""
    torso = patient.torso
    qrs, normal_area, duration = _conducted(patient, condition, rng)
    conducted = qrs.copy()
    if condition.hypertrophy:
        duration += _hypertrophy(qrs, patient, condition, rng)
        if condition.conduction in (None, "irbbb", "ilbbb", "lafb", "lpfb"):
            duration = min(duration, 118.5)
    if condition.infarct:
        _infarct(qrs, condition, rng)
        if condition.conduction is None:
            duration = min(duration + rng.uniform(0, 8), 118.5)
    if condition.repolarization == "hyperkalemia" and condition.repolarization_size > 1.1:
        duration += rng.uniform(5, 26)
    if condition.voltage == "poor_r":
        keep = rng.uniform(0.05, 0.5)
        qrs.vector[0] = qrs.vector[0] * np.array([0.8, 1.0, keep])
        qrs.transform(horizontal_rotation(rng.uniform(8, 24)))
    # the chest wall is close: a part of the QRS that no dipole explains
    for i in range(len(qrs.local)):
        level = np.linalg.norm(qrs.vector[i])
        noise = rng.normal(0, 0.055, 6)
        qrs.local[i] = qrs.local[i] + level * (noise + 0.5 * np.roll(noise, 1))

    repolarization, qt, state = _repolarization(patient, condition, conducted, normal_area, duration, rng)
    amplitude = patient.amplitude
    if condition.voltage == "low" or condition.voltage == "low_limb":
        amplitude = min(amplitude, 1.0) * rng.uniform(0.30, 0.46)
        repolarization.transform(rng.uniform(0.5, 0.85))
        if condition.voltage == "low_limb":
            torso = torso.copy()
            torso[2:] *= rng.uniform(1.4, 2.2)
    qrs.transform(amplitude)
    discordant = (
        condition.hypertrophy == "lvh_strain"
        or condition.conduction in ("lbbb", "wpw")
        or condition.rhythm in ("ventricular_pacing", "av_pacing", "idioventricular")
    )
    main = _beat(qrs, duration, repolarization, qt, torso, wobble=True)
    beats = {"main": main}
    if condition.ectopy in ("pvc", "both", "bigeminy", "trigeminy"):
        beats["pvc"] = _premature(patient, qrs, torso, rng)
    if condition.ectopy in ("pac", "both"):
        beats["aberrant"] = _aberrant(patient, qrs, torso, rng)
    p, p_ms, ectopic_p = _p_waves(patient, condition, rng)
    injury = np.zeros(3)
    if condition.repolarization == "pericarditis":
        injury = -np.array([0.04, 0.05, -0.02]) * rng.uniform(0.8, 1.6)
    return Morphology(
        beats=beats,
        p=p,
        p_ms=p_ms,
        ectopic_p=ectopic_p,
        pr_level=torso @ injury,
        delta=condition.conduction == "wpw",
        discordant=discordant,
        **state,
    )
