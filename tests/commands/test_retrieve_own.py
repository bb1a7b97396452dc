"""``fgclep embed``, and ``fgclep retrieve --ecgs``: recordings of one's own, embedded once and searched by a text."""

import csv
import io
import json
import os

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from html_page import Page
from training_data import TEXTS, made_model
from wfdb_files import RATE, heart, write_record

from fgclep.cli import main
from fgclep.commands import retrieve, retrieve_own
from fgclep.inference.embedded import Embedded, stamp_of
from fgclep.leads import LEADS

pytestmark = pytest.mark.usefixtures("one_thread")

BEATS = (0.4, 0.6, 0.8, 1.0)  # seconds between
WHOLE = {"model": "m", "digest": "d", "keys": ["a"], "stamps": ["s"], "embeddings": np.zeros((1, 2), np.float32)}
OPTIONS = {"fs": None, "leads": None, "units": None}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("model")
    made = made_model(TEXTS, bias=0.0, ecg_encoder={"kind": "resnet18", "width": 4}).eval()
    made.save_pretrained(folder)
    return made, str(folder)


@pytest.fixture
def here(tmp_path, monkeypatch):
    for number, rr in enumerate(BEATS):
        write_record(tmp_path / "ecgs", f"r{number}", heart(6.0, rr=rr))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def searched(capsys, model, *options: str) -> tuple[list[dict], str]:
    main(["retrieve", TEXTS[0], "--model", model[1], "--format", "json", "--ecgs", "ecgs", *options])
    printed = capsys.readouterr()
    return [json.loads(line) for line in printed.out.splitlines()], printed.err


@pytest.mark.parametrize("kind", ["npz", "parquet"])
def test_embeddings_stand_under_the_names_that_were_given(model, here, capsys, kind):
    given = ["ecgs/r1", "ecgs/r0.hea", str(here / "ecgs/r2.dat")]
    with pytest.raises(SystemExit) as stop:
        main(["embed", *given, given[0], "ecgs/none.edf", "--model", model[1], "--output", f"e.{kind}"])
    assert stop.value.code == 1
    told = capsys.readouterr().err
    assert "ecgs/none.edf: there is no such file" in told and "1 of 4 recordings could not be used" in told
    if kind == "npz":
        with np.load("e.npz", allow_pickle=False) as arrays:
            keys, embeddings, name = arrays["keys"].tolist(), arrays["embeddings"], str(arrays["model"])
    else:
        table = pq.read_table("e.parquet")
        keys, embeddings = table["key"].to_pylist(), np.array(table["embedding"].to_pylist(), dtype=np.float32)
        name = table.schema.metadata[b"model"].decode()
    assert keys == given and name == model[1] and embeddings.dtype == np.float32
    np.testing.assert_allclose(embeddings, model[0].embed([here / "ecgs" / f"r{n}.hea" for n in (1, 0, 2)]), atol=1e-6)
    found = Embedded.read(here / f"e.{kind}")
    assert found.keys == given and found.stamps == [stamp_of(name, OPTIONS) for name in given]


def test_the_most_probable_recordings_come_first(model, here, capsys):
    rows, told = searched(capsys, model, "--top", "3")
    every = {f"ecgs/r{n}.hea": model[0].predict(here / f"ecgs/r{n}.hea", prompts=[TEXTS[0]])[0] for n in range(4)}
    assert np.ptp(list(every.values())) > 0.001
    assert [row["record"] for row in rows] == sorted(every, key=every.get, reverse=True)[:3]
    np.testing.assert_allclose([row["probability"] for row in rows], [every[row["record"]] for row in rows], atol=2e-4)
    assert {row["model"] for row in rows} == {model[1]} and "not for diagnosis" in told
    main(["retrieve", *TEXTS[:2], "--model", model[1], "--ecgs", "ecgs", "--top", "2", "--output", "found.csv"])
    written = list(csv.DictReader(io.StringIO((here / "found.csv").read_text(encoding="utf-8"))))
    assert [row["query"] for row in written] == [TEXTS[0]] * 2 + [TEXTS[1]] * 2
    assert [row["record"] for row in written[:2]] == [row["record"] for row in rows[:2]]


@pytest.mark.parametrize("kind", ["npz", "parquet"])
def test_only_what_is_new_or_has_changed_is_embedded_again(model, here, capsys, kind):
    main(["embed", "ecgs/r0.hea", "ecgs/r1.hea", "--model", model[1], "--output", f"e.{kind}"])
    whole, told = searched(capsys, model, "--embeddings", f"e.{kind}")
    assert f"2 embeddings of e.{kind} were used again, 2 were computed" in told
    assert sorted(Embedded.read(here / f"e.{kind}").keys) == [f"ecgs/r{n}.hea" for n in range(4)]
    before = (here / f"e.{kind}").stat().st_mtime_ns
    again, told = searched(capsys, model, "--embeddings", f"e.{kind}")
    assert "4 embeddings" in told and "0 were computed" in told and again == whole
    assert (here / f"e.{kind}").stat().st_mtime_ns == before
    write_record(here / "ecgs", "r3", heart(6.0, rr=0.4))  # another signal, in the same place
    (here / "ecgs/r2.dat").rename(here / "gone.dat")
    with pytest.raises(SystemExit) as stop:
        main(["retrieve", TEXTS[0], "--model", model[1], "--ecgs", "ecgs", "--embeddings", f"e.{kind}", "--top", "9"])
    printed = capsys.readouterr()
    assert stop.value.code == 1 and "2 embeddings" in printed.err and "1 were computed" in printed.err
    assert "ecgs/r2.hea: " in printed.err and "r2.hea" not in printed.out and len(printed.out.splitlines()) == 4
    kept = Embedded.read(here / f"e.{kind}")
    rows = dict(zip(kept.keys, kept.embeddings, strict=True))
    np.testing.assert_allclose(rows["ecgs/r3.hea"], rows["ecgs/r0.hea"], atol=1e-6)


def test_other_options_other_contents_and_other_times_are_other_stamps(here):
    path = here / "ecgs/r0.dat"
    stamps = {
        stamp_of("ecgs/r0", OPTIONS),
        stamp_of("ecgs/r0", OPTIONS | {"units": "uV"}),
        stamp_of("ecgs/r1", OPTIONS),
    }
    os.utime(path, ns=(0, 0))
    stamps.add(stamp_of("ecgs/r0", OPTIONS))
    path.write_bytes(path.read_bytes()[:-2])
    os.utime(path, ns=(0, 0))
    stamps.add(stamp_of("ecgs/r0", OPTIONS))
    assert len(stamps) == 5 and "" not in stamps
    path.unlink()
    assert stamp_of("ecgs/r0", OPTIONS) == "" == stamp_of("ecgs/none.edf", OPTIONS)


def test_embeddings_of_another_model_are_refused_and_kept(model, here, capsys):
    made = Embedded("other", "0123", ["ecgs/r0.hea"], ["x"], np.zeros((1, 4), np.float32))
    made.write(here / "e.npz")
    with pytest.raises(SystemExit):
        searched(capsys, model, "--embeddings", "e.npz")
    assert "e.npz has embeddings by another model, other (0123), and this is" in capsys.readouterr().err
    assert Embedded.read(here / "e.npz").model == "other"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("e.npz", b"no archive"),
        ("e.parquet", b"no table"),
        ("e.npz", {"keys": np.array(["a"]), "embeddings": np.zeros((1, 2), np.float32)}),
        ("e.npz", WHOLE | {"embeddings": np.zeros((2, 2), np.float32)}),
        ("e.npz", WHOLE | {"embeddings": np.full((1, 2), np.nan, "f4")}),
        ("e.npz", WHOLE | {"keys": np.array([{}])}),
    ],
)
def test_a_file_of_other_content_is_named_and_left_as_it_is(model, here, capsys, name, content):
    if isinstance(content, bytes):
        (here / name).write_bytes(content)
    else:
        np.savez(here / name, **content)
    before = (here / name).read_bytes()
    with pytest.raises(SystemExit):
        searched(capsys, model, "--embeddings", name)
    told = capsys.readouterr().err
    assert told.startswith(f"fgclep: {name}") and "give a file that fgclep embed has written" in told
    assert (here / name).read_bytes() == before


def test_recordings_are_drawn_with_the_leads_that_they_have(model, here, capsys):
    ecg = heart(6.0)
    np.savetxt("<i>.csv", ecg[:2].T, delimiter=",", header="I,II", comments="")
    transformer = made_model(TEXTS, bias=0.0, ecg_encoder={"kind": "vit_tiny"}).eval()
    transformer.save_pretrained(here / "vit")
    options = ["--model", "vit", "--fs", str(RATE), "--top", "2", "--html", "found.html"]
    main(["retrieve", TEXTS[0], "--ecgs", "<i>.csv", *options])
    text = (here / "found.html").read_text(encoding="utf-8")
    page = Page(text)
    assert [svg["aria-label"] for svg in page.all("svg")] == ["6-lead ECG of record <i>.csv"]
    assert "The most probable of 1 recordings" in text and "leads I, II, III, aVR, aVL, aVF" in text
    assert "<i>.csv" not in text and "computed from I and II" in text and len(LEADS) == 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fs", "500"], "--fs is for recordings of your own; give these with --ecgs"),
        (["--embeddings", "e.npz"], "--embeddings is for recordings of your own"),
        (["--ecgs", "ecgs", "--split", "test"], "--split test is for shards"),
        (["--ecgs", "ecgs", "--embeddings", "e.csv"], "--embeddings e.csv: give a file that ends in .npz or .parquet"),
        (["--ecgs", "nowhere.edf"], "nowhere.edf: there is no such file"),
    ],
)
def test_options_that_do_not_go_together_are_told_before_a_model_is_loaded(here, capsys, monkeypatch, options, message):
    for module in (retrieve, retrieve_own):
        monkeypatch.setattr(module, "load_model", None)
    with pytest.raises(SystemExit) as stop:
        main(["retrieve", "x", *options])
    assert stop.value.code == 1 and message in capsys.readouterr().err
