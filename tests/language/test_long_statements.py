"""Statements of any length: each would take hours if the time grew with the square of the length or faster."""

import pytest
from conftest import ROOT

from fgclep.language.parser import StatementParser
from fgclep.language.statements import clean_statement
from fgclep.language.vocabulary import load_vocabulary

PARSER = StatementParser(load_vocabulary(ROOT / "resources/vocabulary"))
LENGTH = 200_000  # characters

REPEATED = {
    "findings with places": "sinus rhythm and st depression in v4, ",
    "denials": "no st elevation, st depression or ",
    "a chain behind a word of doubt": "atrial fibrillation or ",
    "doubt after each of a chain": "atrial fibrillation likely or ",
    "a word that denies and joins": "atrial fibrillation nor ",
    "places": "inferior and lateral ",
    "lists of leads": "v1, v2 and aVF or ",
    "the beginning of a phrase": "t wave ",
    "the same in German": "t hoch ",
    "the same within a word": "supraventrikulär-",
    "lists that repeat": "wahrscheinlich anteriore ischämie oder laterale ischämie oder ",
    "brackets": "in ((",
    "unknown words": "zork ",
    "one word": "x",
    "combining marks": "a\u0316\u0301",
}


@pytest.mark.parametrize("unit", REPEATED.values(), ids=REPEATED)
def test_a_long_statement_says_what_its_parts_say(unit):
    few, many = (clean_statement(unit * times) for times in (8, LENGTH // len(unit)))
    found, expected = PARSER.findings(many), PARSER.findings(few)
    assert [finding.id for finding in found] == [finding.id for finding in expected]
    assert PARSER.parse(many).kind == PARSER.parse(few).kind


def test_a_word_of_doubt_reaches_through_a_long_list():
    text = "possible " + " or ".join(["atrial fibrillation"] * 5000) + " or atrial flutter, sinus rhythm"
    certainty = {finding.id: finding.certainty for finding in PARSER.findings(text)}
    assert certainty.pop("atrial_fibrillation") == certainty.pop("atrial_flutter") == "possible"
    assert set(certainty.values()) == {"present"}
