"""How waveforms stand in a shard: lossless 16-bit integers, each recording packed by itself.

Neighbouring samples differ by less than 128 ADC units nearly always. Packed are the differences along time plus 128,
their low bytes first and then their high bytes, which are nearly all 0; so LZ4 packs them well and fast
(``benchmarks/codecs.py`` compares encodings). A recording is unpacked without the others of its row group.
"""

import struct

import numpy as np
import pyarrow as pa

OFFSET = 128  # added to the differences, so that those from -128 to 127 have the high byte 0
_CODEC = pa.Codec("lz4")
_LENGTH = struct.Struct("<I")


def encode_waveform(digital: np.ndarray) -> bytes:
    """Encode a waveform; ``decode_waveform`` is the inverse.

    Parameters
    ----------
    digital
        int16 (12, samples), ADC units.

    Returns
    -------
    bytes
        The number of samples (32 bits, little-endian), and an LZ4 frame of ``difference + OFFSET``, modulo 2**16 and
        lead after lead: all low bytes, then all high bytes. The first difference of a lead is its first sample.

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
    differences = np.empty_like(digital, order="C")
    differences[:, :1] = digital[:, :1]
    np.subtract(digital[:, 1:], digital[:, :-1], out=differences[:, 1:])
    differences += np.int16(OFFSET)
    planes = np.empty((2, *digital.shape), np.uint8)
    np.copyto(planes[0], differences, casting="unsafe")  # which keeps the low byte
    differences >>= 8
    np.copyto(planes[1], differences, casting="unsafe")
    return _LENGTH.pack(digital.shape[1]) + _CODEC.compress(planes, asbytes=True)


def unpack(encoded: bytes | pa.Buffer, n_samples: int) -> np.ndarray:
    """Unpack the bytes of ``difference + OFFSET``: uint8 (2, 12, ``n_samples``), low bytes and high bytes.

    Raises ``ValueError`` if ``encoded`` is damaged or of another length.
    """
    content = pa.py_buffer(encoded)
    try:
        if _LENGTH.unpack_from(content)[0] != n_samples:
            raise ValueError("its length is another")
        planes = _CODEC.decompress(content.slice(_LENGTH.size), decompressed_size=24 * n_samples)
    except (OSError, ValueError, struct.error) as error:
        raise ValueError(f"not an encoded waveform of 12 leads and {n_samples} samples: {error}") from None
    return np.frombuffer(planes, dtype=np.uint8).reshape(2, 12, n_samples)


def decode_waveform(encoded: bytes | pa.Buffer, n_samples: int) -> np.ndarray:
    """Decode a waveform to int16 (12, ``n_samples``), ADC units.

    Raises ``ValueError`` if ``encoded`` is damaged or of another length.
    """
    low, high = unpack(encoded, n_samples)
    differences = (high.astype(np.int16) << 8) + low - np.int16(OFFSET)
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
    millivolts = waveform.astype(np.float32)
    if offset.any():
        millivolts -= offset
    millivolts /= np.asarray(gain, dtype=np.float32)[:, None]
    return millivolts
