"""Recordings are repaired by stated rules or refused with the reason."""

import numpy as np
import pytest
from wfdb_files import heart

from fgclep.config.quality import QualitySection
from fgclep.leads import LEADS
from fgclep.recordings.wfdb_file import read_record
from fgclep.signals.quality import usable_record
from fgclep.signals.record import MISSING, Record
from fgclep.signals.repair import EQUATIONS, limb_lead_errors
from fgclep.sources import SOURCES

SETTINGS = QualitySection()


def record_of(mv, gain=1000.0, rate=500.0, leads=LEADS) -> Record:
    digital = np.round(mv * gain).astype(np.int16)
    return Record(digital, np.full(len(leads), gain), np.zeros(len(leads), dtype=np.int32), rate, tuple(leads))


def refusal(record, settings=SETTINGS, **documented) -> str:
    with pytest.raises(ValueError) as error:
        usable_record(record, settings, **documented)
    return str(error.value)


def test_a_good_record_is_taken_as_it_is():
    record = record_of(heart())
    usable = usable_record(record, SETTINGS, gain=1000, sampling_rate=500)
    assert usable.remarks == () and usable.digital is record.digital


def test_a_flat_lead_is_named():
    mv = heart()
    mv[[6, 11]] = 0.4
    assert refusal(record_of(mv)) == "dead (flat) leads: V1, V6"
    assert usable_record(record_of(mv), QualitySection(flat_mv=0)).digital.shape == (12, 5000)


def test_a_false_second_in_all_leads_is_named_with_its_span():
    record = record_of(heart())
    record.digital[:, 4500:] = -32767
    span = "all of them from 9 to 10 s of 10 s (-32.767 mV), as where a program has filled up a file; cut it off"
    assert refusal(record) == f"saturated leads: {', '.join(LEADS)}, {span}"
    record.digital[:, 100:200] = -32767  # two spans: none is named
    assert refusal(record) == f"saturated leads: {', '.join(LEADS)}"


def test_a_saturated_lead_is_named():
    mv = heart()
    mv[8, ::20] = 32.767
    assert refusal(record_of(mv)) == "saturated leads: V3"


def test_an_amplitude_beyond_any_heart_is_implausible():
    mv = heart()
    mv[8, ::20] = 20.0
    assert refusal(record_of(mv)) == "implausible amplitude (above 15 mV) in V3"
    assert usable_record(record_of(mv), QualitySection(max_artifact_share=0.06)).remarks == ()
    mv = heart() + 18  # an offset is no amplitude
    mv[:6] = heart()[:6]
    assert usable_record(record_of(mv), SETTINGS).remarks == ()


def test_less_than_five_seconds_is_too_short():
    assert refusal(record_of(heart(4.9))) == "too short: 4.9 s, at least 5 s are needed"


@pytest.mark.parametrize(
    ("rate", "documented", "reason"),
    [
        (250.0, 500, "the sampling rate is 250 Hz, the database has 500 Hz"),
        (50.0, None, "the sampling rate is 50 Hz, not within 100 to 2000 Hz"),
        (0.0, None, "the sampling rate is 0 Hz, not within 100 to 2000 Hz"),
        (500000.0, None, "the sampling rate is 500000 Hz, not within 100 to 2000 Hz"),
    ],
)
def test_a_wrong_sampling_rate_is_refused(rate, documented, reason):
    assert refusal(record_of(heart(), rate=rate), sampling_rate=documented) == reason


@pytest.mark.parametrize(("stated", "words"), [(4880.0, "gain 4880 in the header"), (200.0, "gain 200 in the header")])
def test_a_gain_that_the_database_does_not_have_is_put_right(stated, words):
    mv = heart()
    wrong = record_of(mv)
    wrong = Record(wrong.digital, np.full(12, stated), np.full(12, 3, dtype=np.int32), 500.0)
    usable = usable_record(wrong, SETTINGS, gain=1000)
    np.testing.assert_allclose(usable.millivolts(), mv, atol=0.0006)
    assert usable.remarks == (f"{words}, 1000/mV by the documentation",)


def test_missing_samples_are_filled_by_a_line_if_they_are_few():
    record = record_of(heart())
    record.digital[8, 100:120] = MISSING
    usable = usable_record(record, SETTINGS)
    before, after = record.digital[8, [99, 120]].astype(float)
    expected = before + (after - before) * np.arange(1, 21) / 21
    np.testing.assert_allclose(usable.digital[8, 100:120], expected, atol=0.51)
    assert usable.remarks == ("20 missing samples interpolated",)
    assert (record.digital[8, 100:120] == MISSING).all()  # what was read is left alone
    np.testing.assert_array_equal(
        np.delete(usable.digital, np.s_[100:120], 1), np.delete(record.digital, np.s_[100:120], 1)
    )


@pytest.mark.parametrize("gap", [slice(100, 121), slice(0, 3), slice(4990, 5000)])
def test_missing_samples_in_a_long_row_or_at_an_end_exclude_a_record(gap):
    record = record_of(heart())
    record.digital[8, gap] = MISSING
    assert refusal(record) == f"missing samples (NaN) in V3 ({gap.stop - gap.start})"


@pytest.mark.parametrize("present", [("I", "II"), ("I", "III"), ("II", "III"), ("I", "II", "aVR", "aVF")])
def test_limb_leads_that_are_missing_are_computed(present):
    mv = heart()
    mv[:6] -= mv[:6].mean(axis=1, keepdims=True)
    lead_i, lead_ii = mv[0], mv[1]
    truth = np.stack(
        [lead_i, lead_ii, lead_ii - lead_i, -(lead_i + lead_ii) / 2, lead_i - lead_ii / 2, lead_ii - lead_i / 2]
    )
    leads = [*present, *LEADS[6:]]
    rows = {**dict(zip(LEADS[:6], truth, strict=True)), **dict(zip(LEADS[6:], mv[6:], strict=True))}
    usable = usable_record(record_of(np.stack([rows[lead] for lead in leads]), leads=leads), SETTINGS)
    assert usable.leads == LEADS
    np.testing.assert_allclose(usable.millivolts()[:6], truth, atol=0.002)
    np.testing.assert_allclose(usable.millivolts()[6:], mv[6:], atol=0.001)
    first, second = [lead for lead in ("I", "II", "III") if lead in present][:2]
    assert usable.remarks[0].endswith(f"computed from {first} and {second}")


@pytest.mark.parametrize("leads", [LEADS[:11], ("I", *LEADS[3:]), ("aVR", "aVL", *LEADS[6:])])
def test_leads_that_cannot_be_computed_exclude_a_record(leads):
    mv = heart()[[LEADS.index(lead) for lead in leads]]
    assert refusal(record_of(mv, leads=leads)).startswith("leads ")


@pytest.mark.parametrize("order", [(1, 0, 2, 3, 4, 5), (0, 1, 2, 3, 5, 4), (2, 1, 0, 3, 4, 5), (5, 3, 0, 1, 2, 4)])
def test_swapped_limb_leads_are_put_in_order(order):
    mv = heart()
    lead_i, lead_ii = mv[0], np.roll(mv[1], 15)  # a heart's vector turns: leads differ by more than a factor
    mv[:6] = [lead_i, lead_ii, lead_ii - lead_i, -(lead_i + lead_ii) / 2, lead_i - lead_ii / 2, lead_ii - lead_i / 2]
    swapped = np.concatenate([mv[list(order)], mv[6:]])
    usable = usable_record(record_of(swapped), SETTINGS)
    np.testing.assert_allclose(usable.millivolts(), mv, atol=0.0006)
    assert usable.remarks[0].startswith("limb leads put in order: ")
    assert f"{LEADS[order[0]]} was labelled I" in usable.remarks[0] or order[0] == 0


def test_limb_leads_that_fit_in_no_order_exclude_a_record():
    mv = heart()
    mv[2] = -mv[9]
    assert refusal(record_of(mv)).startswith("the limb leads contradict each other: II = I + III is missed by 0.")
    assert usable_record(record_of(mv), QualitySection(max_limb_error_mv=5.0)).remarks == ()


def test_the_error_of_an_equation_is_its_root_mean_square():
    leads = np.random.default_rng(0).normal(size=(6, 400))
    errors = limb_lead_errors(np.cov(leads), np.arange(6)[None])[0]
    np.testing.assert_allclose(errors, (EQUATIONS @ leads).std(axis=1, ddof=1), rtol=1e-9)


def test_swapped_arm_electrodes_are_remarked():
    mv = heart()
    lead_i, lead_ii, lead_iii, avr, avl, avf = mv[:6]
    swapped = np.stack([-lead_i, lead_iii, lead_ii, avl, avr, avf])  # Kligfield et al. 2007, right and left arm
    usable = usable_record(record_of(np.concatenate([swapped, mv[6:]])), SETTINGS)
    assert usable.remarks == ("lead I runs against V6: arm electrodes swapped, or dextrocardia",)


def test_of_the_real_records_exactly_those_with_dead_leads_are_refused(physionet):
    folders = {"ludb": "ludb/1.0.1", "csn": "ecg-arrhythmia/1.0.0", "ptb-xl": "ptb-xl/1.0.3"}
    names = {"cpsc2018": "cpsc_2018", "cpsc_extra": "cpsc_2018_extra", "georgia": "georgia", "ptb": "ptb"}
    folders |= {key: f"challenge-2021/1.0.3/training/{name}" for key, name in names.items()}
    refused, gains, seen = {}, 0, 0
    for key, folder in folders.items():
        for header in sorted((physionet / folder).rglob("*.hea")):
            seen += 1
            try:
                record = read_record(header.with_suffix(""))
                usable = usable_record(record, SETTINGS, SOURCES[key].gain, SOURCES[key].sampling_rate)
                gains += any("by the documentation" in remark for remark in usable.remarks)
                assert not any("order" in remark or "interpolated" in remark for remark in usable.remarks)
            except ValueError as error:
                refused[header.stem] = str(error)
    assert sorted(refused) == ["JS11438", "JS20004", "JS20008", "JS45542", "JS45544", "JS45551"]
    assert all(reason.startswith("dead (flat) leads: ") for reason in refused.values())
    assert seen == 721 and gains == 130  # all of LUDB
