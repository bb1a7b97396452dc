"""Contrastive pre-training of a model on batches of signals and texts, with checkpoints."""

import hashlib
import json
import logging
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fgclep.distributed import gather_rows, process_count, share_of, union_of_texts
from fgclep.loader import SignalStore, record_names
from fgclep.losses import contrastive_loss
from fgclep.models.fgclep import FGCLEP, FGCLEPConfig
from fgclep.models.text import freeze_text_layers, new_text_tower, tokenize
from fgclep.stage import UserError, progress
from fgclep.texts import TextBank

logger = logging.getLogger(__name__)


def choose_device(name: str) -> torch.device:
    """``auto`` takes a CUDA device if there is one; raises ``UserError`` if ``cuda`` is asked for and absent."""
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("pretraining.device is cuda, and torch finds no CUDA device; set pretraining: {device: auto}")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def new_model(settings: dict, corpus: list[str]) -> FGCLEP:
    """Build a model as ``settings`` (section ``pretraining`` with ``signal``) says; a text tower by name is loaded."""
    text_config, tokenizer, text_encoder = new_text_tower(settings["text_encoder"], corpus)
    bias = settings["bias"]
    config = FGCLEPConfig(
        ecg_encoder=settings["ecg_encoder"],
        text_config=text_config.to_dict(),
        projection=settings["projection"],
        alignment=settings["alignment"],
        signal=settings["signal"],
        initial_temperature=settings["temperature"],
        initial_bias=-math.log(max(process_count() * settings["batch_size"] - 1, 1)) if bias is None else bias,
        max_temperature=settings["max_temperature"],
    )
    model = FGCLEP(config)
    model.text_encoder.load_state_dict(text_encoder.state_dict())
    model.tokenizer = tokenizer
    return model


def parameter_groups(model: FGCLEP, settings: dict) -> list[dict]:
    """Optimizer groups: text and ECG side with their learning rates; vectors and scalars without weight decay."""
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            rate = settings["text_learning_rate"] if name.startswith("text_") else settings["learning_rate"]
            decay = settings["weight_decay"] if parameter.ndim > 1 else 0.0
            groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": p, "lr": rate, "base_lr": rate, "weight_decay": decay} for (rate, decay), p in groups.items()]


def cosine_with_warmup(done: float, warmup: float) -> float:
    """Factor of the learning rate after the share ``done`` of the training, the share ``warmup`` of it rising."""
    if done < warmup:
        return done / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (done - warmup) / (1 - warmup))))


def without_speed(settings: dict) -> dict:
    """Settings without those that change the speed only, so that a checkpoint outlives a change of them."""
    return {key: value for key, value in settings.items() if key not in {"workers", "checkpoint_seconds"}}


@dataclass
class Position:
    """Where the training stands: the epoch, its batches and ECGs done, and the sum of their losses."""

    epoch: int = 0
    batches: int = 0
    ecgs: int = 0
    loss_sum: float = 0.0


class Trainer:
    """Train ``model`` on ``train`` with texts from ``bank``; resume from ``checkpoint`` if it is of this very run.

    Parameters
    ----------
    model
        Trained in place.
    train, validation
        Signals; ``validation`` may be empty.
    bank, validation_bank
        Texts of the records of either.
    settings
        Section ``pretraining`` with ``epochs``, ``seed`` and ``signal``.
    checkpoint
        File for the state of the run, written every ``checkpoint_seconds`` and after every epoch.
    """

    def __init__(
        self,
        model: FGCLEP,
        train: SignalStore,
        bank: TextBank,
        validation: SignalStore,
        validation_bank: TextBank,
        settings: dict,
        checkpoint: Path,
    ):
        self.settings = settings
        self.device = choose_device(settings["device"])
        self.model = model.to(self.device)  # type: ignore[arg-type]
        freeze_text_layers(model.text_encoder, settings["text_encoder"]["trained_layers"])
        self.optimizer = torch.optim.AdamW(parameter_groups(model, settings))
        self.train_store, self.bank = train, bank
        self.validation_store, self.validation_bank = validation, validation_bank
        self.checkpoint = checkpoint
        self.position = Position()
        self.history: list[dict] = []
        identity = hashlib.sha256(json.dumps([without_speed(settings), bank.texts]).encode())
        identity.update("\n".join(record_names(train.keys).to_pylist()).encode())
        identity.update(bank.records.values.tobytes() + bank.records.bounds.tobytes())
        self.identity = identity.hexdigest()

    def loss(self, bank: TextBank, places: np.ndarray, signals: Tensor, rng: np.random.Generator) -> Tensor:
        """Loss of one batch."""
        s = self.settings
        batch = bank.batch(s["text_unit"], places, s["texts_per_ecg"], rng)
        batch = union_of_texts(batch, self.device)
        texts = batch.texts
        assert self.model.tokenizer is not None
        mine = tokenize(self.model.tokenizer, [texts[i] for i in share_of(len(texts))])
        tokens = {name: ids.to(self.device) for name, ids in mine.items()}
        with torch.autocast(self.device.type, torch.bfloat16, enabled=s["precision"] == "bf16"):
            ecgs, encoded = self.model(signals.to(self.device, non_blocking=True), **tokens)
        return contrastive_loss(
            s["loss"],
            ecgs,
            gather_rows(encoded)[: len(texts)],
            batch,
            self.model.align,
            self.model.temperature,
            self.model.bias,
            s["mitigation"],
            s["mask_above"],
        )

    def fit(self) -> list[dict]:
        """Train for the epochs that remain; return one row per epoch (see ``TRAINING_COLUMNS`` of the stage)."""
        self._resume()
        while self.position.epoch < self.settings["epochs"]:
            self._epoch()
            position = self.position
            row = {
                "epoch": position.epoch + 1,
                "train_loss": position.loss_sum / position.ecgs,
                "validation_loss": self.validation_loss(),
                "temperature": self.model.temperature.item(),
                "bias": self.model.bias.item(),
            }
            logger.info("epoch %(epoch)d: loss %(train_loss).4f, validation %(validation_loss)s", row)
            self.history.append(row)
            self.position = Position(epoch=position.epoch + 1)
            self._save()
        return self.history

    def _epoch(self) -> None:
        s, position = self.settings, self.position
        self.model.train()
        batches = self.train_store.shuffled(s["batch_size"], [s["seed"], position.epoch], skip=position.batches)
        total = self.train_store.steps(s["batch_size"])
        started, saved = time.monotonic(), time.monotonic()
        before = position.ecgs
        for places, signals in progress(batches, total, f"epoch {position.epoch + 1}/{s['epochs']}", "batch"):
            done = (position.epoch + position.ecgs / len(self.train_store)) / s["epochs"]
            for group in self.optimizer.param_groups:
                group["lr"] = group["base_lr"] * cosine_with_warmup(done, s["warmup"])
            rng = np.random.default_rng([s["seed"], 1, position.epoch, position.batches])
            loss = self.loss(self.bank, places, signals, rng)
            if not torch.isfinite(loss):
                names = ", ".join(self.train_store.names(places))
                raise UserError(f"the loss is {loss.item()} in epoch {position.epoch + 1} for the records {names}")
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), s["gradient_clip"])
            self.optimizer.step()
            self.model.clamp_temperature()
            position.batches += 1
            position.ecgs += len(places)
            position.loss_sum += loss.item() * len(places)
            if time.monotonic() - saved > s["checkpoint_seconds"]:
                self._save()
                saved = time.monotonic()
        logger.info("%.0f ECG/s", (position.ecgs - before) / max(time.monotonic() - started, 1e-9))

    @torch.inference_mode()
    def validation_loss(self) -> float | None:
        """Mean loss on the held-out patients, with the same texts every time; ``None`` without such patients."""
        if not len(self.validation_store):
            return None
        self.model.eval()
        total = 0.0
        for places, signals in self.validation_store.in_order(self.settings["batch_size"]):
            rng = np.random.default_rng([self.settings["seed"], 2, int(places[0])])
            total += self.loss(self.validation_bank, places, signals, rng).item() * len(places)
        return total / len(self.validation_store)

    def _save(self) -> None:
        state = {
            "identity": self.identity,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "position": vars(self.position),
            "history": self.history,
            "rng": torch.get_rng_state(),
        }
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        partial = self.checkpoint.with_name(f"{self.checkpoint.name}.{os.getpid()}.part")
        torch.save(state, partial)
        os.replace(partial, self.checkpoint)

    def _resume(self) -> None:
        if not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        if state["identity"] != self.identity:
            logger.info("%s is of a run with other data or settings: starting anew", self.checkpoint)
            return
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.position = Position(**state["position"])
        self.history = state["history"]
        torch.set_rng_state(state["rng"].cpu())
        logger.info("resuming in epoch %d after %d batches", self.position.epoch + 1, self.position.batches)
