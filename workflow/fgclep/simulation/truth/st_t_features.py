"""Waveform features of the ST segment, T and U wave that no rule of the vocabulary decides."""

from collections.abc import Callable
from statistics import median

import numpy as np

from fgclep.leads import INDEX
from fgclep.simulation.truth.measures import VISIBLE
from fgclep.simulation.truth.observation import Seen, contiguous, turning_points
from fgclep.simulation.truth.p_qrs_features import WIDE, late_r_v1, left_bundle_shape

AVR, V1, V2, V3, V4 = (INDEX[lead] for lead in ("aVR", "V1", "V2", "V3", "V4"))
LONG_QTC = 460  # ms, as ``prolonged_qtc`` of the vocabulary
SHORT_ST, LONG_ST = 40, 160  # ms from J to T; of healthy adults about 105, 65 to 150
EQUAL = 1.25  # ratio of the two slopes of a symmetric T; of healthy adults about 1.6
LONG_T = 225  # ms: between 262 of LQT1 and 191 and 187 of LQT2 and LQT3 (Moss et al. 1995, Circulation 92:2929)


# --- ST


def _ste_with_qs(seen: Seen) -> bool:
    """ST elevation over QS or Q waves that has outlasted the tall T of the acute phase.

    Then T is low beside QRS: sums over V1 to V4 below 0.22 (Smith 2005, Am J Emerg Med 23:279).
    """
    q, q_ms, st = (seen.by_lead[name] for name in ("q_mv", "q_ms", "st_mv"))
    if not contiguous([q[i] >= 0.1 and q_ms[i] >= 30 and st[i] >= 0.1 for i in range(12)]):
        return False
    if seen.measures["qrs_ms"] > WIDE and not late_r_v1(seen):  # then QS complexes have ST elevation without an infarct
        return False
    height = np.ptp(seen.main.qrs[V1 : V4 + 1], axis=1).sum()
    return bool(sum(seen.by_lead["t_mv"][V1 : V4 + 1]) < 0.22 * height)


def _coved_ste_v1(seen: Seen) -> bool:
    for lead in (V1, V2):
        if seen.by_lead["t_mv"][lead] <= -VISIBLE and seen.by_lead["st_mv"][lead] > 0:
            start, early, late = seen.main.repolarization[lead, [0, 40, 80]].tolist()
            if max(start, early) >= 0.2 and early > late:
                return True
    return False


def _saddleback_v1(seen: Seen) -> bool:
    """ST falls from 0.2 mV at the J point to a trough above 0.05 mV, and rises to a positive T."""
    if seen.by_lead["t_mv"][V2] <= 0:
        return False
    for lead in (V1, V2):
        if seen.j_mv[lead] >= 0.2:
            course = seen.main.repolarization[lead, : seen.main.t_ms[lead] + 1]
            trough = course.min()
            if trough > 0.05 and min(course[0], course[-1]) - trough > VISIBLE:
                return True
    return False


def _concordant_ste(seen: Seen) -> bool:
    """At the J point (Sgarbossa 1996)."""
    if not left_bundle_shape(seen):
        return False
    return any(seen.j_mv[i] >= 0.1 and seen.net[i] > 0 for i in range(12) if i != AVR)


def _concordant_std(seen: Seen) -> bool:
    return left_bundle_shape(seen) and any(seen.j_mv[i] <= -0.1 and seen.net[i] < 0 for i in (V1, V2, V3))


def _st_t_ratio_v6(seen: Seen) -> bool:
    """Of an ST segment that is elevated at all, by half a small box."""
    st, t = seen.lead("st_mv", "V6"), seen.lead("t_mv", "V6")
    return st >= 0.05 and t > 0 and st > 0.25 * t


def _ste_iii_above_ii(seen: Seen) -> bool:
    second, third, foot = (seen.lead("st_mv", lead) for lead in ("II", "III", "aVF"))
    return third > max(second, 0.1) and max(second, foot) > 0.1


def _std_horizontal(seen: Seen) -> bool:
    """Half a millimetre below the baseline in two contiguous leads (UDMI 2018)."""
    return contiguous([late <= -0.05 and late <= j for j, late in zip(seen.j_mv, seen.j80_mv, strict=True)])


def _std_upsloping(seen: Seen, depth: float = 0.05) -> bool:
    return contiguous([j <= -depth and late > j for j, late in zip(seen.j_mv, seen.j80_mv, strict=True)])


def _std_junctional(seen: Seen) -> bool:
    return _std_upsloping(seen, 0.1)


def _de_winter_t(seen: Seen) -> bool:
    """In three chest leads or more: tall T waves after a rising ST segment from 0.1 to 0.3 mV below the baseline."""
    j, late, t = seen.j_mv, seen.j80_mv, seen.by_lead["t_mv"]
    return sum(-0.3 <= j[i] <= -0.1 and late[i] > j[i] and t[i] >= 0.5 for i in range(V1, 12)) >= 3


# --- T and U


def _t_timing(seen: Seen) -> tuple[float, float]:
    """Median onset (ms after J) and length of T over the leads in which both can be told; NaN without three of them.

    T must be 0.1 mV or more there, and begin from a J point on the baseline; a scooped ST segment hides where.
    """
    t, j = seen.by_lead["t_mv"], seen.j_mv
    clear = [i for i in range(12) if abs(t[i]) >= 0.1 and abs(j[i]) < 0.05]
    if seen.recording.morphology.scooped or len(clear) < 3:
        return float("nan"), float("nan")
    onset = seen.t_waves.onset[clear]
    return median(onset.tolist()), median((seen.t_waves.offset[clear] - onset).tolist())


def _late_onset_t(seen: Seen) -> bool:
    """QT is long, and it is so before T."""
    if not seen.measures["qtc_ms"] > LONG_QTC:
        return False
    onset, length = _t_timing(seen)
    return onset > LONG_ST and length < LONG_T


def _long_st(seen: Seen) -> bool:
    return _late_onset_t(seen) and all(abs(st) <= 0.1 for st in seen.by_lead["st_mv"])


def _short_st(seen: Seen) -> bool:
    if sorted(seen.main.t_ms.tolist())[2] >= 150:  # T rises for some 100 ms
        return False
    return _t_timing(seen)[0] <= SHORT_ST


def _broad_based_t(seen: Seen) -> bool:
    return seen.measures["qtc_ms"] > LONG_QTC and _t_timing(seen)[1] > LONG_T


def _parts_of_t(seen: Seen, lead: int, least: float) -> list[float]:
    """Peaks and troughs between the ST segment and U, ``least`` mV or more from the baseline, in their order."""
    points = turning_points(seen.t_course[[lead]], VISIBLE)[0]
    return [value for _, value in points[1:-1] if abs(value) >= least]


def _biphasic_t(seen: Seen) -> bool:
    for lead, low in enumerate(seen.t_low):
        if low <= -0.1 and lead != AVR and seen.t_course[lead].max() >= 0.1:
            parts = _parts_of_t(seen, lead, 0.1)
            if parts and min(parts) < 0 < max(parts):
                return True
    return False


def _biphasic_t_v2_v3(seen: Seen) -> bool:
    """Each part is half a small box or more."""
    if max(seen.t_low[V2], seen.t_low[V3]) > -0.05:
        return False
    courses = [_parts_of_t(seen, lead, 0.05) for lead in (V2, V3)]
    return all(len(parts) >= 2 and parts[0] > 0 > parts[-1] for parts in courses)


def _notched_t(seen: Seen) -> bool:
    """Two peaks of T of one sign with a visible dip between; U lies too late to be one of them."""
    rising = seen.t_course[:, 1:] > seen.t_course[:, :-1]
    for lead, turns in enumerate(np.count_nonzero(rising[:, 1:] != rising[:, :-1], axis=1).tolist()):
        if turns >= 3 and lead != AVR:
            parts = _parts_of_t(seen, lead, 0.1)
            if len(parts) >= 3 and (min(parts) > 0 or max(parts) < 0):
                return True
    return False


def _hyperacute_t(seen: Seen) -> bool:
    """T of 0.5 mV and three quarters of QRS, of equal slopes, and no shorter than that of a healthy heart."""
    t = seen.by_lead["t_mv"]
    if seen.measures["qrs_ms"] > WIDE or not contiguous([height >= 0.5 for height in t]):
        return False
    r, second, q, s = (seen.by_lead[name] for name in ("r_mv", "rp_mv", "q_mv", "s_mv"))
    tall = [t[i] >= 0.5 and t[i] > 0.75 * (max(r[i], second[i]) + max(q[i], s[i])) for i in range(12)]
    if not contiguous(tall):
        return False
    waves = seen.t_waves
    fits = (waves.asymmetry <= EQUAL) & (waves.asymmetry >= 1 / EQUAL) & (waves.offset - waves.onset >= 170)
    return contiguous([one and other for one, other in zip(tall, fits.tolist(), strict=True)])


def _t_v1_above_v6(seen: Seen) -> bool:
    return seen.lead("t_mv", "V1") > max(seen.lead("t_mv", "V6"), 0.05)


def _wide_qrs_t_angle(seen: Seen) -> bool:
    if max(abs(t) for t in seen.by_lead["t_mv"][:6]) < 0.05:  # then its axis cannot be told
        return False
    angle = abs(seen.measures["qrs_axis"] - seen.measures["t_axis"])
    return min(angle, 360 - angle) > 90


def _tu_fusion(seen: Seen) -> bool:
    """In two of V2 to V4 the dip between T and U reaches less than halfway down to the baseline, or there is none."""
    if not seen.recording.morphology.u_wave:
        return False
    fused = 0
    for lead in (V2, V3, V4):
        course, peak, end = seen.main.repolarization[lead], int(seen.main.t_ms[lead]), seen.main.t_window.stop
        u = end + int(course[end:].argmax())
        lower = min(course[peak], course[u])
        fused += bool(lower > VISIBLE and course[peak : u + 1].min() > 0.5 * lower)
    return fused >= 2


ST_T: dict[str, Callable[[Seen], bool]] = {
    "ste_convex": lambda seen: seen.convex_share > 0.5,
    "ste_concave": lambda seen: seen.convex_share <= 0.5,
    "ste_with_qs": _ste_with_qs,
    "coved_ste_v1": _coved_ste_v1,
    "saddleback_v1": _saddleback_v1,
    "concordant_ste": _concordant_ste,
    "concordant_std": _concordant_std,
    "st_t_ratio_v6": _st_t_ratio_v6,
    "ste_iii_above_ii": _ste_iii_above_ii,
    "std_horizontal": _std_horizontal,
    "std_upsloping": _std_upsloping,
    "std_junctional": _std_junctional,
    "de_winter_t": _de_winter_t,
    "j_point_notch": lambda seen: seen.recording.morphology.j_notch,
    "scooped_st": lambda seen: seen.recording.morphology.scooped,
    "long_st": _long_st,
    "short_st": _short_st,
    "late_onset_t": _late_onset_t,
    "broad_based_t": _broad_based_t,
    "tinv_symmetric": lambda seen: 1 / EQUAL <= seen.inverted_asymmetry <= EQUAL,
    "tinv_asymmetric": lambda seen: seen.inverted_asymmetry > EQUAL,
    "biphasic_t": _biphasic_t,
    "biphasic_t_v2_v3": _biphasic_t_v2_v3,
    "notched_t": _notched_t,
    "hyperacute_t": _hyperacute_t,
    "t_v1_above_v6": _t_v1_above_v6,
    "wide_qrs_t_angle": _wide_qrs_t_angle,
    "prominent_u": lambda seen: seen.recording.morphology.u_wave,
    "tu_fusion": _tu_fusion,
}
