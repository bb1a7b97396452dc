"""``fgclep fit``: a head from a folder of ECGs with labels, and what ``fgclep predict`` answers by it."""

import csv
import io
import json

import numpy as np
import pytest
import torch
from training_data import made_model
from wfdb_files import heart, write_record

from fgclep.cli import main
from fgclep.commands.model import load_model
from fgclep.evaluation.head import Head

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("model")
    made_model(["sinus rhythm"], bias=0.0, ecg_encoder={"kind": "resnet18", "width": 4}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def ecgs(tmp_path_factory):
    """Twelve patients with two ECGs each, every second of whom has a fast heart."""
    folder = tmp_path_factory.mktemp("ecgs")
    for number in range(24):
        write_record(folder, f"r{number}", heart(6.0, rr=0.45 if number // 2 % 2 else 0.95, seed=number))
    return folder


def table(folder, change=lambda rows: rows) -> None:
    rows = [[f"r{number}", f"p{number // 2}", "", "TACHY" if number // 2 % 2 else ""] for number in range(24)]
    lines = [["id", "patient", "report", "codes"], *change(rows)]
    (folder / "records.csv").write_text("".join(",".join(line) + "\n" for line in lines))


def test_the_classes_of_a_folder_are_asked_of_other_ecgs(model, ecgs, tmp_path, capsys):
    table(ecgs)
    out = tmp_path / "fast.json"
    main(["fit", str(ecgs), "--model", str(model), "--output", str(out)])
    told = capsys.readouterr()
    assert told.out.startswith("TACHY      12 of 24  AUROC in cross-validation")
    assert "12 of 24 records have no code of these" in told.err and "24 records of 12 patients" in told.err
    for name, rr in (("fast", 0.45), ("slow", 0.95)):
        write_record(tmp_path, name, heart(6.0, rr=rr, seed=99))
    ask = ["predict", str(tmp_path / "fast"), str(tmp_path / "slow"), "--model", str(model), "--task", str(out)]
    main([*ask, "--format", "json"])
    fast, slow = map(json.loads, capsys.readouterr().out.splitlines())
    assert fast["task"] == "fast" and fast["classes"]["TACHY"] > 0.5 > slow["classes"]["TACHY"]
    assert fast["prevalences"] == {"TACHY": 0.5} and "24 records of 12 patients" in fast["population"]
    embedded = load_model(str(model)).embed(tmp_path / "fast.hea")
    assert fast["classes"]["TACHY"] == pytest.approx(Head.read(out).probabilities(embedded)[0, 0], abs=1e-4)
    main([*ask, "--format", "csv", "--prompt", "sinus rhythm"])
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["kind"], row["finding"], row["prevalence"]) for row in rows[:2]] == [
        ("prompt", "sinus rhythm", ""), ("class", "TACHY", "0.5000"),
    ]  # fmt: skip
    main(ask)
    assert f"{fast['classes']['TACHY']:.3f} (0.500)  TACHY\n" in capsys.readouterr().out


def test_what_cannot_be_used_is_named_and_the_rest_is_fitted(model, ecgs, tmp_path, capsys):
    def change(rows):
        rows[0][3], rows[2][3] = "RARE", "TACHY;RARE"
        return [*rows, ["r24", "p24", "", ""]]

    table(ecgs, change)
    with pytest.raises(SystemExit) as stop:
        main(["fit", str(ecgs), "--model", str(model), "--output", str(tmp_path / "h.json")])
    said = capsys.readouterr().err
    assert stop.value.code == 1 and "1 of 25 recordings could not be used" in said
    assert f"{ecgs / 'r24'}: there is no record r24" in said and "RARE (2)" in said
    assert [item.name for item in Head.read(tmp_path / "h.json").classes] == ["TACHY"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda rows: [[*row[:3], ""] for row in rows], r"has no class .*none at all.*add records"),
        (lambda rows: [*rows, ["r0b", "p0", "", ""]], None),
        (lambda rows: [*rows, rows[0]], "row 2 has this id, too"),
    ],
)
def test_a_table_that_gives_no_head_is_refused(model, ecgs, tmp_path, capsys, change, reason):
    table(ecgs, change)
    if reason is None:
        text = (ecgs / "records.csv").read_text().replace("r0b,p0,,", "r0b,p0,,,r0").replace("codes\n", "codes,path\n")
        (ecgs / "records.csv").write_text(text)
        reason = "the records r0, r0b have the same recording"
    with pytest.raises(SystemExit):
        main(["fit", str(ecgs), "--model", str(model), "--output", str(tmp_path / "h.json")])
    said = capsys.readouterr().err
    assert np.any([part in said for part in (reason, "none at all")]), said
    assert str(ecgs / "records.csv") in said and not (tmp_path / "h.json").exists()


def test_a_head_is_asked_of_its_own_model_only(model, ecgs, tmp_path, capsys):
    table(ecgs)
    main(["fit", str(ecgs), "--model", str(model), "--output", str(tmp_path / "h.json")])
    made_model(["sinus rhythm"], bias=1.0, ecg_encoder={"kind": "resnet18", "width": 4}).save_pretrained(tmp_path / "m")
    with pytest.raises(SystemExit):
        main(["predict", str(ecgs / "r0"), "--model", str(tmp_path / "m"), "--task", str(tmp_path / "h.json")])
    said = capsys.readouterr().err
    assert f"the head 'h' is for the model {model}, and the weights in {tmp_path / 'm'} are others" in said


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--output", "h.pt"], "give a file that ends in .json"),
        (["--output", "h.json"], "records.csv; docs/own-data.md shows"),
    ],
)
def test_what_is_missing_is_said_before_a_model_is_loaded(tmp_path, capsys, options, reason):
    with pytest.raises(SystemExit):
        main(["fit", str(tmp_path), *options])
    assert reason in capsys.readouterr().err
