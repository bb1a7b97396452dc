"""WFDB records of every kind that is sound, compared with wfdb itself sample by sample."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from wfdb_files import RATE, heart, write_record

from fgclep.leads import LEADS
from fgclep.recordings.read import read_recording
from fgclep.recordings.wfdb_file import read_record

ECG = np.round(heart(6.0) * 1000).astype(int)  # (12, 3000) in uV


def write(folder: Path, digital: np.ndarray, fmt: str = "16", name: str = "r", **more) -> Path:
    """Write (12, samples) with wfdb; returns the path of the record."""
    options = {"adc_gain": [1000] * 12, "baseline": [0] * 12, "sig_name": list(LEADS), "fs": RATE} | more
    wfdb.wrsamp(name, units=["mV"] * 12, d_signal=digital.T, fmt=[fmt] * 12, write_dir=str(folder), **options)
    return folder / name


def edit(path: Path, change) -> None:
    """Change the words of each signal line of a header, which ``change`` gets with the line's number."""
    header = path.with_name(f"{path.name}.hea")
    first, *lines = header.read_text().splitlines()
    lines = [line if line.startswith("#") else " ".join(change(i, line.split())) for i, line in enumerate(lines)]
    header.write_text("\n".join([first, *lines]) + "\n")


def theirs(path: Path, skew: Sequence[int] = (0,) * 12) -> np.ndarray:
    """What wfdb reads, in mV, each lead from its shift on: (leads, samples). It cannot shift by itself (4.3.1)."""
    record = wfdb.rdrecord(str(path), smooth_frames=False, ignore_skew=True)
    length = len(record.e_p_signal[0]) - max(skew)
    return np.stack([row[by : by + length] for row, by in zip(record.e_p_signal, skew, strict=False)])


def test_shifted_signals_are_brought_together_and_checked_as_stored(tmp_path):
    skew = [0, 3, 0, 7, 0, 0, 2, 0, 0, 0, 0, 1]
    stored = np.stack([np.r_[np.full(by, row[0]), row[: len(row) - by]] for row, by in zip(ECG, skew, strict=True)])
    path = write(tmp_path, stored)  # header: checksums of what is stored
    edit(path, lambda i, words: [words[0], f"16:{skew[i]}", *words[2:]])
    record = read_record(path)
    np.testing.assert_array_equal(record.digital, ECG[:, :-7])
    np.testing.assert_allclose(record.millivolts(), theirs(path, skew), atol=1e-6)
    assert read_recording(path).remarks == (
        "its leads are shifted in the file by up to 7 samples, by which the end is cut",
    )
    edit(path, lambda i, words: [words[0], "16:3000", *words[2:]])
    with pytest.raises(ValueError, match="record r: a signal is shifted by 3000 samples, and the record has 3000"):
        read_record(path)


@pytest.mark.parametrize("per_frame", [2, 4])
def test_several_samples_in_a_frame_are_read_as_stored(tmp_path, per_frame):
    path = tmp_path / "r"
    frames = ECG.reshape(12, -1, per_frame).transpose(1, 0, 2)
    (tmp_path / "r.dat").write_bytes(frames.astype("<i2").tobytes())
    lines = [
        f"r.dat 16x{per_frame} 1000/mV 16 0 {row[0]} {row.sum() % 65536} 0 {lead}"
        for row, lead in zip(ECG, LEADS, strict=True)
    ]
    (tmp_path / "r.hea").write_text("\n".join([f"r 12 {RATE / per_frame} {3000 // per_frame}", *lines]) + "\n")
    record = read_record(path)
    assert record.sampling_rate == RATE
    np.testing.assert_array_equal(record.digital, ECG)
    np.testing.assert_allclose(record.millivolts(), theirs(path), atol=1e-6)


def test_leads_of_different_rates_are_refused_by_that_name_and_other_signals_are_not(tmp_path):
    frames = np.concatenate([ECG.reshape(12, -1, 2).transpose(1, 0, 2).reshape(1500, 24), np.ones((1500, 1))], axis=1)
    (tmp_path / "r.dat").write_bytes(frames.astype("<i2").tobytes())
    lines = [f"r.dat 16x2 1000/mV 16 0 0 0 0 {lead}" for lead in LEADS] + ["r.dat 16 1/C 16 0 0 0 0 Temp"]
    header = tmp_path / "r.hea"
    header.write_text("\n".join(["r 13 250 1500", *lines]) + "\n")
    record = read_record(tmp_path / "r")
    np.testing.assert_array_equal(record.digital, ECG)
    assert record.remarks == ("left out signals that are no leads: 'Temp'",)
    header.write_text(header.read_text().replace("V6", "X").replace("1/C", "1/mV").replace("Temp", "V6"))
    with pytest.raises(ValueError, match=r"its leads have different sampling rates .*I 2, .*V6 1"):
        read_record(tmp_path / "r")


@pytest.mark.parametrize("length", ["", " 0"])
@pytest.mark.parametrize("fmt", ["16", "212", "24", "516"])
def test_a_length_that_is_not_said_is_that_of_the_file(tmp_path, fmt, length):
    path = write(tmp_path, np.clip(ECG, -2047, 2047), fmt)
    whole = read_record(path).digital
    header = tmp_path / "r.hea"
    header.write_text(header.read_text().replace(" 500 3000", f" 500{length}", 1))
    np.testing.assert_array_equal(read_record(path).digital, whole)
    assert whole.shape[1] == 3000


def test_a_file_that_ends_within_a_sample_is_told(tmp_path):
    path = write(tmp_path, ECG)
    edit(path, lambda _, words: [*words[:5], "0", "0", *words[7:]])
    (tmp_path / "r.hea").write_text((tmp_path / "r.hea").read_text().replace(" 500 3000", " 500"))
    (tmp_path / "r.dat").write_bytes((tmp_path / "r.dat").read_bytes()[:-6])
    record = read_record(path)
    np.testing.assert_array_equal(record.digital, ECG[:, :-1])
    assert record.remarks == ("r.dat ends within a sample of its 12 signals: 9 values are left out",)


@pytest.mark.parametrize("fmt", ["508", "516", "524"])
def test_flac_in_two_files_is_read_with_its_missing_values(tmp_path, fmt):
    limit = {"508": 127, "516": 32767, "524": 32767}[fmt]
    missing = {"508": -128, "516": -32768, "524": -(2**23)}[fmt]
    digital = np.random.default_rng(0).integers(-limit, limit, (12, 3000))
    digital[3, 40:45] = missing
    path = write(tmp_path, digital, fmt, adc_gain=[100] * 12)
    assert len({line.split()[0] for line in (tmp_path / "r.hea").read_text().splitlines()[1:13]}) == 2
    record = read_record(tmp_path / "r")
    expected = digital.copy()
    expected[3, 40:45] = -32768
    np.testing.assert_array_equal(record.digital, expected)
    np.testing.assert_allclose(record.millivolts(), theirs(path), atol=1e-5)


@pytest.mark.parametrize("fmt", ["24", "32"])
@pytest.mark.parametrize(("gain", "offset_mv"), [(1000.0, 200.0), (100_000.0, -60.0), (100_000.0, 0.0)])
def test_values_beyond_16_bits_lose_their_offset_and_no_more_than_a_step(tmp_path, fmt, gain, offset_mv):
    mv = heart(6.0) + np.linspace(0, offset_mv, 12)[:, None]
    digital = np.round(mv * gain).astype(int)
    digital[5, 100:104] = {"24": -(2**23), "32": -(2**31)}[fmt]
    path = write(tmp_path, digital, fmt, adc_gain=[gain] * 12)
    record = read_record(path)
    steps = 1 / np.abs(record.gain)
    assert (steps <= max(1 / gain, 8e-5)).all()  # 5 mV in 65,530 steps
    known = ~np.isnan(theirs(path))
    difference = np.abs(record.millivolts().astype(float) - theirs(path))
    assert ((difference <= steps[:, None] / 2 + 2e-5) | ~known).all()
    assert (np.isnan(record.millivolts()) == ~known).all()
    assert any("values beyond 16 bits" in remark for remark in record.remarks)
    assert read_recording(path).digital.shape == (12, 3000)
    with pytest.raises(ValueError, match="do not fit 16 bits"):
        read_record(path, rescale=False)


def test_a_lead_at_the_limit_of_its_24_bits_is_saturated_after_rescaling(tmp_path):
    digital = ECG * 100
    digital[2, 1000:1500] = 2**23 - 1
    path = write(tmp_path, digital, "24", adc_gain=[100_000.0] * 12)
    assert (read_record(path).digital[2, 1000:1500] == 32767).all()


def test_headers_made_by_hand_have_zeros_for_first_samples_and_checksums(tmp_path):
    path = write(tmp_path, ECG)
    edit(path, lambda _, words: [*words[:5], "0", "0", *words[7:]])
    np.testing.assert_array_equal(read_record(path).digital, ECG)
    path = write(tmp_path, ECG)
    edit(path, lambda _, words: [*words[:6], "0", *words[7:]])  # the first samples are right
    np.testing.assert_array_equal(read_record(path).digital, ECG)
    path = write(tmp_path, ECG)
    edit(path, lambda i, words: [*words[:6], "0" if i else words[6], *words[7:]])  # others are stated: damage
    with pytest.raises(ValueError, match="the checksum of lead II is not the one in the header"):
        read_record(path)


@pytest.mark.parametrize("name", ["my rec", "rec.v1.2", "12 leads", "rec[1]", "Aufnahme \u00e4", "rec 2 12 500", "100"])
def test_names_of_any_form_are_read(tmp_path, name):
    write(tmp_path, ECG)
    text = (tmp_path / "r.hea").read_text()
    folder = "sub/" if name == "100" else ""
    (tmp_path / f"{name}.hea").write_text(text.replace("r 12", f"{folder}{name} 12", 1).replace("r.dat", f"{name}.dat"))
    (tmp_path / "r.dat").rename(tmp_path / f"{name}.dat")
    (tmp_path / "r.hea").unlink()
    for spelled in (name, f"{name}.hea"):
        np.testing.assert_array_equal(read_recording(tmp_path / spelled).digital, ECG)


def test_extensions_in_upper_case_are_read(tmp_path):
    write(tmp_path, ECG)
    for suffix in ("hea", "dat"):
        (tmp_path / f"r.{suffix}").rename(tmp_path / f"R.{suffix.upper()}")
    for name in ("R.HEA", "R.hea", "R", "R.DAT"):
        np.testing.assert_array_equal(read_recording(tmp_path / name).digital, ECG)


def test_a_signal_file_of_another_name_or_below_is_read(tmp_path):
    path = write(tmp_path, ECG)
    (tmp_path / "signals").mkdir()
    (tmp_path / "r.dat").rename(tmp_path / "signals/other.dat")
    edit(path, lambda _, words: ["signals/other.dat", *words[1:]])
    np.testing.assert_array_equal(read_record(path).digital, ECG)


def test_of_two_files_only_that_of_the_leads_is_needed(tmp_path):
    path = write(tmp_path, ECG)
    header = tmp_path / "r.hea"
    header.write_text(header.read_text().replace("r 12", "r 13") + "r.xyz 16 1000/mV 16 0 5 7 0 vx\n")
    record = read_record(path)
    np.testing.assert_array_equal(record.digital, ECG)
    assert record.remarks == ("left out signals that are no leads: 'vx'",)


def test_a_long_record_is_compared_as_a_whole_and_its_middle_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("fgclep.recordings.wfdb_file._AT_ONCE", 12 * 777)  # blocks that end anywhere
    digital = np.random.default_rng(0).integers(-2000, 2000, (12, 100 * 90))
    for fmt in ("16", "212"):
        path = write(tmp_path, digital, fmt, fs=100)
        record = read_record(path, 60)
        np.testing.assert_array_equal(record.digital, digital[:, 1500:7500])
        assert record.remarks == ("90 s long, of which the middle 60 s are read",)
    edit(path, lambda i, words: [*words[:6], str(int(words[6]) + (i == 4)), *words[7:]])
    with pytest.raises(ValueError, match="the checksum of lead aVL"):
        read_record(path, 60)


def test_differences_of_8_bits_go_on_from_block_to_block(tmp_path, monkeypatch):
    monkeypatch.setattr("fgclep.recordings.wfdb_file._AT_ONCE", 12 * 777)
    digital = np.cumsum(np.random.default_rng(0).integers(-100, 100, (12, 3000)), axis=1)
    digital -= digital[:, :1]
    differences = np.diff(digital, axis=1, prepend=0)
    (tmp_path / "r.dat").write_bytes(differences.T.astype(np.int8).tobytes())
    lines = [f"r.dat 8 1000/mV 16 0 0 {row.sum() % 65536} 0 {lead}" for row, lead in zip(digital, LEADS, strict=True)]
    (tmp_path / "r.hea").write_text("\n".join(["r 12 500 3000", *lines]) + "\n")
    np.testing.assert_array_equal(read_record(tmp_path / "r").digital, digital)


@settings(
    max_examples=30, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rate=st.floats(100, 2000, allow_nan=False).map(lambda rate: round(rate, 3)),
    samples=st.integers(1, 400),
    fmt=st.sampled_from(["16", "80", "212", "24", "32", "516"]),
    skew=st.lists(st.integers(0, 5), min_size=8, max_size=8),
    longest=st.one_of(st.none(), st.floats(0.05, 2)),
)
def test_any_rate_length_and_format_gives_what_wfdb_reads(tmp_path, rate, samples, fmt, skew, longest):
    limit = {"80": 127, "212": 2047}.get(fmt, 32767)
    digital = np.random.default_rng(samples).integers(-limit, limit + 1, (8, samples + 6))
    wfdb.wrsamp("r", rate, ["mV"] * 8, list(LEADS[:8]), d_signal=digital.T, fmt=[fmt] * 8, adc_gain=[100] * 8,
                baseline=[0] * 8, write_dir=str(tmp_path))  # fmt: skip
    edit(tmp_path / "r", lambda i, words: [words[0], f"{fmt}:{skew[i]}", *words[2:]])
    record = read_record(tmp_path / "r", longest)
    assert record.sampling_rate == pytest.approx(rate)
    expected = theirs(tmp_path / "r", skew)
    kept = record.digital.shape[1]
    assert kept == (expected.shape[1] if longest is None else min(expected.shape[1], round(longest * rate)))
    start = (expected.shape[1] - kept) // 2
    np.testing.assert_allclose(record.millivolts(), expected[:, start : start + kept], atol=1e-4)


def test_what_is_of_the_machine_is_not_the_record_s(tmp_path, monkeypatch):
    write_record(tmp_path, "r", heart())

    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr("numpy.fromfile", full)
    with pytest.raises(MemoryError):
        read_record(tmp_path / "r")
