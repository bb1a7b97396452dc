"""Butterworth filters in sections of second order, as in ``scipy.signal``, whose import takes half a second."""

import numpy as np


def band_pass_sections(low: float, high: float, rate: float) -> np.ndarray:
    """Return ``scipy.signal.butter(2, [low, high], "bandpass", fs=rate, output="sos")``.

    Parameters
    ----------
    low, high, rate
        Edges and sampling rate in Hz.

    Returns
    -------
    numpy.ndarray
        float64 (2, 6): for each section the numerator's and the denominator's coefficients.

    Raises
    ------
    ValueError
        If the edges are not in order between 0 and half the rate.
    """
    if not 0 < low < high < rate / 2:
        raise ValueError(f"critical frequencies {low} and {high} Hz must be in order between 0 and {rate / 2} Hz")
    low, high = 4 * np.tan(np.pi * np.array([low, high]) / rate)
    pole = np.exp(0.75j * np.pi) * (high - low) / 2  # of the low-pass, at -1 in magnitude; the other is its conjugate
    root = np.sqrt(pole**2 - low * high)
    poles = np.array([pole + root, pole - root])
    gain = (high - low) ** 2 * 16 / np.prod(np.abs(4 - poles)) ** 2
    poles = (4 + poles) / (4 - poles)
    poles = poles[np.argsort(-np.abs(1 - np.abs(poles)))]  # last the pole that is nearest to the unit circle
    zero = np.sign(poles[1].real) or 1.0  # and the zeros that are nearest to it
    sections = [[1, -2 * z, 1, 1, -2 * p.real, abs(p) ** 2] for z, p in zip((-zero, zero), poles, strict=True)]
    return np.array(sections) * [[gain] * 3 + [1] * 3, [1] * 6]


def low_pass_section(cutoff: float, rate: float) -> np.ndarray:
    """Return ``scipy.signal.butter(1, cutoff, fs=rate, output="sos")``, float64 (1, 6); both are in Hz."""
    tangent = np.tan(np.pi * cutoff / rate)
    gain = tangent / (1 + tangent)
    return np.array([[gain, gain, 0, 1, 2 * gain - 1, 0]])


def filter_sections(sections: np.ndarray, signals: np.ndarray, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Filter some signals one sample after the other, as ``scipy.signal.sosfilt``.

    Parameters
    ----------
    sections
        See ``band_pass_sections``.
    signals
        float64 (signals, samples).
    states
        Of the sections before the first sample, float64 (sections, signals, 2).

    Returns
    -------
    numpy.ndarray, numpy.ndarray
        Filtered signals, and the states behind the last sample.
    """
    filtered, states = signals.copy(), states.copy()
    for column in filtered.T:
        for (b0, b1, b2, _, a1, a2), state in zip(sections, states, strict=True):
            given = column.copy()
            column[:] = b0 * given + state[:, 0]
            state[:, 0] = b1 * given - a1 * column + state[:, 1]
            state[:, 1] = b2 * given - a2 * column
    return filtered, states


def steady_states(sections: np.ndarray) -> np.ndarray:
    """States (sections, 2) of a signal that has been 1 forever, as ``scipy.signal.sosfilt_zi``."""
    states, level = np.empty((len(sections), 2)), 1.0
    for state, (b0, b1, b2, _, a1, a2) in zip(states, sections, strict=True):
        after = level * (b0 + b1 + b2) / (1 + a1 + a2)
        state[1] = b2 * level - a2 * after
        state[0] = after - b0 * level
        level = after
    return states
