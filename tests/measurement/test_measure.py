import numpy as np
import pytest
import wfdb
from simulated import example
from wfdb_files import RATE, heart

from fgclep.leads import INDEX
from fgclep.measurement.beats import find_qrs, find_spikes, remove_drift
from fgclep.measurement.measure import compensatory_pauses, frontal_axis, measure, premature, qrs_waves
from fgclep.schemas.measurements import LEAD_MEASURES, MEASURES

TIME = np.arange(5000) / RATE


def test_a_regular_heart_is_measured_as_it_was_made():
    found = measure(heart(rr=0.8), RATE)
    assert set(found.scalars) == set(MEASURES) and set(found.leads) == set(LEAD_MEASURES)
    assert found.scalars["heart_rate"] == pytest.approx(75, abs=0.3)
    assert found.scalars["rr_cv"] < 0.01
    assert found.scalars["rr_max_ms"] == pytest.approx(800, abs=4)
    assert found.scalars["p_present"] == 1
    assert found.scalars["premature_narrow"] == found.scalars["premature_wide"] == found.scalars["pacing_spikes"] == 0
    # Gaussians end about 2.5 standard deviations from their peaks
    assert found.scalars["pr_ms"] == pytest.approx(160 + 50 - 28, abs=20)
    assert found.scalars["qrs_ms"] == pytest.approx(28 + 30 + 22, abs=20)
    assert found.scalars["qt_ms"] == pytest.approx(28 + 280 + 110, abs=20)
    for lead, factor in (("I", 0.6), ("II", 1.0), ("V3", 0.6), ("V4", 1.2), ("V6", 0.8)):
        at = {name: values[INDEX[lead]] for name, values in found.leads.items()}
        assert at["r_mv"] == pytest.approx(1.0 * factor, abs=0.05)
        assert at["s_mv"] == pytest.approx(0.3 * factor, abs=0.05)
        assert at["t_mv"] == pytest.approx(0.3 * factor, abs=0.03)
        assert at["p_mv"] == pytest.approx(0.15 * factor, abs=0.03)
        assert at["q_mv"] == 0 and at["rp_mv"] == 0
        assert at["st_mv"] == pytest.approx(0, abs=0.03)
    v1 = {name: values[INDEX["V1"]] for name, values in found.leads.items()}  # everything upside down
    assert v1["t_mv"] == pytest.approx(-0.12, abs=0.03)
    assert v1["q_mv"] == pytest.approx(0.4, abs=0.04) and v1["r_mv"] == pytest.approx(0.12, abs=0.04)


def test_voltage_sums_come_from_the_leads():
    found = measure(heart(), RATE)
    s, r = found.leads["s_mv"], np.maximum(found.leads["r_mv"], found.leads["rp_mv"])
    assert found.scalars["sokolow_mv"] == pytest.approx(s[INDEX["V1"]] + max(r[INDEX["V5"]], r[INDEX["V6"]]))
    assert found.scalars["cornell_mv"] == pytest.approx(r[INDEX["aVL"]] + s[INDEX["V3"]])


@pytest.mark.parametrize("elevation", [-0.15, 0.2])
def test_an_st_shift_is_measured_against_the_pr_segment(elevation):
    mv = heart(rr=1.0)
    for beat in np.arange(0.5, 10, 1.0):
        mv[INDEX["V3"]] += elevation * ((beat + 0.055 < TIME) & (beat + 0.2 > TIME))
    assert measure(mv, RATE).leads["st_mv"][INDEX["V3"]] == pytest.approx(elevation, abs=0.05)


def test_drift_does_not_change_the_st_level():
    drift = 0.4 * np.sin(2 * np.pi * 0.2 * TIME)
    assert np.abs(measure(heart() + drift, RATE).leads["st_mv"]).max() < 0.05


def test_the_result_does_not_depend_on_the_sampling_rate():
    from fgclep.signals.preparation import resample

    mv = heart()
    at_500, at_1000 = measure(mv, RATE), measure(resample(mv, RATE, 1000), 1000)
    for name in ("heart_rate", "pr_ms", "qrs_ms", "qt_ms"):
        assert at_1000.scalars[name] == pytest.approx(at_500.scalars[name], abs=5)


def test_without_p_waves_none_is_found_and_nothing_is_measured_on_it():
    mv = heart(rr=0.8)
    for beat in np.arange(0.5, 11, 0.8):
        p = 0.15 * np.exp(-0.5 * ((TIME - beat + 0.16) / 0.02) ** 2)
        limbs = [0.6, 1.0, 0.4, -0.8, 0.1, 0.7]
        mv -= np.array([*limbs, -0.4, 0.3, 0.6, 1.2, 1.0, 0.8])[:, None] * p
    found = measure(mv, RATE)
    assert found.scalars["p_present"] < 0.25
    assert np.isnan(found.scalars["pr_ms"]) and np.isnan(found.leads["p_mv"]).all()


def test_fibrillation_waves_are_no_p_waves():
    rng = np.random.default_rng(3)
    mv = heart(rr=30.0)
    mv[:] = 0.003 * rng.standard_normal(mv.shape)
    beat = 0.4
    while beat < 10:
        for size, center, width in ((1.0, 0.0, 0.010), (-0.3, 0.03, 0.008), (0.3, 0.28, 0.045)):
            mv += size * np.exp(-0.5 * ((TIME - beat - center) / width) ** 2)
        beat += rng.uniform(0.5, 1.0)
    wander = np.cumsum(rng.normal(0, 0.05, TIME.size))
    for lead in range(12):  # each sees the rotating vector from elsewhere
        mv[lead] += 0.06 * np.sin(2 * np.pi * 6.3 * TIME + wander + lead)
    found = measure(mv, RATE)
    assert found.scalars["rr_cv"] > 0.12
    assert found.scalars["p_present"] < 0.4


def _with_beats(shapes):
    """A heart beating every 0.8 s, where beats at given times are replaced: time -> (early by s, wide)."""
    mv = 0.003 * np.random.default_rng(0).standard_normal((12, 5000))
    for beat in np.arange(0.5, 10, 0.8):
        early, wide = shapes.get(round(beat, 1), (0.0, False))
        time = TIME - beat + early
        if wide:
            mv += 1.2 * np.exp(-0.5 * ((time + 0.02) / 0.03) ** 2) - 0.9 * np.exp(-0.5 * ((time - 0.07) / 0.03) ** 2)
            continue
        for size, center, width in ((0.15, -0.16, 0.02), (1.0, 0, 0.01), (-0.3, 0.03, 0.008), (0.3, 0.28, 0.045)):
            mv += size * np.exp(-0.5 * ((time - center) / width) ** 2)
    return mv


def test_premature_beats_are_counted_by_their_width():
    found = measure(_with_beats({2.9: (0.3, False), 6.1: (0.32, True), 8.5: (0.3, True)}), RATE).scalars
    assert (found["premature_narrow"], found["premature_wide"]) == (1, 2)


def test_a_pause_is_compensatory_if_two_cycles_lie_around_the_premature_beat():
    full, reset = [800.0, 800, 500, 1100, 800, 800], [800.0, 800, 500, 900, 800, 800]
    assert compensatory_pauses(np.array(full), premature(np.array(full))) == 1
    assert compensatory_pauses(np.array(reset), premature(np.array(reset))) == 0
    twice = np.array([*full, 500, 1090, 800])
    assert compensatory_pauses(twice, premature(twice)) == 2
    regular = np.full(5, 800.0)
    assert compensatory_pauses(regular, premature(regular)) == 0
    bigeminy = np.array([500.0, 1100, 500, 1100, 500, 1100])
    assert np.isnan(compensatory_pauses(bigeminy, premature(bigeminy)))  # the cycle cannot be seen


@pytest.mark.parametrize("rate", [52.0, 66.0, 88.0])
def test_tall_peaked_t_waves_are_not_counted_as_beats(rate):
    for seed in range(6):
        ecg = example(seed, rhythm="sinus", rate=rate, repolarization="hyperkalemia", repolarization_size=1.0)
        measured = measure(ecg.twelve(), 500).scalars
        times = np.array([time for time, _ in ecg.timeline.qrs if 0.3 < time < 9.8])
        assert measured["heart_rate"] == pytest.approx(60 / np.diff(times).mean(), rel=0.03)
        assert measured["rr_cv"] < 0.08 and measured["compensatory_pauses"] == 0


def test_sinus_arrhythmia_is_not_premature():
    rr = 900 + 180 * np.sin(np.arange(20) * 0.9)
    assert not premature(rr).any()


def test_bigeminy_is():
    assert premature(np.array([1100.0, 500, 1100, 500, 1100])).tolist() == [False, False, True, False, True, False]


def test_pacing_spikes_are_counted_and_do_not_disturb_the_beat():
    mv = heart(rr=0.8)
    spikes = np.round((np.arange(0.5, 10, 0.8) - 0.06) * RATE).astype(int)
    mv[:, spikes] += 0.8
    np.testing.assert_allclose(find_spikes(mv), spikes, atol=1)
    found = measure(mv, RATE)
    assert found.scalars["pacing_spikes"] == len(spikes)
    assert found.leads["r_mv"][1] == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("angle", "lead_i", "lead_avf"),
    [(0, 1.0, 0.0), (90, 0.0, 1.0), (-30, 1.0, -0.5), (60, 0.5, 0.75), (180, -1.0, 0.0)],
)
def test_the_axis_follows_from_the_areas_in_i_and_avf(angle, lead_i, lead_avf):
    wave = np.zeros((12, 5))
    wave[INDEX["I"]], wave[INDEX["aVF"]] = lead_i, lead_avf
    assert frontal_axis(wave) == pytest.approx(angle)


def _triangles(*heights, width=15):
    return np.concatenate([height * np.bartlett(width + 2)[1:-1] for height in heights] + [np.zeros(5)])


@pytest.mark.parametrize(
    ("heights", "expected"),
    [
        ((1.0,), {"r_mv": 1.0}),
        ((-0.2, 1.0, -0.4), {"q_mv": 0.2, "q_ms": 30, "r_mv": 1.0, "s_mv": 0.4}),
        ((0.3, -0.8, 0.5), {"r_mv": 0.3, "s_mv": 0.8, "rp_mv": 0.5}),
        ((-0.9,), {"s_mv": 0.9, "q_mv": 0.9, "q_ms": 30}),  # QS
        ((0.01, -0.9), {"s_mv": 0.9, "q_mv": 0.9, "q_ms": 30}),  # too small to be an R
    ],
)
def test_deflections_of_the_qrs_are_named(heights, expected):
    wave = _triangles(*heights)
    found = {name: values[1] for name, values in qrs_waves(np.stack([-wave, wave])).items()}
    assert found == pytest.approx({"q_mv": 0, "q_ms": 0, "r_mv": 0, "s_mv": 0, "rp_mv": 0} | expected, abs=0.01)


def test_st_elevation_is_no_second_r_wave():
    rs = np.concatenate([_triangles(0.3, -0.8)[:-5], np.linspace(0, 0.3, 12)])
    assert qrs_waves(rs[None])["rp_mv"] == 0


def test_a_signal_without_beats_is_not_measured():
    assert measure(np.zeros((12, 5000)), RATE) is None
    assert measure(heart()[:, :100], RATE) is None


def test_the_signal_stays_as_it_was():
    mv = heart().astype(np.float32)
    kept = mv.copy()
    assert measure(mv, RATE) is not None
    np.testing.assert_array_equal(mv, kept)


def _ludb(physionet, record):
    path = str(physionet / "ludb/1.0.1/data" / record)
    # the gains in the headers are wrong: 1000 per mV is right
    mv = wfdb.rdrecord(path, physical=False).d_signal.T / 1000
    annotation = wfdb.rdann(path, "ii")
    return mv, np.array([s for s, symbol in zip(annotation.sample, annotation.symbol, strict=True) if symbol == "N"])


def test_qrs_complexes_of_real_hearts_are_found(physionet):
    missed = extra = total = 0
    for header in sorted((physionet / "ludb/1.0.1/data").glob("*.hea"))[::4]:
        mv, truth = _ludb(physionet, header.stem)
        found = find_qrs(remove_drift(mv.astype(float)))
        inside = found[(found > truth[0] - 100) & (found < truth[-1] + 100)]
        missed += sum(np.abs(inside - beat).min() > 60 for beat in truth)
        extra += sum(np.abs(truth - beat).min() > 60 for beat in inside)
        total += len(truth)
    assert total > 250 and missed <= 0.01 * total and extra <= 0.01 * total
