"""When atria and ventricles are activated: one timeline of P waves, QRS complexes and pacing spikes per recording."""

import math
from dataclasses import dataclass, field

import numpy as np

from fgclep.simulation.heart.condition import PACED, Condition
from fgclep.simulation.heart.heart import bounded
from fgclep.simulation.heart.patient import Patient

_EVERY = {"bigeminy": 2, "trigeminy": 3, "atrial_bigeminy": 2}
LEAD_IN = 2.5  # s simulated before the recording starts, so that its first beats have a past


@dataclass
class Timeline:
    """Events in s from the start of the recording, and the rhythm's state.

    ``qrs`` holds (onset, kind) with kinds main, pvc, aberrant, fusion; ``p`` holds (onset, kind) with kinds sinus
    and ectopic; ``spikes`` holds (time, chamber).
    """

    qrs: list[tuple[float, str]] = field(default_factory=list)
    p: list[tuple[float, str]] = field(default_factory=list)
    spikes: list[tuple[float, str]] = field(default_factory=list)
    pr: list[float] = field(default_factory=list)  # ms, of conducted beats
    premature_narrow: list[float] = field(default_factory=list)
    premature_wide: list[float] = field(default_factory=list)
    dropped: list[float] = field(default_factory=list)  # P waves that are not conducted
    full_pause: list[float] = field(default_factory=list)  # premature beats with a compensatory pause
    respiration: float = 0.0  # relative amplitude of the respiratory variation of the sinus cycle
    breathing: float = 0.25  # Hz
    atrial_rate: float = 0.0  # Hz, of flutter or fibrillatory waves
    runs: list[tuple[float, int]] = field(default_factory=list)  # onset and length of couplets and ventricular runs
    fusion: list[float] = field(default_factory=list)
    dissociated: bool = False
    retrograde: bool = False  # P waves are conducted from the ventricles
    progressive: bool = False

    def inside(self, times: list[float], duration: float) -> int:
        """Count of ``times`` within the recording."""
        return sum(0.05 <= time <= duration - 0.05 for time in times)


def _sinus_cycles(
    rng: np.random.Generator, condition: Condition, patient: Patient, duration: float, line: Timeline
) -> list[float]:
    """Times of sinus discharges, with respiratory and slow variation (Task Force 1996: less with age and rate)."""
    mean = 60 / condition.rate
    line.breathing = float(rng.uniform(0.16, 0.32))
    if condition.rhythm == "sinus_arrhythmia":
        line.respiration = float(rng.uniform(0.115, 0.27))
    elif condition.rhythm in ("atrial_pacing", "av_pacing"):
        line.respiration = 0.0
    else:
        natural = 0.065 * math.exp(-(patient.age - 25) / 40 + 0.4 * rng.standard_normal())
        line.respiration = float(min(natural * min(1.0, mean / 0.8), 0.075))
    jitter = 0.0005 if condition.rhythm in ("atrial_pacing", "av_pacing") else 0.015 * min(1.0, mean)
    if condition.rhythm == "sinus_arrhythmia":
        jitter *= rng.uniform(1.0, 4.0)
    slow, phase, slow_phase = 0.6 * jitter, rng.uniform(0, 6.28), rng.uniform(0, 6.28)
    count = int((duration + 2 * LEAD_IN) / mean * 1.5) + 4
    deviates = (jitter * rng.standard_normal(count)).tolist()
    depth = rng.uniform(0.0, 1.2)  # nobody breathes evenly
    times, now = [], -LEAD_IN + rng.uniform(0, mean)
    for deviate in deviates:
        times.append(now)
        wave = line.respiration * math.sin(2 * math.pi * line.breathing * now + phase + depth * math.sin(0.9 * now))
        now += mean * (1 + wave + slow * math.sin(0.6 * now + slow_phase) + deviate)
        if now > duration + LEAD_IN:
            break
    return times


def _supraventricular(
    rng: np.random.Generator, condition: Condition, patient: Patient, duration: float, line: Timeline
) -> None:
    """Sinus-like rhythms that are conducted one to one, with premature beats."""
    cycles = _sinus_cycles(rng, condition, patient, duration, line)
    mean = 60 / condition.rate
    pr = patient.pr - 0.12 * (condition.rate - 70) + 6 * condition.left_atrium  # P itself takes longer
    if condition.long_pr:
        pr = bounded(206 + rng.gamma(1.6, 24), 206, 400)
        pr = min(pr, 1000 * mean - 330)
    elif condition.conduction == "wpw":
        pr = rng.uniform(80, 117)
    elif condition.rhythm == "ectopic_atrial":
        pr = rng.uniform(98, 168)
    elif condition.rhythm == "atrial_tachycardia":
        pr = min(rng.uniform(110, 190), 450 * mean)
    elif condition.rhythm in ("atrial_pacing", *PACED):
        pr = rng.uniform(120 if condition.rhythm == "ventricular_pacing" else 140, 235)
    elif condition.hypertrophy == "rvh" or rng.random() > 0.05:
        pr = max(pr, 121.0)
    else:
        pr = rng.uniform(100, 119)
    kind = condition.ectopy
    every = _EVERY.get(kind or "", 0)
    chance = 0.0 if every or kind is None else float(rng.uniform(0.08, 0.30))
    coupling = rng.uniform(0.50, 0.66)
    since, first_forced = int(rng.integers(0, 3)), False
    shift = 0.0
    i = 0
    while i < len(cycles):
        p_time = cycles[i] + shift
        if p_time > duration + 1:
            break
        _conduct(line, condition, p_time, pr + 1.2 * rng.standard_normal(), patient)
        i += 1
        since += 1
        if kind is None or i + 1 >= len(cycles):
            continue
        qrs_time = p_time + pr / 1000
        next_cycle = cycles[i] - cycles[i - 1]
        due = since >= every - 1 if every else rng.random() < chance
        if not every and not first_forced and 0.35 * duration < qrs_time < duration - 2.2:
            due = True  # the finding shows itself at least once
        if not due or qrs_time < -LEAD_IN + mean:
            continue
        early = "pac" if kind in ("pac", "atrial_bigeminy") or (kind == "both" and rng.random() < 0.5) else "pvc"
        inside = 0.0 < qrs_time < duration - 1.2
        first_forced = first_forced or inside
        since = 0
        if kind == "fusion" and rng.random() < 0.6:  # an ectopic beat so late that the sinus beat is on its way
            time = cycles[i] + shift + pr / 1000 - rng.uniform(0.005, 0.03)
            line.p.append((cycles[i] + shift, "sinus"))
            line.qrs.append((time, "fusion"))
            line.fusion.append(time)
            i += 1
            continue
        ratio = coupling + rng.normal(0, 0.012) if early == "pvc" else rng.uniform(0.54, 0.78)
        time = qrs_time + max(ratio * next_cycle, 0.34)
        if early == "pvc":
            line.qrs.append((time, "pvc"))
            line.premature_wide.append(time)
            last = _run(line, rng, kind, time)
            if last == time:
                line.full_pause.append(time)
            while i + 1 < len(cycles) and cycles[i + 1] + shift + pr / 1000 < last + 0.45:
                i += 1
            i += 1  # the next sinus beat finds the ventricles refractory: the pause is compensatory
        else:
            own_pr = rng.uniform(115, 175)
            if time - own_pr / 1000 < qrs_time + 0.22:
                time = qrs_time + 0.22 + own_pr / 1000
            aberrant = rng.random() < 0.12
            line.p.append((time - own_pr / 1000, "ectopic"))
            line.qrs.append((time, "aberrant" if aberrant else "main"))
            (line.premature_wide if aberrant else line.premature_narrow).append(time)
            reset = time - pr / 1000 + next_cycle * rng.uniform(1.0, 1.22)
            shift = reset - cycles[i]


def _run(line: Timeline, rng: np.random.Generator, kind: str | None, first: float) -> float:
    """Add the other beats of a couplet or of a short ventricular tachycardia; returns the time of the last one."""
    more = {"couplet": 1, "run": int(rng.integers(2, 7))}.get(kind or "", 0)
    gap, time = rng.uniform(0.33, 0.48), first
    for _ in range(more):
        time += gap * (1 + rng.normal(0, 0.03))
        line.qrs.append((time, "pvc"))
        line.premature_wide.append(time)
    if more:
        line.runs.append((first, more + 1))
    return time


def _conduct(line: Timeline, condition: Condition, p_time: float, pr: float, patient: Patient) -> None:
    """One atrial activation and the QRS that follows it."""
    time = p_time + pr / 1000
    line.p.append((p_time, "sinus"))
    line.qrs.append((time, "main"))
    line.pr.append(pr)
    if condition.rhythm in ("atrial_pacing", "av_pacing"):
        line.spikes.append((p_time - 0.012, "atrium"))
    if condition.rhythm in PACED:
        line.spikes.append((time - 0.006, "ventricle"))


def _ventricular_series(
    line: Timeline, rng: np.random.Generator, condition: Condition, cycles: list[float], duration: float
) -> None:
    """Main beats at the given times, with ventricular premature beats between them."""
    kind = condition.ectopy
    every = _EVERY.get(kind or "", 0)
    chance = 0.0 if every or kind is None else float(rng.uniform(0.08, 0.25))
    forced, since, i = False, 0, 0
    while i < len(cycles):
        time = cycles[i]
        line.qrs.append((time, "main"))
        if condition.rhythm == "ventricular_pacing":
            line.spikes.append((time - 0.006, "ventricle"))
        i += 1
        since += 1
        if kind is None or i >= len(cycles):
            continue
        gap = cycles[i] - time
        due = since >= every - 1 if every else rng.random() < chance
        if not every and not forced and 0.35 * duration < time < duration - 2.0:
            due = True
        if due:
            early = time + max(0.60 * gap, 0.34)
            forced = forced or 0 < early < duration - 0.3
            line.qrs.append((early, "pvc"))
            line.premature_wide.append(early)
            early = _run(line, rng, kind, early)
            i += 1
            since = 0
            while i < len(cycles) and cycles[i] < early + 0.42:
                i += 1


def _regular(rng: np.random.Generator, mean: float, spread: float, duration: float) -> list[float]:
    count = int((duration + 2 * LEAD_IN) / mean) + 2
    steps = mean * (1 + spread * rng.standard_normal(count))
    start = -LEAD_IN + rng.uniform(0, mean)
    return [float(time) for time in start + np.cumsum(steps) if time < duration + LEAD_IN]


def _fibrillation(rng: np.random.Generator, condition: Condition, duration: float, line: Timeline) -> None:
    """Irregular intervals: a refractory period and a gamma distributed rest (Corino et al. 2011)."""
    mean = 60 / condition.rate
    spread = rng.uniform(0.12, 0.27) * (0.85 if condition.rate > 110 else 1.0)  # 0.2 within ten seconds
    floor = max(0.28, mean * (1 - 2.0 * spread))
    shape = ((mean - floor) / (spread * mean)) ** 2
    count = int((duration + 2 * LEAD_IN) / mean * 1.8) + 6
    steps = floor + rng.gamma(shape, (mean - floor) / shape, count)
    start = -LEAD_IN + rng.uniform(0, mean)
    cycles = [float(time) for time in start + np.cumsum(steps) if time < duration + LEAD_IN]
    line.atrial_rate = float(rng.uniform(4.6, 8.4))
    _ventricular_series(line, rng, condition, cycles, duration)


def _flutter(rng: np.random.Generator, condition: Condition, duration: float, line: Timeline) -> None:
    """Atria at 230 to 340 per minute; every second to fifth wave is conducted, or a varying one."""
    line.atrial_rate = bounded(rng.normal(4.85, 0.38), 3.8, 5.7)
    ratio = min(max(round(60 * line.atrial_rate / condition.rate), 2), 5)
    varying = rng.random() < 0.35
    times, now = [], -LEAD_IN + rng.uniform(0, 0.4)
    while now < duration + LEAD_IN:
        times.append(now)
        step = int(rng.integers(max(2, ratio - 1), ratio + 2)) if varying else ratio
        now += step / line.atrial_rate + rng.normal(0, 0.006)
    _ventricular_series(line, rng, condition, times, duration)


def _second_degree(
    rng: np.random.Generator, condition: Condition, patient: Patient, duration: float, line: Timeline
) -> None:
    """Wenckebach periods, or sudden block with a constant PR interval."""
    first = condition.rhythm == "mobitz_1"
    if first:
        length = int(rng.integers(3, 6))  # P waves per period
    else:
        length = int(rng.integers(2, 5))
    atrial = bounded(condition.rate * length / (length - 1), 55, 105)
    cycles = _sinus_cycles(rng, Condition(False, "sinus", atrial), patient, duration, line)
    line.progressive = first
    start = rng.uniform(165, 230) if first else rng.uniform(140, 215)
    growth = rng.uniform(45, 95)
    place = int(rng.integers(0, length))
    for p_time in cycles:
        if place == length - 1:
            line.p.append((p_time, "sinus"))
            line.dropped.append(p_time)
            place = 0
            continue
        # the increments shrink within a period
        pr = start + (growth * sum(0.6**k for k in range(place)) if first else 0.0)
        _conduct(line, condition, p_time, pr + rng.normal(0, 2), patient)
        place += 1


def _complete_block(
    rng: np.random.Generator, condition: Condition, patient: Patient, duration: float, line: Timeline
) -> None:
    atrial = bounded(rng.normal(82, 12), 58, 120)
    cycles = _sinus_cycles(rng, Condition(False, "sinus", atrial), patient, duration, line)
    line.p = [(time, "sinus") for time in cycles]
    line.qrs = [(time, "main") for time in _regular(rng, 60 / condition.rate, 0.006, duration)]
    line.dissociated = True


def _junctional(rng: np.random.Generator, condition: Condition, duration: float, line: Timeline) -> None:
    """Regular narrow beats; P hidden in the QRS or retrograde after it."""
    spread = 0.004 if condition.rhythm == "svt" else 0.012
    cycles = _regular(rng, 60 / condition.rate, spread, duration)
    _ventricular_series(line, rng, condition, cycles, duration)
    if rng.random() < (0.5 if condition.rhythm == "svt" else 0.3):
        delay = rng.uniform(0.10, 0.17)
        line.p = [(time + delay, "ectopic") for time, kind in line.qrs if kind == "main"]
        line.retrograde = True


def _ventricular_pacing(
    rng: np.random.Generator, condition: Condition, patient: Patient, duration: float, line: Timeline
) -> None:
    """The ventricles follow each P wave (DDD, VDD), or a fixed rate below fibrillating or sinus-driven atria (VVI).

    About half of the pacemakers implanted in the 1990s were of either kind (Mond 2001, Pacing Clin Electrophysiol
    24:869).
    """
    mode = rng.random()
    if mode < 0.45:
        _supraventricular(rng, condition, patient, duration, line)
        return
    if mode < 0.75:
        line.atrial_rate = float(rng.uniform(4.6, 8.4))
    else:
        atrial = bounded(rng.normal(76, 11), 52, 110)
        cycles = _sinus_cycles(rng, Condition(False, "sinus", atrial), patient, duration, line)
        line.p = [(time, "sinus") for time in cycles]
        line.dissociated = True
    _ventricular_series(line, rng, condition, _regular(rng, 60 / condition.rate, 0.0008, duration), duration)


def draw_timeline(rng: np.random.Generator, condition: Condition, patient: Patient, duration: float) -> Timeline:
    """Draw the events of a recording of ``duration`` seconds."""
    line = Timeline()
    rhythm = condition.rhythm
    if rhythm == "afib":
        _fibrillation(rng, condition, duration, line)
    elif rhythm == "aflutter":
        _flutter(rng, condition, duration, line)
    elif rhythm in ("mobitz_1", "mobitz_2"):
        _second_degree(rng, condition, patient, duration, line)
    elif rhythm == "av_block_3":
        _complete_block(rng, condition, patient, duration, line)
    elif rhythm in ("junctional", "svt"):
        _junctional(rng, condition, duration, line)
    elif rhythm in ("idioventricular", "ventricular_tachycardia"):
        line.qrs = [(time, "main") for time in _regular(rng, 60 / condition.rate, 0.012, duration)]
    elif rhythm == "ventricular_pacing":
        _ventricular_pacing(rng, condition, patient, duration, line)
    else:
        _supraventricular(rng, condition, patient, duration, line)
    line.qrs.sort()
    line.p.sort()
    return line
