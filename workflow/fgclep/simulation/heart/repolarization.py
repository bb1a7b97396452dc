"""ST segment, T wave and U wave.

After altered conduction they follow Wilson's ventricular gradient: the area of T changes by what the area of QRS has
lost or gained. Ischemia and injury act along the direction of their territory, drugs, electrolytes and inheritance on
shape and duration (AHA/ACCF/HRS recommendations part IV, 2009).
"""

from dataclasses import dataclass

import numpy as np

from fgclep.simulation.heart.condition import VENTRICULAR, Condition
from fgclep.simulation.heart.heart import Wave, bounded, turn_to_axis
from fgclep.simulation.heart.patient import Patient

# direction towards which injury of a territory moves the ST segment
_TERRITORY = {
    "inferior": np.array([0.0, 1.0, 0.15]),
    "lateral": np.array([1.0, -0.10, 0.10]),
    "anterior": np.array([0.25, 0.0, -1.0]),
    "anteroseptal": np.array([-0.10, 0.0, -1.0]),
    "anterolateral": np.array([0.70, 0.0, -0.70]),
    "inferolateral": np.array([0.70, 0.70, 0.10]),
}
_INJURY = {"inferior": 0.25, "lateral": 0.22, "anterior": 0.24}  # mV
_INFARCTED = {
    "inferior": ("inferior", "inferolateral", "inferoposterior", "inferoposterolateral"),
    "anterior": ("anterior", "anteroseptal", "anterolateral"),
    "lateral": ("lateral", "anterolateral", "inferolateral", "inferoposterolateral"),
}
# T in V1 to V6 relative to what a dipole gives that fits the limb leads: T is about 2.5 times that of lead I in V2 and
# V3, 2.2 times in V4, 1.8 in V5, 1.4 in V6 (Macfarlane)
_T_CHEST = np.array([0.88, 1.16, 0.74, 0.66, 0.72, 0.92])
_NOWHERE = np.zeros(6)
_T_NEAR = np.array([0.05, 0.05, 0.04, 0.03, 0.02, 0.02])  # mV, how persons differ beyond that
ALTERED = ("lbbb", "rbbb", "rbbb+lafb", "rbbb+lpfb", "ilbbb", "wpw", "ivcd")


@dataclass
class Course:
    """Repolarization of one beat: vectors in mV, times in ms at RR = 1 s."""

    t: np.ndarray
    st: np.ndarray
    st_chest: np.ndarray  # parts of ST and T in V1 to V6 that no dipole gives, mV, shape (6,)
    t_chest: np.ndarray
    qt: float
    left: float  # widths of the T wave before and after its peak
    right: float
    sag: float = 0.0  # depth of a scooped ST segment, mV
    u: float = 0.0
    notch: float = 0.0  # size of a J wave
    prominent_u: bool = False
    concave: bool = False  # the ST segment sags between the J point and T
    late_t: np.ndarray | None = None  # a second part of T, mV, with which it ends

    @property
    def span(self) -> float:
        """Area of a T wave of unit height, ms."""
        return float(np.sqrt(np.pi / 2) * (self.left + self.right))


def _healthy(patient: Patient) -> Course:
    """Women and the old have smaller anterior T waves and ST levels; the T axis follows the QRS axis in part."""
    d = patient.shape
    anterior = (-0.23 if patient.sex == "F" else -0.35) * np.exp(0.25 * d[41]) + 0.13 * d[49]
    anterior += 0.0008 * (patient.age - 40)
    vector = np.array([[0.40, 0.23, anterior]]) * patient.t_gain
    wave = Wave(np.zeros(1), np.ones((1, 2)), vector, np.zeros((1, 6)))
    # of adults about 40 degrees, 0 to 75 (Macfarlane)
    axis = 40 + 0.30 * (patient.axis - 45) + 14 * d[40]
    turn_to_axis(wave, patient.torso, bounded(axis, 0, 76))
    t = wave.vector[0]
    # ST rises into T: the larger that is, the higher
    st = 0.070 * t + np.array([0.012 * d[42], 0.012 * d[43], -0.028 + 0.028 * d[44]])
    if patient.sex == "M":
        young = np.exp(-0.015 * max(patient.age - 30, 0.0))
        st = st + np.array([0.008, 0.004, -0.038]) * young * np.exp(0.4 * d[45])
    right = (40 + 4 * d[46]) * patient.qt / 400
    left = right * (1.45 + 0.12 * d[47])
    st_chest = (_T_CHEST - 1) * (patient.torso[2:] @ st) + 0.010 * d[50:56]
    t_chest = _T_NEAR * patient.t_gain * d[56:62]
    u = float(0.016 * np.exp(0.4 * d[48]))
    return Course(t, st, st_chest, t_chest, patient.qt, float(left), float(right), u=u)


def _hypertrophy(course: Course, condition: Condition, rng: np.random.Generator) -> None:
    size = condition.hypertrophy_size
    if condition.hypertrophy == "lvh_strain" or (condition.hypertrophy == "septal" and rng.random() < 0.55):
        strain = np.array([-0.22 * rng.uniform(0.6, 1.4), -0.06 + 0.06 * rng.standard_normal(), -0.24])
        course.t = course.t * 0.1 + size * strain
        course.st = course.st + size * np.array([-0.085, -0.03, -0.085]) * rng.uniform(0.6, 1.4)
    elif condition.hypertrophy == "lvh":
        course.t = course.t * np.array([rng.uniform(0.45, 1.0), 0.8, 1.15])
    elif condition.hypertrophy == "rvh":
        course.t = course.t + size * np.array([0.02, -0.05, rng.uniform(0.05, 0.42)])
        course.st = course.st + size * np.array([0.0, -0.01, 0.04])


def _conduction(course: Course, lost_area: np.ndarray, longer_ms: float, rng: np.random.Generator) -> None:
    """Wilson's ventricular gradient stays: what the QRS area has lost, the T area gains."""
    extra = lost_area / course.span * rng.uniform(0.85, 1.1)
    course.t = course.t * 0.8 + 0.94 * extra
    course.st = course.st + 0.26 * extra
    course.qt += 0.75 * max(0.0, longer_ms)


def _infarct(course: Course, condition: Condition, rng: np.random.Generator) -> None:
    kind = condition.infarct or ""
    if kind.endswith("stemi"):
        territory = kind.removesuffix("_stemi")
        injury = _TERRITORY[territory] * _INJURY[territory] * rng.uniform(0.75, 1.9) * (1 + rng.normal(0, 0.12, 3))
        course.st = course.st + injury
        after = -rng.uniform(0.8, 1.6) if condition.inverted_t else rng.uniform(0.1, 1.3)
        course.t = course.t + after * injury
        return
    infarcted = set(kind.split("+"))
    hit = sum((_TERRITORY[name] for name, kinds in _INFARCTED.items() if infarcted & set(kinds)), np.zeros(3))
    course.t = course.t * np.clip(1 - rng.uniform(0.0, 0.7) * np.abs(hit), 0.1, 1.0)
    course.t = course.t - hit * (rng.uniform(0.08, 0.36) if condition.inverted_t else rng.uniform(-0.04, 0.12))
    if "posterior" in kind:
        course.t = course.t + np.array([0.0, 0.0, -rng.uniform(0.05, 0.22)])
    if condition.aneurysm:
        course.st = course.st + np.array([0.03, 0.0, -0.12]) * rng.uniform(0.8, 1.6)


def _ischemia(course: Course, kind: str, size: float, rng: np.random.Generator) -> None:
    """T inversion, ST depression, or both."""
    if kind == "diffuse_ischemia":
        course.st = course.st - np.array([0.13, 0.10, -0.07]) * size * rng.uniform(0.7, 1.3)
        course.t = course.t * rng.uniform(-0.5, 0.6)
        return
    territory = _TERRITORY[kind.removesuffix("_ischemia")]
    form = rng.random()
    if kind == "anterior_ischemia" and rng.random() < 0.25:
        # upright at first and inverted at the end (de Zwaan, Baer, Wellens 1982, Am Heart J 103:730)
        course.late_t = -territory * rng.uniform(0.45, 0.75) * size
        return
    if form < 0.72:
        course.t = course.t * (0.7 - 0.3 * np.abs(territory)) - territory * rng.uniform(0.20, 0.42) * size
    else:
        course.t = course.t * (1 - 0.7 * np.abs(territory))
    if form > 0.30:
        depressed = np.array([0.5, 0.35, -0.15]) if kind == "lateral_ischemia" else territory
        course.st = course.st - depressed * rng.uniform(0.09, 0.17) * size


def _injury(course: Course, kind: str, size: float, rng: np.random.Generator) -> None:
    """Subendocardial injury depresses ST over its territory; if it reaches the epicardium, it elevates it."""
    territory = _TERRITORY[kind.removeprefix("injury_")]
    shift = rng.uniform(0.10, 0.20) * size * (-1.0 if rng.random() < 0.65 else 1.0)
    course.st = course.st + territory * shift
    course.t = course.t * (1 - 0.5 * np.abs(territory)) + territory * shift * rng.uniform(-0.3, 1.0)


def _nonspecific(course: Course, kind: str, rng: np.random.Generator) -> None:
    if kind == "nonspecific_st_t":
        course.st = course.st - np.array([0.065, 0.025, 0.01]) * rng.uniform(0.4, 1.6)
        course.t = course.t * np.array([rng.uniform(0.1, 0.65), rng.uniform(0.1, 0.65), rng.uniform(0.3, 0.9)])
    elif kind == "nonspecific_t":
        # mostly low, below a tenth of R (AHA/ACCF/HRS part IV), sometimes flat or just inverted; ST follows T
        course.st = course.st - np.array([0.025, 0.015, 0.02]) * rng.uniform(0.3, 1.3)
        course.st_chest = course.st_chest * 0.6
        low, high = (0.40, 0.90) if rng.random() < 0.90 else (-0.30, 0.35)
        course.t = course.t * np.array([rng.uniform(low, high), rng.uniform(low, high + 0.1), rng.uniform(0.2, 0.9)])
    else:  # t_inversion
        inverted = course.t * np.array([-rng.uniform(0.4, 1.1), rng.uniform(-0.9, 0.5), rng.uniform(-0.9, 0.9)])
        course.t = inverted * max(1.0, 0.24 / float(np.linalg.norm(inverted)))


def _other(course: Course, kind: str, size: float, rng: np.random.Generator) -> None:
    """Early repolarization, pericarditis, QT, electrolytes, digitalis."""
    if kind == "early_repolarization":
        course.st = course.st + np.array([0.075, 0.055, -0.07]) * size * (1 + 0.3 * rng.standard_normal(3))
        course.t = course.t * rng.uniform(1.1, 1.5)
        course.notch = size * rng.uniform(0.7, 1.3)
        course.concave = True
    elif kind == "pericarditis":
        course.concave = True
        course.st = course.st + np.array([0.12, 0.13, -0.10]) * size * rng.uniform(0.8, 1.2)
    elif kind == "long_qt":
        # longer than the person's own; most of those that are called long are little beyond the limits of 450 (men) and
        # 460 ms (AHA/ACCF/HRS part IV)
        course.qt = min(course.qt + 30 + rng.gamma(1.5, 25), 570)
        course.right *= rng.uniform(1.0, 1.52)
        course.left *= rng.uniform(1.0, 1.62)
        course.t = course.t * rng.uniform(0.35, 0.95)  # drugs and electrolytes, the common causes, flatten T
        course.st = course.st - np.array([0.03, 0.02, -0.02]) * rng.random()
        if rng.random() < 0.3:  # bifid, as in the second inherited type (Zhang et al. 2000, Circulation 102:2849)
            course.left, course.right = 0.55 * course.left, 0.75 * course.right
            course.late_t = course.t * rng.uniform(0.7, 1.1)
    elif kind == "short_qt":
        course.qt = rng.uniform(300, 342)
        course.right, course.left = course.right * 0.82, course.left * 0.72
        course.t = course.t * rng.uniform(1.0, 1.6)
    elif kind == "hyperkalemia":
        course.right = course.left = course.right * rng.uniform(0.56, 0.70)
        tall = course.t * rng.uniform(1.6, 2.3)
        course.t = tall * max(1.0, rng.uniform(0.85, 1.25) / float(np.linalg.norm(tall)))
    elif kind == "hypokalemia":
        course.t = course.t * rng.uniform(-0.05, 0.40)
        course.st = course.st - np.array([0.05, 0.04, -0.02]) * size
        course.u, course.prominent_u = rng.uniform(0.09, 0.18), True
    elif kind == "digitalis":
        course.st = course.st * 0.4
        course.sag = rng.uniform(0.07, 0.19)
        course.t = course.t * rng.uniform(0.1, 0.8)
        course.qt = rng.uniform(342, 396)


def repolarize(
    patient: Patient, condition: Condition, qrs: Wave, normal_area: np.ndarray, qrs_ms: float, rng: np.random.Generator
) -> tuple[Wave, Course]:
    """ST segment, T wave and U wave of a recording's main beat.

    Parameters
    ----------
    qrs
        As it is conducted, before hypertrophy and infarction.
    normal_area
        Area of the QRS complex if it were conducted normally, mV ms.
    qrs_ms
        Duration of the QRS complex.

    Returns
    -------
    Wave
        The J point is at 0 ms; times are those at RR = 1 s.
    Course
        What it was made from.
    """
    course = _healthy(patient)
    if condition.hypertrophy:
        _hypertrophy(course, condition, rng)
    if condition.conduction in ALTERED or condition.rhythm in VENTRICULAR:
        _conduction(course, normal_area - qrs.area(), qrs_ms - patient.qrs, rng)
    if condition.infarct:
        _infarct(course, condition, rng)
    kind = condition.repolarization
    if kind and kind.startswith("injury"):
        _injury(course, kind, condition.repolarization_size, rng)
    elif kind and kind.endswith("ischemia"):
        _ischemia(course, kind, condition.repolarization_size, rng)
    elif kind in ("nonspecific_st_t", "nonspecific_t", "t_inversion"):
        _nonspecific(course, kind, rng)
    elif kind:
        _other(course, kind, condition.repolarization_size, rng)
    if condition.rhythm in ("svt", "sinus_tachycardia") and condition.rate > 120:  # rate related
        course.st = course.st - np.array([0.0006, 0.0005, -0.0002]) * (condition.rate - 110)
    return _wave(course, patient, qrs, qrs_ms, rng), course


def _wave(course: Course, patient: Patient, qrs: Wave, qrs_ms: float, rng: np.random.Generator) -> Wave:
    peak = course.qt - qrs_ms - 2 * course.right  # the tangent at the steepest descent ends 2 widths after the peak

    def t_wave(t: np.ndarray) -> np.ndarray:
        return (_T_CHEST - 1) * (patient.torso[2:] @ t)

    parts: list[tuple[float, tuple[float, float], np.ndarray, np.ndarray]] = []
    if course.late_t is not None:  # 2.4 widths apart, so that both parts are seen
        parts.append((peak, (course.right, course.right), course.late_t, t_wave(course.late_t)))
        peak -= 2.4 * course.right
    parts.append((peak, (course.left, course.right), course.t, t_wave(course.t) + course.t_chest))
    plateau = peak - 0.3 * course.left
    st, chest = course.st, course.st_chest
    if course.concave:
        parts.append((0.0, (14.0, max(0.30 * plateau, 22.0)), st * 0.55, chest * 0.55))
        parts.append((0.5 * plateau, (0.5 * plateau, 0.5 * plateau), st * 0.65, chest * 0.65))
    else:
        parts.append((0.42 * plateau, (max(0.36 * plateau, 22.0), max(0.42 * plateau, 24.0)), st * 1.04, chest * 1.04))
    if course.sag:
        area = qrs.area()
        parts.append((0.62 * plateau, (52.0, 40.0), -course.sag * area / np.linalg.norm(area), _NOWHERE))
    if course.notch:
        parts.append((4.0, (6.0, 7.0), course.notch * np.array([0.13, 0.10, 0.02]), _NOWHERE))
    u = course.u * np.array([0.45, 0.30, -0.9])
    parts.append((course.qt - qrs_ms + rng.uniform(85, 115), (30.0, 30.0), u, _NOWHERE))
    center, width, vector, local = map(np.array, zip(*parts, strict=True))
    return Wave(center, width, vector, local)
