"""Parts of a recording in which there is no ECG: calibration pulses at an end, and stretches that are dead.

What all leads lack at an end is cut, with a remark. What some leads lack, or all in the middle, is named.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np

from fgclep.leads import CHEST_LEADS, LIMB_LEADS
from fgclep.signals.record import MISSING, Record

DEAD_SECONDS = 1.0  # of 715 real ECGs that are whole, no lead stays within 10 uV for more than 0.7 s
_EDGE_SECONDS = 0.02  # in which a step rises
_STEP_MV = (0.2, 5.0)  # of a calibration, which has 1 mV: a file that was filled up has more
_ALIKE = 0.2  # of the step, by which leads may differ from it, as the heart beats on
_END_SECONDS = 2.0  # in which a pulse is looked for
_PULSE_SECONDS = (0.05, 1.5)
_LEVEL = 0.1  # of the step, within which a pulse that the end cuts stays
_LEADS = 4
_PAGE = "; a page on which each lead has a part of the time, such as 2.5 s, is no recording of all leads"
_MEASURED = ("I", "II", *CHEST_LEADS)  # the others are computed from I and II, in some recorders with the pulse in them


def ecg_part(record: Record, flat_mv: float) -> tuple[slice, list[str]]:
    """Which samples are left without dead ends and calibration pulses, and remarks on these."""
    start, stop, remarks = 0, record.digital.shape[1], []
    for find in (_dead_ends, _calibration):
        if found := find(record, flat_mv):
            (first, last), remark = found
            start, stop = start + first, start + last
            record = replace(record, digital=record.digital[:, first:last])
            remarks.append(remark)
    return slice(start, stop), remarks


def without_ends(record: Record, flat_mv: float) -> Record:
    """Cut dead ends and calibration pulses, with remarks."""
    part, remarks = ecg_part(record, flat_mv)
    if not remarks:
        return record
    return replace(record, digital=record.digital[:, part], remarks=(*record.remarks, *remarks))


def _calibration(record: Record, flat_mv: float) -> tuple[tuple[int, int], str] | None:
    """Find a calibration pulse at an end: a step of one height in I, II and the chest leads, which no heart makes.

    Philips ECGs, for one, have a pulse of 1 mV and 0.2 s in their last second. Cut is what lies between the pulse and
    the end, and what is flat before the pulse. At least four leads are needed, two of them limb leads.
    """
    rows = [row for row, lead in enumerate(record.leads) if lead in _MEASURED]
    if len(rows) < _LEADS:  # limb leads only, say
        rows = list(range(len(record.leads)))
    if len(rows) < _LEADS or sum(record.leads[row] in LIMB_LEADS for row in rows) < 2:
        return None
    mv, rate = record.mv[rows], record.sampling_rate
    samples = mv.shape[1]
    last, first = _pulse(mv, rate, flat_mv), _pulse(mv[:, ::-1], rate, flat_mv)
    start, stop = (0 if first is None else samples - first[0]), (samples if last is None else last[0])
    if stop - start in {samples, 0} or stop < start:
        return None
    found = [
        (name, pulse[1], (samples - pulse[0]) / rate) for name, pulse in (("first", first), ("last", last)) if pulse
    ]
    cut = " and the ".join(f"{name} {seconds:.3g} s, a calibration pulse of {mv:.1f} mV" for name, mv, seconds in found)
    return (start, stop), f"cut the {cut}"


def _pulse(mv: np.ndarray, rate: float, flat_mv: float) -> tuple[int, float] | None:
    """Sample from which to cut a pulse at the end, and its height in mV."""
    wide = max(1, round(_EDGE_SECONDS * rate))
    begin = max(0, mv.shape[1] - round(_END_SECONDS * rate))
    tail = mv[:, begin:]
    if tail.shape[1] <= 2 * wide or not np.isfinite(tail).all():
        return None
    jumps = tail[:, wide:] - tail[:, :-wide]
    least = (1 - 2 * _ALIKE) * _STEP_MV[0]  # well below what all leads of a step have
    steep = np.flatnonzero((jumps.min(axis=0) > least) | (jumps.max(axis=0) < -least))
    if not len(steep):
        return None
    height, common = np.zeros(jumps.shape[1], jumps.dtype), np.zeros(jumps.shape[1], dtype=bool)
    jumps = jumps[:, steep]
    height[steep] = middle = np.median(jumps, axis=0)
    common[steep] = (
        (np.abs(middle) >= _STEP_MV[0])
        & (np.abs(middle) <= _STEP_MV[1])
        & (np.abs(jumps - middle).max(axis=0) <= _ALIKE * np.abs(middle))
    )
    edges = [(start, stop, float(max(height[start:stop], key=abs))) for start, stop in _runs(common)]
    if edges:
        plateau = tail[:, edges[-1][1] + wide :]
        if plateau.shape[1] and np.ptp(plateau, axis=1).max() <= _LEVEL * abs(edges[-1][2]):  # which the end cuts
            edges.append((tail.shape[1], tail.shape[1], -edges[-1][2]))
    for (start, _, up), (again, _, down) in pairwise(edges):
        seconds = (again - start) / rate
        if abs(up + down) <= _ALIKE * abs(up) and _PULSE_SECONDS[0] <= seconds <= _PULSE_SECONDS[1]:
            edge = begin + start + 1
            cut = edge
            while cut and np.ptp(mv[:, cut - 1 : edge], axis=1).max() <= flat_mv:
                cut -= 1
            return cut, abs(up)
    return None


def _dead_ends(record: Record, flat_mv: float) -> tuple[tuple[int, int], str] | None:
    """Find what is dead in all leads at an end for more than ``DEAD_SECONDS``, as padding with zeros is."""
    dead = dead_samples(record, flat_mv)
    if dead is None:
        return None
    common: np.ndarray = np.all(dead, axis=0)
    samples = len(common)
    if common.all():
        return None
    start, stop = int(np.argmin(common)), samples - int(np.argmin(common[::-1]))
    if stop - start == samples:
        return None
    where = [("first", start), ("last", samples - stop)]
    parts = " and the ".join(f"{name} {count / record.sampling_rate:.3g} s" for name, count in where if count)
    return (start, stop), f"cut the {parts}, in which all leads are constant"


def dead_samples(record: Record, flat_mv: float) -> np.ndarray | None:
    """Which samples belong to a stretch of more than ``DEAD_SECONDS`` within ``flat_mv``: bool (leads, samples).

    ``None`` if there are none, which most recordings need little time for.
    """
    mv, rate = record.mv, record.sampling_rate
    quarter = int(DEAD_SECONDS * rate / 4)
    blocks = mv.shape[1] // quarter if quarter else 0
    if not blocks:
        return None
    parts = mv[:, : blocks * quarter].reshape(len(mv), blocks, quarter)
    for every in (8, 1):  # few samples of a block move at most as far as all of them, and most often far enough
        quiet = np.ptp(parts[:, :, ::every], axis=2) < flat_mv
        three = quiet[:, 2:] & quiet[:, 1:-1] & quiet[:, :-2]  # of which a stretch of more than four has at least three
        if not three.any():
            return None
    window = int(DEAD_SECONDS * rate) + 1
    dead = np.zeros(mv.shape, dtype=bool)
    for lead in np.flatnonzero(three.any(axis=1)):
        for start in _dead_windows(mv[lead], window, flat_mv):
            dead[lead, start : start + window] = True
    dead &= record.digital != MISSING
    return dead if dead.any() else None


def _dead_windows(row: np.ndarray, window: int, flat_mv: float) -> np.ndarray:
    """First samples of the windows within which a lead moves less than ``flat_mv``."""
    if len(row) < window:
        return np.zeros(0, dtype=int)
    from scipy.ndimage import maximum_filter1d, minimum_filter1d  # which most recordings do without

    inside = slice(window // 2, window // 2 + len(row) - window + 1)
    span = maximum_filter1d(row, window)[inside] - minimum_filter1d(row, window)[inside]
    return np.flatnonzero(span < flat_mv)


def dead_parts(record: Record, flat_mv: float) -> str:
    """Name leads that are dead, and from when to when if not all the time; empty if there are none."""
    dead = dead_samples(record, flat_mv)
    if dead is None:
        return ""
    rate, samples = record.sampling_rate, dead.shape[1]
    named = []
    for lead, row in zip(record.leads, dead, strict=True):
        parts = [f"{start / rate:.1f} to {stop / rate:.1f} s" for start, stop in _runs(row) if stop - start < samples]
        if row.any():
            named.append(f"{lead} (from {', '.join(parts)})" if parts else lead)
    share = dead.mean(axis=1)
    parts_only = np.mean((share >= 0.5) & (share < 1)) > 0.5
    return ", ".join(named) + (_PAGE if parts_only else "")


def _runs(mask: np.ndarray) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
