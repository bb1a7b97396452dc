"""The source ``simulated``: chunks that go straight into shards, and reports with what is true of each recording."""

import json
import sys
from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import ROOT

from fgclep.language.vocabulary import load_vocabulary
from fgclep.schemas.manifest import MANIFEST
from fgclep.schemas.reports import REPORTS, TEXTS
from fgclep.schemas.shards import SHARD
from fgclep.schemas.truth import TRUTH
from fgclep.signals.encoding import decode_waveform
from fgclep.sources.simulated import numbers_of
from fgclep.stage import run_stage
from fgclep.stages import augment_with_truth, merge_tables, parse_reports, simulate_chunk
from fgclep.tables import read_table, write_table

VOCABULARY = ROOT / "resources/vocabulary"
SETTINGS = {"feature_mention_rate": 0.5, "prevalence": "flat", "seed": 3}


def run(monkeypatch, stage, *options):
    monkeypatch.setattr(sys, "argv", [stage.__name__, *map(str, options)])
    run_stage(stage.main, stage.arguments())


def chunk(monkeypatch, folder: Path, number: int, chunks: int, **changes) -> dict[str, Path]:
    outputs = {name: folder / f"{name}-{number}.parquet" for name in ("shard", "manifest", "truth")}
    options = [word for name, path in outputs.items() for word in (f"--{name}", path)]
    settings, numbers = json.dumps({**SETTINGS, **changes}), numbers_of(number, chunks, 12)
    run(
        monkeypatch, simulate_chunk, "--chunk", number, "--first", numbers.start, "--stop", numbers.stop,
        "--vocabulary", VOCABULARY, "--settings", settings, *options,
    )  # fmt: skip
    return outputs


@pytest.fixture
def parts(monkeypatch, tmp_path):
    return [chunk(monkeypatch, tmp_path / "parts", number, 3) for number in range(3)]


def test_recordings_can_be_drawn_as_frequent_as_in_reports(monkeypatch, tmp_path, parts):
    other = chunk(monkeypatch, tmp_path / "reports", 0, 3, prevalence="reports")
    waveforms = [read_table(part["shard"], SHARD)["waveform"].to_pylist() for part in (other, parts[0])]
    assert len(waveforms[0]) == 4 and waveforms[0] != waveforms[1]


def test_chunks_hold_each_recording_once_with_report_truth_and_signal(parts):
    shards, manifests = ([read_table(part[name], schema) for part in parts] for name, schema in
                         (("shard", SHARD), ("manifest", MANIFEST)))  # fmt: skip
    assert [len(table) for table in shards] == [4, 4, 4]
    ids = [f"{number:07d}" for number in range(12)]
    for tables in (shards, manifests):
        assert [name for table in tables for name in table["record_id"].to_pylist()] == ids
    assert [set(table["chunk"].to_pylist()) for table in manifests] == [{0}, {1}, {2}]
    for shard, manifest in zip(shards, manifests, strict=True):
        for name in ("source", "patient_id", "split", "age", "sex", "codes"):
            assert shard[name].to_pylist() == manifest[name].to_pylist()
    row = shards[1].to_pylist()[0]
    digital = decode_waveform(row["waveform"], row["n_samples"])
    assert row["n_samples"] == 5000 and row["sampling_rate"] == 500
    assert (abs(digital[0].astype(int) + digital[2] - digital[1]) <= 1).all()  # I + III = II
    assert any(manifests[0]["report"].to_pylist())
    truth = read_table(parts[0]["truth"], TRUTH)
    assert set(truth["record_id"].to_pylist()) == set(ids[:4])
    assert set(truth["feature"].to_pylist()) <= set(load_vocabulary(VOCABULARY).features)


def test_a_recording_is_the_same_in_chunks_of_any_size(parts, monkeypatch, tmp_path):
    whole = chunk(monkeypatch, tmp_path / "whole", 0, 1)
    for name, schema in (("shard", SHARD), ("truth", TRUTH)):
        joined = pa.concat_tables([read_table(part[name], schema) for part in parts])
        assert read_table(whole[name], schema).equals(joined)


def test_a_chunk_is_repeated_to_the_byte_and_another_seed_changes_it(parts, monkeypatch, tmp_path):
    again = chunk(monkeypatch, tmp_path / "again", 1, 3)
    assert {name: path.read_bytes() for name, path in again.items()} == {
        name: path.read_bytes() for name, path in parts[1].items()
    }
    other = chunk(monkeypatch, tmp_path / "other", 1, 3, seed=4)
    assert other["shard"].read_bytes() != again["shard"].read_bytes()


def augmented(
    monkeypatch, parts, folder: Path, truths: list[Path]
) -> tuple[list[str], list[list[int]], list[list[int]]]:
    """Texts, and text ids of the reports before and after the truth is added."""
    manifest = folder / "manifest.parquet"
    manifests = [part["manifest"] for part in parts]
    run(monkeypatch, merge_tables, "--schema", "manifest", "--inputs", *manifests, "--output", manifest)
    files = {name: folder / f"{name}.parquet" for name in ("texts", "reports", "quarantine")}
    run(
        monkeypatch, parse_reports, "--manifests", manifest, "--vocabulary", VOCABULARY,
        "--settings", '{"min_words": 1}', *[word for name, path in files.items() for word in (f"--{name}", path)],
    )  # fmt: skip
    output = folder / "augmented.parquet"
    run(
        monkeypatch, augment_with_truth, "--truths", *truths, "--texts", files["texts"], "--reports", files["reports"],
        "--vocabulary", VOCABULARY, "--output", output,
    )  # fmt: skip
    texts = read_table(files["texts"], TEXTS)["text"].to_pylist()
    before, after = (read_table(path, REPORTS) for path in (files["reports"], output))
    assert before["record_id"].equals(after["record_id"])
    return texts, before["text_ids"].to_pylist(), after["text_ids"].to_pylist()


def test_all_that_is_true_of_a_recording_is_added_to_its_report(parts, monkeypatch, tmp_path):
    truths, truth = [part["truth"] for part in parts], tmp_path / "truth.parquet"
    texts, before, after = augmented(monkeypatch, parts, tmp_path, truths)
    run(monkeypatch, merge_tables, "--schema", "truth", "--inputs", *truths, "--output", truth)
    features = load_vocabulary(VOCABULARY).features
    true = defaultdict(set)
    for row in read_table(truth, TRUTH).to_pylist():
        true[row["record_id"]].add(features[row["feature"]].text)
    names = read_table(tmp_path / "augmented.parquet", REPORTS)["record_id"].to_pylist()
    assert len(names) > 9
    for name, own, more in zip(names, before, after, strict=True):
        assert more[: len(own)] == own
        assert len(set(more)) == len(more)
        assert {texts[place] for place in more} == {texts[place] for place in own} | true[name]


def test_a_recording_that_was_not_simulated_keeps_its_report(parts, monkeypatch, tmp_path):
    own = [{"source": "simulated", "record_id": "0000003", "feature": "narrow_qrs"}]
    write_table([*own, {**own[0], "source": "ptb-xl"}], tmp_path / "truth.parquet", TRUTH)
    texts, before, after = augmented(monkeypatch, parts, tmp_path, [tmp_path / "truth.parquet"])
    names = read_table(tmp_path / "augmented.parquet", REPORTS)["record_id"].to_pylist()
    added = {name: more[len(old) :] for name, old, more in zip(names, before, after, strict=True)}
    assert {name: [texts[place] for place in some] for name, some in added.items() if some} == {
        "0000003": [load_vocabulary(VOCABULARY).features["narrow_qrs"].text]
    }


def test_a_truth_of_another_vocabulary_is_named(parts, monkeypatch, tmp_path, capsys):
    write_table([{"source": "simulated", "record_id": "0000003", "feature": "x"}], tmp_path / "truth.parquet", TRUTH)
    with pytest.raises(SystemExit):
        augmented(monkeypatch, parts, tmp_path, [tmp_path / "truth.parquet"])
    assert "truth.parquet: the feature x is not in the vocabulary" in capsys.readouterr().err
