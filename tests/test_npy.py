"""Arrays written in pieces are the same .npy files as those that NumPy writes at once."""

import numpy as np
import pytest

from fgclep.npy import NpyWriter


def test_rows_written_in_pieces_are_one_array(tmp_path):
    array = np.arange(12, dtype=np.float16).reshape(4, 3)
    with NpyWriter(tmp_path / "a.npy", np.float16, (3,)) as writer:
        writer.append(array[:1])
        writer.append(array[1:])
    np.save(tmp_path / "b.npy", array)
    assert np.array_equal(np.load(tmp_path / "a.npy", mmap_mode="r"), array)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


def test_many_rows_need_no_more_header(tmp_path):
    with NpyWriter(tmp_path / "a.npy", np.int8) as writer:
        for _ in range(11):
            writer.append(np.ones(100_000))
    assert np.load(tmp_path / "a.npy").shape == (1_100_000,)


def test_values_are_converted_and_no_row_is_an_empty_array(tmp_path):
    with NpyWriter(tmp_path / "a.npy", np.int32) as writer:
        writer.append(np.array([3.0]))
    assert np.load(tmp_path / "a.npy").tolist() == [3]
    with NpyWriter(tmp_path / "b.npy", np.int32):
        pass
    assert np.load(tmp_path / "b.npy").shape == (0,)


def test_rows_of_another_shape_are_refused(tmp_path):
    message = r"a\.npy: rows of shape \(2,\), expected \(3,\)"
    with NpyWriter(tmp_path / "a.npy", np.float16, (3,)) as writer, pytest.raises(ValueError, match=message):
        writer.append(np.zeros((1, 2)))
