"""Statements of reports: what is cleaned away, and which findings are read from what is left."""

import pytest

from fgclep.errors import UserError
from fgclep.language.certainty import cuts_in_two
from fgclep.language.parser import StatementParser
from fgclep.language.statements import clean_statement
from fgclep.language.vocabulary import Diagnosis, Feature, Vocabulary
from fgclep.language.words import words_of


@pytest.fixture(scope="module")
def parse(vocabulary):
    parser = StatementParser(vocabulary)
    return lambda raw: parser.parse(clean_statement(raw))


@pytest.fixture(scope="module")
def findings(vocabulary):
    parser = StatementParser(vocabulary)
    return lambda raw: {one.id: (one.certainty, one.leads) for one in parser.findings(clean_statement(raw))}


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("*** Consider ACUTE ST elevation MI ***", "consider acute st elevation mi"),
        ("--- Warning: data quality may affect interpretation ---", "warning: data quality may affect interpretation"),
        ("- premature ventricular contractions", "premature ventricular contractions"),
        ("Sinus rhythm.", "sinus rhythm"),
        ("  sinus   rhythm\twith\nPAC(s). ", "sinus rhythm with pac(s)"),
        ("Summary: abnormal ECG", "abnormal ecg"),
        ("RSR\u2019(V1) \u2013 probable normal variant", "rsr'(v1) - probable normal variant"),
        ("inferior infarct \u0007- age undetermined", "inferior infarct - age undetermined"),
        (" *** --- ", ""),
    ],
)
def test_decoration_is_stripped_and_nothing_else(raw, clean):
    assert clean_statement(raw) == clean
    assert clean_statement(clean) == clean


@pytest.mark.parametrize(
    ("raw", "diagnoses", "features"),
    [
        ("Sinus rhythm with 1st degree A-V block.", ["sinus_rhythm", "av_block_1"], []),
        ("RBBB with left anterior fascicular block", ["rbbb", "lafb"], []),
        (
            "Atrial fibrillation with rapid ventricular response with PVC(s)",
            ["afib_rapid", "pvc", "atrial_fibrillation"],
            [],
        ),
        ("incomplete right bundle branch block", ["irbbb"], []),
        ("Prolonged QT interval", [], ["prolonged_qtc"]),
        ("inferior and lateral ST elevation - possible early repolarization", ["early_repolarization"], None),
        ("ant/septal and lateral T wave changes are nonspecific", ["nonspecific_t"], []),
        (
            "septal and lateral st-t changes may be due to myocardial ischemia",
            ["st_t_abnormality", "anterior_ischemia", "lateral_ischemia"],
            [],
        ),
        ("inferior/lateral st-t changes are nonspecific", ["nonspecific_st_t"], []),
    ],
)
def test_several_findings_of_a_statement_are_read(parse, raw, diagnoses, features):
    statement = parse(raw)
    assert list(statement.diagnoses) == diagnoses
    assert features is None or list(statement.features) == features
    assert statement.kind == ("diagnosis" if diagnoses else "feature")


def test_a_diagnosis_that_is_a_kind_of_another_makes_both(parse):
    assert parse("lvh with secondary repolarization abnormality").diagnoses == ("lvh_strain", "lvh")
    assert parse("no atrial fibrillation with rapid ventricular response").negated == ("afib_rapid",)


def test_nothing_is_read_from_within_a_word(parse):
    for raw in ("submitral fibroelastosis", "unparalleled", "slafb", "prwpwx"):
        assert parse(raw).kind == "unknown"


def test_the_sign_of_a_number_counts(parse):
    assert parse("qrs axis between -30 and 90 degrees").features == ("normal_axis",)
    assert parse("qrs axis between -30 and -90 degrees").features == ("left_axis",)


@pytest.mark.parametrize(
    ("raw", "made", "negated"),
    [
        ("no ST elevation in inferior leads", [], ["ste_inferior"]),
        ("sinus rhythm without PVCs", ["sinus_rhythm"], ["pvc"]),
        ("no evidence of atrial fibrillation or delta wave", [], ["atrial_fibrillation", "delta_wave"]),
        ("no delta wave, atrial fibrillation", ["atrial_fibrillation"], ["delta_wave"]),
        ("no delta wave but atrial fibrillation", ["atrial_fibrillation"], ["delta_wave"]),
        ("no P waves", ["absent_p"], []),  # a finding in its own right
        ("cannot rule out septal infarct", ["anteroseptal_mi"], []),
        ("not only atrial fibrillation", ["atrial_fibrillation"], []),
    ],
)
def test_what_is_denied_is_no_finding(parse, raw, made, negated):
    statement = parse(raw)
    assert [*statement.diagnoses, *statement.features] == made
    assert list(statement.negated) == negated


@pytest.mark.parametrize(
    ("raw", "certainty"),
    [
        ("left atrial enlargement", "certain"),
        ("probable left ventricular hypertrophy", "probable"),
        ("possible inferior infarct - age undetermined", "possible"),
        ("consider anterior infarct", "possible"),
        ("poor r wave progression - cannot rule out septal infarct", "possible"),
        ("inferior st elevation, consider acute infarct", "possible"),
        ("rsr'(v1) - probable normal variant", "certain"),  # what is probable is that it means nothing
        ("poor r wave progression v2-v4", "certain"),
    ],
)
def test_certainty_is_that_of_the_weakest_qualifier(parse, raw, certainty):
    assert parse(raw).certainty == certainty


@pytest.mark.parametrize(
    "raw",
    [
        "*** report made without knowing patient's sex or age ***",
        "** interpretation made without knowing patient's gender/age **",
        "no other finding",
        "lead(s) unsuitable for analysis: V2",
        "--- suspect arm lead reversal - only aVF, V1-V6 analyzed ---",
        "possible faulty V2 - omitted from analysis",
    ],
)
def test_administrative_statements_have_no_findings(parse, raw):
    statement = parse(raw)
    assert statement.kind == "administrative"
    assert not (statement.diagnoses or statement.features or statement.negated)


def test_an_administrative_remark_does_not_hide_the_finding_beside_it(parse):
    assert parse("pacemaker rhythm - no further analysis").diagnoses == ("ventricular_pacing",)


def test_a_verdict_on_the_whole_ecg_is_a_clause_of_its_own(parse):
    assert parse("Borderline ECG").diagnoses == ("abnormal_ecg",)
    assert parse("sinus rhythm, normal ECG").diagnoses == ("sinus_rhythm", "normal_ecg")
    assert parse("borderline prolonged PR interval").features == ("prolonged_pr",)
    assert parse("borderline prolonged PR interval").diagnoses == ()
    assert parse("abnormal r-wave progression").kind == "unknown"


def test_every_phrase_of_the_vocabulary_is_read_as_its_own_finding(vocabulary):
    parser = StatementParser(vocabulary)
    for phrase, finding in vocabulary.phrases.items():
        statement = parser.parse(clean_statement(phrase))
        found = [one.id for one in parser.findings(clean_statement(phrase))]
        if cuts_in_two(words_of(phrase)):  # a sign, and what it may be due to
            assert len(found) > 1 or statement.certainty != "certain", phrase
        else:
            assert found == [finding], phrase
        assert statement.negated == ()


def test_two_findings_of_the_same_words_are_refused():
    features = {"a": Feature("a", "wide qrs", "x"), "b": Feature("b", "wide QRS(s)", "x")}
    phrases = {"wide qrs": "a", "wide qrs(s)": "b"}
    with pytest.raises(UserError, match=r"'wide qrs\(s\)' to 'b', and 'a' has the same words"):
        StatementParser(Vocabulary(1, features, {}, (), phrases))


def test_the_longest_phrase_wins_wherever_it_starts():
    features = {"ab": Feature("ab", "a b", "x")}
    diagnoses = {"bcd": Diagnosis("bcd", "b c d", "g", "x")}
    parser = StatementParser(Vocabulary(1, features, diagnoses, (), {"a b": "ab", "b c d": "bcd"}))
    assert parser.parse("a b c d").diagnoses == ("bcd",)
    assert parser.parse("a b c d").features == ()
    assert parser.parse("a b b c d").features == ("ab",)


def test_every_finding_has_its_own_certainty(parse, findings):
    said = "sinus rhythm, possible inferior infarct, no delta wave"
    assert [(name, certainty) for name, (certainty, _) in findings(said).items()] == [
        ("sinus_rhythm", "present"),
        ("inferior_mi", "possible"),
        ("delta_wave", "absent"),
    ]
    assert parse(said).possible == ("inferior_mi",)
    assert parse("possible atrial fibrillation with rapid ventricular response").possible == (
        "afib_rapid",
        "atrial_fibrillation",
    )


def test_a_general_finding_in_a_place_is_that_of_the_place(findings):
    assert findings("st segments are depressed in i, avl, v5,6") == {
        "std_lateral": ("present", ("I", "aVL", "V5", "V6"))
    }
    assert findings("st depression in v3") == {"st_depression": ("present", ("V3",))}
    assert findings("inferolateral t wave changes are nonspecific") == {
        "nonspecific_t": ("present", ("I", "II", "III", "aVL", "aVF", "V5", "V6"))
    }


def test_a_line_without_separators_is_read_piece_by_piece(vocabulary):
    parser = StatementParser(vocabulary)
    assert parser.read_line("sinusrhythmus linkstyp quaddel verdacht auf p-sinistrocardiale") == [
        ("sinusrhythmus", True),
        ("linkstyp", True),
        ("quaddel", False),
        ("p sinistrocardiale", True),
    ]


def test_the_recorder_s_version_line_does_not_hide_the_report(parse):
    said = parse("sinusrhythmus linkstyp 4.46                          unbestätigter bericht")
    assert said.diagnoses + said.features == ("sinus_rhythm", "leftward_axis")
    assert parse("4.46                          unbestätigter bericht").kind == "administrative"


def test_a_rhythm_or_an_axis_has_no_leads(findings):
    assert findings("sinusrhythmus lagetyp normal t abnorm in anterioren ableitungen") == {
        "sinus_rhythm": ("present", ()),
        "normal_axis": ("present", ()),
        "t_abnormality": ("present", ("V1", "V2", "V3", "V4")),
    }
    assert findings("left anterior fascicular block. nonspecific st-t changes")["nonspecific_st_t"][1] == ()


def test_an_acute_infarct_of_a_place_is_that_of_the_place(findings):
    assert findings("possible acute anteroseptal infarct") == {"anterior_stemi": ("possible", ("V1", "V2", "V3", "V4"))}


def test_what_repeats_a_finding_for_a_further_territory_is_as_certain(findings):
    said = "no inferior infarct lateral infarct, sinus rhythm"
    assert findings(said)["lateral_mi"][0] == findings(said)["inferior_mi"][0] == "absent"
    assert findings("no inferior infarct, lateral infarct")["lateral_mi"][0] == "present"  # a clause of its own


def test_a_probably_normal_ecg_may_stand_at_the_end_of_a_line(parse):
    said = parse("sinusrhythmus t-veraenderungen v1 wahrscheinlich normal")
    assert "normal_ecg" in said.diagnoses and said.certainty == "probable"
    assert "normal_ecg" not in parse("sinusrhythmus qrs(t) abnormal normal").diagnoses


def test_that_an_age_cannot_be_told_denies_nothing(findings):
    said = (
        "inferior infarkt ålder ej bestämmbar st-t sänkning, såsom vid anterolateral ischemi eller vänster belastning"
    )
    assert all(certainty != "absent" for certainty, _ in findings(said).values())
