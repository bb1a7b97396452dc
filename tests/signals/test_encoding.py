import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fgclep.signals.encoding import decode_waveform, encode_waveform, to_millivolts, unpack


@settings(max_examples=50, deadline=None)
@given(arrays(np.int16, st.tuples(st.just(12), st.integers(0, 40))))
def test_every_waveform_survives(waveform):
    np.testing.assert_array_equal(decode_waveform(encode_waveform(waveform), waveform.shape[1]), waveform)


def test_the_bytes_are_differences_that_wrap_around_in_two_planes():
    waveform = np.zeros((12, 2), dtype=np.int16)
    waveform[0] = [32767, -32768]  # differences 32767 and 1, plus 128: 0x807f and 0x0081
    packed = encode_waveform(waveform)
    assert unpack(packed, 2).tobytes() == bytes.fromhex("7f81" + "80" * 22 + "8000" + "00" * 22)
    assert packed[:4] == b"\x02\0\0\0"
    assert pa.Codec("lz4").decompress(packed[4:], decompressed_size=48).to_pybytes() == unpack(packed, 2).tobytes()


def test_another_shape_or_type_is_refused():
    with pytest.raises(ValueError, match=r"int16 array of shape \(12, samples\)"):
        encode_waveform(np.zeros((11, 5), dtype=np.int16))
    with pytest.raises(ValueError, match="int16"):
        encode_waveform(np.zeros((12, 5), dtype=np.int32))
    with pytest.raises(ValueError, match="12 leads and 7 samples"):
        decode_waveform(b"1234", 7)
    packed = encode_waveform(np.ones((12, 5), dtype=np.int16))
    for damaged, length in ((packed, 4), (packed, 6), (packed[:-1], 5), (packed + b"0", 5), (b"", 5)):
        with pytest.raises(ValueError, match="not an encoded waveform"):
            decode_waveform(damaged, length)


def test_millivolts_follow_gain_and_baseline():
    digital = np.full((12, 1), 300, dtype=np.int16)
    mv = to_millivolts(digital, np.full(12, 200.0), np.full(12, 100))
    assert mv.dtype == np.float32
    np.testing.assert_allclose(mv, 1.0)
