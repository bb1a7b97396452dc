"""Training learns, stops on NaN with the records' names, and resumes to the same weights."""

import numpy as np
import pytest
import torch
from training_data import SETTINGS, SIGNAL, TEXTS, write_shards

from fgclep import FGCLEP
from fgclep.loader import SignalStore
from fgclep.stage import UserError
from fgclep.texts import TextBank
from fgclep.training import Trainer, cosine_with_warmup, new_model, parameter_groups


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return write_shards(tmp_path_factory.mktemp("shards"))


@pytest.fixture
def trainer(shards, tmp_path):
    def build(**changes):
        settings = {**SETTINGS, **changes}
        torch.manual_seed(0)
        stores, banks = [], []
        for split in ("train", "val"):
            store = SignalStore(shards, SIGNAL, 100, lambda keys, s=split: np.array(keys["split"]) == s)
            stores.append(store)
            ids = [[int(name) % 2] for name in store.keys["record_id"].to_pylist()]
            banks.append(TextBank(TEXTS, [["fast"], ["slow"]], ids, np.eye(2, dtype=np.float16)))
        return Trainer(
            new_model(settings, TEXTS), stores[0], banks[0], stores[1], banks[1], settings, tmp_path / "x.pt"
        )

    return build


@pytest.mark.parametrize(
    "changes",
    [{}, {"loss": "clip"}, {"loss": "soft_sigmoid"}, {"text_unit": "report"}, {"alignment": "attention"}],
)
def test_two_kinds_of_waves_are_told_apart_by_their_texts(trainer, changes):
    run = trainer(epochs=25, **changes)
    history = run.fit()
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    run.model.eval()
    places, signals = next(run.validation_store.in_order(100))
    with torch.no_grad():
        embeddings = run.model.encode_ecg(signals).flatten(1).numpy()
    truth = [int(name[-1]) % 2 for name in run.validation_store.names(places)]
    assert np.mean(run.model.score(embeddings, TEXTS).argmax(1) == truth) > 0.85


@pytest.mark.parametrize("stop_after", [1, 3, 5])
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(trainer, tmp_path, stop_after):
    whole = trainer()
    history = whole.fit()
    whole.checkpoint.unlink()

    stopped = trainer(checkpoint_seconds=-1)  # a checkpoint after every batch
    stopped.settings["checkpoint_seconds"] = -1
    calls = 0
    loss = stopped.loss

    def stop(*args):
        nonlocal calls
        calls += 1
        if calls > stop_after:
            raise KeyboardInterrupt
        return loss(*args)

    stopped.loss = stop
    with pytest.raises(KeyboardInterrupt):
        stopped.fit()

    resumed = trainer(checkpoint_seconds=-1)
    assert resumed.fit() == history
    for name, weights in whole.model.state_dict().items():
        torch.testing.assert_close(resumed.model.state_dict()[name], weights, rtol=0, atol=0)


def test_a_checkpoint_of_another_run_is_not_used(trainer):
    trainer(epochs=1).fit()
    assert len(trainer(epochs=2).fit()) == 2


def test_a_loss_that_is_not_finite_names_the_records(trainer):
    run = trainer()
    run.model.ecg_projection.weight.data.fill_(float("nan"))
    with pytest.raises(UserError, match=r"the loss is nan in epoch 1 for the records made-up/0"):
        run.fit()


def test_the_learning_rate_rises_and_falls_to_zero():
    assert [cosine_with_warmup(x, 0.1) for x in (0.0, 0.05, 0.1, 0.55, 1.0)] == pytest.approx([0, 0.5, 1, 0.5, 0])


def test_text_and_ecg_have_their_own_rates_and_scalars_no_decay():
    settings = {**SETTINGS, "text_learning_rate": 1e-5}
    model = new_model(settings, TEXTS)
    group_of = {id(p): group for group in parameter_groups(model, settings) for p in group["params"]}
    assert group_of[id(model.text_projection.weight)]["base_lr"] == 1e-5
    assert group_of[id(model.ecg_projection.weight)]["base_lr"] == 3e-3
    assert group_of[id(model.log_temperature)]["weight_decay"] == 0
    assert len(group_of) == len(list(model.parameters()))


@pytest.mark.parametrize("changes", [{"ecg_encoder": {"kind": "vit_tiny", "width": 8}}, {"precision": "bf16"}])
def test_every_kind_of_training_moves_all_weights(trainer, changes):
    run = trainer(epochs=1, **changes)
    before = {name: weights.detach().clone() for name, weights in run.model.named_parameters()}
    assert np.isfinite(run.fit()[0]["train_loss"])
    still = [name for name, weights in run.model.named_parameters() if torch.equal(weights, before[name])]
    assert all("pooler" in name for name in still), still  # BERT's own pooling is not used


def test_a_text_tower_by_name_starts_from_its_weights_and_is_frozen_as_asked(trainer, tmp_path):
    tower = new_model(SETTINGS, TEXTS)
    tower.text_encoder.save_pretrained(tmp_path / "bert")
    tower.tokenizer.save_pretrained(tmp_path / "bert")
    text = {"name": str(tmp_path / "bert"), "max_tokens": 16, "trained_layers": 0}
    run = trainer(epochs=1, text_encoder=text)
    run.fit()
    run.model.save_pretrained(tmp_path / "model")
    again = FGCLEP.from_pretrained(tmp_path / "model")
    for name, weights in tower.text_encoder.state_dict().items():
        torch.testing.assert_close(again.text_encoder.state_dict()[name], weights, rtol=0, atol=0)
    assert again.tokenizer(TEXTS)["input_ids"] == tower.tokenizer(TEXTS)["input_ids"]
