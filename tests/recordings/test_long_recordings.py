"""A day of recording costs what its used part costs: the middle minute, whatever the format."""

import tracemalloc

import edfio
import numpy as np
import pytest
import wfdb
from road import Road
from wfdb_files import heart, write_record

from fgclep.leads import LEADS
from fgclep.recordings.read import read_recording

RATE = 100
MINUTES = 60
MB = 2**20


@pytest.fixture(scope="module")
def hour():
    """An hour at 100 Hz of which each minute has another size: float32 (12, samples) in mV, 17 MB."""
    minute = heart(60.0, rr=1.0)[:, ::5]
    return np.concatenate([minute * (1 + place / 100) for place in range(MINUTES)], axis=1).astype(np.float32)


def used(hour):
    start = (hour.shape[1] - 60 * RATE) // 2
    return hour[:, start : start + 60 * RATE]


def write_npy(folder, hour):
    np.save(folder / "r.npy", hour.T)
    return folder / "r.npy", {"fs": RATE, "units": "mV"}


def write_edf(folder, hour):
    signals = [
        edfio.EdfSignal(row, RATE, label=lead, physical_dimension="mV") for row, lead in zip(hour, LEADS, strict=True)
    ]
    edfio.Edf(signals).write(folder / "r.edf")
    return folder / "r.edf", {}


def write_wfdb(folder, hour):
    wfdb.wrsamp("r", RATE, ["mV"] * 12, list(LEADS), d_signal=np.round(hour.T * 1000).astype(np.int16),
                fmt=["16"] * 12, adc_gain=[1000] * 12, baseline=[0] * 12, write_dir=str(folder))  # fmt: skip
    return folder / "r.hea", {}


@pytest.mark.parametrize("write", [write_npy, write_edf, write_wfdb])
def test_memory_does_not_grow_with_the_recording(tmp_path, hour, write, monkeypatch):
    monkeypatch.setattr("fgclep.recordings.wfdb_file._AT_ONCE", 2**17)
    monkeypatch.setattr("fgclep.recordings.npy_file._LARGE", 2**20)
    path, options = write(tmp_path, hour)
    tracemalloc.start()
    record = read_recording(path, **options)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_allclose(record.millivolts(), used(hour), atol=0.003)
    assert "3,600 s long, of which the middle 60 s are read" in record.remarks
    assert peak < 8 * MB  # the hour has 17 MB in float32, the minute 0.3


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("large", [True, False])
def test_of_a_large_text_file_only_the_middle_is_parsed(tmp_path, hour, monkeypatch, timed, large):
    few = hour[:, : 200 * RATE]
    times = [f"{number / RATE:.2f};" if timed else "" for number in range(few.shape[1])]
    rows = ("".join([time, ";".join(f"{value:.4f}" for value in row)]) for time, row in zip(times, few.T, strict=True))
    header = ("time;" if timed else "") + ";".join(LEADS)
    units = ("s;" if timed else "") + ";".join(["mV"] * 12)
    (tmp_path / "r.csv").write_text("\n".join(["# a comment", header, "", units, *rows]) + "\n")
    if large:
        monkeypatch.setattr("fgclep.recordings.csv_file._LARGE", 1000)
    record = read_recording(tmp_path / "r.csv", fs=None if timed else RATE)
    np.testing.assert_allclose(record.millivolts(), used(few), atol=0.002)  # two roundings to 1 uV
    assert record.sampling_rate == RATE
    assert "200 s long, of which the middle 60 s are read" in record.remarks


def test_a_long_record_of_one_s_own_is_stored_by_its_middle(tmp_path):
    write_record(tmp_path / "ward", "long", heart(90.0))
    (tmp_path / "ward/records.csv").write_text("id,patient,report\nlong,p1,x\n")
    road = Road("local", tmp_path / "ward", tmp_path / "out")
    (row,) = road.all()
    assert row["n_samples"] == 60 * 500
    assert row["flags"] == ["90 s long, of which the middle 60 s are read"]
