"""Bytes of WFDB records: format 16 in ``.dat`` and, behind 24 bytes of a MATLAB level 4 header, in ``.mat``."""

import struct

import numpy as np

INVALID = -32768  # NaN in format 16


def digitize(leads: np.ndarray, gain: float) -> np.ndarray:
    """ADC units of twelve leads given I, II, V1 to V6 in mV; the derived leads are computed from the digital I and II.

    Parameters
    ----------
    leads
        Shape (8, n), mV.
    gain
        ADC units per mV.

    Returns
    -------
    numpy.ndarray
        int16, shape (12, n), in canonical lead order; II = I + III exactly, the augmented leads within half a unit.
    """
    units = leads * np.float32(gain)
    np.rint(units, out=units)
    np.clip(units, -10_000, 10_000, out=units)
    twelve = np.empty((12, units.shape[1]), np.int16)
    twelve[:2], twelve[6:] = units[:2], units[2:]
    first, second = twelve[:2]
    twelve[2] = second - first
    twelve[3] = -((first + second) >> 1)
    twelve[4] = (2 * first - second) >> 1
    twelve[5] = (2 * second - first) >> 1
    return twelve


def dat_bytes(digital: np.ndarray) -> bytes:
    """Content of a ``.dat`` file in format 16 for int16 samples of shape (leads, n)."""
    return np.ascontiguousarray(digital.T).astype("<i2", copy=False).tobytes()


def mat_bytes(digital: np.ndarray) -> bytes:
    """Content of a ``.mat`` file (level 4, one int16 matrix called val) for int16 samples of shape (leads, n)."""
    # type 30: little endian, full matrix of 16-bit signed integers; then rows, columns, real, length of the name
    return struct.pack("<5i", 30, digital.shape[0], digital.shape[1], 0, 4) + b"val\0" + dat_bytes(digital)


def header_text(
    name: str, file: str, format_text: str, gain_text: str, digital: np.ndarray, leads: tuple[str, ...],
    sampling_rate: int = 500, when: str = "", comments: tuple[str, ...] = (),
) -> str:  # fmt: skip
    """Text of a ``.hea`` file; ``when`` is "HH:MM:SS DD/MM/YYYY" or empty, ``gain_text`` such as ``1000/mV``."""
    lines = [
        " ".join(part for part in (name, str(len(leads)), str(sampling_rate), str(digital.shape[1]), when) if part)
    ]
    checksums = digital.sum(axis=1, dtype=np.int16)  # of 16 bits, as the format has them
    for lead, first, checksum in zip(leads, digital[:, 0].tolist(), checksums.tolist(), strict=True):
        lines.append(f"{file} {format_text} {gain_text} 16 0 {first} {checksum} 0 {lead}")
    lines += [f"#{comment}" for comment in comments]
    return "\n".join(lines) + "\n"
