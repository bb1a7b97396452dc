"""Measures of a simulated recording: intervals from the model's state, amplitudes from its noise-free main beat."""

import math
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np

from fgclep.leads import INDEX
from fgclep.simulation.heart.heart import TABLE_RATE, axis_of, twelve_leads
from fgclep.simulation.recorder.recording import Recording, stretch_of

MS = TABLE_RATE // 1000
VISIBLE = 0.025  # mV; smaller deflections are no wave (Willems et al. 1985)


@dataclass(frozen=True)
class Main:
    """The main beat without noise, 1 sample per ms, in twelve leads (mV)."""

    qrs: np.ndarray  # from onset to J point
    repolarization: np.ndarray  # from the J point, at the recording's mean RR interval
    p: np.ndarray | None  # from onset to end
    pr_level: np.ndarray  # by which the PR segment lies off the baseline, shape (12,)
    qt_ms: float
    t_window: slice  # samples of ``repolarization`` that the peak of T is looked for in
    t_ms: np.ndarray  # time from the J point to that peak, shape (12,)
    net: np.ndarray  # area of QRS, mV ms, shape (12,)


def twelve(recording: Recording, eight: np.ndarray) -> np.ndarray:
    """Twelve leads as the cables show them, from I, II, V1 to V6."""
    return twelve_leads(eight if recording.connection is None else recording.connection @ eight)


def main_beat(recording: Recording, interval: float) -> Main:
    """Waves of the main beat at an RR interval of ``interval`` s."""
    beat = recording.morphology.beats["main"]
    start = beat.qrs.origin
    qrs = twelve(recording, beat.qrs.values[:, start : start + round(beat.qrs_ms * MS) : MS])
    stretch = stretch_of(beat.qt, beat.qrs_ms, interval)
    table = beat.repolarization
    length = int((table.values.shape[1] - table.origin - 2) * stretch / MS)
    index = (np.arange(length) * (MS / stretch)).astype(np.intp) + table.origin
    p = None
    if recording.timeline.p and not recording.timeline.atrial_rate:
        wave = recording.morphology.p
        p = twelve(recording, wave.values[:, wave.origin : wave.origin + round(recording.morphology.p_ms * MS) : MS])
    level = np.zeros(12)
    if np.any(recording.morphology.pr_level):
        level = twelve(recording, recording.morphology.pr_level)
    qt = qrs.shape[1] + (beat.qt - beat.qrs_ms) * stretch
    last = int(max(qt - beat.qrs_ms + 10, 80))
    window = slice(int(0.35 * last), last)
    waves = twelve(recording, table.values.take(index, axis=1))
    t_ms = window.start + np.abs(waves[:, window]).argmax(axis=1)
    return Main(qrs, waves, p, level, float(qt), window, t_ms, qrs.sum(axis=1))


def deflections(leads: np.ndarray) -> np.ndarray:
    """Q depth (mV), Q width (ms), R height, S depth and R' height of QRS complexes sampled every ms.

    A deflection is a stretch beyond 0.025 mV. A complex without R is a QS complex: its depth counts as S, and as Q.

    Parameters
    ----------
    leads
        Shape (leads, n), mV.

    Returns
    -------
    numpy.ndarray
        Shape (5, leads).
    """
    count, n = leads.shape
    sign = (leads > VISIBLE).astype(np.int8) - (leads < -VISIBLE)
    edges = np.ones((count, n), bool)
    edges[:, 1:] = sign[:, 1:] != sign[:, :-1]
    starts = np.flatnonzero(edges)
    sizes = np.maximum.reduceat(np.abs(leads).ravel(), starts)
    signs, widths = sign.ravel()[starts], np.empty_like(starts)
    np.subtract(starts[1:], starts[:-1], out=widths[:-1])
    widths[-1] = count * n - starts[-1]
    waves_ = signs != 0
    starts, signs, sizes, widths = starts[waves_], signs[waves_], sizes[waves_], widths[waves_]
    rows = starts // n
    result = [[0.0] * 5 for _ in range(count)]  # Q depth, Q width, R, S, R'
    first = 0
    for row, direction, size, width, start in zip(
        rows.tolist(), signs.tolist(), sizes.tolist(), widths.tolist(), starts.tolist(), strict=True
    ):
        waves = result[row]
        if direction > 0:
            wave = 4 if waves[3] else 2  # after S it is R'
            waves[wave] = max(waves[wave], size)
        elif direction < 0 and waves[2]:
            waves[3] = max(waves[3], size)
        elif direction < 0:  # runs with a gap of zeros between are one wave
            first = first if waves[0] else start
            waves[0], waves[1] = max(waves[0], size), float(start + width - first)
    found = np.array(result).T
    found[3] = np.where(found[2] > 0, found[3], found[0])
    return found


def measure(recording: Recording) -> tuple[dict[str, Any], Main]:
    """Measures of a recording (``MEASURES`` and ``LEAD_MEASURES``), and the beat that they were taken from."""
    line, condition, duration = recording.timeline, recording.condition, recording.duration
    times = [time for time, _ in line.qrs if 0 <= time <= duration]
    rr = [after - before for before, after in pairwise(times)]
    interval = sum(rr) / len(rr) if rr else 60 / condition.rate
    beat = recording.morphology.beats["main"]
    main = main_beat(recording, min(max(interval, 0.3), 2.2))
    q, q_ms, r, s, second = deflections(main.qrs)
    j60 = min(60, main.repolarization.shape[1] - 1)
    st = main.repolarization[:, j60] - main.pr_level
    t = main.repolarization[np.arange(12), main.t_ms].astype(float)
    nan = float("nan")
    p_mv: np.ndarray = np.full(12, nan)
    p_axis = nan
    # P waves are there and belong to QRS complexes, are there without belonging, or are not to be seen
    if line.atrial_rate or line.retrograde or not line.p:
        present = 0.0
    elif line.dissociated:
        present = nan
    else:
        wide = sum(1 for time, kind in line.qrs if kind == "pvc" and 0 <= time <= duration)
        present = 1 - wide / max(len(times), 1)
    if main.p is not None and present != 0.0:
        p_mv = main.p[np.arange(12), np.abs(main.p).argmax(axis=1)].astype(float)
        p_axis = axis_of(float(main.p[0].sum()), float(main.p[1].sum()))
    top = np.maximum(r, second)
    measures: dict[str, Any] = {
        "heart_rate": 60 / interval,
        "rr_cv": math.sqrt(sum((interval - one) ** 2 for one in rr) / len(rr)) / interval if len(rr) > 1 else nan,
        "rr_max_ms": 1000 * max(rr) if rr else nan,
        "pr_ms": median(line.pr) if line.pr else nan,
        "qrs_ms": beat.qrs_ms,
        "qt_ms": main.qt_ms,
        "qtc_ms": float(main.qt_ms / np.sqrt(interval)),
        "p_ms": recording.morphology.p_ms if main.p is not None and present != 0.0 else nan,
        "p_axis": p_axis,
        "qrs_axis": axis_of(float(main.net[0]), float(main.net[1])),
        "t_axis": axis_of(float(t[0]), float(t[1])),
        "p_present": present,
        "premature_narrow": float(line.inside(line.premature_narrow, duration)),
        "premature_wide": float(line.inside(line.premature_wide, duration)),
        "compensatory_pauses": float(line.inside(line.full_pause, duration - 1.0)),
        "pacing_spikes": float(line.inside([time for time, _ in line.spikes], duration)),
        "sokolow_mv": float(s[INDEX["V1"]] + max(top[INDEX["V5"]], top[INDEX["V6"]])),
        "cornell_mv": float(top[INDEX["aVL"]] + s[INDEX["V3"]]),
        "p_mv": p_mv,
        "q_mv": q,
        "q_ms": q_ms,
        "r_mv": r,
        "s_mv": s,
        "rp_mv": second,
        "st_mv": st,
        "t_mv": t,
        "age": recording.patient.age,
        "sex": recording.patient.sex,
    }
    return measures, main
