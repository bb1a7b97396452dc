"""Calibration pulses and dead parts: cut at an end where all leads have them, named otherwise."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wfdb_files import heart

from fgclep.config.quality import QualitySection
from fgclep.leads import LEADS
from fgclep.signals.quality import usable_record
from fgclep.signals.record import Record

SETTINGS = QualitySection()
RATE = 500


def record_of(mv, rate=RATE, leads=LEADS) -> Record:
    digital = np.round(np.asarray(mv) * 1000).astype(np.int16)
    return Record(digital, np.full(len(digital), 1000.0), np.zeros(len(digital), dtype=np.int32), rate, tuple(leads))


def refusal(mv) -> str:
    with pytest.raises(ValueError) as error:
        usable_record(record_of(mv), SETTINGS)
    return str(error.value)


def with_pulse(mv, start, height=1.0, seconds=0.2, beneath=0.0):
    """Philips: the ECG ends, and a pulse of 1 mV and 0.2 s follows in the last second of all leads."""
    out = np.array(mv)
    out[:, start:] *= beneath
    first = start + 175
    out[:, first : first + round(seconds * RATE)] += height
    return out


@pytest.mark.parametrize("beneath", [0.0, 1.0])
@pytest.mark.parametrize("height", [1.0, 0.5, -1.0])
@pytest.mark.parametrize("turned", [False, True])
def test_a_calibration_pulse_is_cut_with_a_remark(beneath, height, turned):
    mv = heart(11.0)
    pulsed = with_pulse(mv, 5000, height, beneath=beneath)
    usable = usable_record(record_of(pulsed[:, ::-1] if turned else pulsed), SETTINGS)
    end = "first" if turned else "last"
    assert len(usable.remarks) == 1 and usable.remarks[0].startswith(f"cut the {end} ")
    told = re.fullmatch(r"cut the .* s, a calibration pulse of (.*) mV", usable.remarks[0])
    assert float(told[1]) == pytest.approx(abs(height), abs=0.15)
    kept = usable.digital[:, ::-1] if turned else usable.digital
    assert 4990 <= kept.shape[1] <= 5175
    np.testing.assert_array_equal(kept, record_of(pulsed).digital[:, : kept.shape[1]])


def test_a_pulse_that_the_end_cuts_or_a_filter_rounds_is_cut_too():
    mv = with_pulse(heart(11.0), 5000, seconds=1.0)
    assert usable_record(record_of(mv), SETTINGS).remarks[0].endswith("a calibration pulse of 1.0 mV")
    smooth = np.apply_along_axis(np.convolve, 1, with_pulse(heart(11.0), 5000), np.ones(5) / 5, mode="same")
    assert usable_record(record_of(smooth), SETTINGS).remarks[0].endswith("a calibration pulse of 1.0 mV")


def test_a_pulse_of_eight_leads_or_of_derived_ones_is_cut_too():
    mv = with_pulse(heart(11.0), 5000)
    rows = [0, 1, *range(6, 12)]
    usable = usable_record(record_of(mv[rows], leads=[LEADS[row] for row in rows]), SETTINGS)
    assert usable.leads == LEADS and "a calibration pulse of 1.0 mV" in usable.remarks[0]
    mv[2], mv[3], mv[4], mv[5] = mv[1] - mv[0], -(mv[0] + mv[1]) / 2, mv[0] - mv[1] / 2, mv[1] - mv[0] / 2
    assert "a calibration pulse of 1.0 mV" in usable_record(record_of(mv), SETTINGS).remarks[0]


@given(st.floats(0.35, 1.5), st.integers(0, 50), st.floats(5.0, 12.0))
def test_an_ecg_has_no_pulse_and_no_dead_part(rr, seed, seconds):
    record = record_of(heart(seconds, rr=rr, seed=seed))
    assert usable_record(record, SETTINGS).digital is record.digital


@pytest.mark.parametrize("value", [0.0, -32.0, 0.7])
@pytest.mark.parametrize(("first", "last"), [(0, 4000), (1500, 5000), (1000, 4400)])
def test_padding_at_an_end_is_cut_with_a_remark(value, first, last):
    mv = heart()
    padded = np.full_like(mv, value)
    padded[:, first:last] = mv[:, first:last]
    usable = usable_record(record_of(padded), SETTINGS)
    assert abs(usable.digital.shape[1] - (last - first)) < 20
    assert usable.remarks[0].startswith("cut the ") and usable.remarks[0].endswith(", in which all leads are constant")
    assert usable.remarks[0].count(" s") == 1 + (first > 0 and last < 5000)


def test_too_little_beside_the_padding_is_too_short():
    mv = heart()
    mv[:, 2000:] = 0
    assert refusal(mv).startswith("too short: 4.0 s, at least 5 s are needed; cut the last 6 s, in which all leads are")


@given(st.integers(0, 11), st.integers(0, 3500), st.floats(1.05, 9.0))
def test_a_lead_that_is_dead_for_more_than_a_second_is_named_with_its_time(lead, start, seconds):
    mv = heart()
    stop = min(start + round(seconds * RATE), 5000)
    mv[lead, start:stop] = mv[lead, start]
    message = refusal(mv)
    assert message.startswith(f"dead (flat) leads: {LEADS[lead]} (from ")
    said = [float(text) for text in message.split("(from ")[1].removesuffix(" s)").split(" to ")]
    np.testing.assert_allclose(said, [start / RATE, stop / RATE], atol=0.2)


def test_a_lead_that_is_still_for_less_than_a_second_is_not_dead():
    mv = heart()
    mv[6, 1000:1450] = mv[6, 1000]
    assert usable_record(record_of(mv), SETTINGS).remarks == ()


def test_noise_of_a_converter_is_no_life():
    mv = heart()
    mv[6, 1000:] = 0.001 * np.random.default_rng(0).integers(-2, 3, 4000)
    assert refusal(mv).startswith("dead (flat) leads: V1 (from 2.0 to 10.0 s)")


def test_all_leads_that_stand_still_in_the_middle_are_named():
    mv = heart()
    mv[:, 2000:3000] = mv[:, 2000:2001]
    assert refusal(mv).startswith("dead (flat) leads: I (from 4.0 to 6.0 s), II (from 4.0 to 6.0 s), III")


def test_a_page_of_parts_is_told_as_one():
    mv, page = heart(), np.zeros((12, 5000))
    for number in range(12):
        part = slice(number // 3 * 1250, (number // 3 + 1) * 1250)
        page[number, part] = mv[number, part]
    assert refusal(page).endswith(
        "; a page on which each lead has a part of the time, such as 2.5 s, is no recording of all leads"
    )
    page[1] = mv[1]
    assert "V6 (from 0.0 to 7.5 s); a page" in refusal(page)


def test_other_rates_are_looked_at_alike():
    mv = heart()[:, ::5]
    mv[6, 200:] = 0.1
    with pytest.raises(ValueError, match=r"dead \(flat\) leads: V1 \(from 2.0 to 10.0 s\)"):
        usable_record(replace(record_of(mv), sampling_rate=100.0), SETTINGS)
