import csv
import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import wfdb
from conftest import ROOT
from simulated import example

from fgclep.documents import read_yaml
from fgclep.leads import INDEX, LEADS
from fgclep.schemas.measurements import LEAD_MEASURES, MEASURES
from fgclep.schemas.truth import TRUTH
from fgclep.simulation.databases.code_tables import SCP_STATEMENTS
from fgclep.simulation.databases.codes import (
    CPSC,
    CPSC_ST_DEPRESSION,
    CPSC_ST_ELEVATION,
    cpsc_codes,
    scp_codes,
    snomed_codes,
)
from fgclep.simulation.databases.mimic_iv_ecg import LEAD_ORDER
from fgclep.simulation.databases.reports import machine_report
from fgclep.simulation.heart.condition import draw_condition
from fgclep.simulation.heart.heart import (
    DOWER,
    KORS,
    KORS_TORSO,
    Wave,
    tabulate,
    turn_to_axis,
    twelve_leads,
)
from fgclep.simulation.heart.morphology import QRS_EDGE
from fgclep.simulation.heart.patient import draw_patient
from fgclep.simulation.recorder.recording import simulate
from fgclep.simulation.truth.measures import deflections, measure
from fgclep.simulation.truth.truth import NEVER_DRAWN, STATE, find_truth
from fgclep.stages import merge_tables, simulate_physionet
from fgclep.tables import read_table

VOCABULARY = ROOT / "resources" / "vocabulary"
FOLDERS = {
    "mimic-iv-ecg": "mimic-iv-ecg/1.0",
    "ptb-xl": "ptb-xl/1.0.3",
    "cpsc2018": "challenge-2021/1.0.3",
    "csn": "ecg-arrhythmia/1.0.0",
}
SETTINGS = {
    "records": {"mimic-iv-ecg": 44, "ptb-xl": 24, "cpsc2018": 22, "csn": 22},
    "broken_records": 3,
    "feature_mention_rate": 0.45,
    "prevalence": "flat",
    "workers": 1,
    "seed": 7,
}


def run(source, root, **changes):
    folder, truth = root / "files" / FOLDERS[source], root / "truth" / f"{source}.parquet"
    options = ["--source", source, "--vocabulary", str(VOCABULARY), "--output", str(folder), "--truth", str(truth)]
    options += ["--settings", json.dumps({**SETTINGS, **changes})]
    simulate_physionet.main(simulate_physionet.arguments().parse_args(options))
    return folder, truth


@pytest.fixture(scope="module")
def databases(tmp_path_factory):
    root = tmp_path_factory.mktemp("simulation")
    return {source: run(source, root) for source in FOLDERS}


def features_of(recording, vocabulary):
    return set(find_truth(recording, vocabulary).features)


def checksums(folder):
    return {line[65:]: line[:64] for line in (folder / "SHA256SUMS.txt").read_text().splitlines()}


def broken(folder):
    """Records that are damaged, found from outside: by checksum, or because wfdb reads no twelve living leads."""
    bad = set()
    for path, digest in checksums(folder).items():
        file = folder / path
        if not file.exists() or hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            bad.add(Path(path).stem)
    for name in (folder / "RECORDS").read_text().split():
        try:
            signal = wfdb.rdrecord(str(folder / name)).p_signal
        except (OSError, ValueError):
            bad.add(Path(name).name)
            continue
        if np.isnan(signal).any() or np.ptp(signal, axis=0).min() == 0:
            bad.add(Path(name).name)
    return bad


# --- the forward model


def test_a_vector_to_the_left_gives_a_positive_lead_i_and_v6_and_a_negative_avr():
    wave = Wave()
    wave.add(0, 10, (1.0, 0.0, 0.0))
    table = tabulate(wave, DOWER, 50, 50)
    peak = dict(zip(LEADS, twelve_leads(table.values)[:, table.origin], strict=True))
    assert peak["I"] == pytest.approx(0.632)
    assert peak["V6"] == pytest.approx(0.831)
    assert peak["aVR"] == pytest.approx(-(0.632 + 0.235) / 2)


def test_the_torso_by_kors_agrees_with_his_regression_and_is_near_dowers():
    assert np.allclose(KORS @ KORS_TORSO, np.eye(3))
    assert np.abs(KORS_TORSO - DOWER).max() < 0.5


@pytest.mark.parametrize("target", [-60.0, 0.0, 45.0, 110.0])
def test_a_wave_is_turned_to_the_axis_that_is_asked_for(target):
    wave = Wave()
    wave.add(0, 10, (0.9, 0.5, 0.4))
    wave.add(20, 8, (0.2, 0.1, 0.6))
    turn_to_axis(wave, DOWER, target)
    lead_i, lead_ii = DOWER[:2] @ wave.area()
    axis = np.degrees(np.arctan2(2 / np.sqrt(3) * (lead_ii - lead_i / 2), lead_i))
    assert axis == pytest.approx(target, abs=1e-6)


def test_deflections_of_a_qrs_complex_are_named_by_their_order():
    lead = np.concatenate([np.full(20, -0.2), np.full(20, 1.1), np.full(20, -0.6), np.full(20, 0.3)])
    qs, flat = np.full(80, -0.8), np.zeros(80)
    assert deflections(np.stack([lead, qs, flat])).T.tolist() == [
        [0.2, 20.0, 1.1, 0.6, 0.3],
        [0.8, 80.0, 0.0, 0.8, 0.0],
        [0.0] * 5,
    ]


def test_what_follows_a_small_gap_is_the_same_wave():
    lead = np.concatenate([np.full(10, -0.2), np.full(4, -0.01), np.full(10, -0.3), np.full(20, 1.0)])
    assert deflections(lead[None]).T.tolist() == [[0.3, 24.0, 1.0, 0.0, 0.0]]


# --- truth


def test_every_feature_has_a_rule_or_a_function_and_no_function_is_left_over(vocabulary):
    without_rule = {name for name, feature in vocabulary.features.items() if feature.rule is None}
    assert without_rule == set(STATE) | NEVER_DRAWN
    assert not set(STATE) & NEVER_DRAWN


def test_a_feature_with_a_rule_is_there_where_the_noise_free_measures_fulfill_it(vocabulary):
    for seed in range(40):
        rng = np.random.default_rng([2, seed])
        patient = draw_patient(rng)
        truth = find_truth(simulate(patient, draw_condition(rng, patient), rng), vocabulary)
        rate, pr, axis = (truth.measures[name] for name in ("heart_rate", "pr_ms", "qrs_axis"))
        st = [truth.measures["st_mv"][INDEX[lead]] for lead in ("II", "III", "aVF")]
        expected = {
            "rate_60_100": 60 < rate < 100,
            "prolonged_pr": pr > 200,
            "left_axis": -90 < axis < -30,
            "ste_inferior": sum(value > 0.1 for value in st) >= 2,
        }
        assert {name: name in truth.features for name in expected} == expected


def test_all_measures_of_the_schema_are_given():
    measures, _ = measure(example())
    assert set(MEASURES) | set(LEAD_MEASURES) | {"age", "sex"} == set(measures)
    assert all(len(measures[name]) == 12 for name in LEAD_MEASURES)


def test_the_r_peaks_of_a_sinus_rhythm_lie_where_the_heart_rate_says():
    recording = example(3, rate=75.0)
    lead = recording.twelve()[INDEX["II"]]
    steep = np.abs(np.diff(lead, prepend=lead[0]))
    peaks = np.flatnonzero(steep > 0.5 * steep.max())
    beats = peaks[np.diff(peaks, prepend=-1000) > 150]
    rate = 60 * 500 / np.mean(np.diff(beats))
    assert rate == pytest.approx(measure(recording)[0]["heart_rate"], abs=2)


def test_atrial_fibrillation_is_irregular_without_p_waves_in_signal_and_truth(vocabulary):
    recording = example(5, rhythm="afib", rate=95.0)
    onsets = np.array([time for time, _ in recording.timeline.qrs if 0 < time < 10])
    assert np.diff(onsets).std() / np.diff(onsets).mean() > 0.1
    assert not recording.timeline.p
    features = features_of(recording, vocabulary)
    assert {"irregular_rr", "absent_p", "fibrillatory_waves"} <= features
    assert not {"upright_p_ii", "p_before_qrs", "regular_rr", "normal_pr"} & features


def test_the_written_width_of_the_qrs_is_the_one_that_is_seen():
    for conduction, low, high in ((None, 70, 119), ("lbbb", 120, 175), ("rbbb", 120, 170), ("irbbb", 85, 119)):
        recording = example(11, conduction=conduction)
        main = measure(recording)[1]
        size = np.abs(main.qrs).max(axis=0)
        seen = np.flatnonzero(size > QRS_EDGE * size.max())
        assert seen[-1] - seen[0] == pytest.approx(recording.morphology.beats["main"].qrs_ms, abs=6)
        assert low <= recording.morphology.beats["main"].qrs_ms <= high


@pytest.mark.parametrize(
    ("condition", "feature", "share"),
    [
        ({"conduction": "lbbb"}, "discordant_st_t", 0.8),
        ({"conduction": "lbbb"}, "absent_septal_q", 0.8),
        ({"conduction": "rbbb"}, "rsr_v1", 0.7),
        ({"conduction": "lafb"}, "marked_left_axis", 0.8),
        ({"conduction": "lpfb"}, "right_axis", 0.9),
        ({"conduction": "wpw"}, "short_pr", 1.0),
        ({"infarct": "inferior", "infarct_size": 1.0}, "q_inferior", 0.7),
        ({"infarct": "anterior_stemi", "infarct_size": 1.0}, "ste_anterior", 0.8),
        ({"infarct": "inferior_stemi", "infarct_size": 1.0}, "ste_inferior", 0.8),
        ({"hypertrophy": "lvh", "hypertrophy_size": 1.2}, "sokolow_lyon", 0.6),
        ({"hypertrophy": "rvh", "hypertrophy_size": 1.2}, "right_axis", 0.7),
        ({"voltage": "low"}, "low_voltage_limb", 0.8),
        ({"repolarization": "hyperkalemia", "repolarization_size": 1.0}, "tall_t", 0.6),
        ({"repolarization": "long_qt", "repolarization_size": 1.0}, "prolonged_qtc", 0.4),
        ({"left_atrium": 1.2}, "p_terminal_v1", 0.6),
        ({"right_atrium": 1.2}, "tall_p_ii", 0.5),
        ({"rhythm": "av_block_3", "rate": 38.0}, "av_dissociation", 1.0),
        ({"rhythm": "mobitz_1", "rate": 60.0}, "dropped_qrs", 1.0),
        ({"ectopy": "pvc"}, "premature_wide_beat", 1.0),
        ({"ectopy": "bigeminy"}, "bigeminal_pattern", 1.0),
    ],
)
def test_a_condition_shows_its_feature_in_most_recordings_but_need_not_in_all(condition, feature, share, vocabulary):
    seen = [feature in features_of(example(seed, **condition), vocabulary) for seed in range(20)]
    assert np.mean(seen) >= share


def test_st_level_of_the_signal_is_the_one_in_the_truth():
    recording = example(2, infarct="inferior_stemi", infarct_size=1.0)
    measures, _ = measure(recording)
    lead = recording.twelve()[INDEX["III"]]
    qrs_ms = recording.morphology.beats["main"].qrs_ms
    levels = []
    for onset, _ in recording.timeline.qrs:
        if 0.3 < onset < 9.5:
            j60 = round((onset + (qrs_ms + 60) / 1000) * 500)
            baseline = round((onset - 0.012) * 500)
            levels.append(lead[j60] - lead[baseline])
    assert np.median(levels) == pytest.approx(measures["st_mv"][INDEX["III"]], abs=0.05)


def test_the_relation_of_diagnosis_and_features_is_not_bijective(vocabulary):
    sets = {
        tuple(sorted(features_of(example(seed, rhythm="afib", rate=rate), vocabulary)))
        for seed, rate in ((1, 130.0), (2, 48.0))
    }
    assert len(sets) == 2
    assert all("fibrillatory_waves" in features for features in sets)


def test_at_least_30_diagnoses_and_60_features_occur(vocabulary):
    diagnoses, features = set(), set()
    for seed in range(700):
        rng = np.random.default_rng([1, seed])
        patient = draw_patient(rng)
        truth = find_truth(simulate(patient, draw_condition(rng, patient), rng), vocabulary)
        diagnoses |= set(truth.diagnoses)
        features |= set(truth.features)
    assert len(diagnoses) >= 50
    assert len(features) >= 75


@pytest.fixture(scope="module")
def many(vocabulary):
    """Truth of 2,500 hearts, without the recordings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fgclep.simulation.recorder.recording.record", lambda signal, *rest: signal)
        truths = []
        for seed in range(2500):
            rng = np.random.default_rng([77, seed])
            patient = draw_patient(rng)
            truths.append(find_truth(simulate(patient, draw_condition(rng, patient), rng, 10.0), vocabulary))
    return truths


def test_every_form_rhythm_and_subclass_of_ptb_xl_is_drawn(many, vocabulary):
    drawn = Counter(code for truth in many for code in scp_codes(truth.diagnoses, truth.features, vocabulary))
    single = {code for code, (_, flags, _, _) in SCP_STATEMENTS.items() if set(flags) & {"f", "r"}}
    assert sorted(single - set(drawn)) == []
    subclasses = {subclass for *_, subclass in SCP_STATEMENTS.values() if subclass}
    assert len(subclasses) == 23
    assert sorted(subclasses - {SCP_STATEMENTS[code][3] for code in drawn}) == []


def test_the_nine_classes_of_cpsc2018_are_drawn(many):
    drawn = Counter(code for truth in many for code in cpsc_codes(truth.diagnoses, truth.features))
    assert set(drawn) == {*CPSC.values(), CPSC_ST_DEPRESSION, CPSC_ST_ELEVATION}
    assert min(drawn.values()) >= 20


def test_every_class_of_csn_with_100_records_is_drawn(many, vocabulary):
    folder = ROOT.parent / "shared" / "tables" / "chapman"
    if not folder.is_dir():
        pytest.skip(f"needs the published labels of CSN at {folder}")
    with (folder / "ConditionNames_SNOMED-CT.csv").open(encoding="utf-8-sig") as table:
        codes = {row["AcronymName"].strip(): row["Snomed_CT"].strip() for row in csv.DictReader(table)}
    published: Counter[str] = Counter()
    with (folder / "js_labels.csv").open() as table:
        for row in csv.DictReader(table):
            names = [name.strip() for name in row["Labels"].split(",")]
            published.update({codes.get(name, name.removeprefix("UNK_")) for name in names})
    drawn = {code for truth in many for code in snomed_codes(truth.diagnoses, truth.features, vocabulary)}
    classes = read_yaml(VOCABULARY.parent / "tasks" / "csn.yaml")["classes"]
    frequent = [task for task in classes if sum(published[code] for code in task["codes"]) >= 100]
    assert len(frequent) > 40
    assert [task["name"] for task in frequent if not drawn & set(task["codes"])] == []


def test_findings_come_together_as_in_published_counts(many, vocabulary):
    """Shares of PTB-XL's 21,799 records, within a wide margin: prevalences are flatter here."""
    statements = [set(scp_codes(truth.diagnoses, truth.features, vocabulary)) for truth in many]

    def share(of: str, beside: set[str]) -> float:
        chosen = [codes for codes in statements if of in codes]
        return float(np.mean([bool(codes & beside) for codes in chosen]))

    assert share("RVH", {"IRBBB", "CRBBB"}) > 0.4  # 0.85 in PTB-XL
    assert share("ISC_", {"LVH"}) > 0.4  # 0.92
    assert share("DIG", {"AFIB"}) > 0.35  # 0.64
    assert share("ABQRS", {"IMI", "ASMI", "AMI", "LMI", "ALMI", "ILMI"}) > 0.35  # 0.76
    assert share("AFIB", {"NST_", "NDT", "DIG", "STD_"}) > 0.25  # 0.45


@pytest.mark.parametrize(
    ("condition", "feature"),
    [
        ({"ectopy": "run"}, "wide_run"),
        ({"ectopy": "couplet"}, "wide_couplet"),
        ({"ectopy": "fusion"}, "fusion_beats"),
        ({"ectopy": "atrial_bigeminy"}, "bigeminal_pattern"),
        ({"rhythm": "atrial_tachycardia", "rate": 130.0}, "atrial_rate_100_250"),
        ({"rhythm": "ventricular_tachycardia", "rate": 160.0}, "wide_qrs"),
        ({"hypertrophy": "septal", "hypertrophy_size": 1.2}, "deep_narrow_q_lateral"),
        ({"infarct": "inferoposterior", "infarct_size": 1.2}, "q_inferior"),
        ({"infarct": "anteroseptal", "infarct_size": 1.2, "aneurysm": True}, "ste_anterior"),
        ({"repolarization": "injury_inferior", "repolarization_size": 1.2}, "isoelectric_st"),
    ],
)
def test_rare_conditions_show_what_they_are_named_for(condition, feature, vocabulary):
    seen = [feature in features_of(example(seed, **condition), vocabulary) for seed in range(16)]
    assert (np.mean(seen) < 0.5) if feature == "isoelectric_st" else (np.mean(seen) >= 0.5)


def test_beats_of_a_run_follow_each_other_fast():
    line = example(6, ectopy="run").timeline
    first, count = next(run for run in line.runs if run[0] > 0)
    times = [time for time, kind in line.qrs if kind == "pvc" and time >= first][:count]
    assert count >= 3 and max(np.diff(times)) < 0.6


def test_reports_mention_features_at_the_rate_that_is_set(vocabulary):
    truth = find_truth(example(4, conduction="lbbb"), vocabulary)
    words = {
        text
        for name in vocabulary.features
        for text in (vocabulary.features[name].text, *vocabulary.features[name].synonyms)
    }
    for rate, low, high in ((0.0, 0.0, 0.0), (0.45, 0.35, 0.55), (1.0, 0.95, 1.0)):
        reports = [machine_report(truth, vocabulary, rate, np.random.default_rng(seed)) for seed in range(300)]
        assert low <= np.mean([bool(words & set(report)) for report in reports]) <= high


# --- the databases


def test_the_limb_leads_obey_einthoven_and_goldberger_in_the_written_numbers(databases):
    for folder, _ in databases.values():
        damaged = broken(folder)
        for name in (folder / "RECORDS").read_text().split():
            if Path(name).name in damaged:
                continue
            record = wfdb.rdrecord(str(folder / name), physical=False)
            leads = {n.upper(): s.astype(int) for n, s in zip(record.sig_name, record.d_signal.T, strict=True)}
            assert (leads["III"] == leads["II"] - leads["I"]).all()
            assert np.abs(leads["AVR"] + (leads["I"] + leads["II"]) / 2).max() <= 0.5
            assert np.abs(leads["AVL"] - (leads["I"] - leads["II"] / 2)).max() <= 0.5
            assert np.abs(leads["AVF"] - (leads["II"] - leads["I"] / 2)).max() <= 0.5


def test_headers_agree_with_the_samples(databases):
    for folder, _ in databases.values():
        damaged = broken(folder)
        name = next(n for n in (folder / "RECORDS").read_text().split() if Path(n).name not in damaged)
        record = wfdb.rdrecord(str(folder / name), physical=False)
        assert record.fs == 500
        assert [value % 65536 for value in record.checksum] == [value % 65536 for value in record.calc_checksum()]
        assert record.init_value == list(record.d_signal[0])


def test_exactly_the_broken_records_are_broken(databases):
    for folder, _ in databases.values():
        assert len(broken(folder)) == SETTINGS["broken_records"]


def test_leads_gain_and_missing_values_are_those_of_mimic(databases):
    folder, _ = databases["mimic-iv-ecg"]
    rows = list(csv.DictReader((folder / "record_list.csv").open()))
    measured = list(csv.DictReader((folder / "machine_measurements.csv").open()))
    assert {row["study_id"] for row in rows} == {row["study_id"] for row in measured}
    assert [row["study_id"] for row in rows] != [row["study_id"] for row in measured]
    assert len({row["subject_id"] for row in rows}) < len(rows)
    assert any(row["p_onset"] == "29999" for row in measured)
    damaged = broken(folder)
    row = next(row for row in rows if row["file_name"] not in damaged)
    record = wfdb.rdrecord(str(folder / row["path"]))
    assert tuple(record.sig_name) == LEAD_ORDER
    assert record.adc_gain == [200.0] * 12


def test_patients_of_ptb_xl_are_in_one_fold_each(databases):
    folder, _ = databases["ptb-xl"]
    folds = {}
    for row in csv.DictReader((folder / "ptbxl_database.csv").open()):
        assert folds.setdefault(row["patient_id"], row["strat_fold"]) == row["strat_fold"]
    assert len(folds) < SETTINGS["records"]["ptb-xl"]


def test_recordings_of_cpsc2018_last_6_to_60_seconds_and_carry_a_code(databases):
    folder, _ = databases["cpsc2018"]
    lengths = set()
    coded = 0
    names = (folder / "RECORDS").read_text().split()
    for name in names:
        header = (folder / f"{name}.hea").read_text()
        coded += "#Dx: \n" not in header
        if "twelve" not in header:
            lengths.add(int(header.split()[3]) / 500)
    assert 6 <= min(lengths) < max(lengths) <= 60
    assert coded > 0.8 * len(names)


def test_truth_names_records_as_the_manifests_do(databases, tmp_path, vocabulary):
    ids = {}
    for source, (_, truth) in databases.items():
        table = read_table(truth, TRUTH)
        assert set(table["source"].to_pylist()) == {source}
        assert set(table["feature"].to_pylist()) <= set(vocabulary.features)
        ids[source] = table["record_id"][0].as_py()
    assert (len(ids["ptb-xl"]), ids["cpsc2018"][0], ids["csn"][:2], len(ids["mimic-iv-ecg"])) == (5, "A", "JS", 8)
    truths = [str(truth) for _, truth in databases.values()]
    args = merge_tables.arguments().parse_args(
        ["--schema", "truth", "--inputs", *truths, "--output", str(tmp_path / "truth.parquet")]
    )
    merge_tables.main(args)
    merged = read_table(tmp_path / "truth.parquet", TRUTH)
    assert merged.num_rows == sum(read_table(truth, TRUTH).num_rows for _, truth in databases.values())


def test_the_number_of_workers_changes_nothing(databases, tmp_path):
    folder, truth = databases["ptb-xl"]
    again, truth_again = run("ptb-xl", tmp_path, workers=2)
    assert (again / "SHA256SUMS.txt").read_bytes() == (folder / "SHA256SUMS.txt").read_bytes()
    assert truth_again.read_bytes() == truth.read_bytes()


def test_another_seed_gives_other_records(databases, tmp_path):
    folder, _ = databases["csn"]
    other, _ = run("csn", tmp_path, seed=8)
    assert checksums(folder).keys() == checksums(other).keys()
    assert checksums(folder) != checksums(other)


def test_another_prevalence_gives_other_records(databases, tmp_path):
    folder, _ = databases["csn"]
    other, _ = run("csn", tmp_path, prevalence="reports")
    assert checksums(folder).keys() == checksums(other).keys()
    assert checksums(folder) != checksums(other)
