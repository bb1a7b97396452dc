import numpy as np
import pytest
import wfdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wfdb_files import heart, write_record

from fgclep.leads import LEADS
from fgclep.recordings.wfdb_file import read_record
from fgclep.signals.encoding import decode_waveform, encode_waveform, to_millivolts

MIMIC_ORDER = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")


def test_leads_come_in_canonical_order_whatever_the_order_in_the_file(tmp_path):
    mv = heart()
    write_record(tmp_path, "r", mv[[LEADS.index(lead) for lead in MIMIC_ORDER]], leads=MIMIC_ORDER)
    record = read_record(tmp_path / "r")
    assert record.digital.dtype == np.int16 and record.digital.shape == (12, 5000)
    np.testing.assert_allclose(record.millivolts(), mv, atol=0.5 / 200 + 1e-6)


def test_age_sex_and_codes_come_from_the_header(tmp_path):
    comments = ["Age: 71", "Sex: Female", "Dx: 427172004,10370003", "Rx: Unknown"]
    write_record(tmp_path, "r", heart(), comments=comments)
    record = read_record(tmp_path / "r")
    assert (record.age, record.sex, record.codes) == (71.0, "F", ("427172004", "10370003"))


def test_unknown_age_and_sex_are_none(tmp_path):
    write_record(tmp_path, "r", heart(), comments=["Age: NaN", "Sex: Unknown", "Dx: Unknown"])
    record = read_record(tmp_path / "r")
    assert (record.age, record.sex, record.codes) == (None, None, ())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("V6", "V5", "record r: lead V5 is given twice: 'V5', 'V5'"),
        (" 200(0)/mV", " 0/mV", "record r: gain is 0 or absent in I, II"),
        ("/mV", "/mmHg", "record r: lead I is in 'mmHg', not in mV"),
        ("r.dat", "../r.dat", "record r: its header names the signal file '../r.dat', in another folder"),
        ("r.dat", "s.dat", "record r: the file s.dat is missing"),
        (
            "r 12 500 5000",
            "broken",
            "record r: its header is unreadable: 'broken' is not '<name> <signals> <rate> <samples>'",
        ),
    ],
)
def test_an_unreadable_record_is_named_with_the_reason(tmp_path, old, new, message):
    write_record(tmp_path, "r", heart())
    header = tmp_path / "r.hea"
    assert old in header.read_text()
    header.write_text(header.read_text().replace(old, new))
    with pytest.raises(ValueError, match="record r") as error:
        read_record(tmp_path / "r")
    assert message in str(error.value)


def test_a_truncated_signal_file_is_an_error(tmp_path):
    write_record(tmp_path, "r", heart())
    signal = tmp_path / "r.dat"
    signal.write_bytes(signal.read_bytes()[:40000])
    with pytest.raises(ValueError, match="record r"):
        read_record(tmp_path / "r")


def test_microvolts_become_millivolts(tmp_path):
    write_record(tmp_path, "r", heart())
    header = tmp_path / "r.hea"
    header.write_text(header.read_text().replace(" 200(0)/mV", " 0.2(0)/uV"))
    np.testing.assert_allclose(read_record(tmp_path / "r").millivolts()[1], heart()[1], atol=0.003)


def test_other_signals_are_left_out(tmp_path):
    mv = np.concatenate([heart(), heart()[:2]])
    write_record(tmp_path, "r", mv, leads=[*LEADS[:11], "vx", "V6", "V7"])
    record = read_record(tmp_path / "r")
    assert record.leads == LEADS
    assert record.remarks == ("left out signals that are no leads: 'vx', 'V7'",)
    np.testing.assert_allclose(record.millivolts()[11], mv[12], atol=0.003)
    write_record(tmp_path, "none", heart(), leads=[f"S{number}" for number in range(12)])
    with pytest.raises(ValueError, match="none of its signals is one of the twelve leads: 'S0', "):
        read_record(tmp_path / "none")


def test_leads_that_the_file_lacks_are_not_in_the_record(tmp_path):
    write_record(tmp_path, "r", heart()[:9], leads=LEADS[:9])
    record = read_record(tmp_path / "r")
    assert record.leads == LEADS[:9] and record.digital.shape == (9, 5000)


@pytest.mark.parametrize("fmt", ["16", "61", "160", "212", "24", "32", "80"])
def test_every_format_gives_the_integers_that_were_written(tmp_path, fmt):
    limit = {"80": 127, "212": 2047}.get(fmt, 32767)
    digital = np.random.default_rng(0).integers(-limit, limit + 1, (2501, 12))
    missing = {"80": -128, "212": -2048, "24": -(2**23), "32": -(2**31)}.get(fmt, -32768)
    digital[7, 3] = missing
    written = "16" if fmt in {"61", "160"} else fmt
    wfdb.wrsamp("r", 500, ["mV"] * 12, list(LEADS), d_signal=digital, fmt=[written] * 12, adc_gain=[100] * 12,
                baseline=[0] * 12, write_dir=str(tmp_path))  # fmt: skip
    if fmt != written:  # 61: the high byte first; 160: an offset of 32768
        header, signal = tmp_path / "r.hea", tmp_path / "r.dat"
        header.write_text(header.read_text().replace("r.dat 16 ", f"r.dat {fmt} "))
        stored = digital.astype(">i2") if fmt == "61" else (digital + 32768).astype("<u2")
        signal.write_bytes(stored.tobytes())
    expected = digital.T.copy()
    expected[3, 7] = -32768
    np.testing.assert_array_equal(read_record(tmp_path / "r").digital, expected)


def test_the_matlab_files_of_the_challenge_are_read_behind_their_header(tmp_path):
    digital = np.round(heart().T * 1000).astype("<i2")
    (tmp_path / "r.mat").write_bytes(bytes(24) + digital.tobytes())
    lines = [f"r.mat 16+24 1000/mV 16 0 {digital[0, i]} {digital[:, i].sum() % 65536} 0 {lead}\n"
             for i, lead in enumerate(LEADS)]  # fmt: skip
    (tmp_path / "r.hea").write_text("r 12 500 5000\n" + "".join(lines))
    np.testing.assert_array_equal(read_record(tmp_path / "r").digital, digital.T)


def _edit_header(folder, old, new, count=-1):
    header = folder / "r.hea"
    assert old in header.read_text()
    header.write_text(header.read_text().replace(old, new, count))


def test_one_changed_sample_is_found_by_the_checksum(tmp_path):
    write_record(tmp_path, "r", heart())
    signal = tmp_path / "r.dat"
    content = bytearray(signal.read_bytes())
    content[2 * (12 * 3000 + 4)] ^= 1
    signal.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="record r: the checksum of lead aVL is not the one in the header"):
        read_record(tmp_path / "r")


def test_a_first_sample_that_is_not_the_headers_is_found(tmp_path):
    write_record(tmp_path, "r", heart())
    words = next(line for line in (tmp_path / "r.hea").read_text().splitlines() if line.endswith("V6")).split()
    words[5] = str(int(words[5]) + 1)
    _edit_header(
        tmp_path, next(x for x in (tmp_path / "r.hea").read_text().splitlines() if x.endswith("V6")), " ".join(words)
    )
    with pytest.raises(ValueError, match=r"record r: lead V6 starts with -?[0-9]+, its header says"):
        read_record(tmp_path / "r")


@pytest.mark.parametrize("length", [4999, 2500, 5001])
def test_a_header_with_another_length_than_the_file_is_refused(tmp_path, length):
    write_record(tmp_path, "r", heart())
    _edit_header(tmp_path, "r 12 500 5000", f"r 12 500 {length}")
    with pytest.raises(ValueError, match="record r: "):
        read_record(tmp_path / "r")


def test_a_header_without_first_samples_and_checksums_is_enough(tmp_path):
    mv = heart()
    write_record(tmp_path, "r", mv)
    lines = (tmp_path / "r.hea").read_text().splitlines()
    short = [" ".join(line.split()[:3]) if line.startswith("r.dat") else line for line in lines]
    (tmp_path / "r.hea").write_text("\n".join(short) + "\n")
    with pytest.raises(ValueError, match="none of its signals is one"):  # the names come after the checksums
        read_record(tmp_path / "r")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    gain=st.sampled_from([1, 200, 488.5, 1000, 4880.0, 32767]),
    baseline=st.integers(-3000, 3000),
    rate=st.sampled_from([100, 250, 257.5, 500, 1000]),
    order=st.permutations(range(12)),
    samples=st.integers(1, 60),
    unit=st.sampled_from(["mV", "uV", "V"]),
)
def test_what_is_written_in_a_header_is_read_from_it(tmp_path, gain, baseline, rate, order, samples, unit):
    digital = np.random.default_rng(samples).integers(-30000, 30000, (samples, 12))
    wfdb.wrsamp("r", rate, [unit] * 12, [LEADS[i].upper() for i in order], d_signal=digital, fmt=["16"] * 12,
                adc_gain=[gain] * 12, baseline=[baseline] * 12, write_dir=str(tmp_path))  # fmt: skip
    record = read_record(tmp_path / "r")
    assert record.sampling_rate == rate and record.leads == LEADS
    assert set(record.baseline) == {baseline}
    np.testing.assert_allclose(record.gain, gain * {"mV": 1, "uV": 1000, "V": 0.001}[unit], rtol=1e-9)
    np.testing.assert_array_equal(record.digital[list(order)], digital.T)


def test_every_real_record_reads_as_wfdb_does_through_the_shard(physionet):
    """Within one unit of the converter, for all 721 records: integers, gain and baseline survive the shard."""
    headers = sorted(physionet.rglob("*.hea"))
    for header in headers:
        path = header.with_suffix("")
        theirs = wfdb.rdrecord(str(path))
        record = read_record(path)
        stored = decode_waveform(encode_waveform(record.digital), record.digital.shape[1])
        ours = to_millivolts(stored, record.gain, record.baseline)
        columns = [name.upper() for name in theirs.sig_name]
        for lead, row, gain in zip(LEADS, ours, record.gain, strict=True):
            difference = np.abs(row - theirs.p_signal[:, columns.index(lead.upper())]).max()
            assert difference < 0.01 / gain, f"{path}, lead {lead}: {difference} mV"
    assert len(headers) == 721


def test_real_integers_are_the_bytes_of_the_file(physionet):
    path = physionet / "ptb-xl/1.0.3/records500/00000/00002_hr"
    raw = np.fromfile(path.with_suffix(".dat"), dtype="<i2").reshape(-1, 12).T
    np.testing.assert_array_equal(read_record(path).digital, raw)  # PTB-XL stores canonical order
