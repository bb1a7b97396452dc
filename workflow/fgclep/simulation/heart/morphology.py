"""From a patient and a condition to the tabulated waves of each kind of beat."""

import math
from dataclasses import dataclass, replace

import numpy as np

from fgclep.simulation.heart.activation import conducted_qrs, ectopic_qrs, enlarge, fragment, infarct
from fgclep.simulation.heart.condition import ATRIAL_ECTOPY, Condition
from fgclep.simulation.heart.heart import (
    TABLE_RATE,
    Table,
    Wave,
    bounded,
    horizontal_rotation,
    support,
    tabulate,
    tabulate_as,
    turn_to_axis,
)
from fgclep.simulation.heart.patient import Patient
from fgclep.simulation.heart.repolarization import repolarize

QRS_EDGE = 0.012  # share of the largest deflection at which the QRS begins and ends: about 0.02 mV
P_EDGE = 0.08
_BEFORE, _AFTER = 60.0, 320.0
_COARSE = 1000  # Hz, at which the edges of a wave are looked for
# of the vectors at full inspiration: the heart hangs lower and turns
_INSPIRED = np.array([[1.0, -0.07, 0.0], [0.07, 1.0, 0.0], [0.0, 0.0, 1.0]]) @ horizontal_rotation(3.0)


@dataclass(frozen=True)
class Beat:
    """One kind of beat: its QRS (origin: onset) and its ST segment and T wave (origin: J point, at RR = 1 s)."""

    qrs: Table
    qrs_ms: float
    repolarization: Table
    qt: float  # ms at RR = 1 s
    wobble: Table | None = None  # change of the QRS at full inspiration


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


def _fitted(
    wave: Wave, torso: np.ndarray, duration: float, edge: float, change: np.ndarray | None = None
) -> list[Table]:
    """Stretch the wave in time so that it is seen from 0 to ``duration`` ms, the origin of its table.

    With a matrix that its vectors may be ``change``d by, a second table holds what that adds.
    """
    leads = [wave.leads(torso)]
    begin, end = wave.span()
    begin, end = max(math.floor(begin), -_BEFORE), min(math.ceil(end), _AFTER)
    (table,) = tabulate_as(leads, wave, -begin, end, _COARSE)
    first, last = support(table.values, edge)
    onset, factor = (first - table.origin) * 1000 / _COARSE, duration * _COARSE / 1000 / max(last - first, 1)
    wave.stretch(onset, factor)
    before, after = bounded((onset - begin) * factor, 1, 40), bounded((end - onset) * factor, 1, duration + 45)
    if change is not None:
        leads.append(replace(wave, vector=wave.vector @ change.T).leads(torso) - leads[0])
    return tabulate_as(leads, wave, before, max(after, duration + 1), TABLE_RATE)


def _p_waves(patient: Patient, condition: Condition, rng: np.random.Generator) -> tuple[Table, float, Table]:
    """Right atrium, then left atrium; and the P wave of an ectopic focus.

    A large left atrium lies to the back and is activated late: what counts is the product of depth and length of the
    end of P in V1 (Morris et al. 1964, Circulation 29:242), and P is longer than the same person's by some 15 ms, which
    half of the time reaches 120. A large right atrium is mostly that of lung disease: the diaphragm is low, so P is
    vertical (70 degrees and more) and V1 and V2 lie above the atria, where it is negative (AHA/ACCF/HRS part V, 2009).
    """
    d = patient.shape
    size = np.exp(0.22 * d[30]) * (0.85 if patient.bmi > 32 else 1.0)
    tilt = 0.02 * d[31]
    right, left = condition.right_atrium, condition.left_atrium
    fast = 1.15 if condition.rhythm == "sinus_tachycardia" else 1.0
    low_diaphragm = right > 0 and rng.random() < 0.75
    front = -0.01 if low_diaphragm else -0.080 - 0.05 * right
    first = fast * size * (1 + 1.05 * right + 0.12 * left) * np.array([0.055 - tilt, 0.100, front])
    duration = patient.p
    late = 66.0
    posterior = 0.008 + 0.0005 * (patient.age - 50) + 0.020 * d[32] + (0.0 if patient.healthy else 0.008)
    if right:
        duration = min(duration + rng.uniform(0, 10), 120)
    if left:
        duration = bounded(duration + 17 * left + rng.normal(0, 8), 92, 150)
        late = 70.0 + rng.uniform(0, 12)
        posterior += rng.uniform(0.02, 0.055) * left
    vector = size * (1 + 0.55 * left) * np.array([0.070 + tilt, 0.055, posterior])
    wave = Wave(np.array([36.0, late]), np.array([[15.0] * 2, [17.0] * 2]), np.array([first, vector]), np.zeros((2, 6)))
    # of adults 0 to 75 degrees, right atrial enlargement about that limit (Macfarlane; AHA/ACCF/HRS part V)
    axis = 69 + 9 * d[33] if right else 50 - 0.15 * (patient.age - 50) + 20 * d[33]
    turn_to_axis(wave, patient.atrial_torso, bounded(axis, -10, 90))
    if low_diaphragm:
        wave.local = wave.vector[:, 1:2] * (rng.uniform(0.1, 0.35) * np.array([-1.0, -0.7, 0.1, 0.4, 0.5, 0.4]))
    if condition.repolarization == "hyperkalemia" and condition.repolarization_size > 1.1:
        wave.transform(0.45)
        duration = max(duration, rng.uniform(112, 132))
    if condition.rhythm in ("ectopic_atrial", "svt", "atrial_tachycardia"):
        duration = rng.uniform(82, 112)
        focus = Wave()
        sign = 1.0 if rng.random() < 0.5 else -1.0
        # a low focus activates upwards; that of a tachycardia lies high as often (crista terminalis, appendage)
        up = 0.8 if condition.rhythm == "atrial_tachycardia" and rng.random() < 0.5 else -1.0
        focus.add(34, 15, size * np.array([0.02 * sign, 0.10 * up, 0.02 * sign]))
        focus.add(60, 16, size * np.array([0.03 * sign, 0.11 * up, -0.03]))
        wave = focus
    (table,) = _fitted(wave, patient.atrial_torso, duration, P_EDGE)
    if condition.ectopy not in ATRIAL_ECTOPY and condition.rhythm not in ("junctional", "svt"):
        return table, float(duration), table
    other = Wave()
    other.add(34, 14, rng.normal(0, 0.06, 3) + np.array([0.03, rng.choice([-0.08, 0.09]), 0.0]))
    other.add(60, 15, rng.normal(0, 0.06, 3))
    (ectopic,) = _fitted(other, patient.atrial_torso, 95.0, P_EDGE)
    return table, float(duration), ectopic


def _beat(qrs: Wave, qrs_ms: float, repolarization: Wave, qt: float, torso: np.ndarray, wobble: bool = False) -> Beat:
    table, *change = _fitted(qrs, torso, qrs_ms, QRS_EDGE, _INSPIRED if wobble else None)
    return Beat(table, qrs_ms, tabulate(repolarization, torso, 60, qt - qrs_ms + 190), qt, *change)


def _premature(patient: Patient, qrs: Wave, torso: np.ndarray, rng: np.random.Generator) -> Beat:
    """A ventricular premature beat, with its discordant T wave by the ventricular gradient."""
    wave = ectopic_qrs(rng)
    wave.transform(patient.amplitude * rng.uniform(0.9, 1.2))
    duration = rng.uniform(128, 182)
    qt = patient.qt + 0.6 * (duration - 90)
    right, left = 46.0, 62.0
    t = (0.6 * qrs.area() - wave.area()) / (1.2533 * (right + left)) * 0.85
    repolarization = Wave()
    repolarization.add(qt - duration - 2 * right, (left, right), t)
    repolarization.add(60, (40, 55), 0.28 * t)
    return _beat(wave, float(duration), repolarization, float(qt), torso)


def _fusion(conducted: Beat, ectopic: Beat, share: float) -> Beat:
    """Both fronts meet: ``share`` of the conducted beat and the rest of the ectopic one."""

    def mixed(first: Table, second: Table) -> Table:
        values = np.zeros((8, max(first.values.shape[1], second.values.shape[1])), np.float32)
        values[:, : first.values.shape[1]] += np.float32(share) * first.values
        values[:, : second.values.shape[1]] += np.float32(1 - share) * second.values
        return Table(values, first.origin)

    qrs_ms, qt = (
        share * a + (1 - share) * b for a, b in ((conducted.qrs_ms, ectopic.qrs_ms), (conducted.qt, ectopic.qt))
    )
    return Beat(mixed(conducted.qrs, ectopic.qrs), qrs_ms, mixed(conducted.repolarization, ectopic.repolarization), qt)


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
    qrs, normal_area, duration = conducted_qrs(patient, condition, rng)
    conducted = qrs.copy()
    if condition.hypertrophy:
        duration += enlarge(qrs, patient, condition, rng)
        if condition.conduction in (None, "irbbb", "irbbb+lafb", "ilbbb", "lafb", "lpfb"):
            duration = min(duration, 118.5)
    if condition.infarct:
        for territory in condition.infarct.split("+"):
            infarct(qrs, territory, condition.infarct_size, rng)
        if condition.conduction is None:
            duration = min(duration + rng.uniform(0, 8), 118.5)
    if condition.repolarization == "hyperkalemia" and condition.repolarization_size > 1.1:
        duration += rng.uniform(5, 26)
    if condition.voltage == "poor_r":
        keep = rng.uniform(0.05, 0.5)
        qrs.vector[0] = qrs.vector[0] * np.array([0.8, 1.0, keep])
        qrs.transform(horizontal_rotation(rng.uniform(8, 24)))
    # the chest wall is close: a part of the QRS that no dipole explains
    noise = 0.075 * rng.standard_normal((len(qrs.local), 6))
    noise += 0.5 * noise[:, [5, 0, 1, 2, 3, 4]]
    qrs.local = qrs.local + noise * np.sqrt(np.einsum("ij,ij->i", qrs.vector, qrs.vector))[:, None]
    fragment(qrs, rng, 0.075 * math.exp(rng.normal(0, 0.4)) * (1.7 if condition.infarct else 1.0))

    repolarization, course = repolarize(patient, condition, conducted, normal_area, duration, rng)
    amplitude = patient.amplitude
    if condition.voltage in ("low", "low_limb"):
        amplitude = min(amplitude, 1.0) * rng.uniform(0.30, 0.46)
        repolarization.transform(rng.uniform(0.5, 0.85))
        if condition.voltage == "low_limb":
            torso = torso.copy()
            torso[2:] *= rng.uniform(1.4, 2.2)
    qrs.transform(amplitude)
    main = _beat(qrs, duration, repolarization, course.qt, torso, wobble=True)
    beats = {"main": main}
    if condition.ectopy and condition.ectopy not in ("pac", "atrial_bigeminy"):
        beats["pvc"] = _premature(patient, qrs, torso, rng)
    if condition.ectopy == "fusion":
        beats["fusion"] = _fusion(main, beats["pvc"], rng.uniform(0.35, 0.65))
    if condition.ectopy in ("pac", "atrial_bigeminy", "both"):
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
        j_notch=course.notch > 0,
        scooped=course.sag > 0,
        u_wave=course.prominent_u,
    )
