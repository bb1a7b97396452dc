"""The trouble of one record is its own: it becomes a row with its reason, and the others go on as without it."""

import errno
import json
import logging

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from road import Road
from training_data import made_model
from wfdb_files import heart, write_record

from fgclep.cli import main
from fgclep.commands import predict, reading
from fgclep.errors import UserError, reason_of
from fgclep.measurement.measure import measure
from fgclep.models.fgclep import FGCLEP
from fgclep.stages import build_shards, measure_waveforms

ECG = heart(6.0)
RATES = {"a": 500, "b": 499.9, "c": 500.2, "d": 100.02, "e": 257.37}


def write_rate(folder, name, rate):
    """Write an ECG at a rate: (12, samples) sampled anew from one at 500 Hz."""
    times = np.arange(round(5.9 * rate)) / rate
    write_record(folder, name, np.stack([np.interp(times, np.arange(3000) / 500, row) for row in ECG]), rate=rate)


@pytest.fixture
def ward(tmp_path):
    """Records at rates of all kinds, one of a patient each; returns the source's road."""
    for name, rate in RATES.items():
        write_rate(tmp_path / "ward", name, rate)
    (tmp_path / "ward/records.csv").write_text("id,patient,report\n" + "".join(f"{n},{n},x\n" for n in RATES))
    return Road("local", tmp_path / "ward", tmp_path / "out")


def test_records_at_any_rate_reach_shards_and_measurements(ward):
    shard = {row["record_id"]: row for row in ward.all()}
    assert {name: row["sampling_rate"] for name, row in shard.items()} == pytest.approx(RATES)
    for row in ward.measurements():
        assert row["problem"] is None and abs(row["heart_rate"] - 75) < 1, row["record_id"]


@settings(max_examples=12, deadline=None, phases=[Phase.generate])
@given(rate=st.floats(100, 2000), seconds=st.floats(5, 12))
def test_an_ecg_of_any_rate_and_length_is_measured(rate, seconds):
    mv = heart(13.0)
    times = np.arange(round(seconds * rate)) / rate
    found = measure(np.stack([np.interp(times, np.arange(mv.shape[1]) / 500, row) for row in mv]), rate)
    assert found is not None and abs(found.scalars["heart_rate"] - 75) < 2


def broken_for(name, function, error):
    """Raise an error where a function is called for the record that is in work under this name."""

    def broken(record, *arguments, **options):
        if (record.sampling_rate if hasattr(record, "sampling_rate") else record) == name:
            raise error
        return function(record, *arguments, **options)

    return broken


@pytest.mark.parametrize("error", [KeyError("a mistake"), ValueError("not usable"), RuntimeError("x"), IndexError("y")])
def test_a_fault_in_one_record_s_checks_is_its_row_of_the_quarantine(ward, monkeypatch, caplog, error):
    monkeypatch.setattr(build_shards, "usable_record", broken_for(499.9, build_shards.usable_record, error))
    assert sorted(row["record_id"] for row in ward.all()) == ["a", "c", "d", "e"]
    stage, reason = ward.quarantine()["b"]
    assert stage == "build_shards" and str(error) in reason
    assert "a fault of the program" in reason and "Traceback" in caplog.text  # it was raised outside of the package


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError(errno.ENOSPC, "no space"), KeyboardInterrupt(), UserError("mend it")]
)
def test_what_is_not_of_one_record_ends_the_stage(ward, monkeypatch, error):
    monkeypatch.setattr(build_shards, "usable_record", broken_for(499.9, build_shards.usable_record, error))
    with pytest.raises(type(error)):
        ward.all()


def test_a_record_that_cannot_be_measured_has_a_row_that_says_why(ward, monkeypatch, caplog):
    ward.all()

    def broken(mv, fs, qrs_ms):
        if abs(fs - 257.37) < 0.01:  # a shard has it as float32
            raise IndexError("a mistake")
        return None if abs(fs - 500.2) < 0.01 else measure(mv, fs, qrs_ms)

    monkeypatch.setattr(measure_waveforms, "measure", broken)
    group = (ward.folder / "shard.parquet", 0, {})
    rows = {row["record_id"]: row for row in measure_waveforms._measure_group(group).to_pylist()}
    assert sorted(rows) == sorted(RATES)
    assert "a fault of the program (IndexError: a mistake)" in rows["e"]["problem"] and rows["e"]["r_mv"] is None
    assert rows["c"]["problem"] == "fewer than two heart beats found, not measured"
    assert [rows[name]["problem"] for name in "abd"] == [None] * 3
    assert "Traceback" in caplog.text and "local/e" in caplog.text


def test_the_log_has_what_the_measuring_processes_say(ward, caplog):
    ward.all()
    with caplog.at_level(logging.INFO):
        ward.measurements(workers=2)
    assert "local: 5 records, 0 could not be measured" in caplog.text


@pytest.fixture(scope="module")
def model():
    return made_model(["sinus rhythm"], ecg_encoder={"kind": "resnet18", "width": 4}, bias=0.0).eval()


@pytest.fixture
def loaded(monkeypatch, model, vocabulary):
    monkeypatch.setattr(predict, "load_model", lambda _: model)
    monkeypatch.setattr(predict, "find_vocabulary", lambda: vocabulary)


def answers(capsys, *arguments, status=0):
    try:
        main(["predict", *map(str, arguments), "--format", "json"])
        code = 0
    except SystemExit as stop:
        code = stop.code
    printed = capsys.readouterr()
    assert code == status, printed.err
    return [json.loads(line) for line in printed.out.splitlines()], printed.err


def test_files_of_any_rate_are_answered(tmp_path, loaded, capsys):
    for name, rate in RATES.items():
        write_rate(tmp_path, name, rate)
    rows, _ = answers(capsys, tmp_path, "--features", 3)
    assert [row["sampling_rate"] for row in rows] == pytest.approx(list(RATES.values()))
    assert all(len(row["features"]) == 3 for row in rows)


@pytest.mark.parametrize("where", ["read_recording", "measure", "prepare"])
@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_one_file_s_fault_is_its_row_and_the_others_are_answered_as_without_it(
    tmp_path, loaded, capsys, monkeypatch, caplog, where, batch_size
):
    for name, rate in RATES.items():
        write_rate(tmp_path, name, rate)
    ask = (tmp_path, "--features", 2, "--prompt", "sinus rhythm", "--batch-size", batch_size)
    whole, _ = answers(capsys, *ask)

    def broken(function, is_it):
        def call(*arguments, **options):
            if is_it(*arguments):
                raise KeyError("a mistake")
            return function(*arguments, **options)

        return call

    if where == "read_recording":
        monkeypatch.setattr(
            reading, where, broken(reading.read_recording, lambda path, *_: str(path).endswith("c.hea"))
        )
    elif where == "measure":
        monkeypatch.setattr("fgclep.inference.predict.measure", broken(measure, lambda _, fs: fs == 500.2))
    else:
        prepare = broken(FGCLEP.prepare, lambda _, signal, fs, leads: fs == 500.2)
        monkeypatch.setattr(FGCLEP, "prepare", prepare)
    rows, said = answers(capsys, *ask, status=1)
    assert [row["record"] for row in rows] == [row["record"] for row in whole]
    reason = "a fault of the program (KeyError: 'a mistake'); please report it with the log's traceback"
    assert rows[2] == {"record": str(tmp_path / "c.hea"), "error": reason}
    assert f"c.hea: {reason}" in said and "Traceback" in caplog.text
    for place in (0, 1, 3, 4):
        assert rows[place]["probabilities"] == pytest.approx(whole[place]["probabilities"], abs=2e-4)


def test_a_file_that_cannot_be_opened_is_a_row(tmp_path, loaded, capsys):
    write_rate(tmp_path, "a", 500)
    (tmp_path / "b.csv").symlink_to("b.csv")
    rows, _ = answers(capsys, tmp_path / "a", tmp_path / "b.csv", "x" * 5000, tmp_path / "none", status=1)
    assert [("error" in row) for row in rows] == [False, True, True, True]


@settings(max_examples=6, deadline=None, phases=[Phase.generate],
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(data=st.data())
def test_whatever_lies_in_a_folder_the_good_file_is_answered(tmp_path, loaded, capsys, data):
    write_record(tmp_path, "good", ECG)
    values = data.draw(st.sampled_from([
        np.zeros((12, 0)), np.zeros((12, 1)), np.full((12, 3000), np.nan), np.full((12, 3000), np.inf), np.zeros(3),
        np.full((12, 3000), 1e300), np.zeros((12, 3000), complex), ECG * 1e-30, ECG[:, :7],
    ]))  # fmt: skip
    np.save(tmp_path / "odd.npy", values)
    rate = data.draw(st.floats(0.001, 1e6))
    (tmp_path / "odd.hea").write_text(
        f"odd {data.draw(st.integers(0, 13))} {rate} {data.draw(st.integers(0, 10**12))}\n"
    )
    (tmp_path / "odd.edf").write_bytes(data.draw(st.binary(max_size=300)))
    rows, _ = answers(capsys, tmp_path, "--prompt", "sinus rhythm", "--fs", 500, status=1)
    (good,) = [row for row in rows if row["record"].endswith("good.hea")]
    assert "probabilities" in good and all("error" in row for row in rows if row is not good)


def test_the_words_of_a_library_are_no_reason():
    with pytest.raises(ValueError, match="int") as library:
        np.loadtxt(["x"], dtype=int)
    assert reason_of(library.value, "r").startswith("a fault of the program (ValueError: ")
    assert (
        reason_of(OSError(errno.EACCES, "Permission denied", "r.csv"), "r") == "r.csv cannot be read: Permission denied"
    )
