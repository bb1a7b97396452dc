"""A checkpoint is continued only by the very training that it is of: whatever the outcome depends on is compared."""

import logging
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from accelerate.state import AcceleratorState
from training_data import SIGNAL, TEXTS, made_model, training_settings, write_shards

from fgclep.models.text import train_tokenizer
from fgclep.schemas.shards import SHARD
from fgclep.signals.loader import SignalStore
from fgclep.similarity.matrix import SimilarityMatrix
from fgclep.tables import write_table
from fgclep.training.text_batches import TextBank
from fgclep.training.trainer import Trainer

FINDINGS = (["fast"], ["slow"])
FEATURES = ([0], [])


def begin(folder, shards=None, change=lambda parts: None, **settings):
    """A trainer on made-up data, of which ``change`` changes a part before the training sees it."""
    AcceleratorState._reset_state(reset_partial_state=True)  # one process has one precision
    torch.manual_seed(0)
    parts = SimpleNamespace(
        shards=shards or write_shards(folder),
        keep={split: lambda keys, s=split: np.array(keys["split"]) == s for split in ("train", "val")},
        texts=list(TEXTS),
        findings=FINDINGS,
        ids={split: lambda name: [int(name) % 2] for split in ("train", "val")},
        similarity=SimilarityMatrix(np.eye(2, dtype=np.float16)),
        features=FEATURES,
        absent={split: lambda n: np.zeros((n, 1), dtype=bool) for split in ("train", "val")},
        model=made_model(),
        settings=training_settings(epochs=1, **settings),
    )
    change(parts)
    stores, banks = [], []
    for split in ("train", "val"):
        store = SignalStore(parts.shards, SIGNAL, 100, parts.keep[split])
        ids = [parts.ids[split](name) for name in store.keys["record_id"].to_pylist()]
        absent = parts.absent[split](len(store))
        stores.append(store)
        banks.append(TextBank(parts.texts, parts.findings, ids, parts.similarity, parts.features, absent))
    return Trainer(parts.model, stores[0], banks[0], stores[1], banks[1], parts.settings, folder / "x.pt")


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """Folder with the shards and the checkpoint of a training of one epoch."""
    folder = tmp_path_factory.mktemp("interrupted")
    begin(folder).fit()
    return folder


def rewritten(column, changed):
    """Change a column of the rows of some records in the shards, and write them anew."""

    def change(parts):
        folder = parts.shards[0].parent / "rewritten"
        folder.mkdir(exist_ok=True)
        paths = []
        for path in parts.shards:
            rows = pq.read_table(path).to_pylist()
            for row in rows:
                row[column] = changed(row)
            paths.append(folder / path.name)
            write_table(rows, paths[-1], SHARD)
        parts.shards = paths

    return change


def of_validation(row, value, otherwise):
    return value if row["split"] == "val" else otherwise


def setting(part, value, split=None):
    def change(parts):
        if split:
            getattr(parts, part)[split] = value
        else:
            setattr(parts, part, value)

    return change


def with_weights(parts):
    with torch.no_grad():
        parts.model.ecg_projection.weight += 1


def with_tokenizer(parts):
    known = parts.model.tokenizer.get_vocab()
    known["fast"], known["slow"] = known["slow"], known["fast"]
    parts.model.tokenizer = train_tokenizer(TEXTS, parts.model.tokenizer.model_max_length, known)


def with_temperature(parts):
    parts.model.config.max_temperature = 11.0


def with_one_record_less(parts):
    parts.keep["val"] = lambda keys: _all_but_first(keys, "val")


def _all_but_first(keys, split):
    mask = np.array(keys["split"]) == split
    mask[np.flatnonzero(mask)[:1]] = False
    return mask


SPARSE = SimilarityMatrix(np.ones(2, np.float16), np.array([0, 1]), np.array([0, 1, 2]))
CHANGES = {
    "the similarity": setting("similarity", SimilarityMatrix(np.array([[1, 0.5], [0.5, 1]], np.float16))),
    "a sparse similarity": setting("similarity", SPARSE),
    "the findings of a text": setting("findings", (["fast"], ["fast"])),
    "which text is a feature's": setting("features", ([], [0])),
    "the labels": setting("absent", lambda n: np.ones((n, 1), dtype=bool), "train"),
    "the labels of the validation records": setting("absent", lambda n: np.ones((n, 1), dtype=bool), "val"),
    "a text": setting("texts", [TEXTS[0], "slower waves"]),
    "the texts of the records": setting("ids", lambda name: [0], "train"),
    "the texts of the validation records": setting("ids", lambda name: [0], "val"),
    "a validation record": with_one_record_less,
    "the gain": rewritten("gain", lambda row: [2000.0] * 12),
    "the gain of the validation records": rewritten("gain", lambda row: of_validation(row, [2000.0] * 12, row["gain"])),
    "the baseline": rewritten("baseline", lambda row: [1] * 12),
    "the waveforms": rewritten("waveform", lambda row: row["waveform"][::-1]),
    "the sampling rate": rewritten("sampling_rate", lambda row: 99.0),
    "the start weights": with_weights,
    "the tokenizer": with_tokenizer,
    "what the start model's config says": with_temperature,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_changes_the_outcome_starts_the_training_anew(interrupted, change):
    shards = sorted(interrupted.glob("*.parquet"))
    other = begin(interrupted, shards, change)
    other._resume()
    assert (other.position.epoch, other.history) == (0, [])


@pytest.mark.parametrize(
    "changed",
    [{"learning_rate": 1e-3}, {"seed": 1}, {"loss": "clip"}, {"memory_mb": 50}, {"augmentation": {"crop": 0.1}}],
)
def test_a_setting_that_changes_the_outcome_starts_the_training_anew(interrupted, changed):
    other = begin(interrupted, sorted(interrupted.glob("*.parquet")), **changed)
    other._resume()
    assert other.position.epoch == 0


@pytest.mark.parametrize("what", ["source_digest", "version"])
def test_other_code_or_libraries_start_the_training_anew(interrupted, monkeypatch, what):
    monkeypatch.setattr(f"fgclep.training.identity.{what}", lambda name: "another")
    other = begin(interrupted, sorted(interrupted.glob("*.parquet")))
    other._resume()
    assert other.position.epoch == 0


@pytest.mark.parametrize(
    "changed", [{}, {"workers": 2}, {"checkpoint_seconds": 1, "log_every": 7}, {"augmentation": {"noise": 0.0}}]
)
def test_the_same_training_is_continued_wherever_its_shards_lie(interrupted, tmp_path, changed):
    shards = [tmp_path / path.name for path in sorted(interrupted.glob("*.parquet"))]
    for path in shards:
        path.write_bytes((interrupted / path.name).read_bytes())
    (tmp_path / "x.pt").write_bytes((interrupted / "x.pt").read_bytes())
    again = begin(tmp_path, shards, **changed)
    again._resume()
    assert again.position.epoch == 1


def test_another_kind_of_processor_is_told(interrupted, monkeypatch, caplog):
    monkeypatch.setattr("fgclep.training.trainer.processor", lambda device: "cpu DEFAULT")
    again = begin(interrupted, sorted(interrupted.glob("*.parquet")))
    with caplog.at_level(logging.WARNING):
        again._resume()
    assert again.position.epoch == 1
    assert "continued on cpu DEFAULT: the last digits are those of neither alone" in caplog.text
