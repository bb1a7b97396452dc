"""Recordings of a program and of files, one and many: what is embedded and predicted, and what is refused."""

import numpy as np
import pytest
import torch
from training_data import made_model
from wfdb_files import RATE, heart, write_record

from fgclep.cli import main

pytestmark = pytest.mark.usefixtures("one_thread")

PROMPTS = ["sinus rhythm", "atrial fibrillation"]
ECGS = [heart(6.0), heart(6.0, rr=0.4), heart(6.0, rr=0.6)]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    return made_model(PROMPTS, bias=0.0, ecg_encoder={"kind": "resnet18", "width": 4}).eval()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ecgs")
    for number, ecg in enumerate(ECGS):
        write_record(folder, f"r{number}", ecg)
    return [folder / f"r{number}.hea" for number in range(len(ECGS))]


def test_one_recording_is_one_row_and_many_are_theirs_however_they_are_given(model, files):
    alone = np.stack([model.predict(ecg, RATE, PROMPTS) for ecg in ECGS])
    assert alone.shape == (3, 2) and np.ptp(alone, axis=0).min() > 0.001
    for given in (ECGS, np.stack(ECGS), torch.from_numpy(np.stack(ECGS))):
        np.testing.assert_allclose(model.predict(given, RATE, PROMPTS, batch_size=2), alone, atol=1e-6)
    np.testing.assert_allclose(model.predict(files, prompts=PROMPTS), alone, atol=1e-3)
    np.testing.assert_array_equal(model.predict(files[1], prompts=PROMPTS[0]).shape, (1,))
    embedded = model.embed(ECGS, RATE)
    assert embedded.shape == (3, model.config.projection) and embedded.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embedded, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(1 / (1 + np.exp(-model.score(embedded, PROMPTS))), alone, atol=1e-6)


def test_the_unit_that_is_given_is_the_one_that_counts(model):
    expected = model.predict(ECGS[0], RATE, PROMPTS)
    np.testing.assert_allclose(model.predict(ECGS[0] * 1000, RATE, PROMPTS, units="uV"), expected, atol=1e-5)
    np.testing.assert_allclose(model.predict(ECGS[0] / 1000, RATE, PROMPTS, units="V"), expected, atol=1e-5)
    counts = np.round(ECGS[0] * 1000).astype(np.int16)
    np.testing.assert_allclose(model.predict(counts, RATE, PROMPTS, units="uV"), expected, atol=1e-3)
    with pytest.raises(ValueError, match="units is 'adu'; give mV, uV or V"):
        model.predict(counts, RATE, PROMPTS, units="adu")


def test_half_precision_answers_like_the_whole(model):
    expected, embedded = model.predict(ECGS, RATE, PROMPTS), model.embed(ECGS, RATE)
    half = made_model(PROMPTS, bias=0.0, ecg_encoder={"kind": "resnet18", "width": 4}).eval()
    half.load_state_dict(model.state_dict())
    half.to(torch.bfloat16)
    np.testing.assert_allclose(half.embed(ECGS, RATE), embedded, atol=0.02)
    np.testing.assert_allclose(half.predict(ECGS, RATE, PROMPTS), expected, atol=0.05)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (ECGS[0] * 1000, "is none of an ECG"),
        (ECGS[0] * 0, "flat"),
        ((ECGS[0] - ECGS[0].mean(axis=1, keepdims=True)) / ECGS[0].std(axis=1, keepdims=True), "no millivolts"),
    ],
)
def test_python_and_the_command_refuse_the_same_for_the_same_reason(
    model, tmp_path, capsys, monkeypatch, given, reason
):
    monkeypatch.setattr("fgclep.commands.embed.load_model", lambda _: model)
    np.save(tmp_path / "r.npy", given)
    with pytest.raises(ValueError, match=reason) as refused:
        model.embed(given, RATE)
    with pytest.raises(ValueError, match=reason) as of_file:
        model.embed(tmp_path / "r.npy", RATE, units="mV")
    assert str(of_file.value) == f"{tmp_path / 'r.npy'}: {refused.value}"
    out = tmp_path / "e.npz"
    with pytest.raises(SystemExit):
        main(["embed", str(tmp_path / "r.npy"), "--fs", str(RATE), "--units", "mV", "--output", str(out)])
    assert str(refused.value) in capsys.readouterr().err and not out.exists()


def test_what_was_not_prepared_is_refused_with_the_line_to_write(model):
    with pytest.raises(ValueError, match=r"the model takes \(ECGs, 12, \d+\) as model.processor\(signals, fs=...\)"):
        model.encode_ecg(torch.from_numpy(np.stack(ECGS)).float())
    with pytest.raises(ValueError, match="there is no recording"):
        model.embed([], RATE)


@pytest.mark.parametrize("kind", ["npz", "parquet"])
def test_the_command_writes_embeddings_by_the_names_that_were_given(model, files, tmp_path, capsys, monkeypatch, kind):
    import polars as pl

    monkeypatch.setattr("fgclep.commands.embed.load_model", lambda _: model)
    out = tmp_path / f"e.{kind}"
    (tmp_path / "bad.csv").write_text("no,leads\n1,2\n")
    with pytest.raises(SystemExit) as stop:
        main(["embed", *map(str, files), str(tmp_path / "bad.csv"), "--batch-size", "2", "--output", str(out)])
    assert stop.value.code == 1 and "1 of 4 recordings could not be used" in capsys.readouterr().err
    if kind == "npz":
        with np.load(out, allow_pickle=False) as found:
            keys, embeddings = found["keys"].tolist(), found["embeddings"]
    else:
        table = pl.read_parquet(out)
        keys, embeddings = table["key"].to_list(), table["embedding"].to_numpy()
    assert keys == list(map(str, files))
    np.testing.assert_allclose(embeddings, model.embed(files), atol=1e-6)
    assert embeddings.dtype == np.float32
