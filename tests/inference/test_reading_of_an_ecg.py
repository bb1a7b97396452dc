"""A reading: rhythm and diagnoses before features, questions that a model misunderstands, and tables for others."""

import csv
import io
import json
import math

import pytest
from training_data import made_model
from wfdb_files import heart, write_record

from fgclep.cli import main
from fgclep.commands import predict
from fgclep.inference.predict import CLEARLY, LEAST, Finding
from fgclep.inference.wording import denials, in_english, unknown_words
from fgclep.models.calibration import Calibration, Curve

pytestmark = pytest.mark.usefixtures("one_thread")
WORDS = ["sinus rhythm", "atrial fibrillation", "afib", "left bundle branch block", "normal ecg"]
NEVER = Curve(0.0, -6.0, 0.02)


def always(probability: float, prevalence: float) -> Curve:
    return Curve(0.0, math.log(probability / (1 - probability)), prevalence)


@pytest.fixture(autouse=True)
def quick(monkeypatch, vocabulary):
    """Parse the vocabulary once."""
    monkeypatch.setattr(predict, "find_vocabulary", lambda: vocabulary)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model whose answers are what their curves say, whatever the ECG."""
    made = made_model(WORDS, bias=0.0, ecg_encoder={"kind": "vit_tiny", "width": 8})
    made.save_pretrained(folder := tmp_path_factory.mktemp("model"))
    curves = {
        ("sinus rhythm",): always(0.3, 0.8),
        ("atrial fibrillation",): always(0.9, 0.05),
        ("afib",): always(0.5, 0.05),
        ("left bundle branch block",): always(0.4, 0.02),
        ("pericarditis",): always(0.09, 0.001),  # clearly above, and still improbable
        ("normal ecg",): always(0.7, 0.44),  # probable, and not clearly above
        ("ventricular pacing",): NEVER,
    }
    Calibration("a town", curves).write(folder)
    return str(folder)


@pytest.fixture
def record(tmp_path):
    write_record(tmp_path, "r1", heart(6.0))
    return str(tmp_path / "r1")


def test_the_rhythm_is_told_first_and_diagnoses_that_are_clearly_above_their_prevalence(model, record, capsys):
    main(["predict", record, "--model", model, "--format", "json"])
    row = json.loads(capsys.readouterr().out)
    odds = math.sqrt(9.0 * 1.0)  # the geometric mean over the two wordings that have a curve
    assert row["rhythm"] == {
        "diagnosis": "atrial_fibrillation",
        "text": "atrial fibrillation",
        "probability": pytest.approx(odds / (1 + odds), abs=1e-4),
        "prevalence": pytest.approx(0.05, abs=1e-4),
    }
    assert [found["diagnosis"] for found in row["diagnoses"]] == ["lbbb"]
    assert LEAST == 0.1 and CLEARLY == 5
    main(["predict", record, "--model", model])
    lines = capsys.readouterr().out.splitlines()
    assert lines.index("  rhythm, the most probable one:") < lines.index(
        "  diagnoses, with odds of 5 times what is usual or more:"
    )
    assert "  0.750 (0.050)  atrial fibrillation" in lines and "  0.400 (0.020)  left bundle branch block" in lines


def test_a_wording_of_another_language_is_asked_in_english_and_said(model, record, capsys):
    main(["predict", record, "--model", model, "--prompt", "Vorhofflimmern", "--format", "json"])
    printed = capsys.readouterr()
    row = json.loads(printed.out)
    assert row["probabilities"] == {"Vorhofflimmern": 0.9} and row["prevalences"] == {"Vorhofflimmern": 0.05}
    remark = "'Vorhofflimmern' is asked as 'atrial fibrillation': the model knows English only"
    assert remark in row["notes"] and remark in printed.err


def test_denials_and_unknown_words_are_said(model, record, capsys):
    prompts = ["no atrial fibrillation", "atrial blorp", "qwertz"]
    main(["predict", record, "--model", model, *(word for text in prompts for word in ("--prompt", text))])
    said = capsys.readouterr().err
    assert "'no atrial fibrillation' denies a finding" in said and "Ask for 'atrial fibrillation'" in said
    assert "the model does not know 'blorp' in 'atrial blorp'" in said
    assert "the model knows no word of 'qwertz'" in said


def test_a_blank_prompt_is_refused(record, capsys):
    with pytest.raises(SystemExit):
        main(["predict", record, "--prompt", " "])
    assert "--prompt is ' '; give a finding in words" in capsys.readouterr().err


def test_what_is_no_denial_and_no_other_language_is_left_alone(vocabulary):
    assert denials(["absent p waves", "atrial fibrillation", "st depression"], vocabulary) == []
    assert in_english(["Sinus rhythm", "AFIB", "made up"], vocabulary) == (["Sinus rhythm", "AFIB", "made up"], [])
    assert in_english(["Förmaksflimmer"], vocabulary)[0] == ["atrial fibrillation"]


def test_words_are_unknown_to_the_tokenizer_that_has_not_met_them():
    tokenizer = made_model(WORDS).tokenizer
    assert unknown_words(tokenizer, WORDS) == []
    (remark,) = unknown_words(tokenizer, ["left bundle branch zork"])
    assert remark == "the model does not know 'zork' in 'left bundle branch zork': its answer is about the other words"


@pytest.fixture
def two(tmp_path):
    for name in ("a1", "b2"):
        write_record(tmp_path / "ecgs", name, heart(6.0))
    (tmp_path / "bad.csv").write_text("x")
    (tmp_path / "mine.csv").write_text('record,patient,site\na1,7,"Bern, CH"\nb2.hea,8,=1+1\nc3,9,\n')
    return tmp_path


def rows_of(capsys, *arguments):
    main(["predict", *map(str, arguments), "--format", "csv"])
    printed = capsys.readouterr()
    return list(csv.DictReader(io.StringIO(printed.out))), printed.err


def test_a_wide_csv_has_a_row_per_recording_and_columns_of_a_table_beside_it(model, two, capsys):
    asked = ["--prompt", "sinus rhythm", "--features", "1", "--wide", "--metadata", two / "mine.csv"]
    rows, said = rows_of(capsys, two / "ecgs", "--model", model, *asked)
    assert [row["record"] for row in rows] == [str(two / f"ecgs/{name}.hea") for name in ("a1", "b2")]
    assert [(row["patient"], row["site"]) for row in rows] == [("7", "Bern, CH"), ("8", "'=1+1")]
    assert rows[0]["sinus rhythm"] == "0.3000" and rows[0]["rhythm"] == "atrial fibrillation"
    assert rows[0]["diagnoses"] == "left bundle branch block" and rows[0]["heart_rate"] == "75"
    assert "1 rows are of no recording that was given" in said


def test_the_long_csv_has_what_was_measured(model, record, capsys):
    rows, _ = rows_of(capsys, record, "--model", model)
    measured = {row["finding"]: row["measured"] for row in rows if row["kind"] == "measurement"}
    assert measured["heart_rate"] == "75 bpm" and set(measured) == set(predict.READING)
    assert [row["kind"] for row in rows[len(measured) :][:2]] == ["rhythm", "diagnosis"]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("patient\n7\n", ["--format", "csv"], "there is no column record; it has patient"),
        ("record,probability\nr1,7\n", ["--format", "csv"], "the answers have a column probability as well"),
        ("record,x\nr1,7\nr1.hea,8\n", ["--format", "csv"], "of which there is a row already"),
        ("record,x\n", ["--format", "json"], "--metadata is for CSV; give --output FILE.csv"),
        ("record,x\n", ["--wide", "--format", "table"], "--wide is for CSV"),
    ],
)
def test_a_table_that_cannot_stand_beside_is_refused(model, record, tmp_path, capsys, content, options, message):
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(SystemExit):
        main(["predict", record, "--model", model, *options, "--metadata", str(tmp_path / "t.csv")])
    assert message in capsys.readouterr().err


def test_classes_stand_in_the_order_of_what_is_above_the_usual():
    found = [Finding("prompt", "x", "x", 0.5), *(Finding("class", name, name, p, q) for name, p, q in
             (("NORM", 0.5, 0.44), ("MI", 0.3, 0.25), ("CD", 0.2, 0.02)))]  # fmt: skip
    assert [f.name for f in predict._in_order(found)] == ["x", "CD", "MI", "NORM"]
