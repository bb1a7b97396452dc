"""A reader that no record of the run has trained: which model it is, what it scores, and its exam."""

import numpy as np
import pytest
import torch
from conftest import ROOT
from training_data import made_model, write_shards

from fgclep.config.inference import ExamSettings, ReaderSettings
from fgclep.config.named_models import SHIPPED_MODEL, folder_of, model_digest
from fgclep.errors import UserError
from fgclep.language.vocabulary import load_vocabulary
from fgclep.models.fgclep import FGCLEP
from fgclep.schemas.exam import EXAM
from fgclep.schemas.scores import SCORES
from fgclep.signals.loader import SignalStore
from fgclep.stages import examine_reader, score_candidates, verify_features
from fgclep.tables import read_table, write_table

FOLDER = ROOT / "resources" / "vocabulary"
VOCABULARY = load_vocabulary(FOLDER)
FEATURES = len(VOCABULARY.features)


def settings(kind=ReaderSettings, **more):
    return kind(device="cpu", batch_size=4, threads=1, workers=1, **more).model_dump_json()


def score(folder, *options):
    shards = write_shards(folder, (6, 5))
    given = ["--shards", *map(str, shards), "--vocabulary", str(FOLDER), "--output", str(folder / "scores.parquet")]
    score_candidates.main(
        score_candidates.arguments().parse_args([*map(str, options), *given, "--settings", settings()])
    )
    return read_table(folder / "scores.parquet", SCORES).to_pylist()


def test_one_reader_scores_every_record_and_a_fold_only_its_own(tmp_path):
    made_model().save_pretrained(tmp_path / "model")
    rows = score(tmp_path, "--model", tmp_path / "model")
    assert [row["record_id"] for row in rows] == [f"{number:03d}" for number in range(11)]
    assert {row["fold"] for row in rows} == {0} and {len(row["scores"]) for row in rows} == {FEATURES}
    folds = [score(tmp_path, "--model", tmp_path / "model", "--fold", fold, "--folds", 2) for fold in (0, 1)]
    assert all(folds)
    assert sorted((row["record_id"], *row["scores"]) for part in folds for row in part) == [
        (row["record_id"], *row["scores"]) for row in rows
    ]


def test_a_reader_reads_signals_as_its_own_config_says(tmp_path):
    """Whatever rate and filter the models of the run have: the stage is not told."""
    made_model().save_pretrained(tmp_path / "slow")  # 50 Hz, 4 s
    slow, shipped = (score(tmp_path, "--model", model) for model in (tmp_path / "slow", "shipped"))
    for folder, rows in ((tmp_path / "slow", slow), (SHIPPED_MODEL, shipped)):
        model = FGCLEP.from_pretrained(folder)
        store = SignalStore(sorted(tmp_path.glob("[01].parquet")), model.signal, 100)
        places, signals = next(store.in_order(11))
        texts = model.embed_texts([feature.text for feature in VOCABULARY.features.values()])
        with torch.no_grad():
            expected = model.logits(model.encode_ecg(signals), texts).numpy()
        np.testing.assert_allclose([rows[place]["scores"] for place in places], expected, atol=1e-4)


def test_the_shipped_reader_is_found_by_its_name(tmp_path):
    assert folder_of("shipped") == str(SHIPPED_MODEL) and (SHIPPED_MODEL / "config.json").is_file()
    rows = score(tmp_path, "--model", "shipped")
    assert len(rows) == 11 and np.isfinite([row["scores"] for row in rows]).all()


def test_a_reader_that_is_none_is_an_error_that_says_what_to_write(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"(?s)the model .*empty cannot be loaded.*reader_model: shipped"):
        score(tmp_path, "--model", tmp_path / "empty")
    made_model().save_pretrained(tmp_path / "model")
    (tmp_path / "model/model.safetensors").write_bytes(b"no weights")
    with pytest.raises(UserError, match="model"):
        score(tmp_path, "--model", tmp_path / "model")


def test_other_weights_in_the_same_folder_have_another_digest(tmp_path):
    made_model().save_pretrained(tmp_path / "model")
    before = model_digest(str(tmp_path / "model"))
    assert len(before) == 12 and before == model_digest(str(tmp_path / "model"))
    model = made_model()
    model.bias.data += 1
    model.save_pretrained(tmp_path / "model")
    assert model_digest(str(tmp_path / "model")) != before
    assert model_digest("someone/fgclep") == "someone/fgclep"


def examine(folder, ecgs):
    options = ["--model", "shipped", "--vocabulary", str(FOLDER), "--output", str(folder / "exam.parquet")]
    given = settings(ExamSettings, target_fdr=0.1)
    examine_reader.main(examine_reader.arguments().parse_args([*options, "--ecgs", str(ecgs), "--settings", given]))
    return read_table(folder / "exam.parquet", EXAM)


@pytest.mark.slow
def test_the_shipped_reader_passes_on_what_it_knows_and_is_not_examined_on_what_is_never_drawn(tmp_path):
    exam = {row["feature"]: row for row in examine(tmp_path, 300).to_pylist()}
    assert list(exam) == list(VOCABULARY.features)
    assert exam["wide_qrs"]["auroc"] > 0.95 and 0 <= exam["wide_qrs"]["threshold"] < 5
    assert exam["epsilon_wave"] == {"feature": "epsilon_wave", "ecgs": 0, "auroc": None, "threshold": None}
    assert [path.name for path in tmp_path.iterdir()] == ["exam.parquet"]


def test_an_exam_gives_each_feature_its_threshold(tmp_path):
    rows = [{"feature": name, "ecgs": 30, "auroc": 0.9, "threshold": 1.5} for name in VOCABULARY.features]
    rows[1]["threshold"] = None
    write_table(rows, tmp_path / "exam.parquet", EXAM)
    read = verify_features.read_exam([str(tmp_path / "exam.parquet")], VOCABULARY)
    assert read[0] == 1.5 and np.isnan(read[1])
    assert verify_features.read_exam([], VOCABULARY) is None
    write_table(rows[1:], tmp_path / "exam.parquet", EXAM)
    with pytest.raises(UserError, match=r"exam\.parquet is an exam on another vocabulary"):
        verify_features.read_exam([str(tmp_path / "exam.parquet")], VOCABULARY)
