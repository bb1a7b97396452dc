"""Measurements on one 12-lead ECG: rhythm, intervals, axes, and the amplitudes of every lead."""

from dataclasses import dataclass, field, replace

import numpy as np

from fgclep.leads import INDEX
from fgclep.measurement.beats import (
    AFTER,
    BEFORE,
    MS,
    RATE,
    Beats,
    cut,
    find_qrs,
    find_spikes,
    inside,
    level_at,
    median_beat,
    pad,
    quantile,
    remove_baseline,
    remove_drift,
    remove_spikes,
    sort_beats,
)
from fgclep.measurement.delineation import (
    AROUND_QRS,
    Delineation,
    above_ends,
    above_line,
    delineate,
    qrs_limits,
    smooth,
)
from fgclep.schemas.measurements import LEAD_MEASURES
from fgclep.signals.preparation import resample

_SHORTEST = round(500 * MS)  # no two beats are in less
_WAVE_MV = 0.025  # smaller deflections of the QRS are no waves (Willems et al. 1985)
_WAVE_SAMPLES = round(6 * MS)
_FOOT = round(16 * MS)
_ST_AFTER_J = round(60 * MS)
_PREMATURE = 0.86  # of the prevailing RR interval
_SUDDEN = 0.9  # of the preceding RR interval
_RECOVERY = 1.3  # of the premature interval: one of the next two
_TWO_CYCLES = 0.06  # of two cycles, by which a compensatory pause may miss them
_REGULAR_CV = 0.08  # of the RR intervals without premature beats; above it no narrow beat can be called premature
_WIDE_MS = 120
_WIDER_MS = 20  # than the prevailing QRS
_OTHER_SHAPE = 0.8  # correlation with the prevailing QRS
_SINGLE_BEAT_EDGES = (0.07, 0.07)  # coarser than for a median beat, which has less noise
_P_MATCH = 0.5  # correlation of a beat's P wave with the mean of the others'
_P_SIZE = 2.5  # of that mean: the largest that a beat's P wave, with its noise, may be
_P_PRESENT = 0.5  # share of beats with a P wave below which there is no P wave to measure


@dataclass(frozen=True)
class Measures:
    """What was measured: ``scalars`` by the names of ``MEASURES``, ``leads`` (12,) by ``LEAD_MEASURES``.

    ``points`` are times (s) on the beats of the prevailing shape, by what is there: ``P``, ``QRS`` (onset and end),
    ``J+60``, ``T`` and ``T end``; they are those of the median beat, put on each of its beats.
    """

    scalars: dict[str, float]
    leads: dict[str, np.ndarray]
    points: dict[str, np.ndarray] = field(default_factory=dict)


def measure(mv: np.ndarray, fs: float, qrs_ms: float | None = None) -> Measures | None:
    """Measure an ECG.

    Amplitudes are those of the median beat of the prevailing shape, against the PR segment; QRS complexes are found by
    NeuroKit2's rule.

    Parameters
    ----------
    mv
        (12, samples) in mV, leads in canonical order.
    fs
        Sampling rate in Hz.
    qrs_ms
        QRS duration from elsewhere, which then places the J point.

    Returns
    -------
    Measures or None
        ``None`` if there are fewer than two beats. Units: ms, bpm, degrees, mV.
    """
    signal = resample(np.asarray(mv, dtype=np.float32), fs, RATE)
    if signal.shape[1] < _SHORTEST:
        return None
    spikes = find_spikes(signal)
    padded = pad(remove_drift(remove_spikes(signal, spikes)))
    signal = padded[:, BEFORE:-AFTER]
    positions = find_qrs(signal)
    if len(positions) < 2:
        return None
    beats = sort_beats(signal, positions)
    if beats is None:
        return None
    rr_ms = quantile(np.diff(positions), 0.5) / MS
    seen, usual = inside(beats.positions, signal.shape[1]), np.flatnonzero(beats.dominant)
    # only of these beats: an ectopic beat has no PR segment, what precedes it may be a T wave
    knots = beats.positions[usual]
    around = cut(padded, knots + AROUND_QRS.start, AROUND_QRS.stop - AROUND_QRS.start)
    count = np.maximum(seen[usual, AROUND_QRS].sum(axis=0, dtype=np.float32), 1)
    onset, _ = qrs_limits(smooth(around.sum(axis=0) / count))
    lead_in, width = BEFORE - onset + round(4 * MS), round(16 * MS)
    remove_baseline(signal, knots - lead_in - width // 2, level_at(signal, knots, lead_in, width))
    segments = cut(padded, beats.positions, BEFORE + AFTER)
    beat = median_beat(segments, seen, usual)
    even = smooth(beat)
    points = delineate(even, rr_ms)
    present = p_presence(segments, seen, usual, points)
    if present < _P_PRESENT:
        points = replace(points, p_onset=None, p_peak=None, p_end=None)
    if qrs_ms is not None:
        points = _with_qrs(points, qrs_ms)

    leads = lead_amplitudes(beat, even, points)
    beating = rhythm(positions, beats, segments)
    tallest, deepest = np.fmax(leads["r_mv"], leads["rp_mv"]), leads["s_mv"]
    scalars = {
        **beating,
        **intervals(beat, points, beating["heart_rate"]),
        "p_present": present * (1 - beating["premature_wide"] / len(positions)),
        "pacing_spikes": float(len(spikes)),
        "sokolow_mv": float(deepest[INDEX["V1"]] + max(tallest[INDEX["V5"]], tallest[INDEX["V6"]])),
        "cornell_mv": float(tallest[INDEX["aVL"]] + deepest[INDEX["V3"]]),
    }
    return Measures(scalars, leads, _on_beats(points, knots))


def _on_beats(points: Delineation, positions: np.ndarray) -> dict[str, np.ndarray]:
    """Times (s) of the points of a median beat on the beats at ``positions``."""
    after = points.qrs_end + _ST_AFTER_J
    samples = {
        "P": (points.p_peak,),
        "QRS": (points.qrs_onset, points.qrs_end),
        "J+60": (after,),
        "T": (points.t_peak,),
        "T end": (points.t_end,),
    }
    found = {name: [place for place in some if place is not None] for name, some in samples.items()}
    return {
        name: np.sort((positions[:, None] + np.array(some) - BEFORE).ravel()) / RATE
        for name, some in found.items()
        if some
    }


def _with_qrs(points: Delineation, qrs_ms: float) -> Delineation:
    """Place both ends of the QRS by its duration, around the middle of what was found."""
    middle, half = (points.qrs_onset + points.qrs_end) / 2, qrs_ms * MS / 2
    return replace(points, qrs_onset=round(middle - half), qrs_end=round(middle + half))


def rhythm(positions: np.ndarray, beats: Beats, segments: np.ndarray) -> dict[str, float]:
    """Rate and regularity from all QRS complexes, and premature beats by their width.

    Parameters
    ----------
    positions
        All QRS complexes, also those at the edges of the recording.
    beats
        Those that lie within it whole.
    segments
        Their waveforms from ``-BEFORE`` to ``AFTER``, (beats, 12, samples).
    """
    rr = np.diff(positions) / MS
    early = premature(rr)
    after = np.zeros(len(positions), dtype=bool)
    after[1:] = early[:-1]
    rest = rr[~(early | after)[1:]]
    regular = len(rest) > 1 and float(np.std(rest) / np.mean(rest)) < _REGULAR_CV
    premature_beats = np.flatnonzero(early[np.abs(positions - beats.positions[:, None]).argmin(axis=1)])
    widths = qrs_widths_ms(segments[premature_beats])
    wide = widths >= _WIDE_MS
    if wide.any():
        usual = np.median(qrs_widths_ms(segments[beats.dominant]))
        wide &= (beats.similarity[premature_beats] < _OTHER_SHAPE) | (widths > usual + _WIDER_MS)
    mean = float(np.mean(rr))
    return {
        "heart_rate": 60000 / mean,
        "rr_cv": float(np.std(rr)) / mean,
        "rr_max_ms": float(np.max(rr)),
        "premature_narrow": float(np.sum(~wide)) if regular else 0.0,
        "premature_wide": float(np.sum(wide)),
        "compensatory_pauses": compensatory_pauses(rr, early),
    }


def premature(rr: np.ndarray) -> np.ndarray:
    """Which QRS complexes are premature, from the intervals between them.

    Premature is what comes clearly before its time and suddenly, and a longer interval follows: the intervals of sinus
    arrhythmia shrink and grow step by step.

    Parameters
    ----------
    rr
        (n,) intervals.

    Returns
    -------
    numpy.ndarray
        bool (n + 1,), the first one false: its interval is unknown.
    """
    # in bigeminy half of the intervals are short, and the median may be one of them
    expected = quantile(rr, 0.6)
    early = np.zeros(len(rr) + 1, dtype=bool)
    for number in np.flatnonzero(rr < _PREMATURE * expected):
        sudden = number == 0 or early[number] or rr[number] < _SUDDEN * rr[number - 1]
        early[number + 1] = sudden and (rr[number + 1 : number + 3] > _RECOVERY * rr[number]).any()
    return early


def compensatory_pauses(rr: np.ndarray, early: np.ndarray) -> float:
    """Count premature beats with a compensatory pause: two cycles lie between the beats before and after.

    Parameters
    ----------
    rr
        (n,) intervals between QRS complexes.
    early
        bool (n + 1,): which QRS complexes are premature.

    Returns
    -------
    float
        0 without premature beats; NaN if there are, and fewer than two intervals have nothing to do with them, as in
        bigeminy: the cycle is unknown then.
    """
    if not early.any():
        return 0.0
    undisturbed = rr[~(early[:-1] | early[1:])]
    if len(undisturbed) < 2:
        return np.nan
    around = rr[:-1] + rr[1:]  # each QRS complex but the first and the last
    cycles = 2 * float(np.median(undisturbed))
    return float(np.sum(early[1:-1] & (np.abs(around - cycles) < _TWO_CYCLES * cycles)))


def qrs_widths_ms(segments: np.ndarray) -> np.ndarray:
    """QRS durations of single beats (beats, 12, samples)."""
    limits = [qrs_limits(smooth(beat[:, AROUND_QRS]), edges=_SINGLE_BEAT_EDGES) for beat in segments]
    return np.array([(end - onset) / MS for onset, end in limits])


def intervals(beat: np.ndarray, points: Delineation, heart_rate: float) -> dict[str, float]:
    """Intervals in ms and axes in degrees of a median beat; NaN where a wave is missing."""
    qt = np.nan if points.t_end is None else (points.t_end - points.qrs_onset) / MS
    pr = p = p_axis = t_axis = np.nan
    if points.p_onset is not None and points.p_end is not None:
        pr = (points.qrs_onset - points.p_onset) / MS
        p = (points.p_end - points.p_onset) / MS
        p_axis = frontal_axis(_above_chord(beat, points.p_onset, points.p_end))
    if points.t_end is not None:
        t_axis = frontal_axis(beat[:, points.qrs_end + _ST_AFTER_J : points.t_end])
    return {
        "pr_ms": pr,
        "qrs_ms": (points.qrs_end - points.qrs_onset) / MS,
        "qt_ms": qt,
        "qtc_ms": qt * np.sqrt(heart_rate / 60),
        "p_ms": p,
        "p_axis": p_axis,
        "qrs_axis": frontal_axis(beat[:, points.qrs_onset : points.qrs_end + 1]),
        "t_axis": t_axis,
    }


def frontal_axis(wave: np.ndarray) -> float:
    """Axis in the frontal plane from the areas in I and aVF, degrees; NaN if both vanish.

    Parameters
    ----------
    wave
        (12, samples) in mV.
    """
    area_i, area_avf = (float(wave[INDEX[lead]].sum()) for lead in ("I", "aVF"))
    if abs(area_i) + abs(area_avf) < 1e-3:
        return np.nan
    # augmented leads are smaller by the factor sqrt(3) / 2
    return float(np.degrees(np.arctan2(2 / np.sqrt(3) * area_avf, area_i)))


def _above_chord(beat: np.ndarray, first: int, last: int) -> np.ndarray:
    return above_line(beat[:, first : last + 1], beat[:, [first]], beat[:, [last]])


def p_presence(segments: np.ndarray, seen: np.ndarray, chosen: np.ndarray, points: Delineation) -> float:
    """Share of beats that have the same P wave in the same place before the QRS.

    Each beat is compared with the mean of the others, in shape and in size: fibrillation waves correlate with the QRS
    by chance only, and cancel out in the mean. Flutter waves in a fixed relation to the QRS count as P waves.

    Parameters
    ----------
    segments
        (beats, 12, samples).
    seen
        bool (beats, samples), what of them lies inside of the recording.
    chosen
        Numbers of the beats of the prevailing shape.
    points
        Of their median.
    """
    if points.p_onset is None or points.p_end is None:
        return 0.0
    first = max(points.p_onset - round(40 * MS), 0)
    last = min(points.p_end + round(20 * MS), points.qrs_onset)
    part = segments[chosen[seen[chosen, first:last].all(axis=1)], :, first:last]
    if len(part) < 2:
        return np.nan
    flat = above_ends(part, round(12 * MS)).reshape(len(part), -1)
    others = (flat.sum(axis=0) - flat) / (len(flat) - 1)
    sizes, typical = np.linalg.norm(flat, axis=1), np.linalg.norm(others, axis=1)
    match = np.einsum("bn,bn->b", flat, others) / np.maximum(sizes * typical, 1e-12)
    return float(np.mean((match > _P_MATCH) & (sizes < _P_SIZE * typical)))


def lead_amplitudes(beat: np.ndarray, even: np.ndarray, points: Delineation) -> dict[str, np.ndarray]:
    """Amplitudes and widths of a median beat, also given smoothed, whose PR segment is at 0 mV: arrays of 12."""
    measures = {name: np.full(len(beat), np.nan, dtype=np.float32) for name in LEAD_MEASURES}
    measures |= qrs_waves(beat[:, points.qrs_onset : points.qrs_end + 1])
    st = min(points.qrs_end + _ST_AFTER_J, beat.shape[1] - 1)
    measures["st_mv"] = even[:, st].astype(np.float32)
    if points.p_onset is not None and points.p_end is not None:
        # against a line from a little before to a little after the wave, as its foot is not level yet
        first = max(points.p_onset - _FOOT, 0)
        last = max(min(points.p_end + _FOOT, points.qrs_onset), points.p_end)
        measures["p_mv"] = _extreme(_above_chord(even, first, last)[:, points.p_onset - first : points.p_end - first])
    if points.t_peak is not None and points.t_end is not None:
        measures["t_mv"] = _t_peaks(even, st, points.t_peak, points.t_end)
    return measures


def _extreme(waves: np.ndarray) -> np.ndarray:
    """The largest deflection of each row, with its sign."""
    return np.take_along_axis(waves, np.argmax(np.abs(waves), axis=1)[:, None], axis=1)[:, 0].astype(np.float32)


def _t_peaks(even: np.ndarray, start: int, peak: int, end: int) -> np.ndarray:
    """Largest peak of either sign between ``start`` and ``end``; without one, the level at the common peak of T."""
    part = even[:, start : end + 1]
    slope = np.diff(part, axis=1)
    turns = np.zeros(part.shape, dtype=bool)
    turns[:, 1:-1] = slope[:, :-1] * slope[:, 1:] <= 0
    height = np.where(turns, np.abs(part), -1.0)
    best = np.argmax(height, axis=1)
    rows = np.arange(len(part))
    common = part[:, min(max(peak - start, 0), part.shape[1] - 1)]
    return np.where(height[rows, best] > 0, part[rows, best], common).astype(np.float32)


def qrs_waves(waves: np.ndarray) -> dict[str, np.ndarray]:
    """Name the deflections of a QRS complex in each lead: Q, R, S, R'.

    The depth of a QS complex, one without any positive deflection, counts as S and as Q.

    Parameters
    ----------
    waves
        (leads, samples) in mV from onset to end at ``RATE`` Hz, the PR segment at 0.

    Returns
    -------
    dict
        ``q_mv``, ``q_ms``, ``r_mv``, ``s_mv``, ``rp_mv``, each float32 (leads,): sizes, positive; 0 where there is no
        such deflection.
    """
    q_mv, q_ms, r_mv, s_mv, rp_mv = ([0.0] * len(waves) for _ in range(5))
    lobes = _lobes(waves)
    with_r = {lead for lead, size, _ in lobes if size > 0}
    for lead, size, samples in lobes:
        if size > 0:
            r = rp_mv if s_mv[lead] else r_mv
            r[lead] = max(r[lead], size)
        elif lead in with_r and not r_mv[lead]:
            if -size > q_mv[lead]:
                q_mv[lead], q_ms[lead] = -size, samples / MS
        else:
            s_mv[lead] = max(s_mv[lead], -size)
            if lead not in with_r:
                q_mv[lead], q_ms[lead] = s_mv[lead], samples / MS
    found = {"q_mv": q_mv, "q_ms": q_ms, "r_mv": r_mv, "s_mv": s_mv, "rp_mv": rp_mv}
    return {name: np.array(values, np.float32) for name, values in found.items()}


def _lobes(waves: np.ndarray) -> list[tuple[int, float, int]]:
    """Lead, signed peak and width in samples of each deflection between crossings of 0, in order of time in each lead.

    The last one, cut off by the end of the QRS, counts only as far as it rises above the J point: the rest is ST.
    """
    samples = waves.shape[1]
    begins, signs = np.ones(waves.shape, bool), np.sign(waves)
    begins[:, 1:] = signs[:, 1:] != signs[:, :-1]
    first = np.flatnonzero(begins)
    widths = np.diff(first, append=waves.size)
    highest, lowest = (extreme.reduceat(waves.ravel(), first) for extreme in (np.maximum, np.minimum))
    sizes, leads = np.where(highest > 0, highest, lowest), first // samples
    cut_off = np.where((first + widths) % samples == 0, np.abs(waves[leads, -1]), 0)
    chosen = (np.abs(sizes) - cut_off >= _WAVE_MV) & (widths >= _WAVE_SAMPLES)
    return list(zip(leads[chosen].tolist(), sizes[chosen].tolist(), widths[chosen].tolist(), strict=True))
