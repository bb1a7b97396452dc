"""Waveform features of the rhythm that no rule of the vocabulary decides: they follow from the timeline."""

import itertools
from collections.abc import Callable

import numpy as np

from fgclep.leads import INDEX
from fgclep.simulation.heart.heart import TABLE_RATE
from fgclep.simulation.recorder.recording import conducted_beats
from fgclep.simulation.truth.measures import MS, VISIBLE, twelve
from fgclep.simulation.truth.observation import Seen, rows
from fgclep.simulation.truth.p_qrs_features import WIDE, spikes

VARIES = 20  # ms by which one PR interval differs from the next (vocabulary)


def _runs(shortest: int, longest: int) -> Callable[[Seen], bool]:
    def present(seen: Seen) -> bool:
        line, duration = seen.recording.timeline, seen.recording.duration
        return any(0 <= time < duration - 1 and shortest <= beats <= longest for time, beats in line.runs)

    return present


def _fibrillates(seen: Seen) -> bool:
    return seen.recording.timeline.atrial_rate > 0 and seen.recording.condition.rhythm != "aflutter"


def _pattern(*kinds: str) -> Callable[[Seen], bool]:
    def present(seen: Seen) -> bool:
        early = seen.measures["premature_wide"] + seen.measures["premature_narrow"]
        return seen.recording.condition.ectopy in kinds and early >= 2

    return present


# --- premature and late beats


def _aberrant_beat(seen: Seen) -> bool:
    line, duration = seen.recording.timeline, seen.recording.duration
    return line.inside([time for time, kind in line.qrs if kind == "aberrant"], duration) > 0


def _r_on_t(seen: Seen) -> bool:
    """A ventricular beat begins within 50 ms of the peak of a T wave that follows no ventricular beat."""
    recording = seen.recording
    if not seen.measures["premature_wide"]:
        return False
    peak_s = float("nan")  # none yet
    for time, kind, stretch in conducted_beats(recording.timeline, recording.condition, recording.morphology):
        if kind == "pvc" and abs(time - peak_s) <= 0.05 and recording.timeline.inside([time], recording.duration):
            return True
        beat = recording.morphology.beats[kind]
        if kind == "pvc":
            peak_s = float("nan")
            continue
        length = (beat.qt - beat.qrs_ms) * MS
        table = beat.repolarization
        first = table.origin + int(0.35 * length)
        size = np.abs(table.values[:, first : table.origin + int(1.06 * length) : 2 * MS]).sum(axis=0)
        after_j = (first - table.origin + 2 * MS * int(size.argmax())) / TABLE_RATE
        peak_s = time + beat.qrs_ms / 1000 + after_j * stretch
    return False


def _escape(wide: bool) -> Callable[[Seen], bool]:
    """A beat that is late, as a P wave before it was not conducted, and that no P wave has brought about."""

    def present(seen: Seen) -> bool:
        line = seen.recording.timeline
        if not line.dissociated or line.spikes or (seen.measures["qrs_ms"] > WIDE) != wide:
            return False
        return bool(seen.measures["rr_max_ms"] > 1500 * np.median(np.diff([time for time, _ in line.p])))

    return present


def _group_beating(seen: Seen) -> bool:
    """Pauses of one length, each longer by a quarter than any other interval, with equal groups of beats between."""
    rr = [after - before for before, after in itertools.pairwise(seen.onsets)]
    if len(rr) < 4 or max(rr) < 1.25 * min(rr):
        return False
    least = 0.9 * max(rr)
    pauses = [i for i, interval in enumerate(rr) if interval >= least]
    others = [interval for interval in rr if interval < least]
    groups = {after - before for before, after in itertools.pairwise(pauses)}  # beats from one pause to the next
    if len(groups) != 1 or min(groups) < 2 or min(rr[i] for i in pauses) < 1.25 * max(others):
        return False
    edges = max(pauses[0] + 1, len(rr) - pauses[-1])
    premature = seen.measures["premature_wide"] + seen.measures["premature_narrow"]
    return bool(edges <= min(groups) and (len(pauses) > 2 or not premature))


# --- P waves


def _retrograde(seen: Seen) -> tuple[np.ndarray, float] | None:
    """Retrograde P waves in twelve leads from their onset on, 1 sample per ms; their delay after QRS onset in ms."""
    recording = seen.recording
    line, table = recording.timeline, recording.morphology.ectopic_p
    if not line.retrograde or not line.p:
        return None
    first = line.p[0][0]
    before = max(time for time, _ in line.qrs if time < first)
    return twelve(recording, table.values[:, table.origin :: MS]), 1000 * (first - before)


def _retrograde_p(seen: Seen) -> bool:
    """Negative in the three inferior leads, visible, and with its peak behind the QRS."""
    found = _retrograde(seen)
    if found is None:
        return False
    waves, delay = found[0][rows("II", "III", "aVF")], found[1]
    depth = -waves.min(axis=1)
    behind = bool(np.all(delay + waves.argmin(axis=1) > seen.measures["qrs_ms"]))
    return behind and bool(np.all(depth > np.maximum(waves.max(axis=1), VISIBLE)))


def _pseudo_r_v1(seen: Seen) -> bool:
    """A retrograde P wave begins before QRS ends, and its positive peak in V1 follows as if it were the last wave."""
    found = _retrograde(seen)
    if found is None:
        return False
    wave, delay, end = found[0][INDEX["V1"]], found[1], seen.measures["qrs_ms"]
    return bool(delay <= end + 10 and wave.max() >= 0.05 and delay + wave.argmax() > end)


def _p_per_beat(seen: Seen) -> np.ndarray:
    """Number of P waves in each interval between two QRS complexes."""
    return np.diff(np.searchsorted([time for time, _ in seen.recording.timeline.p], seen.onsets))


def _two_to_one_conduction(seen: Seen) -> bool:
    line = seen.recording.timeline
    if len(seen.onsets) < 3 or line.dissociated:
        return False
    if seen.recording.condition.rhythm == "aflutter":
        return bool(np.all(np.abs(np.diff(seen.onsets) * line.atrial_rate - 2) < 0.5))
    return bool(line.dropped) and bool(np.all(_p_per_beat(seen) == 2))


def _consecutive_dropped_p(seen: Seen) -> bool:
    line = seen.recording.timeline
    return bool(line.dissociated or line.dropped) and bool(_p_per_beat(seen).max(initial=0) >= 3)


# --- PR


def _conducted(seen: Seen) -> tuple[np.ndarray, np.ndarray]:
    """Onsets in s of the sinus P waves that are conducted, and their PR intervals in ms, in the recording."""
    line = seen.recording.timeline
    qrs = np.array([time for time, _ in line.qrs])
    dropped = set(line.dropped)
    p = np.array([time for time, kind in line.p if kind == "sinus" and time not in dropped])
    place = np.searchsorted(qrs, p)
    p, place = p[place < len(qrs)], place[place < len(qrs)]
    followed = np.array([line.qrs[i][1] == "main" for i in place], bool)
    inside = (p >= 0) & (qrs[place] <= seen.recording.duration) & followed
    return p[inside], 1000 * (qrs[place] - p)[inside]


def _varying_pr(seen: Seen) -> bool:
    """Of the basic rhythm; premature beats have intervals of their own."""
    line = seen.recording.timeline
    if not line.pr or line.dissociated or max(line.pr) - min(line.pr) <= VARIES:
        return False
    return bool(np.any(np.abs(np.diff(_conducted(seen)[1])) > VARIES))


def _constant_pr_before_drop(seen: Seen) -> bool:
    """PR is equal before and after each dropped beat."""
    line, duration = seen.recording.timeline, seen.recording.duration
    dropped = [time for time in line.dropped if line.inside([time], duration)]
    if not dropped:
        return False
    p, pr = _conducted(seen)
    after = np.searchsorted(p, dropped)
    after = after[(after > 0) & (after < len(p))]
    return bool(len(after)) and bool(np.all(np.abs(pr[after] - pr[after - 1]) <= VARIES))


RHYTHM: dict[str, Callable[[Seen], bool]] = {
    "fibrillatory_waves": _fibrillates,
    "flutter_waves": lambda seen: seen.recording.condition.rhythm == "aflutter",
    "bigeminal_pattern": _pattern("bigeminy", "atrial_bigeminy"),
    "trigeminal_pattern": _pattern("trigeminy"),
    "wide_couplet": _runs(2, 2),
    "wide_run": _runs(3, 99),
    "fusion_beats": lambda seen: (
        seen.recording.timeline.inside(seen.recording.timeline.fusion, seen.recording.duration) > 0
    ),
    "aberrant_beat": _aberrant_beat,
    "r_on_t": _r_on_t,
    "narrow_escape": _escape(wide=False),
    "wide_escape": _escape(wide=True),
    "group_beating": _group_beating,
    "atrial_rate_100_250": lambda seen: seen.recording.condition.rhythm == "atrial_tachycardia",
    "spike_before_qrs": lambda seen: spikes(seen, "ventricle"),
    "spike_before_p": lambda seen: spikes(seen, "atrium"),
    "retrograde_p": _retrograde_p,
    "pseudo_r_v1": _pseudo_r_v1,
    "two_to_one_conduction": _two_to_one_conduction,
    "consecutive_dropped_p": _consecutive_dropped_p,
    "av_dissociation": lambda seen: seen.recording.timeline.dissociated,
    "dropped_qrs": lambda seen: (
        seen.recording.timeline.inside(seen.recording.timeline.dropped, seen.recording.duration) > 0
    ),
    "progressive_pr": lambda seen: seen.recording.timeline.progressive,
    "varying_pr": _varying_pr,
    "constant_pr_before_drop": _constant_pr_before_drop,
}
