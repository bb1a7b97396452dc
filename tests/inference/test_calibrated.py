"""``fgclep predict`` with a calibrated model: a stated prevalence, and the most unusual features first."""

import csv
import io
import json
import shutil

import numpy as np
import pytest
from training_data import made_model
from wfdb_files import RATE, heart, write_record

from fgclep.cli import main
from fgclep.commands import predict
from fgclep.evaluation.zero_shot import any_of
from fgclep.models.calibration import Calibration, Curve
from fgclep.models.fgclep import FGCLEP
from fgclep.recordings.read import read_recording

pytestmark = pytest.mark.usefixtures("one_thread")

PROMPTS = ["sinus rhythm", "atrial fibrillation"]
ASK = [word for prompt in PROMPTS for word in ("--prompt", prompt)]
ECG = heart(6.0)
TASK = """
name: two
source: ptb-xl
label_set: own
overlapping: []
classes:
  - {name: RHYTHM, title: any rhythm, codes: [X], prompts: [Sinus rhythm, atrial fibrillation]}
"""


@pytest.fixture(autouse=True)
def quick_features(monkeypatch, vocabulary):
    """Parse the vocabulary once."""
    monkeypatch.setattr(predict, "find_vocabulary", lambda: vocabulary)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    made = made_model(PROMPTS, bias=0.0, ecg_encoder={"kind": "vit_tiny", "width": 8})
    made.save_pretrained(folder := tmp_path_factory.mktemp("model"))
    return str(folder)


@pytest.fixture
def record(tmp_path):
    write_record(tmp_path, "r1", ECG)
    return tmp_path / "r1"


def predicted(capsys, *arguments) -> list[dict]:
    main(["predict", *map(str, arguments), "--format", "json"])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_calibrated_model_tells_the_prevalence_that_it_assumes(model, record, tmp_path, capsys):
    path = tmp_path / "calibrated"
    shutil.copytree(model, path)
    own = FGCLEP.from_pretrained(model).predict(read_recording(record).millivolts(), RATE, PROMPTS)
    always = Curve(0.0, 4.0, 0.97)  # a probability of 0.982, little above what is usual
    unusual = Curve(0.0, -0.5, 0.02)  # 0.378
    curves = {("sinus rhythm",): Curve(0.0, 1.0, 0.75)}
    curves |= {("p wave before every qrs complex",): always, ("epsilon wave in v1 to v3",): unusual}
    Calibration("a town", curves).write(path)
    main(["predict", str(record), "--model", str(path), *ASK])
    printed = capsys.readouterr()
    assert printed.out.splitlines()[1:] == [
        "  0.731 (0.750)  sinus rhythm",
        f"  {own[1]:.3f} (     )  atrial fibrillation",
    ]
    assert printed.err.splitlines()[0] == (
        "probabilities assume the prevalence beside them, of a town; 1 of 2 answers have none, and the model's own "
        "probability"
    )
    [row] = predicted(capsys, record, "--model", path, *ASK)
    assert row["population"] == "a town" and row["prevalences"] == {"sinus rhythm": 0.75, "atrial fibrillation": None}
    main(["predict", str(record), "--model", str(path), "--features", "300", "--format", "csv"])
    rows = [row for row in csv.DictReader(io.StringIO(capsys.readouterr().out)) if row["kind"] == "feature"]
    found = {row["text"]: (place, row["probability"], row["prevalence"]) for place, row in enumerate(rows)}
    assert found["epsilon wave in v1 to v3"][1:] == ("0.3775", "0.0200")
    assert found["p wave before every qrs complex"][1:] == ("0.9820", "0.9700")
    # first what is the most above the usual, last what has no curve
    assert (found["epsilon wave in v1 to v3"][0], found["p wave before every qrs complex"][0]) == (0, 1)
    assert all(not row["prevalence"] for row in rows[2:])
    main(["predict", str(record), "--model", str(path)])
    assert "waveform features, the most unusual first:" in capsys.readouterr().out


def test_a_class_of_several_prompts_has_one_curve_for_the_score_of_any(model, record, tmp_path, capsys):
    path = shutil.copytree(model, tmp_path / "calibrated")
    Calibration("a town", {("atrial fibrillation", "sinus rhythm"): Curve(0.5, -1.0, 0.2)}).write(path)
    (tmp_path / "two.yaml").write_text(TASK)
    own = FGCLEP.from_pretrained(model).predict(read_recording(record).millivolts(), RATE, PROMPTS)
    logits = np.log(own / (1 - own.astype(np.float64)))
    expected = 1 / (1 + np.exp(1.0 - 0.5 * float(any_of(logits[None])[0])))
    [row] = predicted(capsys, record, "--model", path, "--task", tmp_path / "two.yaml")
    assert row["classes"] == {"RHYTHM": pytest.approx(expected, abs=2e-4)} and row["prevalences"] == {"RHYTHM": 0.2}


def test_with_fewer_leads_it_is_said_that_probabilities_are_of_twelve(model, tmp_path, capsys):
    np.save(tmp_path / "r.npy", ECG[[0]])
    path = shutil.copytree(model, tmp_path / "calibrated")
    options = [tmp_path / "r.npy", "--fs", RATE, "--leads", "I", "--units", "mV", *ASK, "--model"]
    [row] = predicted(capsys, *options, path)
    assert any("the model is given 1 of twelve leads (I)" in note and "calibrated" not in note for note in row["notes"])
    Calibration("a town", {("sinus rhythm",): Curve(0.5, -1.0, 0.2)}).write(path)
    [row] = predicted(capsys, *options, path)
    assert any(note.endswith("; its probabilities are calibrated for twelve") for note in row["notes"])
