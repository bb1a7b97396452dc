"""``fgclep predict`` on records, and errors of one line."""

import json

import pytest
import torch
from training_data import SETTINGS
from wfdb_files import heart, write_record

from fgclep.cli import main
from fgclep.models.build import new_model

PROMPTS = ["--prompt", "sinus rhythm", "--prompt", "atrial fibrillation"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model")
    new_model(SETTINGS, ["sinus rhythm", "atrial fibrillation"]).save_pretrained(folder)
    return str(folder)


@pytest.fixture
def record(tmp_path):
    write_record(tmp_path, "r1", heart())
    return tmp_path / "r1"


@pytest.mark.parametrize("extension", ["", ".hea", ".dat"])
def test_a_record_gets_a_probability_per_prompt(model, record, capsys, extension):
    main(["predict", f"{record}{extension}", "--model", model, *PROMPTS])
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0] == str(record)
    assert [line.split()[:-1] for line in lines[1:]] == [["sinus", "rhythm"], ["atrial", "fibrillation"]]
    assert all(0 <= float(line.split()[-1]) <= 1 for line in lines[1:])
    assert "not for diagnosis" in printed.err


def test_json_has_one_object_per_record(model, record, capsys):
    main(["predict", str(record), str(record), "--json", "--model", model, *PROMPTS])
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [list(row["probabilities"]) for row in found] == [["sinus rhythm", "atrial fibrillation"]] * 2


def test_a_record_in_a_folder_with_a_dot_is_found(model, tmp_path, capsys):
    write_record(tmp_path / "1.0.3", "r1", heart())
    main(["predict", str(tmp_path / "1.0.3" / "r1"), "--model", model, *PROMPTS])
    assert "sinus rhythm" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "nowhere", *PROMPTS], "nowhere: record nowhere: the file nowhere.hea is missing"),
        (["score-recovery", "--audit", "no.parquet"], "no.parquet does not exist; run `snakemake --cores all`"),
    ],
)
def test_an_error_is_one_line(model, capsys, arguments, message):
    extra = ["--model", model] if arguments[0] == "predict" else []
    with pytest.raises(SystemExit) as stop:
        main([*arguments, *extra])
    assert stop.value.code == 1
    printed = capsys.readouterr().err
    assert message in printed and printed.count("\n") == 1


def test_a_missing_model_says_how_to_get_one(record, capsys, tmp_path):
    with pytest.raises(SystemExit):
        main(["predict", str(record), "--model", str(tmp_path / "none"), *PROMPTS])
    assert "holds no model; run `snakemake --cores all` first" in capsys.readouterr().err
