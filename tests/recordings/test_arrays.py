"""``FGCLEP.predict`` takes what a file could hold, and says what to give instead of anything else."""

import numpy as np
import pytest
import torch
from training_data import made_model
from wfdb_files import RATE, heart

from fgclep.leads import LEADS
from fgclep.recordings.arrays import usable_array

PROMPTS = ["sinus rhythm", "atrial fibrillation"]
ECG = heart(6.0)
EIGHT = [0, 1, *range(6, 12)]
NAMES = [LEADS[row] for row in EIGHT]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    return made_model(PROMPTS, ecg_encoder={"kind": "resnet18", "width": 4}).eval()


def test_good_millivolts_are_taken_as_they_are(recwarn):
    mv, leads = usable_array(ECG[::-1], RATE, LEADS[::-1])
    assert leads == LEADS and not recwarn.list
    np.testing.assert_array_equal(mv, ECG.astype(np.float32))


def test_a_text_is_one_prompt(model):
    both = model.predict(ECG, RATE, PROMPTS)
    np.testing.assert_allclose(model.predict(ECG, RATE, PROMPTS[0]), both[:1], atol=1e-6)
    np.testing.assert_allclose(model.predict(ECG, RATE, tuple(PROMPTS)), both, atol=1e-6)


def test_eight_leads_are_completed_as_the_command_does(model):
    with pytest.warns(UserWarning, match="III, aVR, aVL, aVF computed from I and II"):
        found = model.predict(ECG[EIGHT], RATE, PROMPTS, NAMES)
    np.testing.assert_allclose(found, model.predict(ECG, RATE, PROMPTS), atol=0.01)


def test_leads_are_known_by_their_makers_names(model):
    names = ["MDC_ECG_LEAD_" + lead for lead in LEADS]
    np.testing.assert_array_equal(model.predict(ECG, RATE, PROMPTS, names), model.predict(ECG, RATE, PROMPTS))


def test_what_pads_and_calibrates_is_cut_with_a_warning(model):
    with pytest.warns(UserWarning, match="cut the last 4.* s, in which all leads are constant"):
        model.predict(np.hstack([ECG, np.zeros((12, 4 * RATE))]), RATE, PROMPTS)


@pytest.mark.parametrize(("number", "size", "offset"), [(6, 0.3, 0.0), (12, 1.0, 3.0), (12, 0.1, -4.0)])
def test_ends_that_are_cut_are_no_amplitude_of_the_ecg(number, size, offset):
    ends = np.zeros((12, 3 * RATE))
    ends[:, -600:-500] += 1.0  # a pulse of 1 mV, behind zeros
    with pytest.warns(UserWarning, match=r"cut the last [12].* s, in which|a calibration pulse of 1.0 mV"):
        mv, _ = usable_array(np.hstack([size * ECG + offset, ends])[:number], RATE, LEADS[:number])
    assert mv.shape[1] == pytest.approx(ECG.shape[1], abs=20)


def test_values_beyond_16_bits_are_told():
    mv = ECG.copy()
    mv[8, 100:104] = -9999.0
    with pytest.warns(UserWarning, match=r"further than 32.767 mV from the median are set to it: V3 \(4 samples\)"):
        usable_array(mv, RATE)


def dead(mv):
    out = mv.copy()
    out[6, 1000:] = 0.2
    return out


@pytest.mark.parametrize(
    ("signal", "options", "message"),
    [
        (ECG * 1000, {}, "the amplitude .* is none of an ECG"),
        (ECG / 1000, {}, "the amplitude .* is none of an ECG"),
        (ECG * 200, {}, "the amplitude .* is none of an ECG"),
        ((ECG * 200).astype(np.int16), {}, "signal holds int16; give millivolts as floating-point numbers"),
        (ECG.astype(str), {}, "give millivolts as floating-point numbers"),
        (((ECG.T - ECG.mean(1)) / ECG.std(1)).T, {}, "the standard deviation of every lead is 1"),
        ((ECG - ECG.min()) / np.ptp(ECG), {}, "the extremes of all leads are 0 and 1"),
        (np.zeros((12, 3000)), {}, r"dead \(flat\) leads: I, II, III"),
        (dead(ECG), {}, r"dead \(flat\) leads: V1 \(from 2.0 to 6.0 s\)"),
        (np.where(np.arange(3000) == 7, np.nan, ECG), {}, r"NaN or infinite values in I \(1\), .*; fill or cut"),
        (ECG.T, {}, r"signal has shape \(3000, 12\), expected \(12, samples\) .*turn it: signal.T"),
        (ECG[0], {}, r"signal has shape \(3000,\), expected \(12, samples\)"),
        (ECG[:, :0], {}, "it holds no samples"),
        (ECG[:, :300], {}, "too short: 0.6 s"),
        (ECG, {"fs": 0}, "fs is 0; give the sampling rate in Hz, such as 500"),
        (ECG, {"fs": -500}, "fs is -500; give"),
        (ECG, {"fs": float("nan")}, "fs is nan; give"),
        (ECG, {"fs": "500"}, "fs is '500'; give"),
        (ECG, {"fs": 5}, "the sampling rate is 5 Hz, not within 100 to 2000 Hz"),
        (ECG, {"prompts": []}, r"prompts is \[\]; give findings in words"),
        (ECG, {"prompts": ""}, "prompts is ''; give findings in words"),
        (ECG, {"prompts": [1]}, r"prompts is \[1\]; give findings in words"),
        (ECG, {"leads": [*LEADS[:3], "-aVR", *LEADS[4:]]}, "'-aVR' is an inverted lead; multiply it by -1"),
        (ECG, {"leads": [*LEADS[:11], "V7"]}, "unknown lead 'V7'"),
        (ECG, {"leads": "I,II"}, "leads is the text 'I,II'; give a list of names"),
        (ECG, {"leads": range(12)}, r"leads is range\(0, 12\); give a list of names"),
        (np.ma.masked_array(ECG, ECG > 0.5), {}, "the signal holds masked samples; fill or cut these first"),
        (ECG[:6], {"leads": LEADS[:6]}, r"leads \['V1', .* are missing .*a resnet18 needs all twelve"),
    ],
)  # fmt: skip
def test_what_cannot_be_an_ecg_is_refused_with_what_to_give(model, signal, options, message):
    given = {"fs": RATE, "prompts": PROMPTS, **options}
    with pytest.raises(ValueError, match=message):
        model.predict(signal, **given)
