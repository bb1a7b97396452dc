"""Texts and reports as tables: text ids stay, administrative statements and empty reports do not."""

import pytest

from fgclep.errors import UserError
from fgclep.language.parser import parse_statements
from fgclep.language.reports import feature_text_ids, parse_reports, wider_diagnoses
from fgclep.language.statements import read_statements
from fgclep.language.vocabulary import Vocabulary
from fgclep.schemas.reports import TEXTS
from fgclep.tables import write_table

REPORTS = [
    ("m", "1", ["Sinus rhythm.", "*** report made without knowing patient's age ***", "Left axis deviation"]),
    ("m", "2", ["sinus rhythm", "Sinus rhythm", "absent P waves"]),
    ("m", "3", []),
    ("m", "4", ["no other finding"]),
    ("m", "5", ["bradycardia"]),
]


@pytest.fixture(scope="module")
def parsed(vocabulary):
    return parse_reports(REPORTS, vocabulary, min_words=3, vocabulary_words=False)


def test_texts_are_distinct_and_counted_once_per_record(parsed, vocabulary):
    rows = parsed.texts.to_pylist()
    assert [row["text_id"] for row in rows] == list(range(len(rows)))
    assert rows[0]["text"] == "sinus rhythm" and rows[0]["count"] == 2
    assert {row["text"] for row in rows} >= {feature.text for feature in vocabulary.features.values()}
    absent = next(row for row in rows if row["text"] == "absent p waves")
    assert absent["count"] == 1 and absent["features"] == ["absent_p"] and absent["kind"] == "feature"
    unseen = rows[-1]
    assert unseen["count"] == 0 and unseen["features"] == [list(vocabulary.features)[-1]]


def test_a_report_has_each_text_once_and_no_administrative_one(parsed):
    texts = parsed.texts["text"].to_pylist()
    reports = {row["record_id"]: [texts[i] for i in row["text_ids"]] for row in parsed.reports.to_pylist()}
    assert reports == {
        "1": ["sinus rhythm", "left axis deviation"],
        "2": ["sinus rhythm", "absent p waves"],
    }


def test_what_a_report_diagnoses_is_added_in_the_words_of_the_vocabulary(vocabulary):
    reports = [
        ("m", "1", ["Sinusrhythmus Linksschenkelblock sonst normales EKG"]),
        ("m", "2", ["old inferior infarct", "left bundle branch block"]),
        ("m", "3", ["possible anterior infarct, sinus rhythm", "no atrial fibrillation"]),
    ]
    made = parse_reports(reports, vocabulary, 1)
    texts = made.texts["text"].to_pylist()
    one, two, three = ([texts[i] for i in ids] for ids in made.reports["text_ids"].to_pylist())
    lbbb, wide = (vocabulary.diagnoses[name].text for name in ("lbbb", "myocardial_infarction"))
    assert one[0].startswith("sinusrhythmus linksschenkelblock") and lbbb in one[1:]
    # the wider diagnosis that it is as well, and each text once
    assert two[:2] == ["old inferior infarct", "left bundle branch block"] and wide in two[2:]
    assert two.count(lbbb) == 1
    # neither what is merely possible nor what is denied
    assert wide not in three and vocabulary.diagnoses["atrial_fibrillation"].text not in three
    assert {row["text"] for row in made.texts.to_pylist()} >= {entry.text for entry in vocabulary.entries}


def test_wider_diagnoses_are_followed_to_the_end(vocabulary):
    assert wider_diagnoses(["inferior_mi"], vocabulary) == ["inferior_mi", "myocardial_infarction"]
    assert wider_diagnoses([], vocabulary) == []
    assert set(wider_diagnoses(["afib_rapid", "inferior_stemi"], vocabulary)) >= {"atrial_fibrillation", "acute_mi"}


def test_useless_reports_are_quarantined_with_the_reason(parsed):
    assert {row["record_id"]: row["reason"] for row in parsed.quarantine.to_pylist()} == {
        "3": "the report is empty",
        "4": "the report has administrative statements only",
        "5": "words in the report: 1, fewer than 3",
    }


def test_statements_are_read_back_as_they_were_parsed(vocabulary, monkeypatch, tmp_path):
    monkeypatch.setattr("fgclep.language.statements.ROWS", 7)  # the table comes in several parts
    report = ["possible atrial fibrillation, no st elevation", "probable lbbb", "zigzag", "unconfirmed analysis"]
    texts = parse_reports([("m", "1", report)], vocabulary, 1).texts
    write_table(texts, tmp_path / "texts.parquet", TEXTS)
    statements = list(read_statements(tmp_path / "texts.parquet", vocabulary))
    assert statements == parse_statements(texts["text"].to_pylist(), vocabulary)
    assert {s.certainty for s in statements} == {"certain", "probable", "possible"}
    assert any(s.possible for s in statements) and any(s.negated for s in statements)


def test_texts_that_were_parsed_with_another_vocabulary_are_refused(parsed, vocabulary, tmp_path):
    write_table(parsed.texts, tmp_path / "texts.parquet", TEXTS)
    other = Vocabulary(1, {}, vocabulary.diagnoses, ())
    with pytest.raises(UserError, match=r"texts\.parquet: .* which the vocabulary does not have; run `snakemake"):
        list(read_statements(tmp_path / "texts.parquet", other))


def test_every_feature_has_a_text_id(parsed, vocabulary):
    texts = parsed.texts["text"].to_pylist()
    ids = feature_text_ids(texts, vocabulary)
    assert [texts[i] for i in ids] == [feature.text for feature in vocabulary.features.values()]
    with pytest.raises(ValueError, match="another vocabulary"):
        feature_text_ids(texts[:-1], vocabulary)
