"""Recordings in WFDB, EDF, CSV and NPY: the same ECG is the same record, and what is wrong is said."""

import re
import warnings

import edfio
import numpy as np
import pytest
import wfdb
from conftest import ROOT
from recording_files import ECG, TIMES, assert_is_ecg, refusal, write_csv, write_edf, write_npy
from wfdb_files import RATE, write_record

from fgclep.leads import LEADS, read_label
from fgclep.recordings.find import find_recordings
from fgclep.recordings.formats import FORMATS, table
from fgclep.recordings.labels import lead_names
from fgclep.recordings.read import READERS, read_recording
from fgclep.recordings.volts import guess_unit


@pytest.mark.parametrize(
    "write",
    [
        lambda folder: (write_record(folder, "r", ECG), folder / "r")[1],
        lambda folder: (write_record(folder, "r", ECG), folder / "r.hea")[1],
        lambda folder: write_edf(folder / "r.edf"),
        lambda folder: write_edf(folder / "r.EDF", unit="uV", factor=1000),
        lambda folder: write_edf(folder / "r.edf", labels=[f"ECG {lead}" for lead in LEADS]),
        lambda folder: write_edf(folder / "r.edf", ECG[::-1], [f"EKG {lead.upper()}" for lead in LEADS[::-1]]),
        lambda folder: write_csv(folder / "r.csv", header=["time", *LEADS], first=[TIMES]),
        lambda folder: write_csv(folder / "r.tsv", header=["Time (ms)", *LEADS], first=[1000 * TIMES], separator="\t"),
        lambda folder: write_csv(folder / "r.csv", ECG[::-1], ["t", *map(str.lower, LEADS[::-1])], first=[TIMES]),
        lambda folder: write_csv(folder / "r.csv", header=["s", *LEADS], separator=";", first=[TIMES], decimal=","),
        lambda folder: write_csv(folder / "r.csv", ECG * 1000, ["t", *(f"{n} (uV)" for n in LEADS)], first=[TIMES]),
    ],
)
def test_a_file_that_says_all_is_read_without_options_or_guesses(tmp_path, write):
    record = read_recording(write(tmp_path))
    assert_is_ecg(record)
    assert not [remark for remark in record.remarks if "look like mV" not in remark]


@pytest.mark.parametrize(
    ("values", "unit"), [(ECG, "mV"), (ECG * 1000, "uV"), (np.round(ECG * 200) * 5, "uV"), (ECG / 1000, "V")]
)
@pytest.mark.parametrize("turned", [False, True])
def test_a_numpy_array_is_taken_either_way_round_and_its_unit_by_the_amplitude(tmp_path, values, unit, turned):
    path = write_npy(tmp_path / "r.npy", values.T if turned else values)
    record = read_recording(path, fs=RATE)
    assert_is_ecg(record)
    leads, amplitude = record.remarks
    assert leads == f"leads are taken as {', '.join(LEADS)}; --leads if they are others"
    assert amplitude.startswith(f"amplitudes look like {unit} (median peak-to-peak ")
    assert read_recording(path, fs=RATE, leads=LEADS, units=unit).remarks == ()


@pytest.mark.parametrize(("unit", "factor"), [("seconds", 1), ("msec", 1000)])
def test_physionet_s_own_csv_is_read(tmp_path, unit, factor):
    path = write_csv(tmp_path / "samples.csv", header=[], first=[factor * TIMES])
    head = ["'Elapsed time'", *(f"'{lead.lower()}'" for lead in LEADS)], [f"'{unit}'", *["'mV'"] * 12]
    path.write_text("\n".join(",".join(line) for line in head) + "\n" + path.read_text())
    record = read_recording(path)
    assert_is_ecg(record)
    assert record.remarks == ()


def test_a_csv_without_a_header_takes_the_leads_that_are_named(tmp_path):
    path = write_csv(tmp_path / "r.csv", ECG[[7, 6]], header=[], first=[TIMES])
    record = read_recording(path, leads=["V2", "V1"], units="mV")
    assert record.leads == ("V1", "V2")
    np.testing.assert_allclose(record.millivolts(), ECG[[6, 7]], atol=0.002)
    path = write_csv(tmp_path / "r.csv", header=[])
    assert_is_ecg(read_recording(path, fs=RATE, leads=LEADS))
    assert refusal(path, fs=RATE) == ("its first line is of numbers and does not name the leads; give --leads I,II,...")
    assert refusal(path, fs=RATE, leads=LEADS[:3]) == (
        "it has 12 columns; --leads names 3, before which there may be time"
    )


def test_other_columns_and_signals_are_left_out_and_said(tmp_path):
    path = write_csv(tmp_path / "r.csv", np.vstack([ECG, ECG[:2]]), ["time", *LEADS, "SpO2", "-aVR"], first=[TIMES])
    remarks = read_recording(path, units="mV").remarks
    assert remarks == ("left out columns that are no leads: 'SpO2'", "left out inverted leads: '-aVR'")
    breath = edfio.EdfSignal(np.sin(np.arange(60)), 10, label="Resp")
    record = read_recording(write_edf(tmp_path / "r.edf", others=[breath], annotations=[]))
    assert_is_ecg(record)
    assert record.remarks == ("left out signals that are no leads: 'Resp'",)


def test_the_sampling_rate_given_goes_before_a_column_of_time(tmp_path):
    path = write_csv(tmp_path / "r.csv", header=["t", *LEADS], first=[np.arange(3000.0)])  # numbers of samples, or ms
    record = read_recording(path, fs=RATE, units="mV")
    assert record.sampling_rate == RATE
    assert record.remarks == ("the column of time (t) is not read, as --fs is given",)
    assert refusal(path).startswith(
        "its column of time (t) has no unit: its steps of 1 s would be 1 Hz. If they are in ms, it is 1000 Hz: name "
    )


@pytest.mark.parametrize("rate", [500, 360, 250, 128])
def test_the_sampling_rate_is_derived_from_times_rounded_to_milliseconds(tmp_path, rate):
    times = np.round(np.arange(3000) / rate, 3)
    path = write_csv(tmp_path / "r.csv", header=["time", *LEADS], first=[times])
    assert read_recording(path).sampling_rate == rate


def test_an_edf_without_a_unit_is_guessed_or_told(tmp_path):
    path = write_edf(tmp_path / "r.edf", unit="", factor=1000)
    guessed = read_recording(path)
    assert_is_ecg(guessed)
    assert guessed.remarks[0].startswith("amplitudes look like uV")
    told = read_recording(path, units="uV")
    assert_is_ecg(told)
    assert told.remarks == ()


def test_the_micro_sign_of_an_edf_is_read_in_any_encoding(tmp_path):
    path = write_edf(tmp_path / "r.edf", unit="xxuV", factor=1000)
    content = path.read_bytes()
    for sign in ("µV".encode("latin-1"), "µV".encode(), "μV".encode()):
        path.write_bytes(content.replace(b"xxuV", sign.ljust(4)))
        assert_is_ecg(read_recording(path))


@pytest.mark.parametrize(
    ("span", "unit"), [(0.21, "mV"), (9.9, "mV"), (210, "uV"), (9900, "uV"), (0.00021, "V"), (0.0099, "V")]
)
def test_the_unit_is_guessed_where_an_ecg_has_such_an_amplitude(span, unit):
    values = np.tile(span / 0.998 * np.linspace(0, 1, 1001), (3, 1))
    values[:, 0] = -1e6  # one wild sample is no amplitude
    assert guess_unit(values)[0] == unit


@pytest.mark.parametrize("span", [0.15, 12, 150, 12000, 1e-4, 0.015])
def test_an_amplitude_of_no_unit_is_refused(span):
    with pytest.raises(ValueError, match="is that of an ECG neither in mV"):
        guess_unit(np.tile(np.linspace(0, span, 1001), (3, 1)))


def test_the_unit_given_overrules_the_amplitude_and_the_header_of_a_csv(tmp_path):
    small = write_csv(tmp_path / "r.csv", ECG / 10, ["time", *LEADS], first=[TIMES])
    assert "neither in mV" in refusal(small)
    in_mv = read_recording(small, units="mV").millivolts()
    np.testing.assert_allclose(np.ptp(in_mv), np.ptp(ECG / 10), atol=0.003)
    headed = write_csv(tmp_path / "r.csv", ECG * 1000, ["time", *(f"{n} (mV)" for n in LEADS)], first=[TIMES])
    record = read_recording(headed, units="uV")
    assert_is_ecg(record)
    assert record.remarks == ("the header's unit (mV) is not read, as --units is given",)


BAD_CSV = {
    "": "it is empty",
    "\n\n# a comment\n": "it is empty",
    "I,II\n1,2\n": "it has no column of time; give the sampling rate with --fs in Hz",
    "time,a,b\n0,1,2\n": "none of its columns is one of the twelve leads: 'a', 'b'; --leads names them, in their order",
    "time,I,II\n0,1,2\n0.01,1\n": "line 3 has 2 columns, the first line 3",
    "time,I,II\n0,1,2\n0.01,1,2,3\n": "line 3 has 4 columns, the first line 3",
    "time,I,ECG I\n0,1,2\n": "lead I is given twice: 'I', 'ECG I'",
    "time,I,II\n0,1,2\n0.01,1,x\n": "line 3, column 'II': 'x' is no number",
    "time,I,II\n": "its column of time (time) does not grow",
    "time,I,II\n1,1,1\n0,1,1\n": "its column of time (time) does not grow",
    "time,I,II\n10:00,1,1\n": "line 2: the time '10:00' is no number; give the sampling rate with --fs",
    'time,I,II\n0,"1,2\n1,2,3\n': "line 3 has 2 columns, the first line 3",
    f"I,II\n1,{'2' * 150000}\n": "it is no readable CSV file: field larger than field limit",
    "time,I\n0,1\0\n": "it is no text file",
}


@pytest.mark.parametrize("content", BAD_CSV, ids=range(len(BAD_CSV)))
def test_what_is_wrong_with_a_csv_is_said(tmp_path, content):
    path = tmp_path / "r.csv"
    path.write_text(content)
    assert refusal(path).startswith(BAD_CSV[content])


def test_a_gap_in_the_column_of_time_is_found(tmp_path):
    kept = np.r_[0:2000, 2010:3000]
    path = write_csv(tmp_path / "r.csv", ECG[:, kept], ["time", *LEADS], first=[TIMES[kept]])
    assert refusal(path).startswith(
        "its column of time (time) is not evenly spaced: from 3.998 to 4.02 s at sample 2001"
    )


def test_empty_cells_are_missing_samples(tmp_path):
    gap = ECG.copy()
    gap[8, 1000:1010] = np.nan
    path = write_csv(tmp_path / "r.csv", gap, ["time", *LEADS], first=[TIMES])
    path.write_text(path.read_text().replace("nan", ""))
    record = read_recording(path, units="mV")
    assert record.remarks == ("10 missing samples interpolated",)
    gap[8, 1000:1100] = np.inf
    assert refusal(write_csv(path, gap, ["time", *LEADS], first=[TIMES])) == "missing samples (NaN) in V3 (100)"


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (ECG, {}, "a NPY file does not say its sampling rate; give --fs in Hz"),
        (ECG[:8], {"fs": 500}, r"its shape \(8, 3000\) has no side of 12, the number of leads"),
        (ECG[:8], {"fs": 500}, r"its shape \(8, .*, which for eight are usually --leads I,II,V1,V2,V3,V4,V5,V6$"),
        (np.stack([ECG, ECG]), {"fs": 500}, r"its shape \(2, 12, 3000\) is of many recordings"),
        ((ECG * 1000).astype(np.int16), {"fs": 500}, r"its numbers have steps of 1 and no unit: those of an analog"),
        (ECG[:, :12], {"fs": 500}, r"its shape \(12, 12\) does not tell leads from samples"),
        (ECG[:, :0], {"fs": 500}, "it holds no samples"),
        (ECG + 0j, {"fs": 500}, "it holds complex128, not real numbers"),
        (ECG.astype(str), {"fs": 500}, "it holds <U.*, not real numbers"),
        (ECG * 50, {"fs": 500}, "the amplitude .* is that of an ECG neither in mV"),
        (ECG, {"fs": 5}, "the sampling rate is 5 Hz, not within 100 to 2000 Hz"),
        (ECG, {"fs": -500}, "the sampling rate is -500 Hz"),
        (ECG[:, :2000], {"fs": 500}, "too short: 4.0 s, at least 5 s are needed"),
        (np.where(np.arange(3000) == 3, np.nan, ECG), {"fs": 500}, None),
        (np.where(np.arange(3000) < 100, np.nan, ECG), {"fs": 500}, r"missing samples \(NaN\) in I \(100\), II"),
        (ECG * (np.arange(12) != 7)[:, None], {"fs": 500}, r"dead \(flat\) leads: V2"),
        (ECG * 0, {"fs": 500}, r"dead \(flat\) leads: I, II, III"),
        (ECG, {"fs": 500, "units": "V"}, "the amplitude .median peak-to-peak of a lead .* mV. is none of an ECG"),
        (ECG[[0, 1]], {"fs": 500, "leads": ["I", "I"]}, "lead I is given twice"),
    ],
)
def test_what_is_wrong_with_a_numpy_file_is_said(tmp_path, values, options, message):
    path = write_npy(tmp_path / "r.npy", values)
    if message is None:
        assert "12 missing samples interpolated" in read_recording(path, **options).remarks
    else:
        assert re.match(message, refusal(path, **options))


def test_a_pickle_is_never_loaded(tmp_path):
    path = tmp_path / "r.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert refusal(path, fs=500).startswith("it is no NPY file of numbers: ")
    path.write_bytes(b"\x93NUMPY\x01\x00")
    assert refusal(path, fs=500).startswith("it is no NPY file of numbers: ")
    np.savez(tmp_path / "r.npz", ECG)
    (tmp_path / "r.npz").replace(path)
    assert refusal(path, fs=500).startswith("it is an archive of arrays (NPZ) by its content; save")


def test_what_is_wrong_with_an_edf_is_said(tmp_path):
    path = tmp_path / "r.edf"
    path.write_text("not an EDF file")
    assert refusal(path) == "it is no EDF file"
    whole = write_edf(path).read_bytes()
    path.write_bytes(whole[:-100])
    assert refusal(path).startswith("it is cut short or damaged: ")
    path.write_bytes(whole[:900])
    assert refusal(path).startswith("it is no readable EDF file")
    write_edf(path, ECG[:2], ["Resp", "EEG Fpz-Cz"])
    assert refusal(path) == (
        "none of its signals is one of the twelve leads: 'Resp', 'EEG Fpz-Cz'; --leads names them, in their order"
    )
    write_edf(path, ECG[:2], ["I", "ECG I"])
    assert refusal(path) == "lead I is given twice: 'I', 'ECG I'"
    write_edf(path, unit="mmHg")
    assert refusal(path).startswith("lead 'I' is in 'mmHg', not in mV, uV or V; divide numbers of a converter by")
    write_edf(path, others=[], mv=ECG[:11], labels=LEADS[:11])
    slow = edfio.EdfSignal(ECG[11, ::2], RATE / 2, label="V6", physical_dimension="mV")
    write_edf(path, ECG[:11], LEADS[:11], others=[slow])
    assert refusal(path) == "its leads have different sampling rates: 250, 500"
    content = write_edf(path, annotations=[]).read_bytes()
    path.write_bytes(content.replace(b"EDF+C", b"EDF+D", 1))
    assert refusal(path).startswith("it is interrupted (EDF+D)")


def test_an_edf_whose_length_is_unknown_is_read(tmp_path):
    path = write_edf(tmp_path / "r.edf")
    content = bytearray(path.read_bytes())
    content[236:244] = b"-1      "
    path.write_bytes(content)
    assert_is_ecg(read_recording(path))


def test_a_file_that_something_else_left_open_is_no_fault_of_an_edf(tmp_path, monkeypatch):
    read = edfio.read_edf

    def read_meanwhile(*arguments, **options):
        warnings.warn("unclosed file", ResourceWarning, stacklevel=2)  # as the garbage collector does at any time
        return read(*arguments, **options)

    monkeypatch.setattr(edfio, "read_edf", read_meanwhile)
    assert_is_ecg(read_recording(write_edf(tmp_path / "r.edf")))


def test_an_edf_of_inverted_polarity_and_with_an_offset_is_read(tmp_path):
    path = write_edf(tmp_path / "r.edf", ECG[:1] + 300, ["II"])
    np.testing.assert_allclose(np.ptp(read_recording(path).millivolts()), np.ptp(ECG[0]), atol=0.001)
    content = path.read_bytes()
    start = 256 + 16 + 80 + 8
    low, high = content[start : start + 8], content[start + 8 : start + 16]
    path.write_bytes(content[:start] + high + low + content[start + 16 :])
    turned = read_recording(path).millivolts()[0]
    assert np.corrcoef(turned, ECG[0])[0, 1] < -0.999


def test_leads_that_were_scaled_one_by_one_are_refused(tmp_path):
    low, high = ECG.min(axis=1, keepdims=True), ECG.max(axis=1, keepdims=True)
    path = write_npy(tmp_path / "r.npy", (ECG - low) / (high - low))
    assert refusal(path, fs=RATE).startswith("its numbers are no millivolts: the extremes of every lead are 0 and 1. ")
    write_record(tmp_path, "r", ECG)
    header = (tmp_path / "r.hea").read_text().splitlines()
    for row, lead in enumerate(np.round(200 * ECG)):  # LUDB's headers
        header[row + 1] = header[row + 1].replace(" 200(0)/mV", f" {np.ptp(lead):g}(0)/mV")
    (tmp_path / "r.hea").write_text("\n".join(header))
    assert refusal(tmp_path / "r").startswith("its numbers are no millivolts: the peak-to-peak of every lead is 1. ")


@pytest.mark.parametrize("leads", [("II",), ("V1", "V6"), ("I", "III", "V2")])
def test_any_leads_will_do_and_limb_leads_are_computed_from_two(tmp_path, leads):
    rows = [LEADS.index(lead) for lead in leads]
    record = read_recording(write_npy(tmp_path / "r.npy", ECG[rows]), fs=RATE, leads=leads, units="mV")
    if leads == ("I", "III", "V2"):
        assert record.leads == (*LEADS[:6], "V2")
        away = record.millivolts()[1] - ECG[0] - ECG[2]
        np.testing.assert_allclose(away, np.median(away), atol=0.003)
    else:
        assert record.leads == leads
    dead = np.where(np.arange(len(rows))[:, None] == len(rows) - 1, 0, ECG[rows])
    message = refusal(write_npy(tmp_path / "r.npy", dead), fs=RATE, leads=leads, units="mV")
    assert message == f"dead (flat) leads: {leads[-1]}"


def test_of_a_long_recording_the_middle_minute_is_read(tmp_path):
    wave = np.tile(ECG, 15)[:2]
    wave[:, :6000] = np.nan  # not looked at
    record = read_recording(write_npy(tmp_path / "r.npy", wave), fs=RATE, leads=["V1", "V2"], units="mV")
    assert record.digital.shape == (2, 60 * RATE)
    np.testing.assert_allclose(record.millivolts(), wave[:, 7500:37500], atol=0.002)
    assert record.remarks == ("90 s long, of which the middle 60 s are read",)


@pytest.mark.parametrize(
    ("label", "lead"),
    [
        ("I", "I"), ("avr", "aVR"), ("AVR", "aVR"), ("ECG I", "I"), ("EKG aVR", "aVR"), ("Lead V1", "V1"),
        ("lead_ii", "II"), ("MDC_ECG_LEAD_V3", "V3"), ("V1 (mV)", "V1"), ("V1_uV", "V1"), ("ECGV5", "V5"),
        ("DII", "II"), ("-aVR", None), ("ECG -aVR", None), ("−aVR", None), ("V7", None), ("V4R", None), ("I-II", None),
        ("Resp", None), ("", None), ("ECG", None), ("EDF Annotations", None),
    ],
)  # fmt: skip
def test_leads_are_known_by_the_names_that_recorders_give_them(label, lead):
    assert read_label(label).lead == lead


def test_a_list_of_leads_must_name_leads_once():
    assert lead_names("i, II ,avr") == ["I", "II", "aVR"]
    with pytest.raises(ValueError, match="'X' is none of the twelve leads I, II, III"):
        lead_names("I,X")
    with pytest.raises(ValueError, match="lead V1 is given twice"):
        lead_names("V1,I,v1")


def test_a_folder_is_searched_for_recordings_in_order(tmp_path):
    (tmp_path / "b").mkdir()
    write_record(tmp_path / "b", "r2", ECG)
    write_record(tmp_path / "a", "r9", ECG)
    for name in ("b/x.csv", "c.EDF", "a/n.npy", "b/records.csv", ".hidden.csv", "README.txt", "b/x.mat"):
        (tmp_path / name).write_text("I,II\n" if name != "b/records.csv" else "id,patient\n1,2\n")
    for name in ("e.doc", "f.xml", "g.XML", "a/r9.atr", "RECORDS"):
        (tmp_path / name).write_text("x")
    found, remarks = find_recordings(tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in found] == [
        "a/n.npy",
        "a/r9.hea",
        "b/r2.hea",
        "b/x.csv",
        "c.EDF",
    ]
    assert remarks == [
        "left out 1 CSV files in which no column is a lead (records.csv)",
        "left out 5 files of other kinds (.doc, .txt, .xml, without extension)",
    ]
    with pytest.raises(ValueError, match="holds no recordings; read are a WFDB record"):
        (tmp_path / "empty").mkdir()
        find_recordings(tmp_path / "empty")


def test_what_was_meant_is_asked(tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("\n".join(",".join([lead, *map(str, row[:50])]) for lead, row in zip(LEADS, ECG, strict=True)))
    assert refusal(rows, fs=RATE) == "its leads are rows; read are files with a column for each lead: turn it"
    in_ms = write_csv(tmp_path / "ms.csv", header=["time", *LEADS], first=[1000 * TIMES])
    assert "its steps of 2 s would be 0.5 Hz. If they are in ms, it is 500 Hz: name the column 'ms'" in refusal(in_ms)


def test_one_recording_of_a_batch_is_one(tmp_path):
    for values in (ECG[None], ECG.T[None], ECG[..., None]):
        assert_is_ecg(read_recording(write_npy(tmp_path / "r.npy", values), fs=RATE))


def test_the_table_of_what_is_read_is_that_of_the_readers(tmp_path):
    assert table() in (ROOT / "docs/using-the-model.md").read_text(encoding="utf-8")
    assert set(FORMATS) == set(READERS)
    write_record(tmp_path, "r", ECG)
    made = {
        "wfdb": tmp_path / "r.hea",
        "edf": write_edf(tmp_path / "r.edf"),
        "csv": write_csv(tmp_path / "r.csv", header=["time", *LEADS], first=[TIMES]),
        "npy": write_npy(tmp_path / "r.npy"),
    }
    for kind, known in FORMATS.items():
        if kind in made:  # the others are in test_clinical.py
            assert made[kind].suffix in known.extensions
            assert_is_ecg(read_recording(made[kind], fs=RATE))
        for extension in known.extensions:
            assert f"`{extension}`" in known.title


def test_a_missing_file_and_an_unknown_extension_are_said(tmp_path):
    assert refusal(tmp_path / "r.csv") == "there is no such file"
    assert refusal(tmp_path / "r") == "record r: the file r.hea is missing"
    (tmp_path / "r.doc").write_text("x")
    assert refusal(tmp_path / "r.doc").startswith(
        "the extension '.doc' is not known; read are a WFDB record (.hea), EDF"
    )
    write_record(tmp_path, "r", ECG)
    (tmp_path / "r.1.hea").write_text((tmp_path / "r.hea").read_text())
    assert_is_ecg(read_recording(tmp_path / "r.1"))


def test_a_real_ecg_is_the_same_in_every_format(physionet, tmp_path):
    header = sorted((physionet / "ptb-xl").rglob("*.hea"))[0]
    record = read_recording(header)
    physical = wfdb.rdrecord(str(header.with_suffix(""))).p_signal.T
    times = np.arange(physical.shape[1]) / record.sampling_rate
    write_csv(tmp_path / "r.csv", physical, ["time", *LEADS], first=[times])
    write_npy(tmp_path / "r.npy", physical.astype(np.float32))
    write_edf(tmp_path / "r.edf", physical * 1000, unit="uV")
    for path in sorted(tmp_path.glob("r.*")):
        again = read_recording(path, fs=record.sampling_rate if path.suffix == ".npy" else None)
        away = again.millivolts() - record.millivolts()
        np.testing.assert_allclose(away - np.median(away, axis=1, keepdims=True), 0, atol=0.001)


def test_every_real_recording_is_found_and_read_or_refused_for_dead_leads(physionet):
    found, (tables, others) = find_recordings(physionet)
    assert len(found) == 721 and tables.startswith("left out ") and " files of other kinds (" in others
    refused = {}
    for path in found[::6]:
        try:
            read_recording(path)
        except ValueError as error:
            refused[path] = str(error)
    # LUDB's headers have each lead's own peak-to-peak as its gain
    ludb = {path for path in found[::6] if "ludb" in path.parts}
    assert ludb == {path for path, reason in refused.items() if reason.startswith("its numbers are no millivolts")}
    assert all(refused[path].startswith("dead (flat) leads") for path in set(refused) - ludb)
