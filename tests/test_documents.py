"""Words from outside in files and on the terminal: they steer neither a spreadsheet nor a terminal."""

import csv
import io
import logging

import pytest

from fgclep.cli import main
from fgclep.documents import csv_text, csv_value
from fgclep.evaluation.metrics_csv import read_metrics, write_metrics
from fgclep.progress import log_to, printable_lines
from fgclep.schemas.metrics import METRICS

FORMULAS = ["=1+1", "+A1", "-A1", "@SUM(A1)", "-2+3+cmd|' /C calc'!A0", "-", "=", "'=1", "\uff1d1+1", "-1 to =2"]
HARMLESS = ["", "sinus rhythm", "V1 (mV)", "-0.5", "+3.0", "1e-05", "-1.5 to +3.0", "-inf", "'", "a=b", "–"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_quoted_and_comes_back(text):
    ((cell,),) = csv.reader(io.StringIO(csv_text([[text]])))
    assert cell == f"'{text}"
    assert csv_value(cell) == text


@pytest.mark.parametrize("text", HARMLESS)
def test_words_and_numbers_stay(text):
    ((cell, _),) = csv.reader(io.StringIO(csv_text([[text, "x"]])))
    assert cell == text
    assert csv_value(cell) == text


def test_control_sequences_are_escaped_and_numbers_stay_numbers():
    assert csv_text([["a\x1b[2J\r\n\u202e", -1.5, None, True]]) == "a\\x1b[2J\\r\\n\\u202e,-1.5,,True\n"


def test_a_class_named_like_a_formula_comes_back_from_the_metrics(tmp_path):
    row: dict = dict.fromkeys(METRICS.names) | {
        "model": "fine",
        "task": "t",
        "label_set": "@l",
        "protocol": "zero_shot",
    }
    row |= {"fraction": 0.0, "seed": 0, "metric": "auroc", "class": "=HYP", "value": -0.5, "n": 3, "n_pos": 1}
    write_metrics([row], tmp_path / "metrics.csv")
    assert ",'@l,zero_shot,,0.0,0,auroc,'=HYP,-0.5,,,3,1" in (tmp_path / "metrics.csv").read_text()
    (read,) = read_metrics(tmp_path / "metrics.csv")
    assert (read["class"], read["label_set"], read["value"]) == ("=HYP", "@l", "-0.5")


@pytest.fixture
def logged(tmp_path):
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield tmp_path / "log.txt"
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_the_log_escapes_what_steers_a_terminal_and_hides_passwords(logged, capsys):
    log_to(logged, "%(levelname)s %(message)s", logging.INFO)
    try:
        raise ValueError("in a traceback \x1b]0;x\x07")
    except ValueError:
        logging.getLogger("x").exception("\x1b[2J ü\nat https://me:s3cret@example.org/x")
    for text in (logged.read_text(encoding="utf-8"), capsys.readouterr().err):
        assert "\x1b" not in text and "\x07" not in text and "s3cret" not in text
        assert "ERROR \\x1b[2J ü\nat https://***@example.org/x\nTraceback" in text


def test_an_error_of_the_command_line_is_escaped(capsys):
    with pytest.raises(SystemExit):
        main(["predict", "x.npy", "--model", "folder\x1b[2J"])
    assert "fgclep: folder\\x1b[2J holds no model" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["predict", "x.npy", "--model", "x" * 5000])
    assert "fgclep: [Errno 36] File name too long" in capsys.readouterr().err


def test_lines_and_tabs_of_a_message_stay():
    assert printable_lines("a\n\tb\r\x9b") == "a\n\tb\\r\\x9b"
