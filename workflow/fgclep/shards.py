"""How waveforms stand in a shard: lossless 16-bit integers, differenced along time so that zstd packs them well."""

import numpy as np


def encode_waveform(digital: np.ndarray) -> bytes:
    """Encode a waveform; ``decode_waveform`` is the inverse.

    Parameters
    ----------
    digital
        int16 (12, samples), ADC units.

    Returns
    -------
    bytes
        Little-endian 16-bit differences along time, modulo 2**16, the first sample against 0; lead after lead.

    Raises
    ------
    ValueError
        For another type or number of leads.

    Examples
    --------
    >>> import numpy as np
    >>> waveform = np.arange(24, dtype=np.int16).reshape(12, 2)
    >>> bool((decode_waveform(encode_waveform(waveform), 2) == waveform).all())
    True
    """
    if digital.dtype != np.int16 or digital.ndim != 2 or len(digital) != 12:
        raise ValueError(f"expected an int16 array of shape (12, samples), got {digital.dtype} {digital.shape}")
    return np.diff(digital, axis=1, prepend=np.int16(0)).astype("<i2").tobytes()


def decode_waveform(encoded: bytes, n_samples: int) -> np.ndarray:
    """Decode a waveform to int16 (12, ``n_samples``), ADC units.

    Raises ``ValueError`` if the length does not fit.
    """
    if len(encoded) != 12 * n_samples * 2:
        raise ValueError(f"{len(encoded)} bytes are not 12 leads of {n_samples} 16-bit samples")
    differences = np.frombuffer(encoded, dtype="<i2").reshape(12, n_samples)
    return np.cumsum(differences, axis=1, dtype=np.int16)


def to_millivolts(waveform: np.ndarray, gain: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """Convert ADC units to mV.

    Parameters
    ----------
    waveform
        int16 (12, samples).
    gain
        (12,) ADC units per mV.
    baseline
        (12,) ADC value of 0 mV.

    Returns
    -------
    numpy.ndarray
        float32 (12, samples): ``(waveform - baseline) / gain``.
    """
    offset = np.asarray(baseline, dtype=np.float32)[:, None]
    scale = np.asarray(gain, dtype=np.float32)[:, None]
    return (waveform.astype(np.float32) - offset) / scale
