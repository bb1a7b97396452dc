"""Waveform features of the P wave and the QRS complex that no rule of the vocabulary decides."""

from collections.abc import Callable

import numpy as np

from fgclep.leads import INDEX
from fgclep.simulation.truth.measures import VISIBLE
from fgclep.simulation.truth.observation import Seen, contiguous, rows

WIDE = 119.5  # ms, as ``wide_qrs`` of the vocabulary
V1, V4 = INDEX["V1"], INDEX["V4"]
_INFERIOR = rows("II", "III", "aVF")


# --- P


def _notched_p(seen: Seen) -> bool:
    wave = seen.p_wave("II")
    if wave is None:
        return False
    inner = wave[1:-1]
    peaks = np.flatnonzero((inner > wave[:-2]) & (inner >= wave[2:]) & (inner > 0.03)) + 1
    return len(peaks) >= 2 and bool(peaks[-1] - peaks[0] >= 34)


def p_terminal(seen: Seen) -> bool:
    """The end of P in V1 is negative, at least 0.1 mV deep and 40 ms long."""
    wave = seen.p_wave("V1")
    if wave is None or wave[len(wave) // 2 :].min() > -0.1:
        return False
    return bool(np.count_nonzero(wave[len(wave) // 3 :] < -0.02) >= 40)


def _biphasic_p_inferior(seen: Seen) -> bool:
    """A visible positive part, and after it a visible negative one, in each of the three leads."""
    if seen.p_wave("II") is None or seen.main.p is None:
        return False
    for wave in seen.main.p[_INFERIOR]:
        top = int(wave.argmax())
        if wave[top] < VISIBLE or wave[top:].min() > -VISIBLE:
            return False
    return True


def _pr_depression(seen: Seen) -> bool:
    return bool(seen.recording.timeline.pr) and bool(seen.main.pr_level.any())


def _pr_elevation_avr(seen: Seen) -> bool:
    return _pr_depression(seen) and bool(seen.main.pr_level[INDEX["aVR"]] >= 0.05)  # half a small box


# --- conduction


def _wide_s_lateral(seen: Seen) -> bool:
    if seen.measures["qrs_ms"] < 100:
        return False
    for lead in ("I", "V6"):
        values = seen.main.qrs[INDEX[lead]]
        late = values[len(values) // 3 :]
        if seen.lead("r_mv", lead) < 0.05 or np.count_nonzero(late < -0.04) < 40:
            return False
    return True


def _broad_r(seen: Seen, lead: str) -> bool:
    values = seen.main.qrs[INDEX[lead]]
    high = np.count_nonzero(values > 0.4 * values.max())
    return bool(seen.lead("q_mv", lead) < 0.05 and seen.lead("s_mv", lead) < 0.15 and high >= 50)


def _broad_r_lateral(seen: Seen) -> bool:
    return seen.measures["qrs_ms"] >= 110 and _broad_r(seen, "I") and _broad_r(seen, "V6")


def late_r_v1(seen: Seen) -> bool:
    """V1 ends with an R' wave, as with a delayed right bundle."""
    return seen.lead("rp_mv", "V1") > 0.1  # as ``rsr_v1`` of the vocabulary


def spikes(seen: Seen, chamber: str) -> bool:
    """The chamber, atrium or ventricle, is paced."""
    return any(place == chamber for _, place in seen.recording.timeline.spikes)


def left_bundle_shape(seen: Seen) -> bool:
    """The left ventricle is activated late: by a blocked left bundle, or from a right ventricular electrode."""
    return bool(
        seen.measures["qrs_ms"] > WIDE
        and seen.net[V1] < 0
        and not late_r_v1(seen)
        and (spikes(seen, "ventricle") or _broad_r_lateral(seen))
    )


def _paced_lbbb_shape(seen: Seen) -> bool:
    return spikes(seen, "ventricle") and seen.net[V1] < 0 and _broad_r(seen, "I")


def _paced_rbbb_shape(seen: Seen) -> bool:
    r, s = seen.lead("r_mv", "V1"), seen.lead("s_mv", "V1")
    return spikes(seen, "ventricle") and seen.net[V1] > 0 and r > max(s, 0.1)


def _rp_above_r_v1(seen: Seen) -> bool:
    return late_r_v1(seen) and seen.lead("rp_mv", "V1") > seen.lead("r_mv", "V1")


def _notched_r_lateral(seen: Seen) -> bool:
    """A notch between two peaks of R of which each has half of its height."""
    for lead in ("I", "aVL", "V5", "V6"):
        points = seen.turns[INDEX[lead]]
        if len(points) < 5:
            continue
        values = [value for _, value in points]
        half = 0.5 * max(values)
        for one, notch, other in zip(values, values[1:], values[2:], strict=False):
            if one >= half <= other and VISIBLE < notch < one and notch < other:
                return True
    return False


def _r_peak_after(seen: Seen, ms: int, *leads: str) -> bool:
    """R is tall enough to be timed, and its highest point lies later than ``ms`` in one of the leads."""
    return any(seen.peak_ms[INDEX[lead]] > ms and seen.lead("r_mv", lead) >= 0.1 for lead in leads)


def _delayed_intrinsicoid(seen: Seen) -> bool:
    return _r_peak_after(seen, 50, "V5", "V6")


def _r_peak_avl(seen: Seen) -> bool:
    return _r_peak_after(seen, 44, "aVL")


def _delayed_r_peak_v1(seen: Seen) -> bool:
    """The last positive peak counts: that of R' if there is one."""
    peaks = [ms for ms, value in seen.turns[V1] if value >= 0.1]
    return bool(peaks) and peaks[-1] > 50


def _fragmented_qrs(seen: Seen) -> bool:
    """A second R, or a notch of R or S, in two contiguous leads but no bundle branch block (Das 2006)."""
    if seen.measures["qrs_ms"] > WIDE or late_r_v1(seen) or _broad_r_lateral(seen):
        return False
    shown = []
    for points in seen.turns:
        values = [value for _, value in points]
        tops = values[1:-1:2] if len(values) > 1 and values[1] > values[0] else values[2:-1:2]
        shown.append(len(tops) > 1 or (len(tops) == 1 and tops[0] < 0))  # the latter: a notched QS complex
    return contiguous(shown)


def _terminal_activation_delay(seen: Seen) -> bool:
    """From the nadir of S to the end of QRS; not with complete right bundle branch block (Marcus 2010)."""
    if seen.measures["qrs_ms"] > WIDE and (late_r_v1(seen) or seen.net[V1] > 0):
        return False
    latest = seen.main.qrs.shape[1] - 55
    nadirs = seen.main.qrs[V1:V4].argmin(axis=1).tolist()
    return any(nadir <= latest and s >= 0.1 for nadir, s in zip(nadirs, seen.by_lead["s_mv"][V1:V4], strict=True))


def _delta_positive_v1(seen: Seen) -> bool:
    """V1 is positive 20 ms after the onset of the delta wave (Arruda 1998), and all in all."""
    return seen.recording.morphology.delta and bool(seen.main.qrs[V1, 20] > VISIBLE and seen.net[V1] > 0)


def _delta_negative_inferior(seen: Seen) -> bool:
    return seen.recording.morphology.delta and bool(np.all(seen.main.qrs[_INFERIOR, 20] < -VISIBLE))


def _precordial_concordance(seen: Seen) -> bool:
    """In each chest lead what points the other way is no wave, or less than a tenth of the complex."""
    if min(seen.net[V1:]) < 0 < max(seen.net[V1:]):
        return False
    chest = seen.main.qrs[V1:]
    up, down = chest.max(axis=1), -chest.min(axis=1)
    least = np.maximum(VISIBLE, 0.1 * np.maximum(up, down))
    return bool(np.all(down <= least) or np.all(up <= least))


# --- voltage


def _transition_late(seen: Seen) -> bool:
    """R is smaller than S in V1 to V4, and there is one in V5 or V6."""
    r, second, s = (seen.by_lead[name][V1:] for name in ("r_mv", "rp_mv", "s_mv"))
    return all(max(r[i], second[i]) < s[i] for i in range(4)) and max(*r[4:], *second[4:]) > 0.3


def _early_r(seen: Seen) -> bool:
    return seen.lead("r_mv", "V2") > max(seen.lead("s_mv", "V2"), 0.1)


def _reversed_r_progression(seen: Seen) -> bool:
    """R falls visibly from V2 to V3 or from V3 to V4 (Zema, Kligfield 1982)."""
    second, third, fourth = seen.by_lead["r_mv"][V1 + 1 : V4 + 1]
    return third < second - VISIBLE or fourth < third - VISIBLE


def _cornell_product(seen: Seen) -> bool:
    more = 0.8 if seen.measures["sex"] == "F" else 0.0
    return bool((seen.measures["cornell_mv"] + more) * seen.measures["qrs_ms"] > 244)


def _gubner(seen: Seen) -> bool:
    return seen.lead("r_mv", "I") + seen.lead("s_mv", "III") > 2.5


def _lewis_index(seen: Seen) -> bool:
    left = seen.lead("r_mv", "I") + seen.lead("s_mv", "III")
    return left - seen.lead("r_mv", "III") - seen.lead("s_mv", "I") > 1.7


def _peguero(seen: Seen) -> bool:
    """The negative complex of aVR is no S wave."""
    s = seen.by_lead["s_mv"]
    deepest = max(depth for lead, depth in enumerate(s) if lead != INDEX["aVR"])
    return deepest + s[V4] >= (2.3 if seen.measures["sex"] == "F" else 2.8)


def _sokolow_rvh(seen: Seen) -> bool:
    return seen.lead("r_mv", "V1") + max(seen.lead("s_mv", "V5"), seen.lead("s_mv", "V6")) > 1.05


def _romhilt_estes(seen: Seen) -> bool:
    """Five points or more of Romhilt and Estes 1968."""
    measures = seen.measures
    r, s, st, t = (seen.by_lead[name] for name in ("r_mv", "s_mv", "st_mv", "t_mv"))
    limb = (0, 1, 2, 4, 5)
    voltage = max([r[i] for i in limb] + [s[i] for i in limb]) >= 2.0 or max(*s[6:8], *r[10:]) >= 3.0
    points = 3 * voltage + 3 * p_terminal(seen) + 2 * (-180 < measures["qrs_axis"] <= -30)
    points += (measures["qrs_ms"] >= 90) + _r_peak_after(seen, 49, "V5", "V6")
    if any(r[i] > s[i] and t[i] < -0.05 and st[i] < 0 for i in (10, 11)):
        points += 1 if seen.recording.morphology.scooped else 3  # strain; one point with digitalis
    return bool(points >= 5)


P_QRS: dict[str, Callable[[Seen], bool]] = {
    "notched_p": _notched_p,
    "p_terminal_v1": p_terminal,
    "biphasic_p_inferior": _biphasic_p_inferior,
    "pr_depression": _pr_depression,
    "pr_elevation_avr": _pr_elevation_avr,
    "delta_wave": lambda seen: seen.recording.morphology.delta,
    "delta_positive_v1": _delta_positive_v1,
    "delta_negative_inferior": _delta_negative_inferior,
    "wide_s_lateral": _wide_s_lateral,
    "broad_r_lateral": _broad_r_lateral,
    "paced_lbbb_shape": _paced_lbbb_shape,
    "paced_rbbb_shape": _paced_rbbb_shape,
    "rp_above_r_v1": _rp_above_r_v1,
    "notched_r_lateral": _notched_r_lateral,
    "delayed_intrinsicoid": _delayed_intrinsicoid,
    "delayed_r_peak_v1": _delayed_r_peak_v1,
    "r_peak_avl": _r_peak_avl,
    "fragmented_qrs": _fragmented_qrs,
    "terminal_activation_delay": _terminal_activation_delay,
    "precordial_concordance": _precordial_concordance,
    "late_transition": _transition_late,
    "early_r_v2": _early_r,
    "reversed_r_progression": _reversed_r_progression,
    "cornell_product": _cornell_product,
    "gubner": _gubner,
    "lewis_index": _lewis_index,
    "peguero": _peguero,
    "sokolow_rvh": _sokolow_rvh,
    "romhilt_estes": _romhilt_estes,
}
