"""Waveform features of the ST segment, T and U wave that no rule of the vocabulary decides."""

from collections.abc import Callable

import numpy as np

from fgclep.leads import INDEX
from fgclep.simulation.measures import VISIBLE
from fgclep.simulation.p_qrs_features import WIDE, late_r_v1, left_bundle_shape
from fgclep.simulation.seen import Seen, contiguous, rows, turning_points

# mV, where ST counts as elevated: as ``st_elevation`` of the vocabulary, which leaves out aVR
_ELEVATED = np.where(np.isin(np.arange(12), rows("V1", "V2", "V3")), 0.2, 0.1)
_ELEVATED[INDEX["aVR"]] = np.inf
_NOT_AVR = np.arange(12) != INDEX["aVR"]
LONG_QTC = 460  # ms, as ``prolonged_qtc`` of the vocabulary
SHORT_ST, LONG_ST = 40, 160  # ms from J to T; of healthy adults about 105, 65 to 150
EQUAL = 1.25  # ratio of the two slopes of a symmetric T; of healthy adults about 1.6
LONG_T = 225  # ms: between 262 of LQT1 and 191 and 187 of LQT2 and LQT3 (Moss et al. 1995, Circulation 92:2929)


# --- ST


def _elevated(seen: Seen) -> np.ndarray:
    """Leads with ST elevation; none unless there are two of V1 to V3, or two of the others."""
    shown = seen.measures["st_mv"] > _ELEVATED
    right = np.count_nonzero(shown[6:9])
    return np.flatnonzero(shown) if right >= 2 or np.count_nonzero(shown) - right >= 2 else np.zeros(0, int)


def _convex_share(seen: Seen) -> float | None:
    """Share of the elevated leads in which ST lies on or above the line from J to the peak of T, or T is inverted."""
    leads = _elevated(seen)
    if not len(leads):
        return None
    convex = 0
    for lead in leads:
        course, peak = seen.main.repolarization[lead], seen.t_ms[lead]
        above = course[:peak].mean() >= 0.5 * (course[0] + course[peak])
        convex += bool(course[peak] < 0 or above)
    return convex / len(leads)


def _ste_convex(seen: Seen) -> bool:
    share = _convex_share(seen)
    return share is not None and share > 0.5


def _ste_concave(seen: Seen) -> bool:
    share = _convex_share(seen)
    return share is not None and share <= 0.5


def _ste_with_qs(seen: Seen) -> bool:
    """ST elevation over QS or Q waves that has outlasted the tall T of the acute phase.

    Then T is low beside QRS: sums over V1 to V4 below 0.22 (Smith 2005, Am J Emerg Med 23:279).
    """
    measures = seen.measures
    dead = (measures["q_mv"] >= 0.1) & (measures["q_ms"] >= 30)
    if not contiguous(dead & (measures["st_mv"] >= 0.1) & _NOT_AVR):
        return False
    if measures["qrs_ms"] > WIDE and not late_r_v1(seen):  # then QS complexes have ST elevation without an infarct
        return False
    height = np.ptp(seen.main.qrs[6:10], axis=1).sum()
    return bool(measures["t_mv"][6:10].sum() < 0.22 * height)


def _coved_ste_v1(seen: Seen) -> bool:
    for lead in (INDEX["V1"], INDEX["V2"]):
        if seen.measures["t_mv"][lead] > -VISIBLE:
            continue
        course = seen.main.repolarization[lead]
        if course[:41].max() >= 0.2 and course[40] > course[80]:
            return True
    return False


def _saddleback_v1(seen: Seen) -> bool:
    """ST falls from 0.2 mV at the J point to a trough above 0.05 mV, and rises to a positive T."""
    if seen.lead("t_mv", "V2") <= 0:
        return False
    for lead in (INDEX["V1"], INDEX["V2"]):
        course = seen.main.repolarization[lead, : seen.t_ms[lead] + 1]
        trough = int(course.argmin())
        if course[trough] > 0.05 and course[:trough].max(initial=0.0) >= 0.2 and course[-1] - course[trough] > VISIBLE:
            return True
    return False


def _concordant_ste(seen: Seen) -> bool:
    """At the J point (Sgarbossa 1996)."""
    return left_bundle_shape(seen) and bool(np.any((seen.j_mv >= 0.1) & (seen.net > 0) & _NOT_AVR))


def _concordant_std(seen: Seen) -> bool:
    j, net = seen.j_mv[6:9], seen.net[6:9]
    return left_bundle_shape(seen) and bool(np.any((j <= -0.1) & (net < 0)))


def _st_t_ratio_v6(seen: Seen) -> bool:
    """Of an ST segment that is elevated at all, by half a small box."""
    st, t = seen.lead("st_mv", "V6"), seen.lead("t_mv", "V6")
    return st >= 0.05 and t > 0 and st > 0.25 * t


def _ste_iii_above_ii(seen: Seen) -> bool:
    st = seen.measures["st_mv"][rows("II", "III", "aVF")]
    return bool(np.count_nonzero(st > 0.1) >= 2 and st[1] > max(st[0], 0.1))


def _std_horizontal(seen: Seen) -> bool:
    """Half a millimetre below the baseline in two contiguous leads (UDMI 2018)."""
    return contiguous((seen.j80_mv <= np.minimum(seen.j_mv, -0.05)) & _NOT_AVR)


def _std_upsloping(seen: Seen, depth: float = 0.05) -> bool:
    return contiguous((seen.j_mv <= -depth) & (seen.j80_mv > seen.j_mv) & _NOT_AVR)


def _std_junctional(seen: Seen) -> bool:
    return _std_upsloping(seen, 0.1)


def _de_winter_t(seen: Seen) -> bool:
    """In three chest leads or more: tall T waves after a rising ST segment from 0.1 to 0.3 mV below the baseline."""
    j, rises = seen.j_mv[6:], seen.j80_mv[6:] > seen.j_mv[6:]
    return bool(np.count_nonzero((j <= -0.1) & (j >= -0.3) & rises & (seen.measures["t_mv"][6:] >= 0.5)) >= 3)


# --- T and U


def _t_timing(seen: Seen) -> tuple[float, float]:
    """Median onset (ms after J) and length of T over the leads in which both can be told; NaN without three of them.

    T must be 0.1 mV or more there, and begin from a J point on the baseline.
    """
    clear = (np.abs(seen.measures["t_mv"]) >= 0.1) & (np.abs(seen.j_mv) < 0.05)
    if np.count_nonzero(clear) < 3:
        return float("nan"), float("nan")
    onset = seen.t_waves.onset[clear]
    return float(np.median(onset)), float(np.median(seen.t_waves.offset[clear] - onset))


def _late_onset_t(seen: Seen) -> bool:
    """QT is long, and it is so before T."""
    if not seen.measures["qtc_ms"] > LONG_QTC:
        return False
    onset, length = _t_timing(seen)
    return onset > LONG_ST and length < LONG_T


def _long_st(seen: Seen) -> bool:
    return _late_onset_t(seen) and bool(np.count_nonzero(np.abs(seen.measures["st_mv"]) > 0.1) == 0)


def _short_st(seen: Seen) -> bool:
    return _t_timing(seen)[0] <= SHORT_ST


def _broad_based_t(seen: Seen) -> bool:
    return bool(seen.measures["qtc_ms"] > LONG_QTC) and _t_timing(seen)[1] > LONG_T


def _inverted_asymmetry(seen: Seen) -> float:
    """Median asymmetry of inverted T waves of 0.1 mV or more in two contiguous leads; NaN without such."""
    inverted = (seen.measures["t_mv"] < -0.1) & _NOT_AVR
    return float(np.median(seen.t_waves.asymmetry[inverted])) if contiguous(inverted) else float("nan")


def _tinv_symmetric(seen: Seen) -> bool:
    return 1 / EQUAL <= _inverted_asymmetry(seen) <= EQUAL


def _tinv_asymmetric(seen: Seen) -> bool:
    return _inverted_asymmetry(seen) > EQUAL


def _parts_of_t(seen: Seen, lead: int, least: float) -> list[float]:
    """Peaks and troughs between the ST segment and U that are ``least`` mV or more from the baseline, in their order."""
    window = seen.main.t_window
    points = turning_points(seen.main.repolarization[[lead], window.start : window.stop + 30], VISIBLE)[0]
    return [value for (_, value), _ in zip(points[1:], points[2:], strict=False) if abs(value) >= least]


def _biphasic_t(seen: Seen) -> bool:
    low, high = seen.t_range
    for lead in np.flatnonzero((high >= 0.1) & (low <= -0.1) & _NOT_AVR):
        parts = _parts_of_t(seen, int(lead), 0.1)
        if parts and min(parts) < 0 < max(parts):
            return True
    return False


def _biphasic_t_v2_v3(seen: Seen) -> bool:
    """Each part is half a small box or more."""
    low, high = seen.t_range
    if low[7:9].max() > -0.05 or high[7:9].min() < 0.05:
        return False
    courses = [_parts_of_t(seen, lead, 0.05) for lead in (7, 8)]
    return all(len(parts) >= 2 and parts[0] > 0 > parts[-1] for parts in courses)


def _notched_t(seen: Seen) -> bool:
    """Two peaks of T of one sign with a visible dip between; U lies too late to be one of them."""
    course = seen.main.repolarization[:, seen.main.t_window.start : seen.main.t_window.stop + 30 : 4]
    rising = course[:, 1:] > course[:, :-1]
    turns = np.count_nonzero(rising[:, 1:] != rising[:, :-1], axis=1)
    for lead in np.flatnonzero((turns >= 3) & _NOT_AVR):
        parts = _parts_of_t(seen, int(lead), 0.1)
        if len(parts) >= 3 and (min(parts) > 0 or max(parts) < 0):
            return True
    return False


def _hyperacute_t(seen: Seen) -> bool:
    """T of 0.5 mV and three quarters of QRS, of equal slopes, and no shorter than that of a healthy heart."""
    measures = seen.measures
    tall = (measures["t_mv"] >= 0.5) & (measures["t_mv"] > 0.75 * np.ptp(seen.main.qrs, axis=1)) & _NOT_AVR
    if measures["qrs_ms"] > WIDE or not contiguous(tall):
        return False
    waves = seen.t_waves
    return contiguous(tall & (waves.asymmetry <= EQUAL) & (waves.asymmetry >= 1 / EQUAL) & (waves.offset - waves.onset >= 170))


def _t_v1_above_v6(seen: Seen) -> bool:
    return seen.lead("t_mv", "V1") > max(seen.lead("t_mv", "V6"), 0.05)


def _wide_qrs_t_angle(seen: Seen) -> bool:
    if np.abs(seen.measures["t_mv"][:6]).max() < 0.05:
        return False
    angle = abs(seen.measures["qrs_axis"] - seen.measures["t_axis"])
    return bool(min(angle, 360 - angle) > 90)


def _tu_fusion(seen: Seen) -> bool:
    """In two of V2 to V4 the dip between T and U reaches less than halfway down to the baseline, or there is none."""
    if not seen.recording.morphology.u_wave:
        return False
    fused = 0
    for lead in (7, 8, 9):
        course, peak, end = seen.main.repolarization[lead], int(seen.t_ms[lead]), seen.main.t_window.stop
        u = end + int(course[end:].argmax())
        lower = min(course[peak], course[u])
        fused += bool(lower > VISIBLE and course[peak : u + 1].min() > 0.5 * lower)
    return fused >= 2


ST_T: dict[str, Callable[[Seen], bool]] = {
    "ste_convex": _ste_convex,
    "ste_concave": _ste_concave,
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
    "tinv_symmetric": _tinv_symmetric,
    "tinv_asymmetric": _tinv_asymmetric,
    "biphasic_t": _biphasic_t,
    "biphasic_t_v2_v3": _biphasic_t_v2_v3,
    "notched_t": _notched_t,
    "hyperacute_t": _hyperacute_t,
    "t_v1_above_v6": _t_v1_above_v6,
    "wide_qrs_t_angle": _wide_qrs_t_angle,
    "prominent_u": lambda seen: seen.recording.morphology.u_wave,
    "tu_fusion": _tu_fusion,
}
