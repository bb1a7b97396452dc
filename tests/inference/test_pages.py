"""Pages of ``fgclep predict --html``: what is drawn where, where a score comes from, and files as they should be."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from training_data import made_model
from wfdb_files import RATE, heart, write_record

from fgclep.cli import main
from fgclep.commands import predict
from fgclep.evaluation.zero_shot import any_of
from fgclep.inference.occlusion import WINDOWS, occlude
from fgclep.leads import LEADS
from fgclep.measurement.measure import measure
from fgclep.models.fgclep import FGCLEP
from fgclep.report.reading_page import Reading, bars, marked_strip, render_reading

pytestmark = pytest.mark.usefixtures("one_thread")
PROMPTS = ["sinus rhythm", "atrial fibrillation"]


@pytest.fixture(autouse=True)
def quick(monkeypatch, vocabulary):
    """Parse the vocabulary once."""
    monkeypatch.setattr(predict, "find_vocabulary", lambda: vocabulary)


@pytest.fixture(scope="module", params=["global", "attention"])
def model(request, tmp_path_factory):
    made = made_model(PROMPTS, bias=0.0, ecg_encoder={"kind": "vit_tiny", "width": 8}, alignment=request.param)
    made.save_pretrained(folder := tmp_path_factory.mktemp("model"))
    return str(folder)


def test_the_points_are_those_of_the_measurement_on_each_beat():
    found = measure(heart(6.0), RATE)
    onset, end = found.points["QRS"][0::2], found.points["QRS"][1::2]
    np.testing.assert_allclose(1000 * (end - onset), found.scalars["qrs_ms"], atol=2.1)
    np.testing.assert_allclose(np.diff(onset), 60 / found.scalars["heart_rate"], atol=0.02)
    np.testing.assert_allclose(found.points["J+60"] - end, 0.06, atol=0.002)
    assert len(found.points["T"]) == len(onset) and np.all(found.points["T"] > end)


def test_a_mark_lies_on_the_trace_at_its_time():
    signal = np.zeros((12, 5000))
    signal[1, 1950:2050] = 1.0  # lead II at 4 s
    points = {"J+60": np.array([4.0, 9.0])}
    svg = str(marked_strip(Reading("r", "m", "", signal, 500.0, [], points, [], []), "ECG"))
    [path] = re.findall(r'<path d="([^"]*)" class="point point-j">', svg)
    marks = re.findall(r"M(\d+) (\d+)h12v12h-12z", path)
    # at 4 s aVR, aVL, aVF and the rhythm strip are shown, at 9 s V4 to V6 and the rhythm strip
    assert len(marks) == 8
    assert {int(x) + 6 for x, _ in marks} == {120 + 1000, 120 + 2250}
    heights = sorted(int(y) for x, y in marks if int(x) + 6 == 1120)
    assert heights[3] - heights[2] == pytest.approx(260 - 100, abs=3)  # a row lower, and 1 mV above its line


def test_occlusion_is_the_fall_of_the_score_without_a_lead_or_a_part(model):
    loaded = FGCLEP.from_pretrained(model)
    signal, present = loaded.prepare(heart(6.0)[:6], RATE, LEADS[:6])
    questions = [("sinus rhythm",), tuple(PROMPTS)]
    found = occlude(loaded, signal, present, questions)

    def score(some, there):
        with torch.no_grad():
            embedded = loaded.encode_prepared(some[None], there[None]).flatten(1).numpy()
        return [float(any_of(loaded.score(embedded, list(texts)))[0]) for texts in questions]

    whole = score(signal, present)
    assert found.leads.shape == (2, 12) and found.time.shape == (2, WINDOWS) and not found.leads[:, 6:].any()
    for lead in (0, 5):
        some, there = signal.clone(), present.clone()
        some[lead], there[lead] = 0.0, False
        np.testing.assert_allclose(found.leads[:, lead], np.subtract(whole, score(some, there)), atol=1e-4)
    some = signal.clone()
    width = signal.shape[1] // WINDOWS
    some[:, 3 * width : 4 * width] = 0.0
    np.testing.assert_allclose(found.time[:, 3], np.subtract(whole, score(some, present)), atol=1e-4)


def test_bars_say_in_words_where_the_score_falls_the_most():
    assert "by 2.0, without lead aVR" in str(bars(np.array([0.0, -1.0, 0.5, 2.0]), LEADS[:4]))


def test_one_recording_has_a_page_that_loads_nothing(model, tmp_path, capsys):
    write_record(tmp_path, "r1", heart(6.0))
    page = tmp_path / "r1.html"
    main(
        ["predict", str(tmp_path / "r1"), "--model", model, "--prompt", "sinus <b>", "--features", "--html", str(page)]
    )
    assert f"wrote {page}" in capsys.readouterr().err
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=\"(?!data:)|url\(|<script", text) and "sinus &lt;b&gt;" in text
    assert "75 bpm" in text and "point-qrs" in text and text.count('class="bars"') == 2 * 11
    has_attention = json.loads((Path(model) / "config.json").read_text())["alignment"] == "attention"
    assert bool(re.search("looks (mostly|spread)", text)) == has_attention


def test_several_recordings_have_a_folder_with_an_index(model, tmp_path, capsys):
    (tmp_path / "ecgs").mkdir()
    for name in ("a", "b<i>"):
        np.save(tmp_path / f"ecgs/{name}.npy", heart(6.0))
    (tmp_path / "ecgs/c.edf").write_text("x")
    asked = ["--prompt", PROMPTS[0], "--fs", str(RATE), "--html", str(tmp_path / "out")]
    with pytest.raises(SystemExit):
        main(["predict", str(tmp_path / "ecgs"), "--model", model, *asked])
    index = (tmp_path / "out/index.html").read_text(encoding="utf-8")
    pages = re.findall(r'href="([^"]*\.html)"', index)
    assert sorted(pages) == sorted(path.name for path in (tmp_path / "out").iterdir() if path.name != "index.html")
    assert len(pages) == 2 and "it is no EDF file" in index and "b&lt;i&gt;" in index
    capsys.readouterr()


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("two.html", "2 recordings have a page each; give a folder"),
        ("there.txt", "is a file; give a folder"),
        ("new.pdf", "is no page, by its .pdf"),
    ],
)
def test_a_place_that_cannot_be_written_is_said_before_anything_is_read(model, tmp_path, capsys, place, message):
    for name in ("a", "b"):
        write_record(tmp_path / "ecgs", name, heart(6.0))
    (tmp_path / "there.txt").write_text("mine")
    with pytest.raises(SystemExit):
        main(["predict", str(tmp_path / "ecgs"), "--model", model, "--html", str(tmp_path / place)])
    assert message in capsys.readouterr().err
    assert (tmp_path / "there.txt").read_text() == "mine"


def test_what_comes_from_a_file_is_text():
    evil = '<img src=x onerror="x">'
    text = render_reading(Reading(evil, evil, evil, np.zeros((12, 5000)), 500.0, [(evil, evil)], {}, [], [evil]))
    assert "<img" not in text
