"""``fgclep predict``: probabilities of recordings in every format, as table, CSV and JSON."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import edfio
import numpy as np
import pytest
import torch
from conftest import ROOT
from training_data import made_model
from wfdb_files import RATE, heart, write_record

from fgclep.cli import main
from fgclep.commands import model as commands_model
from fgclep.commands import predict
from fgclep.commands.model import load_model
from fgclep.evaluation.tasks import load_task
from fgclep.inference import predict as inference
from fgclep.inference.predict import Questions
from fgclep.language.vocabulary import Vocabulary
from fgclep.leads import LEADS
from fgclep.measurement.measure import measure
from fgclep.recordings.read import read_recording
from fgclep.signals.preparation import prepare_signal
from fgclep.signals.record import Record

pytestmark = pytest.mark.usefixtures("one_thread")

PROMPTS = ["sinus rhythm", "atrial fibrillation"]
ASK = [word for prompt in PROMPTS for word in ("--prompt", prompt)]
ECG = heart(6.0)


def saved(folder: Path, **changes) -> str:
    torch.manual_seed(1)
    # a cosine of 0.1 is one logit: two ECGs that differ do so in their probabilities
    model = made_model(PROMPTS, **{"bias": 0.0, "ecg_encoder": {"kind": "resnet18", "width": 4}, **changes})
    model.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("vit"), ecg_encoder={"kind": "vit_tiny", "width": 8}, alignment="attention")


@pytest.fixture(scope="module")
def load():
    return cache(load_model)


@pytest.fixture(autouse=True)
def quick(monkeypatch, load):
    """Load each model once: that takes longer than to predict."""
    monkeypatch.setattr(predict, "load_model", load)


@pytest.fixture
def quick_features(monkeypatch, vocabulary):
    """Parse the vocabulary once."""
    monkeypatch.setattr(predict, "find_vocabulary", lambda: vocabulary)


@pytest.fixture
def record(tmp_path):
    write_record(tmp_path, "r1", ECG)
    return tmp_path / "r1"


@pytest.fixture
def recordings(tmp_path):
    """The same ECG in four formats, and another one."""
    folder = tmp_path / "ecgs"
    write_record(folder / "wfdb", "r1", ECG)
    signals = [edfio.EdfSignal(row, RATE, label=f"ECG {lead}") for row, lead in zip(ECG * 1000, LEADS, strict=True)]
    edfio.Edf(signals).write(folder / "r2.edf")
    table = np.column_stack([np.arange(ECG.shape[1]) / RATE, ECG.T[:, ::-1]])
    np.savetxt(
        folder / "r3.csv", table, fmt="%.5f", delimiter=";", header=";".join(["time", *LEADS[::-1]]), comments=""
    )
    np.save(folder / "r4.npy", (ECG.T * 1000).astype(np.float32))
    write_record(folder / "wfdb", "r5", heart(6.0, rr=0.4))
    return folder


def failing(*arguments) -> None:
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    assert stop.value.code == 1


def predicted(capsys, *arguments) -> list[dict]:
    main(["predict", *map(str, arguments), "--format", "json"])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("extension", ["", ".hea", ".dat"])
def test_a_record_gets_a_probability_per_prompt(model, load, record, capsys, extension):
    main(["predict", f"{record}{extension}", "--model", model, *ASK])
    printed = capsys.readouterr()
    expected = load(model).predict(read_recording(record).millivolts(), RATE, PROMPTS)
    assert printed.out.splitlines() == [
        f"{record}{extension}  (6 s, 500 Hz; by the model {model})",
        f"  {expected[0]:.3f}  sinus rhythm",
        f"  {expected[1]:.3f}  atrial fibrillation",
    ]
    assert printed.err.splitlines() == [
        "probabilities are the model's own and not calibrated: compare recordings by them, and not findings",
        f"{record}{extension}: the model sees the middle 4 s of 6 s",
        "For research only: not a medical device, not for diagnosis.",
    ]


def test_the_same_ecg_has_the_same_probabilities_in_every_format(model, recordings, capsys):
    rows = predicted(capsys, recordings, "--model", model, *ASK, "--fs", RATE)
    names = ["r2.edf", "r3.csv", "r4.npy", "wfdb/r1.hea", "wfdb/r5.hea"]
    # --fs goes before the column of time
    assert [row["record"] for row in rows] == [str(recordings / name) for name in names]
    *same, other = ([row["probabilities"][prompt] for prompt in PROMPTS] for row in rows)
    np.testing.assert_allclose(same, [same[0]] * 4, atol=1e-3)
    assert np.abs(np.array(other) - same[0]).max() > 0.01


@pytest.mark.parametrize(("batch_size", "batches"), [(2, [1, 2, 1]), (64, [4])])
def test_the_size_of_batches_changes_nothing(model, load, recordings, capsys, monkeypatch, batch_size, batches):
    sizes, answer = [], Questions.answer
    monkeypatch.setattr(
        Questions, "answer", lambda self, records, inputs: sizes.append(len(records)) or answer(self, records, inputs)
    )
    (recordings / "r4.npy").unlink()
    (recordings / "a.edf").write_text("x")
    failing("predict", recordings, "--model", model, *ASK, "--batch-size", batch_size, "--format", "json")
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == {"record": str(recordings / "a.edf"), "error": "it is no EDF file"}
    for row in rows[1:]:
        mv = read_recording(row["record"]).millivolts()
        np.testing.assert_allclose(
            list(row["probabilities"].values()), load(model).predict(mv, RATE, PROMPTS), atol=1e-4
        )
    assert sizes == batches


def test_ecgs_that_are_asked_about_together_are_told_of_as_alone(load, vit, vocabulary, monkeypatch):
    monkeypatch.setattr(inference, "measure", lambda mv, fs: measure(mv, fs) if np.ptp(mv[0]) > 0.5 else None)
    questions = Questions(load(vit), PROMPTS, None, vocabulary, 300)
    records = [
        Record(np.round(size * heart(6.0, rr=rr)[:rows] * 1000).astype(np.int16), np.full(rows, 1000.0),
               np.zeros(rows, np.int32), 500.0, LEADS[:rows])
        for size, rr, rows in ((1, 0.8, 12), (0.1, 0.8, 12), (1, 0.8, 2), (1, 0.4, 12))
    ]  # fmt: skip
    inputs = [questions.model.prepare(record.millivolts(), record.sampling_rate, record.leads) for record in records]
    answers = questions.answer(records, inputs)
    for together, record, given in zip(answers, records, inputs, strict=True):
        (alone,) = questions.answer([record], [given])
        same = {found.name: found for found in alone.findings}
        assert len(same) == len(together.findings)
        for found in together.findings:
            assert found == replace(same[found.name], probability=found.probability)
            assert found.probability == pytest.approx(same[found.name].probability, abs=1e-6)
    told = [{found.measured for found in answer.findings if found.measured} for answer in answers]
    assert told[1] == {"no beats found"} and not told[2] and len(told[0]) > 50 and len(told[3]) > 50


def test_a_json_object_tells_what_was_read(model, recordings, capsys):
    (row,) = predicted(capsys, recordings / "r4.npy", "--model", model, *ASK, "--fs", RATE)
    notes = row.pop("notes")
    assert row == {
        "record": str(recordings / "r4.npy"),
        "sampling_rate": 500.0,
        "seconds": 6.0,
        "leads": list(LEADS),
        "model": model,
        "probabilities": row["probabilities"],
    }
    assert [note.split(" ")[0] for note in notes] == ["leads", "amplitudes", "the"]


def test_a_task_gives_its_classes_that_any_of_their_prompts_fits(model, load, record, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    (row,) = predicted(capsys, record, "--model", model, "--task", "ptbxl_super")
    assert row["task"] == "ptbxl_super" and list(row["classes"]) == ["NORM", "MI", "STTC", "HYP", "CD"]
    each = load(model).predict(read_recording(record).millivolts(), RATE, ["normal ecg", "within normal limits"])
    assert row["classes"]["NORM"] == pytest.approx(1 - (1 - each[0]) * (1 - each[1]), abs=1e-4)
    first = max(row["classes"], key=row["classes"].get)
    title = next(item.title for item in load_task("resources/tasks/ptbxl_super.yaml").classes if item.name == first)
    main(["predict", str(record), "--model", model, "--task", "resources/tasks/ptbxl_super.yaml"])
    assert capsys.readouterr().out.splitlines()[1:3] == [
        "  ptbxl_super, most probable first:",
        f"  {row['classes'][first]:.3f}  {first}: {title}",
    ]
    failing("predict", record, "--model", model, "--task", "ptbxl")
    assert "there is no task 'ptbxl' in resources/tasks; there are cpsc2018, " in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)  # where there is no resources/tasks, that of the package is taken
    assert predicted(capsys, record, "--model", model, "--task", "ptbxl_super") == [row]


def test_without_a_question_the_most_probable_features_are_told_with_their_measurement(
    model, record, capsys, quick_features, vocabulary
):
    (row,) = predicted(capsys, record, "--model", model)
    probabilities = [feature["probability"] for feature in row["features"]]
    assert len(probabilities) == 10 and probabilities == sorted(probabilities, reverse=True)
    (row,) = predicted(capsys, record, "--model", model, *ASK, "--features", 500)
    assert list(row["probabilities"]) == PROMPTS
    features = {feature["feature"]: feature for feature in row["features"]}
    # all but those of leads that no recording here has
    assert set(vocabulary.features) - set(features) == {"ste_v4r", "ste_v7_v9"}
    # beats come every 0.8 s: 75 bpm
    assert features["rate_60_100"]["measurement"] == "supported"
    assert features["rate_60_100"]["measured"] == "Ventricular rate 75 bpm"
    assert features["rate_above_100"]["measurement"] == "refuted"
    assert features["delta_wave"]["measurement"] is None and features["delta_wave"]["measured"] is None
    main(["predict", str(record), "--model", model, "--features", "500"])
    table = capsys.readouterr().out
    assert re.search(
        r"\d\.\d{3}  ventricular rate between 60 and 100 bpm +measured: yes \(Ventricular rate 75 bpm\)", table
    )
    assert re.search(r"\d\.\d{3}  ventricular rate above 100 bpm +measured: no \(Ventricular rate 75 bpm\)", table)
    assert max(map(len, table.splitlines()[1:])) <= 110


def test_a_value_closer_to_the_limit_than_its_error_is_told_as_such(model, load, vocabulary):
    rule = {"measure": "heart_rate", "above": 74, "below": 90, "margin": 20}
    near = replace(vocabulary.features["rate_60_100"], rule=rule)
    questions = Questions(load(model), vocabulary=Vocabulary(1, {near.id: near}, {}, ()))
    record = Record(np.round(ECG * 1000).astype(np.int16), np.full(12, 1000.0), np.zeros(12, np.int32), 500.0)
    (answer,) = questions.answer(
        [record], [questions.model.prepare(record.millivolts(), record.sampling_rate, record.leads)]
    )
    (finding,) = answer.findings
    assert (finding.measurement, finding.measured) == ("likely", "Ventricular rate 75 bpm")


def test_without_a_vocabulary_here_that_of_the_package_is_taken(model, record, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    (row,) = predicted(capsys, record, "--model", model)
    monkeypatch.chdir(tmp_path)
    assert predicted(capsys, record, "--model", model) == [row]


def test_the_model_is_the_one_given_else_that_of_the_run_else_the_shipped_one(
    model, record, capsys, monkeypatch, tmp_path
):
    monkeypatch.setattr(predict, "load_model", load_model)
    monkeypatch.chdir(tmp_path)
    shipped, run = tmp_path / "shipped", tmp_path / "results/models/fine"
    monkeypatch.setattr(commands_model, "SHIPPED_MODEL", shipped)
    failing("predict", record, *ASK)
    error = capsys.readouterr().err
    assert "there is no model in results/models/fine, and this installation comes without one" in error
    assert "run `snakemake --cores all` first, or give --model FOLDER" in error

    saved(shipped, bias=-1.0)
    from_shipped = predicted(capsys, record, *ASK)
    main(["predict", str(record), *ASK])
    said = capsys.readouterr().err.splitlines()
    assert said[0] == (
        "There is no model in results/models/fine. Used is the model that comes with fgclep, which has been trained on "
        "simulated ECGs only and on no patient's. For research only: not a medical device, not for diagnosis."
    )
    saved(run, bias=1.0)
    from_run = predicted(capsys, record, *ASK)
    main(["predict", str(record), *ASK])
    assert "simulated" not in capsys.readouterr().err
    given = predicted(capsys, record, "--model", model, *ASK)
    atrial = [rows[0]["probabilities"]["atrial fibrillation"] for rows in (from_shipped, given, from_run)]
    assert atrial == sorted(set(atrial))


@pytest.mark.slow
def test_an_installed_package_brings_model_tasks_and_vocabulary(record, tmp_path):
    """As ``pip install`` lays it out: outside a checkout, without anything beside it."""
    source, built = tmp_path / "source", tmp_path / "built"
    shutil.copytree(ROOT / "workflow", source / "workflow", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    saved(source / "workflow/fgclep/pretrained")
    build = "from setuptools import setup; setup()"
    subprocess.run(
        [sys.executable, "-c", build, "build", "--build-lib", str(built)], cwd=source, check=True, capture_output=True
    )
    done = subprocess.run(
        [sys.executable, "-m", "fgclep.cli", "predict", str(record), "--task", "cpsc2018", "--features"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(built)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "AFIB: atrial fibrillation" in done.stdout and "waveform features, most probable first" in done.stdout
    assert "trained on simulated ECGs only" in done.stderr and "not for diagnosis" in done.stderr


def test_a_csv_has_a_row_for_every_answer_and_error(model, record, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    failing("predict", record, "nowhere", "--model", model, *ASK, "--features", 1, "--format", "csv")
    printed = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(printed.out)))
    assert [(row["kind"], row["finding"]) for row in rows[:2]] == [("prompt", prompt) for prompt in PROMPTS]
    assert {row["kind"] for row in rows[2:9]} == {"measurement"}
    rows = [row for row in rows if row["kind"] != "measurement"]
    assert rows[2]["kind"] == "feature" and float(rows[2]["probability"]) >= 0
    assert rows[3]["record"] == "nowhere" and rows[3]["error"] == "record nowhere: the file nowhere.hea is missing"
    assert not any(rows[3][name] for name in ("kind", "finding", "probability"))
    assert "fgclep: nowhere: record nowhere: the file nowhere.hea is missing" in printed.err
    assert "1 of 2 recordings could not be used" in printed.err


def test_the_only_recording_s_error_is_one_line(model, capsys):
    failing("predict", "nowhere", "--model", model, *ASK)
    printed = capsys.readouterr()
    assert printed.err == "fgclep: nowhere: record nowhere: the file nowhere.hea is missing\n"
    assert printed.out == ""


def test_the_output_appears_whole_or_not_at_all(model, record, capsys, tmp_path, monkeypatch):
    target = tmp_path / "out" / "found.csv"
    main(["predict", str(record), "--model", model, *ASK, "--output", str(target)])
    printed = capsys.readouterr()
    assert printed.out == "" and f"wrote {target}" in printed.err
    assert target.read_text().startswith("record,kind,finding,text,probability,measurement,measured,error,model,leads")
    before = target.read_text()

    def broken(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Questions, "answer", broken)
    with pytest.raises(KeyboardInterrupt):
        main(["predict", str(record), "--model", model, *ASK, "--output", str(target)])
    assert target.read_text() == before and list(target.parent.iterdir()) == [target]
    failing("predict", record, "--model", model, *ASK, "--output", tmp_path)
    assert "is a folder; give --output a file" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_control_characters_of_a_name_are_not_printed(model, tmp_path, capsys, form):
    name = tmp_path / "\x1b[31m,r.npy"
    np.save(name, ECG)
    bad = tmp_path / "\x1b]0;x\x07.npy"
    bad.write_text("x")
    failing("predict", name, bad, "--model", model, "--prompt", 'a "b", \x1b[2J', "--fs", RATE, "--format", form)
    printed = capsys.readouterr()
    assert "\x1b" not in printed.out + printed.err and "\x07" not in printed.out + printed.err
    assert r"\x1b]0;x" in printed.err
    if form == "csv":
        row = next(csv.DictReader(io.StringIO(printed.out)))
        assert row["record"].endswith(r"\x1b[31m,r.npy") and row["finding"] == r'a "b", \x1b[2J'
    if form == "json":
        assert json.loads(printed.out.splitlines()[0])["record"] == str(name)


def test_what_is_alike_is_said_once(model, tmp_path, capsys):
    for number in range(3):
        np.save(tmp_path / f"r{number}.npy", ECG * (1 + number / 10))
    main(["predict", str(tmp_path), "--model", model, *ASK, "--fs", "500"])
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith(f"{tmp_path}/r0.npy: amplitudes look like mV (median")]
    assert len(lines) == 8  # on probabilities, three remarks, how often, the last line
    assert lines[5].startswith("and 2 more like this: amplitudes look like mV")


def test_a_resnet_needs_all_leads_and_a_transformer_any(model, vit, load, tmp_path, capsys, quick_features):
    path = tmp_path / "r.npy"
    np.save(path, ECG[[1, 6]])
    options = ["--fs", RATE, "--leads", "ii,v1", "--units", "mV"]
    failing("predict", path, "--model", model, *ASK, *options)
    assert "leads ['I', 'III', 'aVR'" in (error := capsys.readouterr().err) and "a resnet18 needs all twelve" in error
    (row,) = predicted(capsys, path, "--model", vit, *ASK, "--features", 500, *options)
    assert row["leads"] == ["II", "V1"]
    assert "the model is given 2 of twelve leads (II, V1), and was trained on all twelve only" in row["notes"]
    loaded, signals = load(vit), torch.randn(1, 12, 200)  # what the other leads hold does not matter
    signals[0, [1, 6]] = torch.from_numpy(prepare_signal(ECG[[1, 6]], RATE, loaded.signal))
    present = torch.tensor([[lead in {"II", "V1"} for lead in LEADS]])
    with torch.no_grad():
        logits = loaded.logits(loaded.encode_ecg(signals, present), loaded.embed_texts(PROMPTS))
    expected = logits.sigmoid()[0].numpy()
    np.testing.assert_allclose(list(row["probabilities"].values()), expected, atol=2e-3)
    told = {feature["feature"]: feature["measurement"] for feature in row["features"]}
    # nothing is measured on two leads, and nothing told of leads that are not there
    assert "qs_v1" in told and "tall_r_lateral" not in told and set(told.values()) == {None}
    # ECGs with other leads in one batch
    write_record(tmp_path, "w", ECG)
    headed = tmp_path / "h.csv"
    np.savetxt(headed, ECG[[1, 6]].T, delimiter=",", header="ii,v1", comments="")
    rows = predicted(capsys, path, headed, "--model", vit, *ASK, *options)
    np.testing.assert_allclose(list(rows[0]["probabilities"].values()), expected, atol=2e-3)
    assert rows[1]["leads"] == ["II", "V1"]
    failing("predict", path, tmp_path / "w", "--model", vit, *ASK, *options)
    assert "it names its leads itself (I, II, III, " in capsys.readouterr().err


def test_a_resnet_trained_with_masked_leads_takes_any_and_tells_which(load, tmp_path, capsys):
    loaded = load(saved(tmp_path / "model"))
    loaded.config.lead_masking = 0.5
    np.save(tmp_path / "r.npy", ECG[[1, 6]])
    options = [str(tmp_path / "r.npy"), "--model", str(tmp_path / "model"), *ASK, "--fs", str(RATE), "--units", "mV"]
    (row,) = predicted(capsys, *options, "--leads", "ii,v1")
    expected = loaded.predict(ECG[[1, 6]], RATE, PROMPTS, ["II", "V1"])
    np.testing.assert_allclose(list(row["probabilities"].values()), expected, atol=1e-3)
    told = "the model is given 2 of twelve leads (II, V1)"
    assert row["leads"] == ["II", "V1"] and told in row["notes"]
    main(["predict", *options, "--leads", "ii,v1"])
    assert (
        "r.npy  (6 s, 500 Hz, leads II, V1; by the model" in (printed := capsys.readouterr()).out
        and told in printed.err
    )
    (row,) = predicted(capsys, *options, "--leads", "i,ii")  # from which the other limb leads follow
    assert row["leads"] == list(LEADS[:6]) and "III, aVR, aVL, aVF computed from I and II" in row["notes"]
    main(["predict", *options, "--leads", "v1,ii", "--format", "csv"])
    assert [row["leads"] for row in csv.DictReader(io.StringIO(capsys.readouterr().out))] == ["II V1"] * 2


def test_a_wrong_name_is_told_before_a_model_is_loaded(tmp_path):
    """Torch takes seconds to load, with which a slip of the pen need not wait."""
    code = (
        "import sys; sys.argv = ['fgclep', 'predict', *sys.argv[1:]]\n"
        "from fgclep.cli import main\n"
        "try: main()\n"
        "finally: assert not {'torch', 'transformers', 'wfdb', 'polars'} & set(sys.modules)"
    )
    (tmp_path / "x.doc").write_text("x")
    names = [tmp_path / "r.csv", tmp_path / "r", tmp_path / "r.hea", tmp_path / "x.doc", tmp_path]
    command = [sys.executable, "-c", code, *map(str, names), "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "AssertionError" not in done.stderr
    errors = [json.loads(line)["error"] for line in done.stdout.splitlines()]
    assert [line.split(": ", 2)[2] for line in done.stderr.splitlines()] == errors
    assert errors[:3] == ["there is no such file", *["record r: the file r.hea is missing"] * 2]
    assert errors[3].startswith("the extension '.doc' is not known")
    assert errors[4].startswith("the folder holds no recordings (left out 1 files of other kinds (.doc)); read are ")


def test_what_a_folder_holds_beside_recordings_is_counted(model, record, capsys):
    for name in ("a.doc", "b.pdf", "c.XML", "d.txt", "e.npz"):
        (record.parent / name).write_text("x")
    main(["predict", str(record.parent), "--model", model, *ASK])
    told = capsys.readouterr().err.splitlines()[0]
    assert told == f"{record.parent}: left out 5 files of other kinds (.doc, .npz, .pdf, .txt, .xml)"


def test_without_beats_it_is_said_that_nothing_is_measured(model, record, capsys, quick_features, monkeypatch):
    monkeypatch.setattr(inference, "measure", lambda *_: None)
    (row,) = predicted(capsys, record, "--model", model, "--features", 500)
    told = {feature["feature"]: (feature["measurement"], feature["measured"]) for feature in row["features"]}
    assert told["rate_60_100"] == (None, "no beats found") and told["delta_wave"] == (None, None)
    main(["predict", str(record), "--model", model, "--features", "500"])
    assert re.search("ventricular rate between 60 and 100 bpm +measured: no beats found", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fs", "5"], "--fs 5: an ECG has a sampling rate of 100 to 2000 Hz"),
        (["--fs", "-1"], "--fs -1: an ECG has a sampling rate of 100 to 2000 Hz"),
        (["--fs", "nan"], "--fs nan: an ECG has"),
        (["--leads", "I,X"], "--leads: 'X' is none of the twelve leads"),
        (["--leads", "I,i"], "--leads: lead I is given twice"),
    ],
)
def test_wrong_options_are_said_before_anything_is_read(record, capsys, options, message):
    failing("predict", record, "--model", "nowhere", *ASK, *options)
    assert message in capsys.readouterr().err


def test_a_folder_that_holds_no_model_or_another_is_named(record, capsys, tmp_path):
    failing("predict", record, "--model", tmp_path / "none", *ASK)
    assert "holds no model; run `snakemake --cores all` first" in capsys.readouterr().err
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    failing("predict", record, "--model", tmp_path, *ASK)
    assert "holds a model of type 'bert', not 'fgclep'" in capsys.readouterr().err
    saved(tmp_path)
    weights = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    failing("predict", record, "--model", tmp_path, *ASK)
    assert f"{tmp_path} is truncated or damaged" in capsys.readouterr().err


def test_the_model_is_named_and_a_prompt_without_a_known_word_remarked(model, record, capsys):
    (row,) = predicted(capsys, record, "--model", model, "--prompt", PROMPTS[0], "--prompt", "xyzzy")
    assert row["model"] == str(model)
    assert "the model knows no word of 'xyzzy': what it says of that means nothing" in row["notes"]
    main(["predict", str(record), "--model", str(model), "--prompt", "xyzzy", "--format", "csv"])
    printed = capsys.readouterr()
    assert next(csv.DictReader(io.StringIO(printed.out)))["model"] == str(model)
    assert "the model knows no word of 'xyzzy'" in printed.err
