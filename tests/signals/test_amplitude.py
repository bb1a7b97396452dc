"""What no heart gives is refused: other units, standardized and rescaled numbers, whatever was scaled together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wfdb_files import heart

from fgclep.leads import LEADS
from fgclep.signals.amplitude import _Rows, check_amplitude

EIGHT = ["I", "II", *LEADS[6:]]
ECG = heart(10.0)
ROWS = ECG[[LEADS.index(lead) for lead in EIGHT]]
SCALES = {
    "deviation": lambda x: (x - x.mean()) / x.std(),
    "sample deviation": lambda x: (x - x.mean()) / x.std(ddof=1),
    "deviation with an epsilon": lambda x: (x - x.mean()) / (x.std() + 1e-5),
    "root mean square": lambda x: x / np.sqrt(np.mean(x**2)),
    "quartiles": lambda x: (x - np.median(x)) / np.subtract(*np.percentile(x, (75, 25))),
    "median deviation": lambda x: (x - np.median(x)) / np.median(np.abs(x - np.median(x))),
    "median deviation as of a normal": lambda x: 0.6745 * (x - np.median(x)) / np.median(np.abs(x - np.median(x))),
    "0 to 1": lambda x: (x - x.min()) / np.ptp(x),
    "-1 to 1": lambda x: 2 * (x - x.min()) / np.ptp(x) - 1,
    "range": lambda x: (x - x.mean()) / np.ptp(x),
    "largest": lambda x: x / np.abs(x).max(),
    "99th percentile": lambda x: x / np.percentile(np.abs(x), 99),
}
TOGETHER = {"99th percentile"}  # is looked for in all leads together only
GROUPS = {
    "every lead": [[row] for row in range(8)],
    "limb and chest leads": [[0, 1], list(range(2, 8))],
    "all leads": [list(range(8))],
}


def scaled(scale, groups, values=ROWS):
    out = np.array(values)
    for group in groups:
        out[group] = scale(values[group])
    return out


CASES = [(s, g) for s in SCALES for g in GROUPS if g == "all leads" or s not in TOGETHER]


@pytest.mark.parametrize(("scale", "group"), CASES)
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_scaled_numbers_are_no_millivolts(scale, group, kind):
    with pytest.raises(ValueError, match=r"its numbers are no millivolts|is none of an ECG"):
        check_amplitude(scaled(SCALES[scale], GROUPS[group]).astype(kind), EIGHT)


@pytest.mark.parametrize("scale", SCALES)
def test_a_single_lead_that_was_scaled_is_refused(scale):
    with pytest.raises(ValueError, match=r"its numbers are no millivolts|is none of an ECG"):
        check_amplitude(SCALES[scale](ECG[1:2]), ["II"])


@pytest.mark.parametrize("change", [lambda z: z[:, 500:-500], lambda z: z / (1 + 0.01 / ROWS.std(axis=1))[:, None]])
def test_a_part_of_standardized_leads_and_a_large_epsilon_are_known(change):
    with pytest.raises(ValueError, match="every lead has the same standard deviation"):
        check_amplitude(change(scaled(SCALES["deviation"], GROUPS["every lead"])) / 4, EIGHT)


def test_leads_of_one_size_were_scaled_whatever_the_size():
    for size in (0.5, 3.0):
        rows = size * scaled(SCALES["deviation"], GROUPS["every lead"])
        with pytest.raises(ValueError, match=r"every lead has the same standard deviation|is none of an ECG"):
            check_amplitude(rows / 4, EIGHT)


@given(st.floats(0.3, 4.0), st.floats(-2.0, 2.0), st.integers(0, 20))
def test_an_ecg_of_any_size_and_offset_is_one(size, offset, seed):
    check_amplitude(size * heart(5.0, seed=seed) + offset, LEADS)


@pytest.mark.parametrize("factor", [1000, 0.001, 200, 204.9, 400, 500, 800, 4880, 5000])
def test_another_unit_is_refused(factor):
    for size in (0.5, 1.0, 3.0):
        with pytest.raises(ValueError, match=r"the amplitude \(median peak-to-peak .* mV\) is none of an ECG"):
            check_amplitude(factor * size * ECG, LEADS)


def test_shares_of_16_bits_are_no_millivolts():
    with pytest.raises(ValueError, match="is none of an ECG"):
        check_amplitude(1.5 * ECG * 1000 / 2**15, LEADS)


@pytest.mark.parametrize("decimals", [2, 3])
def test_of_rounded_millivolts_the_largest_may_be_one(decimals):
    mv = np.round(ECG, decimals).clip(-0.95, 0.95)
    mv[7, 100] = 1.0
    check_amplitude(mv, LEADS)


def test_a_largest_size_of_one_millivolt_is_chance_in_steps_of_a_converter():
    counts = np.round(ECG * 200)
    counts[7] = np.clip(counts[7] * 200 // np.abs(counts[7]).max(), -199, 200)
    counts = np.clip(counts, -190, 190) + (np.arange(12) == 7)[:, None] * (counts == 200) * 10
    assert np.abs(counts).max() == 200
    check_amplitude(counts / 200, LEADS)
    check_amplitude((counts / 200).astype(np.float32), LEADS, step=1 / 200)
    with pytest.raises(ValueError, match="the largest size of all leads is 1"):
        check_amplitude(np.where(counts == 200, 1, 0.0043 * counts), LEADS)


def test_leads_on_one_large_offset_of_the_electrodes_were_not_scaled():
    check_amplitude(ECG / 2 + 300, LEADS)
    with pytest.raises(ValueError, match="every lead has the same largest size"):
        check_amplitude(2 * scaled(SCALES["largest"], GROUPS["every lead"])[::2], EIGHT[::2])


@pytest.mark.parametrize("value", [-9999.0, -32.768, 65535.0])
def test_a_value_that_fills_up_every_lead_is_named(value):
    filled = ROWS.copy()
    filled[:, 700:710] = value
    with pytest.raises(ValueError, match=f"the value {value:g} mV stands in every lead"):
        check_amplitude(filled, EIGHT)


def test_missing_samples_and_flat_leads_say_nothing():
    gaps = ECG.copy()
    gaps[3, 100:200], gaps[7] = np.nan, 0.0
    check_amplitude(gaps, LEADS)
    check_amplitude(np.zeros((12, 5000)), LEADS)
    check_amplitude(np.full((12, 5000), np.nan), LEADS)


def test_the_deviation_of_leads_together_is_that_of_all_their_numbers():
    rows = np.random.default_rng(8).normal([[0.0], [300.0], [-4.0]], [[1.0], [0.2], [3.0]], (3, 400))
    rows[2, :100] = np.nan
    known = _Rows(rows, ["I", "II", "V1"])
    for group in ([0], [1], [0, 2], [0, 1, 2]):
        numbers = np.concatenate([rows[i][np.isfinite(rows[i])] for i in group])
        assert known.deviation(group) == pytest.approx(numbers.std(), rel=1e-9)
        np.testing.assert_array_equal(known.numbers(group), numbers)
