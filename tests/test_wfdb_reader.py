import numpy as np
import pytest
import wfdb
from wfdb_files import heart, write_record

from fgclep.leads import LEADS
from fgclep.quality import remarks, why_unusable
from fgclep.wfdb_reader import read_record

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
        ("V6", "V7", "record r: unknown lead 'V7'"),
        ("V6", "V5", "record r: a lead is given twice"),
        (" 200(0)/mV", " 0/mV", "record r: gain is 0 or absent in I, II"),
        ("/mV", "/mmHg", "record r: lead I is in 'mmHg', not in mV"),
        ("r.dat", "../r.dat", "record r: unreadable"),
        ("r.dat", "s.dat", "record r: the file s.dat is missing"),
        ("r 12 500 5000", "broken", "record r: unreadable"),
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


def _quality(tmp_path, mv):
    write_record(tmp_path, "r", mv)
    return why_unusable(read_record(tmp_path / "r"))


def test_a_good_record_is_usable(tmp_path):
    assert _quality(tmp_path, heart()) is None


def test_a_flat_lead_is_named(tmp_path):
    mv = heart()
    mv[[6, 11]] = 0.4
    assert _quality(tmp_path, mv) == "dead (flat) leads: V1, V6"


def test_missing_samples_are_counted(tmp_path):
    mv = heart()
    mv[8, 100:107] = -32768 / 200
    assert _quality(tmp_path, mv) == "missing samples (NaN) in V3 (7)"


def test_less_than_five_seconds_is_too_short(tmp_path):
    assert _quality(tmp_path, heart(4.9)) == "too short: 4.9 s, at least 5 s are needed"


def test_an_amplitude_beyond_any_heart_is_implausible(tmp_path):
    mv = heart()
    mv[3, ::20] = 40.0
    assert _quality(tmp_path, mv) == "implausible amplitude (above 15 mV) in aVR"


def test_a_saturated_lead_is_named(tmp_path):
    mv = heart()
    mv[3, ::20] = 32767 / 200
    assert _quality(tmp_path, mv) == "saturated leads: aVR"


def test_leads_that_contradict_einthoven_are_remarked(tmp_path):
    mv = heart()
    mv[2] = -mv[9]
    write_record(tmp_path, "r", mv)
    record = read_record(tmp_path / "r")
    assert why_unusable(record) is None
    assert remarks(record)[0].startswith("II differs from I + III by 0.")


@pytest.mark.parametrize(
    "path", ["ptb-xl/1.0.3/records500/00000/00002_hr", "ecg-arrhythmia/1.0.0/WFDBRecords/01/010/JS00001"]
)
def test_real_records_agree_with_wfdb(physionet, path):
    theirs = wfdb.rdrecord(str(physionet / path))
    ours = read_record(physionet / path).millivolts()
    columns = [name.upper() for name in theirs.sig_name]
    for lead, row in zip(LEADS, ours, strict=True):
        np.testing.assert_allclose(row, theirs.p_signal[:, columns.index(lead.upper())], atol=1e-5)


def test_real_integers_are_the_bytes_of_the_file(physionet):
    path = physionet / "ptb-xl/1.0.3/records500/00000/00002_hr"
    raw = np.fromfile(path.with_suffix(".dat"), dtype="<i2").reshape(-1, 12).T
    np.testing.assert_array_equal(read_record(path).digital, raw)  # PTB-XL stores canonical order
