"""One simulated recording: from random numbers to a signal with everything that is true about it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from fgclep.simulation.heart.condition import Condition
from fgclep.simulation.heart.heart import SAMPLING_RATE, add_stretched, add_table, twelve_leads
from fgclep.simulation.heart.morphology import Morphology, build
from fgclep.simulation.heart.patient import Patient
from fgclep.simulation.heart.rhythm import Timeline, draw_timeline
from fgclep.simulation.recorder.filters import draw_cart, response
from fgclep.simulation.recorder.noise import add_disturbances, draw_connection, draw_levels, noise_spectrum, times

_BRIDGE = 100  # samples at least, from the end of a recording back to its start
FLUTTER = np.array([0.10, -1.0, -0.42])  # direction of the counterclockwise circuit in the vector space
_MARK = np.array([0.7, 1.0, -0.05, 0.3, 0.65, 0.65, 0.5, 0.4])  # of a stimulus, relative to that in II
FIBRILLATION = np.array([0.30, 0.62, -1.0])


@dataclass(frozen=True)
class Recording:
    """What was simulated: the state, and the signal in I, II, V1 to V6 (mV, float32, shape (8, n))."""

    patient: Patient
    condition: Condition
    morphology: Morphology
    timeline: Timeline
    duration: float
    signal: np.ndarray
    connection: np.ndarray | None = None  # (8, 8), of cables that were mistaken for each other

    def twelve(self) -> np.ndarray:
        """The signal in the twelve leads, canonical order, shape (12, n)."""
        return twelve_leads(self.signal)


def _atrial_activity(
    signal: np.ndarray, line: Timeline, patient: Patient, flutter: bool, rng: np.random.Generator
) -> None:
    """Add flutter or fibrillatory waves, which go on through QRS and T."""
    n = signal.shape[1]
    time = times(n)
    if flutter:
        phase = (time * line.atrial_rate + rng.random()) % 1
        rise = rng.uniform(0.55, 0.75)
        saw = np.where(phase < rise, phase / rise, (1 - phase) / (1 - rise)) - 0.5
        saw = saw + 0.22 * np.sin(2 * np.pi * phase + rng.uniform(0, 6.28))
        typical = rng.random() < 0.78
        direction = (FLUTTER if typical else FLUTTER * np.array([-1.0, -0.8, 1.0])) + rng.normal(0, 0.12, 3)
        size = np.exp(rng.normal(np.log(0.19), 0.35))
        signal += ((patient.atrial_torso @ direction * size)[:, None] * saw).astype(np.float32)
        return
    size = math.exp(rng.normal(math.log(0.045), 0.55))
    drift = np.cumsum(rng.normal(0, 1, (3, n // 25 + 2)), axis=1) * 0.055
    for axis in range(3):  # three sources of slightly different pace: the waves change their shape
        wander = np.interp(time, np.arange(drift.shape[1]) * 25 / SAMPLING_RATE, drift[axis]).astype(np.float32)
        phase = 2 * math.pi * (line.atrial_rate * rng.uniform(0.93, 1.07) * time + wander) + rng.uniform(0, 6.28)
        wave = np.sin(phase) + 0.35 * np.sin(2 * phase + 1.0)
        direction = FIBRILLATION * (np.arange(3) == axis) + rng.normal(0, 0.15, 3)
        modulation = 1 + 0.4 * np.sin(2 * math.pi * rng.uniform(0.1, 0.5) * time + rng.uniform(0, 6.28))
        signal += (patient.atrial_torso @ direction * size).astype(np.float32)[:, None] * (wave * modulation)


def _spikes(signal: np.ndarray, line: Timeline, rng: np.random.Generator) -> None:
    """Add stimulus artifacts: small from bipolar leads, large from unipolar ones, one or two samples long.

    Many carts replace what their filters leave of them by marks of one size (Kligfield et al. 2007, AHA/ACC/HRS part
    I, on the display of stimuli), upright in I, II and V3 to V6 as those of PTB-XL's commonest cart.
    """
    marked = rng.random() < 0.6
    size = np.exp(rng.normal(np.log(0.35), 0.6)) if rng.random() < 0.75 else rng.uniform(1.0, 3.0)
    for chamber in ("atrium", "ventricle"):
        direction = rng.normal(0, 1, 8)
        direction[2:] = 0.5 * direction[2:] + 0.5 * direction[1]
        vector = size * direction / np.abs(direction).max() * (0.6 if chamber == "atrium" else 1.0)
        if marked:
            vector = rng.uniform(4.0, 7.0) * _MARK
        vector = vector.astype(np.float32)
        for time, place in line.spikes:
            index = round(time * SAMPLING_RATE)
            if place == chamber and 0 <= index < signal.shape[1] - 1:
                signal[:, index] += vector
                signal[:, index + 1] += 0.5 * vector


def _pr_segment(signal: np.ndarray, morphology: Morphology, p_time: float, qrs_time: float) -> None:
    """Lower the signal between the P wave and the QRS, with soft edges."""
    start = round((p_time + 0.6 * morphology.p_ms / 1000) * SAMPLING_RATE)
    stop = round((qrs_time + 0.01) * SAMPLING_RATE)
    low, high = max(start, 0), min(stop, signal.shape[1])
    if high - low < 4:
        return
    place = (np.arange(low, high) - start) / (stop - start)
    window = np.clip(np.minimum(place, 1 - place) * 6, 0, 1)
    signal[:, low:high] += (morphology.pr_level[:, None] * window).astype(np.float32)


def conducted_beats(line: Timeline, condition: Condition, morphology: Morphology) -> Iterator[tuple[float, str, float]]:
    """Onset in s, kind, and stretch of ST and T of every beat: QT follows the rate slowly (Franz 1988)."""
    previous = None
    average = 60 / condition.rate
    for time, kind in line.qrs:
        interval = average if previous is None else min(max(time - previous, 0.3), 2.2)
        previous = time
        average = 0.75 * average + 0.25 * interval
        beat = morphology.beats[kind]
        yield time, kind, stretch_of(beat.qt, beat.qrs_ms, average)


def render(
    patient: Patient, condition: Condition, morphology: Morphology, line: Timeline, duration: float,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Add all waves of the heart; returns I, II, V1 to V6 in mV without noise, float32, shape (8, n)."""
    signal = np.zeros((8, round(duration * SAMPLING_RATE)), np.float32)
    breath = 2 * np.pi * line.breathing
    for time, kind, st_stretch in conducted_beats(line, condition, morphology):
        if not -1.2 < time < duration + 0.3:
            continue
        beat = morphology.beats[kind]
        add_table(signal, beat.qrs, time, beat.wobble, math.sin(breath * time))
        add_stretched(signal, beat.repolarization, time + beat.qrs_ms / 1000, st_stretch)
    for time, kind in line.p:
        if -0.4 < time < duration + 0.1:
            add_table(signal, morphology.p if kind == "sinus" else morphology.ectopic_p, time)
    if morphology.pr_level.any() and line.pr:
        pr = float(np.median(line.pr)) / 1000
        for time, kind in line.p:
            if kind == "sinus":
                _pr_segment(signal, morphology, time, time + pr)
    if line.atrial_rate:
        _atrial_activity(signal, line, patient, condition.rhythm == "aflutter", rng)
    if line.spikes:
        _spikes(signal, line, rng)
    return signal


def record(
    signal: np.ndarray, connection: np.ndarray | None, rng: np.random.Generator, mains: float
) -> np.ndarray:  # fmt: skip
    """What an electrocardiograph writes of the heart's signal (8, n): with noise, through its filters, in its steps."""
    cart, levels = draw_cart(rng, mains), draw_levels(rng)
    n = signal.shape[1]
    # the filters run in circles: what follows the end is bent back to the start
    length = next_fast_len(n + _BRIDGE, real=True)
    whole = np.empty((8, length), np.float32)
    whole[:, :n] = signal if connection is None else connection @ signal
    add_disturbances(whole[:, :n], levels, rng, mains)
    ramp = np.linspace(0, 1, length - n, endpoint=False, dtype=np.float32)
    whole[:, n:] = whole[:, n - 1 : n] * (1 - ramp) + whole[:, :1] * ramp
    gain = response(cart, length)
    spectrum = rfft(whole, axis=1, overwrite_x=True)
    bins = len(gain)
    noise = noise_spectrum(length, bins, levels, rng)
    passed = spectrum[:, :bins]
    passed.real += noise[:, 0]
    passed.imag += noise[:, 1]
    passed *= gain
    spectrum[:, bins:] = 0
    written = irfft(spectrum, length, axis=1, overwrite_x=True)[:, :n]
    written *= np.float32(1 / cart.step)
    return np.rint(written, out=np.empty((8, n), np.float32)) * np.float32(cart.step)


def stretch_of(qt: float, qrs_ms: float, interval: float) -> float:
    """Stretch of ST and T at an RR interval of ``interval`` s: QT follows its cube root (Fridericia)."""
    return (qt * interval ** (1 / 3) - qrs_ms) / (qt - qrs_ms)


def simulate(
    patient: Patient, condition: Condition, rng: np.random.Generator, duration: float = 10.0, mains: float = 60.0
) -> Recording:
    """Simulate one recording of a patient.

    Parameters
    ----------
    patient, condition
        As drawn by ``draw_patient`` and ``draw_condition``.
    rng
        Source of all that remains to be drawn.
    duration
        Length in seconds.
    mains
        Frequency of the mains in Hz.
    """
    morphology = build(patient, condition, rng)
    line = draw_timeline(rng, condition, patient, duration)
    connection = draw_connection(rng)
    clean = render(patient, condition, morphology, line, duration, rng)
    signal = record(clean, connection, rng, mains)
    return Recording(patient, condition, morphology, line, duration, signal, connection)
