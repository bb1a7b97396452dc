"""The vocabulary: what is in it, and that contradictions in it are found."""

import ast
import csv
import dataclasses

import pytest
import yaml
from conftest import ROOT

from fgclep.errors import UserError
from fgclep.language.check import main, problems
from fgclep.language.territories import leads_of_list, mark_leads, territory_of
from fgclep.language.vocabulary import load_vocabulary
from fgclep.simulation.truth.truth import NEVER_DRAWN

FOLDER = ROOT / "resources" / "vocabulary"
TABLES = ROOT.parent / "shared" / "tables"
SNOMED = {  # table: column of the code
    TABLES / "cinc2021" / "dx_mapping_scored.csv": "SNOMEDCTCode",
    TABLES / "cinc2021" / "dx_mapping_unscored.csv": "SNOMEDCTCode",
    TABLES / "chapman" / "ConditionNames_SNOMED-CT.csv": "Snomed_CT",
}
PTB_XL = TABLES / "ptbxl" / "ptbxl_database_full_v1.0.3.csv"
NO_FINDING = {  # codes that label recordings, and say nothing that is seen on an ECG
    "84114007": "heart failure: a clinical condition",
    "368009": "heart valve disorder: a clinical condition",
    "266257000": "transient ischemic attack: a clinical condition",
    "251139008": "suspected reversal of arm leads: a remark on the recording, administrative.yaml",
}


def test_the_vocabulary_is_large_enough_and_sound(vocabulary, capsys):
    assert len(vocabulary.features) >= 150
    assert len(vocabulary.diagnoses) >= 120
    assert problems(vocabulary) == []
    assert main(str(FOLDER)) == 0
    assert "0 problems" in capsys.readouterr().out


@pytest.mark.skipif(not all(path.exists() for path in SNOMED), reason=f"the tables of codes are not in {TABLES}")
def test_every_code_of_the_databases_belongs_to_an_entry_or_is_no_finding(vocabulary):
    listed = set()
    for path, column in SNOMED.items():
        with path.open(encoding="utf-8-sig", newline="") as file:
            listed |= {row[column].strip() for row in csv.DictReader(file)}
    assert len(listed) > 130
    known = {code for entry in vocabulary.entries for code in entry.snomed}
    assert listed - known == set(NO_FINDING)


@pytest.mark.skipif(not PTB_XL.exists(), reason=f"{PTB_XL} is not here")
def test_every_code_of_ptb_xl_belongs_to_an_entry(vocabulary):
    with PTB_XL.open(encoding="utf-8", newline="") as file:
        listed = {code for row in csv.DictReader(file) for code in ast.literal_eval(row["scp_codes"])}
    assert len(listed) == 71
    assert listed == {code for entry in vocabulary.entries for code in entry.scp}


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("425419005", "inferior_ischemia"),  # inferior ischaemia
        ("54329005", "anterior_mi"),  # anterior myocardial infarction
        ("251266004", "ventricular_pacing"),  # ventricular pacing pattern
        ("370365005", "lvh_strain"),  # left ventricular strain
        ("251147008", "low_voltage_limb"),  # lower voltage QRS in limb lead
        ("49578007", "short_pr"),  # shortened pr interval
        ("ISCIL", "inferolateral_ischemia"),
    ],
)
def test_a_code_belongs_to_the_entry_of_its_name(vocabulary, code, name):
    entry = {**vocabulary.features, **vocabulary.diagnoses}[name]
    assert code in (*entry.snomed, *entry.scp)


def broken(vocabulary, kind, name, **changes):
    entries = dict(getattr(vocabulary, kind))
    entries[name] = dataclasses.replace(entries[name], **changes)
    return problems(dataclasses.replace(vocabulary, **{kind: entries}))


@pytest.mark.parametrize(
    ("kind", "name", "changes", "message"),
    [
        ("features", "wide_qrs", {"wave": "x"}, "wide_qrs: wave is 'x'"),
        ("features", "wide_qrs", {"source": ""}, "wide_qrs: no source"),
        ("features", "wide_qrs", {"synonyms": (), "names": ()}, "wide_qrs: no English wording beside its text"),
        ("diagnoses", "lbbb", {"synonyms": (), "names": ()}, "lbbb: no English wording beside its text"),
        ("diagnoses", "lbbb", {"typical": (), "alternative": ()}, "lbbb: has no feature, typical or alternative"),
        ("diagnoses", "lbbb", {"snomed": ("59118001",)}, "59118001: is given to lbbb and rbbb"),
        ("diagnoses", "lbbb", {"required": ("rsr_v1",)}, r"lbbb: requires ['rsr_v1'], which are not typical"),
        (
            "diagnoses",
            "lbbb",
            {"required": ("narrow_qrs", "wide_qrs"), "typical": ("narrow_qrs", "wide_qrs")},
            "lbbb: requires narrow_qrs and wide_qrs, which no ECG can show together",
        ),
        (
            "diagnoses",
            "rae",  # one part of the first rule is apart from the second
            {"required": ("absent_p", "tall_p_ii"), "typical": ("absent_p", "tall_p_ii")},
            "rae: requires absent_p and tall_p_ii, which no ECG can show together",
        ),
        (
            "diagnoses",
            "pericarditis",  # two of three leads each: they have one in common
            {"required": ("std_inferior", "ste_inferior"), "typical": ("std_inferior", "ste_inferior")},
            "pericarditis: requires std_inferior and ste_inferior, which no ECG can show together",
        ),
        (
            "diagnoses",
            "low_voltage",  # either part of the first rule is apart from the second
            dict.fromkeys(("required", "typical"), ("high_voltage_limb", "low_voltage_limb")),
            "low_voltage: requires high_voltage_limb and low_voltage_limb, which no ECG can show together",
        ),
        (
            "diagnoses",
            "afib_slow",  # with what the wider diagnosis requires
            {"required": ("regular_rr",), "typical": ("regular_rr",)},
            "afib_slow: requires irregular_rr and regular_rr, which no ECG can show together",
        ),
        ("diagnoses", "lbbb", {"excludes": ("lbbb",)}, "lbbb: excludes itself"),
        ("diagnoses", "afib_slow", {"excludes": ("atrial_fibrillation",)}, "one excludes the other"),
        (
            "diagnoses",
            "afib_slow",
            {"required": ("regular_rr",), "typical": ("regular_rr",)},
            "atrial_fibrillation, of which it is a kind, excludes them",
        ),
        ("diagnoses", "afib_slow", {"incompatible": ("absent_p",)}, "of which it is a kind, requires them"),
        ("diagnoses", "torsades", {"required": (), "typical": ()}, "twisting_qrs: no diagnosis has it"),
    ],
)
def test_a_contradiction_is_found(vocabulary, kind, name, changes, message):
    assert any(message in line for line in broken(vocabulary, kind, name, **changes))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ste_inferior", "std_lateral"),  # other leads
        ("ste_inferior", "st_elevation"),  # both above
        ("prolonged_pr", "wide_qrs"),  # other measures
        ("absent_p", "fibrillatory_waves"),  # no rule
        ("rate_above_100", "rate_above_150"),
        ("broad_r_lateral", "deep_s_v1v2"),
    ],
)
def test_features_that_an_ecg_may_show_together_are_no_contradiction(vocabulary, one, other):
    assert broken(vocabulary, "diagnoses", "takotsubo", required=(one, other), typical=(one, other)) == []


def test_a_wording_that_is_read_as_another_finding_is_found(vocabulary):
    phrases = {**vocabulary.phrases, "inferior zorble": "pathological_q"}
    assert problems(dataclasses.replace(vocabulary, phrases=phrases)) == [
        "pathological_q: its wording 'inferior zorble' is read as ['q_inferior']"
    ]
    # a wording of the vocabulary is never administrative
    assert problems(dataclasses.replace(vocabulary, administrative=("^left axis deviation$",))) == []


def test_a_wording_without_words_is_refused(vocabulary):
    with pytest.raises(UserError, match="'probable normal variant' has no words"):
        problems(dataclasses.replace(vocabulary, phrases={"probable normal variant": "normal_ecg"}))


def edited(tmp_path, change):
    for name in ("features", "diagnoses", "administrative"):
        document = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
        change(name, document)
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "key", "value", "message"),
    [
        ("diagnoses", "excludes", ["nothing"], "excludes the unknown diagnosis 'nothing'"),
        ("diagnoses", "general", "nothing", "the general finding 'nothing' is unknown"),
        ("diagnoses", "required", ["nothing"], "names the unknown feature 'nothing'"),
        ("features", "territory", "toe", "unknown territory 'toe'"),
        ("features", "colour", "red", "colour"),
    ],
)
def test_an_unknown_reference_is_refused(tmp_path, capsys, file, key, value, message):
    folder = edited(tmp_path, lambda name, d: d[name][0].update({key: value}) if name == file else None)
    with pytest.raises(UserError, match=message):
        load_vocabulary(folder)
    assert main(str(folder)) == 1
    assert message in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["required", "typical", "alternative", "seldom"])
def test_a_feature_that_is_both_implied_and_excluded_is_refused(tmp_path, kind):
    def plant(name, document):
        if name == "diagnoses":
            lbbb = next(row for row in document["diagnoses"] if row["id"] == "lbbb")
            lbbb[kind] = ["wide_qrs"]
            lbbb["incompatible"] = ["wide_qrs"]

    with pytest.raises(UserError, match=r"lbbb both implies and excludes \['wide_qrs'\]"):
        load_vocabulary(edited(tmp_path, plant))


def test_the_knowledge_of_what_is_simulated_can_be_scored(vocabulary):
    """The simulator's diagnoses propose features that its hearts can show."""
    simulated = [d for d in vocabulary.diagnoses.values() if d.synonyms]  # what it has words for
    proposed = {feature for d in simulated for feature in (*d.typical, *d.alternative)}
    assert not proposed & NEVER_DRAWN


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("q waves in ii, iii, avf", "q waves in @II+III+aVF"),
        ("st in v2,3 and v5-6", "st in @V2+V3+V5+V6"),
        ("v1 to v4", "@V1+V2+V3+V4"),
        ("rsr'(v1)", "rsr'( @V1 )"),
        ("a-v block i", "a-v block i"),
        ("mobitz ii", "mobitz ii"),
        ("in lead iii", "in lead @III"),
        ("sv1 + rv5", "sv1 + rv5"),
    ],
)
def test_lists_of_leads_are_marked(text, marked):
    assert mark_leads(text) == marked


def test_territories_are_known_in_three_languages():
    assert [territory_of(word) for word in ("inferior", "anterolaterale", "hochlateraler", "anterolateralt")] == [
        "inferior",
        "anterolateral",
        "high_lateral",
        "anterolateral",
    ]
    assert territory_of("linksanteriorer") is None
    assert leads_of_list("v4-v6 and avl") == ("aVL", "V4", "V5", "V6")
