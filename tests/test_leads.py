"""Names of leads, as makers, countries and people write them: one function for every format."""

import numpy as np
import pytest
import wfdb
from hypothesis import given
from hypothesis import strategies as st
from wfdb_files import RATE, heart

from fgclep.leads import LEADS, canonical_leads, lead_positions, read_label, read_labels
from fgclep.recordings.read import read_recording

NAMES = {
    "I": "I", "avr": "aVR", "ECG I": "I", "EKG aVR": "aVR", "Lead V1": "V1", "lead_ii": "II", "Lead_II": "II",
    "MDC_ECG_LEAD_V3": "V3", "MDC_ECG_LEAD_AVF": "aVF", "ECGV5": "V5", "LeadII": "II", "'V2'": "V2", "a.V.R.": "aVR",
    "DI": "I", "DII": "II", "DIII": "III", "D1": "I", "d2": "II", "LIII": "III", "Lead I (Einthoven)": "I",
    "V1-REF": "V1", "ECG V6-Ref": "V6", "ECG-I": "I", "Lead-II": "II", "Ableitung I": "I", "Dérivation V4": "V4",
    "V 1": "V1", "\u2160": "I", "\u2162": "III", "V1 (mV)": "V1", "V1_uV": "V1", "v1 / mV": "V1", "+aVR": "aVR",
    "D I": "I", "D-II": "II", "I (+)": "I", "V1 in mV": "V1",
}  # fmt: skip
NO_LEADS = [
    *("V7", "V4R", "MLII", "MCL1", "vx", "X", "I-II", "I+II", "Resp", "", "ECG", "ECG 1", "EDF Annotations", "C3"),
    *("SpO2 (%)", "I_raw", "II2", "V", "AV", "V0"),
]
MINUS = [
    *("-{}", "{}-", "{} -", "- {}", "\u2212{}", "\u2013{}", "\ufe63{}", "\uff0d{}", "{}\u2212", "ECG -{}", "Lead_-{}"),
    *("(-){}", "{}(-)", "{} (-)", "-({})", "minus {}", "Minus_{}", "{} minus", "{} inverted", "{} (inverted)"),
    *("inv {}", "{}_inv", "{} neg", "negative {}", "reversed {}", "{} inversée", "{} invertiert", "-{} (mV)", "~{}"),
    *("inv({})", "neg({})", "{{-}} {}", "{} {{-}}", "\u2296{}", "\u2e3a{}", "\x96{}", "{}\x97", "\xad{}"),
]  # fmt: skip


@pytest.mark.parametrize("label", NAMES)
def test_a_lead_is_known_by_many_names(label):
    assert read_label(label)[:2] == (NAMES[label], False)


@pytest.mark.parametrize("label", NO_LEADS)
def test_what_is_none_of_the_twelve_leads_is_none(label):
    assert read_label(label).lead is None and not read_label(label).inverted


@given(st.sampled_from(LEADS), st.sampled_from(MINUS), st.sampled_from([str, str.lower, str.upper]))
def test_a_lead_of_the_other_sign_is_never_the_lead_itself(lead, minus, spelled):
    label = read_label(spelled(minus.format(lead)))
    assert label.lead is None and label.inverted


@pytest.mark.parametrize("calculated", ["-1*{}", "{}*-1", "{} x (-1)", "not {}", "\u00ac{}", "I-{}"])
def test_what_is_calculated_from_a_lead_is_not_the_lead(calculated):
    assert all(read_label(calculated.format(lead)).lead is None for lead in LEADS)


@given(st.text(max_size=12))
def test_any_text_is_read(label):
    lead, inverted, _ = read_label(label)
    assert lead is None or (lead in LEADS and not inverted)


@pytest.mark.parametrize(
    ("label", "unit"),
    [
        ("V1 (mV)", "mV"), ("V1 [uV]", "uV"), ("V1 (\u00b5V)", "uV"), ("V1 (\u03bcV)", "uV"), ("I, mV", "mV"),
        ("V1_uV", "uV"), ("V1_adu", "adu"), ("V1 counts", "counts"),
        ("V1 (adu)", "adu"), ("V1 (a.u.)", "a.u."), ("V1", None), ("Lead I (Einthoven)", None),
    ],
)  # fmt: skip
def test_the_unit_is_what_stands_behind_the_name(label, unit):
    assert read_label(label).unit == unit


def test_c1_to_c6_are_chest_leads_unless_an_eeg_has_them():
    six = [f"C{number}" for number in range(1, 7)]
    assert [label.lead for label in read_labels(["I", "II", *six])] == ["I", "II", *LEADS[6:]]
    assert [label.lead for label in read_labels(["ECG II", "C3", "C4"])] == ["II", None, None]
    assert [label.lead for label in read_labels(["II", *six, "FC1", "Cz"])] == ["II", *[None] * 8]
    assert [label.lead for label in read_labels(["V1", *six])] == ["V1", *[None] * 6]


def test_names_of_leads_are_positions():
    assert lead_positions(["MDC_ECG_LEAD_V1", "DII", "avr"]) == [6, 1, 3]
    with pytest.raises(ValueError, match="'-aVR' is an inverted lead; multiply it by -1"):
        canonical_leads(["I", "-aVR"])
    with pytest.raises(ValueError, match="unknown lead 'MLII'; the twelve standard leads are I, II"):
        canonical_leads(["MLII"])
    with pytest.raises(ValueError, match="a lead is given twice"):
        canonical_leads(["I", "Lead I"])


@pytest.mark.parametrize("write", [lambda lead: f"ECG {lead}", lambda lead: f"MDC_ECG_LEAD_{lead}", str.upper])
def test_a_wfdb_record_of_other_names_is_read_and_says_what_it_leaves_out(tmp_path, write):
    mv = np.vstack([heart(6.0), -heart(6.0)[3:4], heart(6.0)[:1]])
    names = [*map(write, LEADS), "aVR-", "MLII"]
    wfdb.wrsamp(
        "r", fs=RATE, units=["mV"] * 14, sig_name=names, p_signal=mv.T, fmt=["16"] * 14, write_dir=str(tmp_path)
    )
    record = read_recording(tmp_path / "r")
    np.testing.assert_allclose(record.millivolts(), mv[:12], atol=0.001)
    assert record.remarks == ("left out signals that are no leads: 'MLII'", "left out inverted leads: 'aVR-'")
