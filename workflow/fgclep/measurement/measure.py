"""Measurements on one 12-lead ECG: rhythm, intervals, axes, and the amplitudes of every lead."""

from dataclasses import dataclass, replace

import numpy as np

from fgclep.leads import INDEX
from fgclep.measurement.beats import (
    BEFORE,
    MS,
    RATE,
    Beats,
    cut_beats,
    find_qrs,
    find_spikes,
    level_at,
    median_beat,
    remove_baseline,
    remove_drift,
    remove_spikes,
    sort_beats,
)
from fgclep.measurement.delineation import Delineation, delineate, qrs_limits, smooth
from fgclep.schemas.measurements import LEAD_MEASURES
from fgclep.signals.preparation import resample

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
    """What was measured: ``scalars`` by the names of ``MEASURES``, ``leads`` (12,) by ``LEAD_MEASURES``."""

    scalars: dict[str, float]
    leads: dict[str, np.ndarray]


def measure(mv: np.ndarray, fs: float, qrs_ms: float | None = None) -> Measures | None:
    """Measure an ECG.

    Amplitudes are those of the median beat of the prevailing shape, against the PR segment; QRS complexes are found by
    NeuroKit2.

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
    signal = resample(np.asarray(mv, dtype=np.float64), fs, RATE)
    spikes = find_spikes(signal)
    signal = remove_drift(remove_spikes(signal, spikes))
    positions = find_qrs(signal)
    if len(positions) < 2:
        return None
    beats = sort_beats(signal, positions)
    if beats is None:
        return None
    rr_ms = float(np.median(np.diff(positions))) / MS
    onset, _ = qrs_limits(smooth(np.nanmean(cut_beats(signal, beats.positions[beats.dominant]), axis=0)))
    lead_in = BEFORE - onset + round(4 * MS)
    width = round(16 * MS)
    # an ectopic beat has no PR segment: what precedes it may be a T wave
    knots = beats.positions[beats.dominant]
    signal = remove_baseline(signal, knots - lead_in - width // 2, level_at(signal, knots, lead_in, width))
    segments = cut_beats(signal, beats.positions)
    beat = median_beat(segments[beats.dominant])
    points = delineate(beat, rr_ms)
    present = p_presence(segments[beats.dominant], points)
    if present < _P_PRESENT:
        points = replace(points, p_onset=None, p_peak=None, p_end=None)
    if qrs_ms is not None:
        points = _with_qrs(points, qrs_ms)

    leads = lead_amplitudes(beat, points)
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
    return Measures(scalars, leads)


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
        Their waveforms, from ``cut_beats``.
    """
    rr = np.diff(positions) / MS
    early = premature(rr)
    after = np.zeros(len(positions), dtype=bool)
    after[1:] = early[:-1]
    rest = rr[~(early | after)[1:]]
    regular = len(rest) > 1 and float(np.std(rest) / np.mean(rest)) < _REGULAR_CV
    widths = [qrs_width_ms(segment) for segment in segments[beats.dominant]] if early.any() else [np.nan]
    usual = float(np.median(widths))
    narrow = wide = 0
    for number, position in enumerate(beats.positions):
        if not early[np.argmin(np.abs(positions - position))]:
            continue
        width = qrs_width_ms(segments[number])
        if width >= _WIDE_MS and (beats.similarity[number] < _OTHER_SHAPE or width > usual + _WIDER_MS):
            wide += 1
        elif regular:
            narrow += 1
    mean = float(np.mean(rr))
    return {
        "heart_rate": 60000 / mean,
        "rr_cv": float(np.std(rr)) / mean,
        "rr_max_ms": float(np.max(rr)),
        "premature_narrow": float(narrow),
        "premature_wide": float(wide),
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
    expected = float(np.percentile(rr, 60))
    early = np.zeros(len(rr) + 1, dtype=bool)
    for number, interval in enumerate(rr):
        sudden = number == 0 or early[number] or interval < _SUDDEN * rr[number - 1]
        following = rr[number + 1 : number + 3]
        recovers = len(following) > 0 and max(following) > _RECOVERY * interval
        early[number + 1] = sudden and recovers and interval < _PREMATURE * expected
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


def qrs_width_ms(segment: np.ndarray) -> float:
    """QRS duration of a single beat."""
    onset, end = qrs_limits(smooth(np.nan_to_num(segment)), edges=_SINGLE_BEAT_EDGES)
    return (end - onset) / MS


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
    share = np.linspace(0, 1, last - first + 1)
    return beat[:, first : last + 1] - beat[:, [first]] * (1 - share) - beat[:, [last]] * share


def p_presence(segments: np.ndarray, points: Delineation) -> float:
    """Share of beats that have the same P wave in the same place before the QRS.

    Each beat is compared with the mean of the others, in shape and in size: fibrillation waves correlate with the QRS
    by chance only, and cancel out in the mean. Flutter waves in a fixed relation to the QRS count as P waves.

    Parameters
    ----------
    segments
        Beats of the prevailing shape (beats, 12, samples).
    points
        Of their median.
    """
    if points.p_onset is None or points.p_end is None:
        return 0.0
    first = max(points.p_onset - round(40 * MS), 0)
    last = min(points.p_end + round(20 * MS), points.qrs_onset)
    part = segments[:, :, first:last]
    part = part[~np.isnan(part).any(axis=(1, 2))]
    if len(part) < 2:
        return np.nan
    share = np.linspace(0, 1, last - first)
    edge = round(12 * MS)
    left, right = part[:, :, :edge].mean(axis=2, keepdims=True), part[:, :, -edge:].mean(axis=2, keepdims=True)
    flat = (part - left * (1 - share) - right * share).reshape(len(part), -1)
    others = (flat.sum(axis=0) - flat) / (len(flat) - 1)
    sizes, typical = np.linalg.norm(flat, axis=1), np.linalg.norm(others, axis=1)
    match = np.einsum("bn,bn->b", flat, others) / np.maximum(sizes * typical, 1e-12)
    return float(np.mean((match > _P_MATCH) & (sizes < _P_SIZE * typical)))


def lead_amplitudes(beat: np.ndarray, points: Delineation) -> dict[str, np.ndarray]:
    """Amplitudes and widths of a median beat whose PR segment is at 0 mV: arrays of 12 (``LEAD_MEASURES``)."""
    measures = {name: np.full(len(beat), np.nan, dtype=np.float32) for name in LEAD_MEASURES}
    even = smooth(beat)
    for lead, wave in enumerate(beat):
        for name, value in qrs_waves(wave[points.qrs_onset : points.qrs_end + 1]).items():
            measures[name][lead] = value
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


def qrs_waves(wave: np.ndarray) -> dict[str, float]:
    """Name the deflections of a QRS complex in one lead: Q, R, S, R'.

    The depth of a QS complex, one without any positive deflection, counts as S and as Q.

    Parameters
    ----------
    wave
        (samples,) in mV from onset to end at ``RATE`` Hz, the PR segment at 0.

    Returns
    -------
    dict
        ``q_mv``, ``q_ms``, ``r_mv``, ``s_mv``, ``rp_mv``: sizes, positive; 0 where there is no such deflection.
    """
    names = {"q_mv": 0.0, "q_ms": 0.0, "r_mv": 0.0, "s_mv": 0.0, "rp_mv": 0.0}
    seen_r = seen_s = False
    lobes = _lobes(wave)
    has_r = any(size > 0 for size, _ in lobes)
    for size, samples in lobes:
        if size < 0 and not seen_r and has_r:
            if -size > names["q_mv"]:
                names["q_mv"], names["q_ms"] = -size, samples / MS
        elif size < 0:
            names["s_mv"] = max(names["s_mv"], -size)
            seen_s = seen_r
            if not has_r:
                names["q_mv"], names["q_ms"] = names["s_mv"], samples / MS
        elif not seen_s:
            names["r_mv"] = max(names["r_mv"], size)
            seen_r = True
        else:
            names["rp_mv"] = max(names["rp_mv"], size)
    return names


def _lobes(wave: np.ndarray) -> list[tuple[float, int]]:
    """Signed peak and width in samples of each deflection between crossings of 0.

    The last one, cut off by the end of the QRS, counts only as far as it rises above the J point: the rest is ST.
    """
    signs = np.sign(wave)
    edges = np.flatnonzero(np.diff(signs)) + 1
    lobes = []
    for first, last in zip(np.r_[0, edges], np.r_[edges, len(wave)], strict=True):
        part = wave[first:last]
        size = float(part[np.argmax(np.abs(part))])
        if last == len(wave) and abs(size) - abs(float(wave[-1])) < _WAVE_MV:
            continue
        if abs(size) >= _WAVE_MV and last - first >= _WAVE_SAMPLES:
            lobes.append((size, int(last - first)))
    return lobes
