"""Training learns, stops when it must, keeps the epoch it is told to, and resumes to the same weights."""

import os
import signal
import struct
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from sklearn.metrics import roc_auc_score
from training_data import SETTINGS, SIGNAL, TEXTS, made_model, training_settings, write_shards

from fgclep import FGCLEP
from fgclep.errors import UserError
from fgclep.models.build import new_model
from fgclep.signals.loader import SignalStore
from fgclep.training.interruption import Interrupted, StopRequest
from fgclep.training.log import STEP_COLUMNS
from fgclep.training.optimization import cosine_with_warmup, parameter_groups
from fgclep.training.text_batches import TextBank
from fgclep.training.trainer import Trainer


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return write_shards(tmp_path_factory.mktemp("shards"))


@pytest.fixture(scope="module")
def more_shards(tmp_path_factory):
    return write_shards(tmp_path_factory.mktemp("more"), (100, 60))


@pytest.fixture
def trainer(shards, tmp_path):
    def build(name="x", shards=shards, **changes):
        AcceleratorState._reset_state(reset_partial_state=True)  # one process has one precision
        settings = training_settings(**changes)
        torch.manual_seed(0)
        stores, banks = [], []
        for split in ("train", "val"):
            store = SignalStore(shards, SIGNAL, 100, lambda keys, s=split: np.array(keys["split"]) == s)
            stores.append(store)
            ids = [[int(name) % 2] for name in store.keys["record_id"].to_pylist()]
            banks.append(TextBank(TEXTS, [["fast"], ["slow"]], ids, np.eye(2, dtype=np.float16)))
        model = new_model(settings, settings.signal, TEXTS)
        files = tmp_path / f"{name}.pt", tmp_path / name
        return Trainer(model, stores[0], banks[0], stores[1], banks[1], settings, *files)

    return build


def assert_same_weights(model, others):
    for name, weights in others.items():
        torch.testing.assert_close(model.state_dict()[name], weights, rtol=0, atol=0, msg=name)


def weights_of(model):
    return {name: weights.clone() for name, weights in model.state_dict().items()}


def after(run, batches, action):
    """Call ``action`` when the model is given so many batches to train on."""
    loss, count = run.loss, 0

    def counted(*args):
        nonlocal count
        count += run.model.training
        if count == batches and run.model.training:
            action()
        return loss(*args)

    run.loss = counted


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"alignment": "attention"},
        *(
            pytest.param(changes, marks=pytest.mark.nightly)
            for changes in ({"loss": "clip"}, {"loss": "soft_sigmoid"}, {"text_unit": "report"})
        ),
    ],
)
def test_two_kinds_of_waves_are_told_apart_by_their_texts(trainer, more_shards, changes):
    run = trainer(shards=more_shards, epochs=12, **changes)
    history = run.fit()
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    run.model.eval()
    places, signals = next(run.validation_store.in_order(100))
    with torch.no_grad():
        embeddings = run.model.encode_ecg(signals).flatten(1).numpy()
    truth = [int(name[-1]) % 2 for name in run.validation_store.names(places)]
    assert np.mean(run.model.score(embeddings, TEXTS).argmax(1) == truth) > 0.9


TEXT = SETTINGS["text_encoder"]
CHANGED = {"lead_masking": 0.5, "crop": 0.3, "time_scale": 0.05, "noise": 0.05, "amplitude": 0.2}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"accumulate": 2},
        {"text_encoder": {**TEXT, "layers": 2, "trained_layers": 1}},
        {"text_encoder": {**TEXT, "trained_layers": 0}, "text_unit": "report", "precision": "bf16"},
        {"augmentation": CHANGED},
    ],
)
@pytest.mark.parametrize("stop_in", [1, 2, 4, 5])
def test_a_run_stopped_by_a_signal_continues_to_the_weights_of_an_uninterrupted_one(trainer, changes, stop_in):
    whole = trainer("whole", **changes)
    history = whole.fit()

    stopped = trainer("parts", **changes)
    after(stopped, stop_in, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted, match=r"stopped in epoch \d after \d of 4 batches, as asked") as caught:
        stopped.fit()
    assert caught.value.number == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL

    resumed = trainer("parts", **changes)
    torch.manual_seed(99)  # whatever else the process has drawn does not matter
    accumulate = changes.get("accumulate", 1)
    remaining = 8 - accumulate * -(-stop_in // accumulate)
    after(resumed, remaining + 1, lambda: pytest.fail("batches were repeated"))
    assert resumed.fit() == history
    assert_same_weights(resumed.model, whole.model.state_dict())


def test_a_checkpoint_in_the_middle_of_an_epoch_is_as_good_as_one_at_its_end(trainer):
    class Killed(BaseException):
        pass

    def kill():
        raise Killed

    whole = trainer("whole")
    whole.fit()
    killed = trainer("parts", checkpoint_seconds=1e-9)  # a checkpoint after every batch
    after(killed, 4, kill)
    with pytest.raises(Killed):
        killed.fit()
    resumed = trainer("parts", checkpoint_seconds=3600)
    resumed._resume()
    assert (resumed.position.epoch, resumed.position.batches, resumed.position.steps) == (0, 3, 3)
    resumed.fit()
    assert_same_weights(resumed.model, whole.model.state_dict())


@pytest.mark.parametrize("changes", [{"learning_rate": 1e-3}, {"start": "other"}])
def test_a_checkpoint_of_another_run_is_not_used(trainer, changes):
    trainer(epochs=1).fit()
    other = trainer(epochs=1, **{key: value for key, value in changes.items() if key != "start"})
    if "start" in changes:  # the same settings, but another model to continue from
        with torch.no_grad():
            other.model.ecg_projection.weight += 1
        other.identity = other._identity()
    other._resume()
    assert other.position.epoch == 0


@pytest.mark.parametrize("begun", ["fp32", "bf16"])
def test_a_training_begun_on_another_kind_of_processor_is_not_lost(trainer, monkeypatch, begun):
    here = "fp32" if begun == "bf16" else "bf16"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": begun == "bf16"}, raising=False)
    first = trainer(epochs=1, precision="auto")
    assert first.precision == begun and str(first.accelerator.mixed_precision) == ("no" if begun == "fp32" else begun)
    first.fit()
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": begun != "bf16"})
    with pytest.raises(UserError, match=rf"begun in {begun} on cpu .* auto is {here}(?s:.*)      precision: {begun}\n"):
        trainer(epochs=1, precision="auto")._resume()
    pinned = trainer(epochs=1, precision=begun)
    pinned._resume()
    assert pinned.position.epoch == 1
    anew = trainer(epochs=1, precision=here)  # asked for: a changed setting
    anew._resume()
    assert anew.position.epoch == 0


def test_what_changes_the_speed_only_does_not_make_a_checkpoint_useless(trainer):
    trainer(epochs=1).fit()
    other = trainer(epochs=1, workers=2, checkpoint_seconds=1, log_every=7, tensorboard=True)
    other._resume()
    assert other.position.epoch == 1


def test_a_loss_that_is_not_finite_names_the_records_and_leaves_the_checkpoint(trainer):
    run = trainer(checkpoint_seconds=1e-9)
    names = []

    def spoil():
        names.extend(run.train_store.names(next(run.batches()).places))
        run.model.ecg_projection.weight.data.fill_(float("nan"))

    after(run, 3, spoil)
    with pytest.raises(
        UserError, match=r"the loss is nan in epoch 1 for the records made-up/0.*learning_rate"
    ) as error:
        run.fit()
    assert all(name in str(error.value) for name in names) and len(names) == 8
    kept = run.checkpoints.load()
    assert kept["position"]["batches"] == 2
    assert all(torch.isfinite(weights).all() for weights in kept["model"].values())


def test_a_gradient_that_is_not_finite_does_not_reach_the_weights(trainer):
    run = trainer()
    before = weights_of(run.model)
    run.model.ecg_projection.weight.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(UserError, match=r"the norm of the gradient is (inf|nan) in epoch 1 for the records made-up/0"):
        run.fit()
    trained = {name for name, _ in run.model.named_parameters()}
    assert_same_weights(run.model, {name: weights for name, weights in before.items() if name in trained})


def batches_of(run, monkeypatch, epoch=0, rank=0):
    """Signals and leads of an epoch; of another process, as if it read the same ECGs."""
    run.position.epoch, run.rank = epoch, rank
    shuffled = SignalStore.shuffled
    monkeypatch.setattr(run.train_store, "shuffled", lambda *args: shuffled(run.train_store, *args[:3]))
    return [(batch.signals, batch.present) for batch in run.batches()]


def test_ecgs_are_changed_anew_in_every_epoch_and_process_whatever_the_workers(trainer, monkeypatch):
    run = trainer(augmentation=CHANGED)
    first, second = batches_of(run, monkeypatch), batches_of(run, monkeypatch, epoch=1)
    other = batches_of(trainer(augmentation=CHANGED, workers=3), monkeypatch)
    for mine, same in zip(first, other, strict=True):
        assert mine[0].equal(same[0]) and mine[1].equal(same[1])
    assert not first[0][1].equal(second[0][1]) and not first[0][1].equal(first[1][1])
    assert not first[0][1].equal(batches_of(run, monkeypatch, rank=1)[0][1])
    plain = batches_of(trainer(), monkeypatch)
    assert all(present is None for _, present in plain) and not plain[0][0].equal(first[0][0])


def test_what_stands_in_a_masked_lead_is_not_trained_on(trainer):
    run = trainer(augmentation={"lead_masking": 1.0})
    run.model.eval()
    batch = next(run.batches())
    broken = batch.signals.masked_fill(~batch.present[..., None], float("nan"))
    expected = run.loss(batch.texts, batch.signals * batch.present[..., None])
    assert run.loss(batch.texts, broken, batch.present).equal(expected)


def test_held_out_ecgs_are_judged_as_they_are(trainer):
    assert trainer(augmentation=CHANGED).validation_loss() == trainer().validation_loss()


def test_a_model_tells_whether_its_last_training_masked_leads(trainer):
    masked = trainer(augmentation={"lead_masking": 0.25}).model
    assert masked.config.to_dict()["lead_masking"] == 0.25 and not masked.needs_all_leads
    plain = trainer().model
    assert "lead_masking" not in plain.config.to_dict() and plain.needs_all_leads
    untrained = trainer(epochs=0, augmentation={"lead_masking": 0.25}).model
    assert untrained.needs_all_leads


def test_accumulated_batches_make_one_step_with_their_mean_gradient(trainer):
    run = trainer(accumulate=3, gradient_clip=1e9)
    for module in run.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    run.model.text_encoder.config.attention_probs_dropout_prob = 0.0
    trained = [parameter for parameter in run.model.parameters() if parameter.requires_grad]
    gradients = []
    step = run.optimizer.step
    run.optimizer.step = lambda: (gradients.append([parameter.grad.clone() for parameter in trained]), step())
    run.wrapped.train()
    sums = [torch.zeros_like(parameter) for parameter in trained]
    for batch in list(run.batches())[:3]:
        run.optimizer.zero_grad()
        run.loss(batch.texts, batch.signals).backward()
        for sum_, parameter in zip(sums, trained, strict=True):
            sum_ += parameter.grad
    run.fit()
    assert len(gradients) == 4  # in each of two epochs of 4 batches: 3 of them, and the last one
    for found, sum_ in zip(gradients[0], sums, strict=True):
        torch.testing.assert_close(found, sum_ / 3, rtol=1e-4, atol=1e-5)


def test_the_gradient_is_clipped(trainer):
    run = trainer(gradient_clip=1e-3, epochs=1)
    norms = []
    step = run.optimizer.step

    def noted():
        gradients = [p.grad.flatten() for p in run.model.parameters() if p.grad is not None]
        norms.append(torch.cat(gradients).norm().item())
        step()

    run.optimizer.step = noted
    run.fit()
    assert norms == pytest.approx([1e-3] * 4, rel=1e-2)


@pytest.mark.parametrize(
    ("select_by", "values", "epoch"),
    [
        ("loss", [3.0, 1.0, 2.0], 2),
        ("loss", [3.0, 2.0, 1.0], 3),
        ("loss", [None, None, None], 3),
        ("retrieval", [0.9, 0.5, 0.6], 1),
        ("retrieval", [0.5, 0.9, 0.9], 3),
        ("auroc", [0.5, 0.9, 0.8], 2),
        ("auroc", [None, None, None], 3),
        ("last", [3.0, 1.0, 2.0], 3),
    ],
)
def test_the_weights_of_the_selected_epoch_are_kept(trainer, select_by, values, epoch):
    def build():
        run = trainer(epochs=3, select_by=select_by)

        def value(kind):
            return values[run.position.epoch] if select_by == kind else 1.0

        run.validation_loss = lambda: values[run.position.epoch] if select_by == "last" else value("loss")
        run.validation_ranks = lambda: (value("retrieval"), value("auroc"))
        return run

    run, weights = build(), []
    save = run._save
    run._save = lambda: (weights.append(weights_of(run.model)), save())
    run.fit()
    assert run.selected_epoch() == epoch
    assert_same_weights(run.model, weights[epoch - 1])
    files = {path.name for path in run.checkpoints.path.parent.glob("*.pt")}
    assert files == {"x.pt"} | ({f"x.epoch{epoch}.pt"} if epoch < 3 else set())

    again = build()  # killed after the last checkpoint, before the model was written
    again.fit()
    assert_same_weights(again.model, weights[epoch - 1])
    again.checkpoints.remove()
    assert not list(run.checkpoints.path.parent.glob("*.pt"))


def test_a_training_of_no_epoch_leaves_the_model_as_it_is(trainer):
    run = trainer(epochs=0)
    before = weights_of(run.model)
    assert run.fit() == []
    assert_same_weights(run.model, before)


def test_the_held_out_ecgs_and_reports_look_for_each_other(trainer, monkeypatch):
    monkeypatch.setattr("fgclep.training.trainer.RECALL_AT", 1)
    run = trainer(epochs=8)
    run.fit()
    run.model.eval()
    places, signals = next(run.validation_store.in_order(100))
    with torch.no_grad():
        cosines = (run.model.encode_ecg(signals) @ run.model.embed_texts(TEXTS).T).numpy()
    own = np.array([int(name[-1]) % 2 for name in run.validation_store.names(places)])
    finds_report = np.mean(cosines.argmax(1) == own)
    finds_ecg = np.mean(own[cosines.argmax(0)][own] == own)
    monkeypatch.setattr("fgclep.evaluation.ranks.MIN_ECGS", 2)
    auroc = np.mean([roc_auc_score(own == text, cosines[:, text]) for text in (0, 1)])
    assert run.validation_ranks() == pytest.approx(((finds_report + finds_ecg) / 2, auroc))
    assert trainer(retrieval_records=0).validation_ranks() == (None, None)


def test_the_metrics_go_to_a_table_and_to_tensorboard_and_continue_after_an_interruption(trainer, tmp_path):
    trainer("whole", tensorboard=True).fit()
    stopped = trainer("parts", tensorboard=True, checkpoint_seconds=1e-9)
    after(stopped, 6, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(Interrupted):
        stopped.fit()
    with (tmp_path / "parts/steps.csv").open("a") as file:  # a step that the killed process had not kept
        file.write("7,2,1.0,1.0,1e-3,1e-3,10.0,-2.0,1.0,0.0\n8,2,1.")
    trainer("parts", tensorboard=True).fit()

    tables = [(tmp_path / name / "steps.csv").read_text().splitlines() for name in ("whole", "parts")]
    assert tables[0][0] == ",".join(STEP_COLUMNS)
    without_speed = [[line.split(",")[:-2] for line in table] for table in tables]
    assert without_speed[0] == without_speed[1]
    assert [row[:2] for row in without_speed[0][1:]] == [[str(n), "1" if n < 5 else "2"] for n in range(1, 9)]

    losses = {step: value for tag, step, value in scalars(tmp_path / "whole") if tag == "train/loss"}
    assert losses == {int(row[0]): pytest.approx(float(row[2])) for row in without_speed[0][1:]}
    assert [step for tag, step, _ in scalars(tmp_path / "whole") if tag == "epoch/validation_loss"] == [4, 8]


def scalars(folder):
    """Tag, step and value of all events, by TensorBoard's file format: length, checksum, protocol buffer, checksum."""
    from tensorboardX.proto.event_pb2 import Event

    for path in folder.glob("events.*"):
        content, place = path.read_bytes(), 0
        while place < len(content):
            (length,) = struct.unpack_from("<Q", content, place)
            event = Event.FromString(content[place + 12 : place + 12 + length])
            for value in event.summary.value:
                yield value.tag, event.step, value.simple_value
            place += length + 16


def test_the_learning_rate_rises_and_falls_to_zero():
    assert [cosine_with_warmup(x, 0.1) for x in (0.0, 0.05, 0.1, 0.55, 1.0)] == pytest.approx([0, 0.5, 1, 0.5, 0])


def test_text_and_ecg_have_their_own_rates_and_scalars_no_decay():
    settings = training_settings(text_learning_rate=1e-5)
    model = made_model(text_learning_rate=1e-5)
    group_of = {id(p): group for group in parameter_groups(model, settings) for p in group["params"]}
    assert group_of[id(model.text_projection.weight)]["base_lr"] == 1e-5
    assert group_of[id(model.ecg_projection.weight)]["base_lr"] == 3e-3
    assert group_of[id(model.log_temperature)]["weight_decay"] == 0
    assert len(group_of) == len(list(model.parameters()))


@pytest.mark.parametrize(("rate", "expected"), [(3e-3, 1e-3), (5e-4, 5e-4)])
def test_the_dynamics_of_state_spaces_learn_slowly_and_do_not_decay(rate, expected):
    encoder = {"kind": "s4d", "width": 8}
    model = made_model(ecg_encoder=encoder)
    settings = training_settings(ecg_encoder=encoder, learning_rate=rate)
    group_of = {id(p): group for group in parameter_groups(model, settings) for p in group["params"]}
    space = model.ecg_encoder.layers[1].body[1]
    for name in ("log_step", "log_decay", "frequency"):
        group = group_of[id(getattr(space, name))]
        assert (group["base_lr"], group["weight_decay"]) == (expected, 0)
    readout = group_of[id(space.readout)]
    assert (readout["base_lr"], readout["weight_decay"]) == (rate, settings.weight_decay)
    assert len(group_of) == len(list(model.parameters()))


@pytest.mark.parametrize(
    "changes",
    [
        {"ecg_encoder": {"kind": "vit_tiny", "width": 8}},
        {"ecg_encoder": {"kind": "s4d", "width": 8}, "precision": "bf16"},
        {"precision": "bf16"},
        {"ecg_encoder": {"kind": "vit_tiny", "width": 8}, "alignment": "attention"},
    ],
)
def test_every_kind_of_training_moves_all_weights(trainer, changes):
    run = trainer(epochs=1, **changes)
    before = {name: weights.detach().clone() for name, weights in run.model.named_parameters()}
    assert np.isfinite(run.fit()[0]["train_loss"])
    still = [name for name, weights in run.model.named_parameters() if torch.equal(weights, before[name])]
    assert all("pooler" in name for name in still), still  # BERT's own pooling is not used


def test_only_the_last_text_layers_are_trained_as_asked(trainer):
    run = trainer(epochs=1, text_encoder={**TEXT, "layers": 3, "trained_layers": 1})
    before = weights_of(run.model)
    run.fit()
    moved = {name for name, weights in run.model.state_dict().items() if not torch.equal(weights, before[name])}
    text = {name for name in moved if name.startswith("text_encoder.")}
    assert text and all(name.startswith("text_encoder.encoder.layer.2.") for name in text)


def test_a_text_tower_by_name_starts_from_its_weights_and_is_frozen_as_asked(trainer, tmp_path):
    tower = made_model()
    tower.text_encoder.save_pretrained(tmp_path / "bert")
    tower.tokenizer.save_pretrained(tmp_path / "bert")
    text = {"name": str(tmp_path / "bert"), "max_tokens": 16, "trained_layers": 0, "cache_mb": 1}
    run = trainer(epochs=1, text_encoder=text)
    run.fit()
    run.model.save_pretrained(tmp_path / "model")
    again = FGCLEP.from_pretrained(tmp_path / "model")
    for name, weights in tower.text_encoder.state_dict().items():
        torch.testing.assert_close(again.text_encoder.state_dict()[name], weights, rtol=0, atol=0)
    assert again.tokenizer.ids(TEXTS) == tower.tokenizer.ids(TEXTS)


def test_the_ecg_encoder_is_compiled_on_request_and_its_weights_keep_their_names(trainer):
    plain, compiled = trainer(), trainer(compile=True)
    assert plain.model.ecg_encoder._compiled_call_impl is None
    assert compiled.model.ecg_encoder._compiled_call_impl is not None
    assert list(compiled.model.state_dict()) == list(plain.model.state_dict())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"precision": "fp16"}, r"fp16, which needs a CUDA device.*set pretraining: \{precision: bf16\}"),
        ({"processes": 2}, r"processes is 2, and this run has 1; .*torchrun --nproc-per-node 2"),
        ({"device": "cuda"}, r"device is cuda, and torch finds no CUDA device; set pretraining: \{device: auto\}"),
    ],
)
def test_what_the_machine_lacks_is_said_with_the_way_out(trainer, monkeypatch, changes, message):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=message):
        trainer(**changes)


def test_a_signal_during_the_exchange_between_processes_is_not_forgotten(monkeypatch):
    stop, run = StopRequest(), SimpleNamespace(processes=2, device="cpu")

    def exchange(number: torch.Tensor, operation: object) -> None:
        stop.number = signal.SIGTERM  # after this process has told the others that there is none

    monkeypatch.setattr(torch.distributed, "all_reduce", exchange)
    assert not Trainer._asked_to_stop(run, stop)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda number, operation: None)
    assert Trainer._asked_to_stop(run, stop)
