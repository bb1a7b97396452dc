"""Onset, peak and offset of every wave in every lead, as cardiologists mark them in LUDB.

They follow from the noise-free waves of the model. A P wave or QRS complex begins and ends where it exceeds a share of
its size in that lead; T where the tangents at its steepest slopes meet the level before and the baseline after it
(Lepeschkin and Surawicz 1952, Circulation 6:378), and 10 ms later, because the eye sees its end so much later than the
tangent (Vink et al. 2018, Heart Rhythm 15:1085). Waves too small to be seen have no marks in that lead.
"""

from dataclasses import dataclass

import numpy as np

from fgclep.simulation.heart.heart import SAMPLING_RATE, TABLE_RATE, Table, twelve_leads
from fgclep.simulation.recorder.recording import Recording, conducted_beats

VISIBLE = 0.02  # mV; the smallest wave that is marked
_SHARE = {"p": 0.10, "qrs": 0.012}  # of the wave's size in the lead, at its edges
_T_WINDOW = 0.35  # share of the time from the J point to the end of T in which no T peak is looked for
_BY_EYE = 0.010  # s
_T_LATEST = 1.06  # of that time; behind it lies U


@dataclass(frozen=True)
class LeadMarks:
    """Marks of one lead: samples at 500 Hz, int, shape (waves, 3) with columns onset, peak, offset."""

    p: np.ndarray
    qrs: np.ndarray
    t: np.ndarray

    def wfdb(self) -> tuple[np.ndarray, list[str]]:
        """Samples and symbols as in LUDB's annotation files: ``(`` and ``)`` around ``p``, ``N`` or ``t``."""
        marks = sorted(
            (int(sample), symbol)
            for rows, name in ((self.p, "p"), (self.qrs, "N"), (self.t, "t"))
            for row in rows
            for sample, symbol in zip(row, ("(", name, ")"), strict=True)
        )
        return np.array([sample for sample, _ in marks], np.int64), [symbol for _, symbol in marks]


def _edges(table: Table, connection: np.ndarray | None, share: float) -> np.ndarray:
    """Onset, peak and offset in s from the table's origin for twelve leads, shape (12, 3); NaN: not visible."""
    values = table.values if connection is None else connection @ table.values
    size = np.abs(twelve_leads(values))
    peak = size.argmax(axis=1)
    above = size > share * size.max(axis=1, keepdims=True)
    first, last = above.argmax(axis=1), above.shape[1] - 1 - above[:, ::-1].argmax(axis=1)
    found = (np.stack([first, peak, last], axis=1) - table.origin) / TABLE_RATE
    return np.where(size.max(axis=1)[:, None] >= VISIBLE, found, np.nan)


def _t_edges(table: Table, connection: np.ndarray | None, length_ms: float) -> np.ndarray:
    """Onset, peak and offset of T in s from the J point at RR = 1 s, shape (12, 3); NaN: not visible."""
    values = table.values if connection is None else connection @ table.values
    start = table.origin + round(_T_WINDOW * length_ms * TABLE_RATE / 1000)
    stop = table.origin + round(_T_LATEST * length_ms * TABLE_RATE / 1000)
    wave = twelve_leads(values[:, table.origin :]).astype(float)
    found = np.full((12, 3), np.nan)
    for lead, course in enumerate(wave):
        first, last = start - table.origin, stop - table.origin
        peak = first + int(np.abs(course[first:last]).argmax())
        height = course[peak]
        if abs(height) < VISIBLE or not first < peak < last - 1:
            continue
        slope = np.diff(course) * np.sign(height)
        rise, fall = slope[:peak], slope[peak : last + round(0.15 * length_ms)]
        up, down = int(rise.argmax()), peak + int(fall.argmin())
        before = course[: up + 1] * np.sign(height)
        level = before.min()  # of the ST segment
        onset = up - (before[up] - level) / max(rise[up], 1e-9)
        offset = down + course[down] * np.sign(height) / max(-slope[down], 1e-9)
        found[lead] = max(onset, 0.0), peak, offset
    return found / TABLE_RATE + (0.0, 0.0, _BY_EYE)


def annotate(recording: Recording) -> tuple[LeadMarks, ...]:
    """Marks of the twelve leads in canonical order; waves that are not whole within the recording are left out.

    P waves that fall into a QRS complex are not marked, nor are fibrillatory and flutter waves.
    """
    morphology, connection, duration = recording.morphology, recording.connection, recording.duration
    found: dict[str, list[np.ndarray]] = {"p": [], "qrs": [], "t": []}
    qrs_of = {kind: _edges(beat.qrs, connection, _SHARE["qrs"]) for kind, beat in morphology.beats.items()}
    t_of = {
        kind: _t_edges(beat.repolarization, connection, beat.qt - beat.qrs_ms)
        for kind, beat in morphology.beats.items()
    }
    spans = []
    for time, kind, stretch in conducted_beats(recording.timeline, recording.condition, morphology):
        beat = morphology.beats[kind]
        spans.append((time, time + beat.qrs_ms / 1000))
        found["qrs"].append(time + qrs_of[kind])
        found["t"].append(time + beat.qrs_ms / 1000 + t_of[kind] * stretch)
    p_of = {
        kind: _edges(table, connection, _SHARE["p"])
        for kind, table in (("sinus", morphology.p), ("ectopic", morphology.ectopic_p))
    }
    for time, kind in recording.timeline.p:
        marks = time + p_of[kind]
        begin, end = time + 0.01, time + morphology.p_ms / 1000 - 0.01
        if not any(begin < last and end > first for first, last in spans):
            found["p"].append(marks)
    samples = {
        name: np.rint(np.stack(marks) * SAMPLING_RATE) if marks else np.empty((0, 12, 3))
        for name, marks in found.items()
    }
    last = round(duration * SAMPLING_RATE) - 1

    def of_lead(name: str, lead: int) -> np.ndarray:
        rows = samples[name][:, lead]
        inside = (rows[:, 0] >= 0) & (rows[:, 2] <= last)  # false for NaN
        return rows[inside].astype(np.int64)

    return tuple(LeadMarks(of_lead("p", i), of_lead("qrs", i), of_lead("t", i)) for i in range(12))
