"""Units, leads and options of recordings: what a file says is kept, what it leaves open is asked or guessed."""

import re

import numpy as np
import pytest
from recording_files import ECG, TIMES, assert_is_ecg, refusal, write_csv, write_edf, write_npy
from wfdb_files import RATE, write_record

from fgclep.leads import LEADS
from fgclep.recordings.read import read_recording


def stating(folder, kind):
    """A file that states leads, rate and unit."""
    write_record(folder, "r", ECG)
    return folder / "r" if kind == "wfdb" else write_edf(folder / "r.edf")


@pytest.mark.parametrize("kind", ["wfdb", "edf"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fs": 250}, "the sampling rate is 500 Hz by its header; leave --fs 250 out"),
        ({"units": "V"}, "lead .*I.* is in 'mV' by its header; leave --units V out"),
        ({"leads": ["V1"]}, "it names its leads itself .I, II, .*; leave --leads V1 out"),
    ],
)
def test_an_option_that_contradicts_the_file_is_refused(tmp_path, kind, options, message):
    path = stating(tmp_path, kind)
    assert re.search(message, refusal(path, **options))
    assert_is_ecg(read_recording(path, fs=RATE, units="mV", leads=LEADS))


@pytest.mark.parametrize("labels", [[f"ECG{n}" for n in range(12)], ["ECG"] * 12])
def test_options_are_used_where_the_file_says_nothing(tmp_path, labels):
    path = write_edf(tmp_path / "e.edf", labels=labels, unit="adu")
    assert refusal(path).startswith("none of its signals is one of the twelve leads: 'ECG")
    assert refusal(path, leads=LEADS).startswith(
        "lead 'ECG0' is in 'adu', not in mV, uV or V" if labels[0][-1] == "0" else "lead 'ECG' is"
    )
    assert refusal(path, leads=LEADS[:2]) == "it has 12 signals; --leads names 2"
    assert_is_ecg(read_recording(path, leads=LEADS, units="mV"))
    write_record(tmp_path, "r", ECG, leads=[f"ECG {n}" for n in range(12)])
    header = (tmp_path / "r.hea").read_text().replace("/mV", "/adu")
    (tmp_path / "r.hea").write_text(header)
    assert refusal(tmp_path / "r", leads=LEADS).startswith("record r: lead ECG 0 is in 'adu', not in mV, uV or V")
    assert_is_ecg(read_recording(tmp_path / "r", leads=LEADS, units="mV"))
    assert_is_ecg(read_recording(write_csv(tmp_path / "r.csv", header=labels), fs=RATE, leads=LEADS))


def test_a_wfdb_header_without_a_sampling_rate_takes_the_option_or_says_the_default(tmp_path):
    write_record(tmp_path, "r", ECG)
    header = (tmp_path / "r.hea").read_text()
    (tmp_path / "r.hea").write_text(re.sub(r"^(r 12) .*", r"\1", header))
    record = read_recording(tmp_path / "r")
    assert record.sampling_rate == 250  # https://wfdb.io/spec/header-files.html
    (remark,) = record.remarks
    assert remark.startswith("its header says no sampling rate, which stands for 250 Hz; write it there, or give --fs")
    assert_is_ecg(read_recording(tmp_path / "r", fs=RATE))


def test_leads_that_a_file_calls_inverted_are_not_named_anew(tmp_path):
    path = write_csv(tmp_path / "r.csv", ECG[:1], ["-I"])
    assert refusal(path, fs=RATE, leads=["I"]) == "it names its leads itself (-I); leave --leads I out"


@pytest.mark.parametrize("unit", ["adu", "a.u.", "counts", "mmHg", "%"])
def test_a_unit_that_is_written_and_not_known_is_refused_in_every_format(tmp_path, unit):
    header = [f"{lead} ({unit})" for lead in LEADS]
    for path, whose in (
        (write_csv(tmp_path / "r.csv", header=["time", *header], first=[TIMES]), f"lead {header[0]!r}"),
        (write_edf(tmp_path / "r.edf", unit=unit), "lead 'I'"),
    ):
        assert refusal(path).startswith(f"{whose} is in {unit!r}, not in mV, uV or V; divide numbers of a converter by")
    below = write_csv(tmp_path / "r.csv", header=["time", *LEADS], first=[TIMES])
    head, *lines = below.read_text().splitlines()
    below.write_text("\n".join([head, ",".join(["s", *[unit] * 12]), *lines]))
    assert refusal(below).startswith(f"lead 'I' is in {unit!r}")
    assert read_recording(below, units="mV").remarks == (
        f"the header's unit ({unit}) is not read, as --units is given",
    )


@pytest.mark.parametrize("per_mv", [200, 1000 / 4.88, 400, 500, 800, 1000, 4880, 5000])
@pytest.mark.parametrize("kind", ["npy", "csv"])
def test_counts_of_a_converter_are_no_microvolts(tmp_path, per_mv, kind):
    counts = np.round(ECG * per_mv).astype(np.int32)
    path = tmp_path / f"r.{kind}"
    if kind == "npy":
        np.save(path, counts)
    else:
        np.savetxt(path, counts.T, fmt="%d", delimiter=",", header=",".join(LEADS), comments="")
    assert refusal(path, fs=RATE).startswith("its numbers have steps of 1 and no unit") or per_mv == 5000
    told = read_recording(write_npy(tmp_path / "t.npy", counts / per_mv), fs=RATE, units="mV")
    np.testing.assert_allclose(told.millivolts(), ECG, atol=0.004)
    for decimals in (counts.astype(float), counts - counts.mean(axis=1, keepdims=True)):
        message = refusal(write_npy(tmp_path / "t.npy", decimals), fs=RATE)
        assert message.startswith("its numbers have steps of") or "is that of an ECG neither in mV" in message


def test_whole_microvolts_are_known_by_the_rounding_of_their_product(tmp_path):
    mv = np.round(ECG, 3)
    assert_is_ecg(read_recording(write_npy(tmp_path / "r.npy", mv * 1000), fs=RATE))
    for counted in (np.round(mv * 1000), (mv * 1000).astype(np.float32), np.round(mv * 1000) + 0.25):
        assert refusal(write_npy(tmp_path / "r.npy", counted), fs=RATE).startswith(
            "its numbers have steps of 1 and no "
        )
        assert_is_ecg(read_recording(tmp_path / "r.npy", fs=RATE, units="uV"))


def test_columns_of_which_some_have_a_unit_are_refused(tmp_path):
    path = write_csv(tmp_path / "r.csv", header=["time", "I (mV)", *LEADS[1:]], first=[TIMES])
    assert refusal(path) == "column 'II' has no unit, and others have (mV); give --units for all"
    assert_is_ecg(read_recording(path, units="mV"))


@pytest.mark.parametrize("separator", [" ", "   ", "|", "\t", ";"])
def test_columns_are_separated_in_other_ways(tmp_path, separator):
    assert_is_ecg(
        read_recording(write_csv(tmp_path / "r.csv", header=["ms", *LEADS], first=[1000 * TIMES], separator=separator))
    )
    (tmp_path / "r.csv").write_text(f"sep={separator[0]}\n" + (tmp_path / "r.csv").read_text())  # as Excel takes it
    assert_is_ecg(read_recording(tmp_path / "r.csv"))


def test_a_short_line_below_the_header_is_no_line_of_units(tmp_path):
    path = write_csv(tmp_path / "r.csv")
    header, _, rest = path.read_text().partition("\n")
    path.write_text(f"{header}\n,mV\n{rest}")
    assert "line 2" in refusal(path, fs=RATE)
