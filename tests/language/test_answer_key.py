"""The parser against statements read by hand, and its coverage of the corpora of ../shared."""

import csv
from collections import Counter

import pytest
import yaml
from conftest import ROOT

from fgclep.language.coverage import coverage, language_of, read_report, report_counts, statement_counts
from fgclep.language.parser import StatementParser
from fgclep.language.statements import clean_statement
from fgclep.language.territories import TERRITORY_LEADS
from fgclep.language.vocabulary import load_vocabulary
from fgclep.leads import LEADS
from fgclep.sources.ptb_xl import without_remarks

SHARED = ROOT.parent / "shared"
MIMIC = SHARED / "tables" / "mimic_iv_ecg" / "report_phrase_counts.csv"
PTB_XL = SHARED / "tables" / "ptbxl" / "ptbxl_database_full_v1.0.3.csv"


@pytest.fixture(scope="module")
def parser():
    return StatementParser(load_vocabulary(ROOT / "resources" / "vocabulary"))


@pytest.fixture(scope="module")
def key():
    return yaml.safe_load((ROOT / "tests/language/statement_key.yaml").read_text(encoding="utf-8"))


def agrees(parser, raw, answer):
    """Whether a statement says what the key says: the same findings, each as certain, in the places that are given."""
    text = clean_statement(raw)
    administrative = parser.parse(text).kind == "administrative"
    if answer == "administrative":
        return administrative
    found = {one.id: one for one in parser.findings(text)}
    if set(found) != set(answer) or administrative:
        return False
    for name, text in answer.items():
        certainty, *places = text.split()
        leads = {lead for place in places for lead in ([place] if place in LEADS else TERRITORY_LEADS[place])}
        if found[name].certainty != certainty or (places and set(found[name].leads) != leads):
            return False
    return True


def test_statements_are_read_as_a_reader_reads_them(parser, key):
    misses = {text: answer for text, answer in key.items() if not agrees(parser, text, answer)}
    assert len(key) >= 300
    assert 1 - len(misses) / len(key) >= 0.95, "\n".join(f"{text}: {answer}" for text, answer in misses.items())


def test_the_key_names_findings_of_the_vocabulary(parser, key):
    known = {*parser.vocabulary.features, *parser.vocabulary.diagnoses}
    assert {name for answer in key.values() if answer != "administrative" for name in answer} <= known


def test_nothing_is_read_where_the_key_has_nothing(parser, key):
    for text, answer in key.items():
        if answer == {} or answer == "administrative":
            assert parser.findings(clean_statement(text)) == [], text


@pytest.mark.skipif(not MIMIC.exists(), reason=f"{MIMIC} is not here")
def test_the_statements_of_mimic_are_covered(parser):
    with MIMIC.open(encoding="utf-8-sig", newline="") as file:
        rows = [(row["diagnosis"], int(row["count"])) for row in csv.DictReader(file)]
    read = coverage(statement_counts(rows, parser))
    assert read.weighted >= 0.98, read.unread[:20]
    assert read.distinct >= 0.95, read.unread[:20]


@pytest.mark.skipif(not PTB_XL.exists(), reason=f"{PTB_XL} is not here")
def test_the_statements_of_ptb_xl_are_covered(parser):
    with PTB_XL.open(encoding="utf-8", newline="") as file:
        reports = [without_remarks(row["report"]) for row in csv.DictReader(file) if row["report"]]
    counts = report_counts(reports, parser)
    assert coverage(sum(counts.values(), Counter())).weighted >= 0.975
    read = {language: coverage(some) for language, some in counts.items()}
    assert read["German"].occurrences > read["English"].occurrences > read["Swedish"].occurrences > 2_000
    assert min(read[language].weighted for language in ("German", "English", "Swedish")) >= 0.95
    assert read["other"].occurrences < 0.002 * sum(one.occurrences for one in read.values())


def test_reports_are_split_into_statements(parser):
    assert read_report("sinus rhythm. st segments are depressed in i, avl. zorble.", parser) == [
        ("sinus rhythm", True),
        ("st segments are depressed in i, avl", True),
        ("zorble", False),
    ]
    report = "sinusrhythmus zorble linkstyp"
    assert read_report(report, parser) == [("sinusrhythmus", True), ("zorble", False), ("linkstyp", True)]
    assert read_report("trace only requested.", parser) == [("trace only requested", True)]


@pytest.mark.parametrize(
    ("report", "language"),
    [
        ("sinus rhythm. normal ecg.", "English"),
        ("sinus arrhythmia. t waves are flat in i, avl.", "English"),
        ("SINUSRHYTHMUS LAGETYP NORMAL", "German"),
        ("sinusrhythmus linkstyp qrs(t) abnorm    inferiorer infarkt     alter unbest.", "German"),
        ("sinusrytm avvikande qrs(t) förlopp inferior infarkt ålder ej bestämmbar", "Swedish"),
        ("sinusrytm normalt ekg", "Swedish"),
        ("pacemaker ekg", "other"),  # both German and Swedish
        ("", "other"),
    ],
)
def test_the_language_of_a_report_is_that_of_its_words(report, language):
    assert language_of(report) == language


def test_reports_are_counted_by_language(parser):
    counts = report_counts(["sinus rhythm. zorble.", "sinusrhythmus und zorble", "the zorble and sinus rhythm"], parser)
    assert counts == {
        "English": {("sinus rhythm", True): 1, ("zorble", False): 1, ("the zorble and sinus rhythm", True): 1},
        "German": {("sinusrhythmus", True): 1, ("zorble", False): 1},
    }


def test_coverage_is_counted_by_statement_and_by_occurrence(parser):
    read = coverage(statement_counts([("sinus rhythm", 8), ("zorble", 1), ("Sinus rhythm.", 1)], parser))
    assert (read.statements, read.occurrences) == (2, 10)
    assert (read.distinct, read.weighted) == (0.5, 0.9)
    assert read.unread == [("zorble", 1)]
