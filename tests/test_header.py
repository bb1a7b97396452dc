"""Headers of WFDB records as recorders and people write them."""

import pytest
import wfdb

from fgclep.header import Header, found_file, parse_header, read_header, signal_path

LINE = "r.dat 16 200(5)/mV 16 0 -3 77 0 V1"


def header(first: str, *lines: str, stem: str = "r") -> Header:
    return parse_header("\n".join([first, *(lines or [LINE])]) + "\n", stem)


@pytest.mark.parametrize(
    "first",
    [
        "r 1 499.9 5000",
        "my rec 1 499.9 5000",
        "rec.v1.2 1 499.9 5000",
        "rec 2 1 499.9 5000",
        "2024/rec 1 499.9 5000",
        "r 1 499.9/500(0) 5000 10:00:00 2024-05-31",
        "r 1 499.9 5000 10:00:00 5/31/2024",
        "r 1 499.9 5000 noon 31. Mai 2024",
        "folder/100 1 499.9 5000",
    ],
)
def test_names_and_dates_of_any_form_leave_rate_and_length(first):
    found = header(first, stem="100" if "100" in first else "r")
    assert (found.rate, found.frames) == (499.9, 5000)


@pytest.mark.parametrize(("first", "frames"), [("r 1 500", None), ("r 1 500 0", None), ("r 1 500 10:00:00", None)])
def test_a_length_of_0_or_none_is_that_of_the_files(first, frames):
    assert header(first).frames is frames


def test_a_record_of_several_segments_is_told_from_a_folder():
    with pytest.raises(ValueError, match="several segments"):
        header("r/2 1 500 5000", "r_1 2500", "r_2 2500")
    assert header("sub/12 1 500 5000", LINE, stem="12").frames == 5000


def test_the_fields_of_a_signal():
    (signal,) = header("r 1 500 5000", "my file.dat 16x2:3+24 1e3(-5)/uV 16 7 -3 -77 0 lead  V1").signals
    assert (signal.file, signal.format, signal.per_frame, signal.skew, signal.offset) == ("my file.dat", "16", 2, 3, 24)
    assert (signal.gain, signal.baseline, signal.unit, signal.first, signal.checksum) == (1000.0, -5, "uV", -3, -77)
    assert signal.label == "lead  V1"
    (signal,) = header("r 1 500 5000", "r.dat 212 200 12 1024 V1").signals  # the baseline is the converter's zero
    assert (signal.gain, signal.baseline, signal.first, signal.checksum, signal.label) == (200, 1024, None, None, "V1")
    (signal,) = header("r 1 500 5000", "rec 16 12.dat 16 200 V1").signals
    assert (signal.file, signal.format, signal.gain) == ("rec 16 12.dat", "16", 200)
    (signal,) = header("r 1 500 5000", "r.dat 16").signals
    assert (signal.gain, signal.label) == (0.0, "")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["# only a comment"], "is empty"),
        (["r one 500.5 Hz"], "'r one 500.5 Hz' is not '<name> <signals> <rate> <samples>'"),
        (["r 2 500 5000", LINE], "announces 2 signals and lists 1"),
        (["r 0 500 5000"], "lists no signals"),
        (["r 1 500 5000", "r.dat"], "'r.dat' is not '<file> <format> <gain> ...'"),
        (["r 1 500 5000", LINE + 3000 * " x"], "a line of 6034 characters"),
    ],
)
def test_what_is_no_header_is_told(lines, message):
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        parse_header("\n".join(lines), "r")


@pytest.mark.parametrize("name", ["../r.dat", "/etc/passwd", "a/../../b", r"C:\ecg\r.dat", "http://x/r.dat", "a\x1b"])
def test_a_signal_file_elsewhere_is_refused(name):
    with pytest.raises(ValueError, match="in another folder"):
        signal_path(name)


def test_a_file_is_found_in_upper_or_lower_case(tmp_path):
    (tmp_path / "R1.DAT").touch()
    assert found_file(tmp_path, "r1.dat") == tmp_path / "R1.DAT"
    (tmp_path / "r1.dat").touch()
    assert found_file(tmp_path, "r1.dat") == tmp_path / "r1.dat"
    assert found_file(tmp_path, "r2.dat") is None


def test_every_real_header_says_what_wfdb_reads(physionet):
    paths = sorted(physionet.rglob("*.hea"))
    for path in paths:
        ours, theirs = read_header(path), wfdb.rdheader(str(path.with_suffix("")))
        assert (ours.rate, ours.frames, list(ours.comments)) == (theirs.fs, theirs.sig_len, theirs.comments)
        assert [signal.file for signal in ours.signals] == theirs.file_name
        assert [(s.format, s.per_frame, s.offset, s.gain, s.baseline, s.unit) for s in ours.signals] == [
            *zip(theirs.fmt, theirs.samps_per_frame, [at or 0 for at in theirs.byte_offset], theirs.adc_gain,
                 theirs.baseline, theirs.units, strict=True)
        ]  # fmt: skip
        assert [(s.first, s.checksum, s.label) for s in ours.signals] == [
            *zip(theirs.init_value, theirs.checksum, theirs.sig_name, strict=True)
        ]
    assert len(paths) == 721
