"""``fgclep retrieve``: the best ECGs of all shards, in one order, as table, CSV, JSON and HTML."""

import csv
import io
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
import torch
from html_page import Page
from training_data import TEXTS, made_model, write_shards

from fgclep.cli import main
from fgclep.inference.search import search
from fgclep.models.calibration import Calibration, Curve
from fgclep.report.results.read import millivolts
from fgclep.schemas.manifest import MANIFEST
from fgclep.schemas.shards import SHARD
from fgclep.tables import read_table, write_table

pytestmark = pytest.mark.usefixtures("one_thread")

REPORT = ["Flutter <script>alert(1)</script>", "rate \x1b[2J 150"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("model")
    made = made_model(TEXTS, bias=0.0).eval()
    made.save_pretrained(folder)
    return made, str(folder)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Shards of 22 ECGs: the 11 of the first come again in the second, under another record's name."""
    folder = tmp_path_factory.mktemp("results")
    (folder / "shards/made-up").mkdir(parents=True)
    first, second = write_shards(folder / "shards/made-up", (11, 1), row_group_size=5)
    rows = read_table(first, SHARD).to_pylist()
    write_table([{**row, "record_id": f"c{row['record_id']}"} for row in rows], second, SHARD, row_group_size=7)
    manifest = [
        {
            **{name: row[name] for name in ("source", "record_id", "patient_id", "split")},
            "path": "x", "chunk": 0, "age": None, "sex": None, "report": REPORT, "codes": [],
        }
        for row in rows
    ]  # fmt: skip
    write_table(manifest, folder / "manifest/made-up.parquet", MANIFEST)
    return folder


def ranked(model, results, query, split=None) -> list[tuple[str, float]]:
    """All records by their probability and then by name, from one prediction each."""
    rows = [
        row for path in sorted((results / "shards").rglob("*.parquet")) for row in read_table(path, SHARD).to_pylist()
    ]
    scores = {
        row["record_id"]: float(model.predict(millivolts(row), 100, [query])[0])
        for row in rows
        if split in (None, row["split"])
    }
    return sorted(scores.items(), key=lambda pair: (-round(pair[1], 4), pair[0]))


def found(capsys, results, model, *options) -> list[dict]:
    main(["retrieve", *options, "--model", model, "--shards", str(results / "shards"), "--format", "json"])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_most_probable_ecgs_come_first_and_equal_ones_by_name(model, results, capsys):
    rows = found(capsys, results, model[1], *TEXTS, "--top", "7")
    for query in TEXTS:
        expected = ranked(model[0], results, query)[:7]
        told = [row for row in rows if row["query"] == query]
        assert [row["record_id"] for row in told] == [name for name, _ in expected]
        assert [row["rank"] for row in told] == list(range(1, 8))
        np.testing.assert_allclose([row["probability"] for row in told], [p for _, p in expected], atol=2e-4)
    # each ECG is followed by its copy
    names = [row["record_id"] for row in rows[:6]]
    assert names[1::2] == [f"c{name}" for name in names[::2]]


def test_probabilities_are_calibrated_and_keep_their_order(model, results, capsys, tmp_path):
    shutil.copytree(model[1], tmp_path / "calibrated")
    Calibration("a town", {(TEXTS[0],): Curve(0.5, -2.0, 0.1)}).write(tmp_path / "calibrated")
    before = found(capsys, results, model[1], TEXTS[0], "--top", "5")
    after = found(capsys, results, str(tmp_path / "calibrated"), TEXTS[0], "--top", "5")
    assert [row["record_id"] for row in after] == [row["record_id"] for row in before]
    logits = [np.log(row["probability"] / (1 - row["probability"])) for row in before]
    expected = [1 / (1 + np.exp(2.0 - 0.5 * logit)) for logit in logits]
    np.testing.assert_allclose([row["probability"] for row in after], expected, atol=2e-3)
    options = ["--model", str(tmp_path / "calibrated"), "--shards", str(results / "shards"), "--top", "1"]
    main(["retrieve", *TEXTS[:2], *options])
    told = capsys.readouterr().err
    assert f"the probabilities of {TEXTS[0]!r} assume that 10.0% have it, as of a town" in told
    assert f"the probabilities of {TEXTS[1]!r} are the model's own and not calibrated" in told


@pytest.mark.parametrize("batch_size", [4, 100])
def test_neither_batches_nor_the_order_of_shards_change_what_is_found(model, results, batch_size):
    shards = sorted((results / "shards").rglob("*.parquet"))
    expected = search(model[0], TEXTS, shards, 5)
    assert search(model[0], TEXTS, shards[::-1], 5, batch_size=batch_size) == expected
    assert {ecg.shard for ecg in expected[0]} == set(map(str, shards))


def test_what_differs_by_rounding_only_is_a_tie(model, results, monkeypatch):
    shards = sorted((results / "shards").rglob("*.parquet"))
    expected = search(model[0], TEXTS, shards, 22)
    exact, noise = model[0].logits, np.random.default_rng(0)
    monkeypatch.setattr(model[0], "logits", lambda *given: exact(*given) + noise.normal(0, 1e-7))
    assert [[ecg.record_id for ecg in ecgs] for ecgs in search(model[0], TEXTS, shards, 22, batch_size=1)] == [
        [ecg.record_id for ecg in ecgs] for ecgs in expected
    ]


def test_a_split_is_searched_alone(model, results, capsys):
    rows = found(capsys, results, model[1], TEXTS[0], "--split", "val", "--top", "100")
    assert {row["split"] for row in rows} == {"val"} and len(rows) == 6
    assert [row["record_id"] for row in rows] == [name for name, _ in ranked(model[0], results, TEXTS[0], "val")]
    with pytest.raises(SystemExit):
        found(capsys, results, model[1], TEXTS[0], "--split", "test")
    assert capsys.readouterr().err == "fgclep: the shards hold no ECG of the split test\n"


def test_reports_are_shown_where_there_are_any(model, results, capsys, tmp_path):
    rows = found(capsys, results, model[1], TEXTS[0], "--top", "2")
    assert [row["report"] for row in rows] == [REPORT, []]  # the copies are in no manifest
    shutil.copytree(results / "shards", tmp_path / "shards")
    assert [row["report"] for row in found(capsys, tmp_path, model[1], TEXTS[0], "--top", "2")] == [[], []]


def test_shards_that_an_earlier_run_has_left_are_not_searched(model, results, capsys, tmp_path):
    shutil.copytree(results, tmp_path / "r")
    (tmp_path / "r/run.json").write_text(json.dumps({"shards": ["made-up/0.parquet", "other/0.parquet"]}))
    rows = found(capsys, tmp_path / "r", model[1], TEXTS[0], "--top", "100")
    assert len(rows) == 11 and not any(row["record_id"].startswith("c") for row in rows)
    # in whatever folder above them, and said; by its own name a file is searched
    main(
        ["retrieve", TEXTS[0], "--model", model[1], "--shards", str(tmp_path / "r/shards/made-up"), "--format", "json"]
    )
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 10 and "left out 1 shards of earlier runs" in printed.err
    left = str(tmp_path / "r/shards/made-up/1.parquet")
    main(["retrieve", TEXTS[0], "--model", model[1], "--shards", left, "--format", "json"])
    assert json.loads(capsys.readouterr().out.splitlines()[0])["record_id"].startswith("c")
    for content in ("{", "{}", "[1]"):
        (tmp_path / "r/run.json").write_text(content)
        with pytest.raises(SystemExit):
            found(capsys, tmp_path / "r", model[1], TEXTS[0])
        assert f"{tmp_path}/r/run.json is truncated or damaged" in capsys.readouterr().err


def test_a_record_of_two_shards_is_found_once(model, results, capsys, tmp_path):
    (tmp_path / "shards/made-up").mkdir(parents=True)
    rows = read_table(results / "shards/made-up/0.parquet", SHARD).to_pylist()
    write_table(rows, tmp_path / "shards/made-up/0.parquet", SHARD)
    write_table(rows[3:8], tmp_path / "shards/made-up/1.parquet", SHARD)
    html = tmp_path / "found.html"
    options = ["--top", "100", "--html", str(html)]
    for split, ecgs in (("all", 11), ("val", 3)):
        told = [row["record_id"] for row in found(capsys, tmp_path, model[1], TEXTS[0], *options, "--split", split)]
        assert len(told) == len(set(told)) == ecgs
        assert f"The most probable of {ecgs} ECGs" in html.read_text()


def test_the_model_that_has_found_them_is_named(model, results, capsys):
    assert {row["model"] for row in found(capsys, results, model[1], TEXTS[0])} == {model[1]}


def test_the_table_and_the_csv_say_the_same(model, results, capsys, tmp_path):
    shards = str(results / "shards/made-up/0.parquet")
    main(["retrieve", *TEXTS, "--model", model[1], "--shards", shards, "--top", "3"])
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0] == TEXTS[0] and lines[4] == TEXTS[1]
    assert re.fullmatch(
        r"   1  0\.\d{3}  made-up/\d{3}  (train|val  )  Flutter <script>.*; rate \\x1b\[2J 150", lines[1]
    )
    assert "not for diagnosis" in printed.err
    target = tmp_path / "found.csv"
    main(["retrieve", *TEXTS, "--model", model[1], "--shards", shards, "--top", "3", "--output", str(target)])
    assert capsys.readouterr().out == ""
    rows = list(csv.DictReader(io.StringIO(target.read_text())))
    assert [f"{row['source']}/{row['record_id']}" for row in rows] == [line.split()[2] for line in lines if "/" in line]
    assert rows[0]["report"] == r"Flutter <script>alert(1)</script>; rate \x1b[2J 150"


@pytest.fixture(scope="module")
def page(model, results, tmp_path_factory):
    target = tmp_path_factory.mktemp("page") / "found.html"
    shards = str(results / "shards/made-up/0.parquet")
    main(
        [
            "retrieve",
            "<b>fast</b> waves",
            TEXTS[1],
            "--model",
            model[1],
            "--shards",
            shards,
            "--top",
            "2",
            "--html",
            str(target),
        ]
    )
    return target


def test_the_page_shows_the_ecgs_loads_nothing_and_escapes_everything(page):
    text = page.read_text(encoding="utf-8")
    parsed = Page(text)
    assert len(parsed.all("svg")) == 4 and len(parsed.all("h3")) == 4
    assert all(svg["aria-label"].startswith("12-lead ECG of record ") for svg in parsed.all("svg"))
    assert "<b>fast" not in text and "&lt;b&gt;fast&lt;/b&gt; waves" in text
    assert not parsed.all("script") and "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    policy = next(meta for meta in parsed.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy["content"].startswith("default-src 'none'")
    for _, attributes in parsed.elements:
        target = attributes.get("href") or attributes.get("src") or "#"
        assert target.startswith("#") or target == "data:,"
    assert "url(" not in text and "prefers-color-scheme: dark" in text
    assert re.search(r"probability 0\.\d{3}<", text) and "not a medical device" in text


@pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")
def test_a_browser_has_nothing_to_complain_about(page, tmp_path):
    browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"]
    browser += [f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()]
    run = subprocess.run(browser, capture_output=True, text=True, timeout=120, check=True)
    assert "CONSOLE" not in run.stderr and "ECGs found by text" in run.stdout


def test_what_is_no_shard_is_named(model, results, capsys, tmp_path):
    def refused(*shards) -> str:
        with pytest.raises(SystemExit):
            main(["retrieve", TEXTS[0], "--model", model[1], "--shards", *map(str, shards)])
        return capsys.readouterr().err

    manifest = results / "manifest/made-up.parquet"
    assert refused(manifest) == f"fgclep: {manifest} is no shard, or that of another version of the workflow\n"
    (tmp_path / "x.parquet").write_text("x")
    assert (
        refused(tmp_path) == f"fgclep: {tmp_path}/x.parquet is no shard, or that of another version of the workflow\n"
    )
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "empty").startswith(f"fgclep: the folder {tmp_path}/empty holds no Parquet file; run ")
