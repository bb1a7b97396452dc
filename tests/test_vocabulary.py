"""The vocabulary: what is in it, and that contradictions in it are found."""

import dataclasses
from pathlib import Path

import pytest
import yaml

from fgclep.simulation.truth import NEVER_DRAWN, UNDECIDED
from fgclep.stage import UserError
from fgclep.territories import leads_of_list, mark_leads, territory_of
from fgclep.vocabulary import load_vocabulary
from fgclep.vocabulary_check import main, problems

FOLDER = Path(__file__).parent.parent / "resources" / "vocabulary"


@pytest.fixture(scope="module")
def vocabulary():
    return load_vocabulary(FOLDER)


def test_the_vocabulary_is_large_enough_and_sound(vocabulary, capsys):
    assert len(vocabulary.features) >= 150
    assert len(vocabulary.diagnoses) >= 120
    assert problems(vocabulary) == []
    assert main(str(FOLDER)) == 0
    assert "0 problems" in capsys.readouterr().out


def broken(vocabulary, kind, name, **changes):
    entries = dict(getattr(vocabulary, kind))
    entries[name] = dataclasses.replace(entries[name], **changes)
    return problems(dataclasses.replace(vocabulary, **{kind: entries}))


@pytest.mark.parametrize(
    ("kind", "name", "changes", "message"),
    [
        ("features", "wide_qrs", {"wave": "x"}, "wide_qrs: wave is 'x'"),
        ("features", "wide_qrs", {"source": ""}, "wide_qrs: no source"),
        ("diagnoses", "lbbb", {"snomed": ("59118001",)}, "59118001: is given to lbbb and rbbb"),
        ("diagnoses", "lbbb", {"required": ("rsr_v1",)}, r"lbbb: requires ['rsr_v1'], which are not typical"),
        (
            "diagnoses",
            "lbbb",
            {"required": ("narrow_qrs", "wide_qrs"), "typical": ("narrow_qrs", "wide_qrs")},
            "lbbb: requires narrow_qrs and wide_qrs, which no ECG can show together",
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


def test_the_knowledge_of_what_is_simulated_can_be_scored(vocabulary):
    """The simulator's diagnoses propose features that it decides; others would count as false without being so."""
    simulated = [d for d in vocabulary.diagnoses.values() if d.synonyms]  # what it has words for
    proposed = {feature for d in simulated for feature in (*d.typical, *d.alternative)}
    assert not proposed & (UNDECIDED | NEVER_DRAWN)


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
