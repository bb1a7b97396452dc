"""Contrastive pre-training of a model on batches of signals and texts, with checkpoints."""

import logging
import time
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from accelerate.utils import gather_object
from torch import Tensor
from tqdm import tqdm

from fgclep.config.pretraining import TrainingSettings
from fgclep.device import choose_device, choose_precision
from fgclep.errors import UserError
from fgclep.evaluation.ranks import recall_at_k, text_auroc
from fgclep.models.fgclep import FGCLEP
from fgclep.models.text import freeze_text_layers
from fgclep.signals.loader import SignalStore
from fgclep.training.accelerator import new_accelerator
from fgclep.training.augmentation import augmented
from fgclep.training.checkpoint import Checkpoints
from fgclep.training.distributed import gather_rows, share_of, union_of_texts
from fgclep.training.identity import processor, training_identity
from fgclep.training.interruption import Interrupted, StopRequest, noted_stop_signals
from fgclep.training.log import Speed, TrainingLog
from fgclep.training.losses import Logits, Objective, contrastive_loss
from fgclep.training.optimization import cosine_with_warmup, parameter_groups
from fgclep.training.pair_encoder import PairEncoder, text_precision, texts_by_frequency
from fgclep.training.prefetch import Prefetched
from fgclep.training.text_batches import ReportBatch, TextBank, TextBatch
from fgclep.training.text_cache import TextCache
from fgclep.training.tokens import TokenCache

LOG = logging.getLogger(__name__)

RECALL_AT = 10
SELECT_BY = {"loss": "validation_loss", "retrieval": "validation_recall", "auroc": "validation_auroc"}  # "last": none


@dataclass
class Position:
    """Where the training stands: the epoch, its batches done and the sum of their losses; all steps so far."""

    epoch: int = 0
    batches: int = 0
    loss_sum: float = 0.0
    steps: int = 0


@dataclass(frozen=True)
class Batch:
    """ECGs of this process, which of their leads are there (``None``: all), and what they are compared with."""

    number: int
    places: np.ndarray
    signals: Tensor
    present: Tensor | None
    texts: TextBatch


class Trainer:
    """Train ``model`` on ``train`` with texts from ``bank``; resume from ``checkpoint`` if it is of this very run.

    All that is random in a step is drawn from seeds that name epoch and batch. With weights, optimizer and position
    restored, a resumed run therefore repeats the uninterrupted one.

    Parameters
    ----------
    model
        Trained in place.
    train, validation
        Signals; ``validation`` may be empty.
    bank, validation_bank
        Texts of the records of either.
    settings
        What the stage takes of the config.
    checkpoint
        File for the state of the run, written every ``checkpoint_seconds`` and after every epoch.
    metrics
        Folder for ``steps.csv`` and TensorBoard events; ``None``: none are written.

    Raises
    ------
    UserError
        If the machine lacks what the settings ask for; from ``fit``, if the loss or its gradient is not finite.
    """

    def __init__(
        self,
        model: FGCLEP,
        train: SignalStore,
        bank: TextBank,
        validation: SignalStore,
        validation_bank: TextBank,
        settings: TrainingSettings,
        checkpoint: Path,
        metrics: Path | None = None,
    ):
        self.settings = settings
        self.model = model
        if settings.epochs:
            model.config.lead_masking = settings.augmentation.lead_masking
        self.train_store, self.bank = train, bank
        self.validation_store, self.validation_bank = validation, validation_bank
        self.checkpoints, self.metrics = Checkpoints(checkpoint), metrics
        self.precision = choose_precision(settings.precision, choose_device(settings.device))
        self.identity = self._identity()
        self.accelerator = new_accelerator(settings, self.precision)
        self.rank, self.processes = self.accelerator.process_index, self.accelerator.num_processes
        self.device = self.accelerator.device
        model.to(self.device)
        layers = settings.text_encoder.trained_layers
        freeze_text_layers(model.text_encoder, layers)
        for name, parameter in model.text_encoder.named_parameters():
            if name.startswith("pooler."):  # BERT's own pooling is not used
                parameter.requires_grad_(False)
        assert model.tokenizer is not None
        tokens, cache = TokenCache(model.tokenizer), None
        if layers != "all":
            texts = texts_by_frequency(settings.text_unit, (bank, validation_bank))
            dtype = torch.float32 if self.precision == "fp32" else torch.bfloat16
            cache = TextCache(model.text_encoder, tokens, layers, texts, settings.text_encoder.cache_mb, dtype)
            LOG.info("the frozen text layers' states of %d of %d texts are kept", len(cache), len(texts))
        if settings.compile:
            model.ecg_encoder.compile()
        self.pairs = PairEncoder(model, tokens, cache)
        self.objective = Objective(settings.loss, settings.mitigation)
        optimizer = torch.optim.AdamW(parameter_groups(model, settings), fused=True)
        self.wrapped, self.optimizer = self.accelerator.prepare(self.pairs, optimizer)
        self.steps_per_epoch = train.steps(self.batch_size, self.processes)
        self.position = Position()
        self.history: list[dict] = []
        self.throughput: list[dict] = []  # measured, so other than the history it differs from run to run

    @property
    def batch_size(self) -> int:
        """ECGs of a batch in this process."""
        return max(1, self.settings.batch_size // self.settings.processes)

    def _identity(self) -> str:
        stores, banks = (self.train_store, self.validation_store), (self.bank, self.validation_bank)
        return training_identity(self.settings, self.precision, self.model, stores, banks, __name__)

    def fit(self) -> list[dict]:
        """Train for the epochs that remain; leave the selected epoch's weights in ``model``.

        Returns
        -------
        list of dict
            One row per epoch, see ``TRAINING_COLUMNS`` of the stage.

        Raises
        ------
        Interrupted
            After SIGTERM or SIGINT, when the running step and a checkpoint are done.
        """
        self._resume()
        epochs, is_main = self.settings.epochs, self.accelerator.is_main_process
        log = TrainingLog(self.metrics if is_main else None, self.position.steps, self.settings.tensorboard)
        with noted_stop_signals() as stop, closing(log), self._bar() as bar:
            while self.position.epoch < epochs:
                self._epoch(stop, log, bar)
                self._finish_epoch(log)
        self._take_selected()
        return self.history

    def _bar(self) -> tqdm:
        """Progress in ECGs over all epochs, with rate and remaining time; none without a terminal."""
        ecgs = len(self.train_store)
        done = self.position.epoch * ecgs + self.position.batches * ecgs // self.steps_per_epoch
        silent = None if self.accelerator.is_main_process else True
        total = ecgs * self.settings.epochs
        return tqdm(total=total, initial=done, unit="ECG", unit_scale=True, mininterval=0.5, disable=silent)

    def batches(self) -> Iterator[Batch]:
        """Yield what remains of the epoch."""
        s, epoch, first = self.settings, self.position.epoch, self.position.batches
        signals = self.train_store.shuffled(self.batch_size, [s.seed, epoch], first, self.rank, self.processes)
        for number, (places, values) in enumerate(signals, start=first):
            rng = np.random.default_rng([s.seed, 1, epoch, number, self.rank])
            texts = self._texts(self.bank, places, rng)
            rng = np.random.default_rng([s.seed, 4, epoch, number, self.rank])
            yield Batch(number, places, *augmented(values, s.augmentation, rng), texts)

    def _texts(self, bank: TextBank, places: np.ndarray, rng: np.random.Generator) -> TextBatch:
        s = self.settings
        return bank.batch(s.text_unit, places, s.statements_per_ecg, s.features_per_ecg, rng)

    def _epoch(self, stop: StopRequest, log: TrainingLog, bar: tqdm) -> None:
        position, saved, speed = self.position, time.monotonic(), Speed()
        self.wrapped.train()
        bar.set_description(f"epoch {position.epoch + 1}/{self.settings.epochs}")
        with closing(Prefetched(self.batches())) as prefetched:
            batches = iter(prefetched)
            while group := list(islice(batches, self.settings.accumulate)):
                step = self.step(group)
                ecgs = sum(len(batch.places) for batch in group) * self.processes
                bar.update(min(ecgs, bar.total - bar.n))
                speed.count(ecgs, prefetched.waited)
                if (position.steps - 1) % self.settings.log_every == 0:
                    log.step({**self._state(), **step, **speed.since_last()})
                if self._asked_to_stop(stop):
                    self._save()
                    self.accelerator.wait_for_everyone()
                    at = f"epoch {position.epoch + 1} after {position.batches} of {self.steps_per_epoch} batches"
                    raise Interrupted(
                        stop.number,
                        f"stopped in {at}, as asked; the same command continues from {self.checkpoints.path}",
                    )
                if time.monotonic() - saved > self.settings.checkpoint_seconds:
                    self._save()
                    saved = time.monotonic()
        rates = speed.in_all()
        self.throughput.append({"epoch": position.epoch + 1, **rates})
        waited = 100 * rates["waiting_share"]
        LOG.info(
            "epoch %d: %.0f ECG/s, %.1f %% of the time waiting for data", position.epoch + 1, rates["ecg_per_s"], waited
        )

    def step(self, group: list[Batch]) -> dict:
        """One step of the optimizer on the mean gradient of some batches."""
        s, position = self.settings, self.position
        done = (position.epoch + group[0].number / self.steps_per_epoch) / s.epochs
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = parameters["base_lr"] * cosine_with_warmup(done, s.warmup)
        self.optimizer.zero_grad()
        total = torch.zeros((), device=self.device)
        for batch in group:
            seed = np.random.SeedSequence([s.seed, 3, position.epoch, batch.number, self.rank])
            torch.manual_seed(int(seed.generate_state(1, np.uint64)[0] >> 1))
            is_last = batch is group[-1]
            with nullcontext() if is_last else self.accelerator.no_sync(self.wrapped):
                loss = self.loss(batch.texts, batch.signals, batch.present)
                self.accelerator.backward(loss / len(group))
            total += loss.detach()
        norm = self.accelerator.clip_grad_norm_(self.pairs.parameters(), s.gradient_clip)
        loss_sum, gradient_norm = torch.stack([total, norm.to(total)]).tolist()
        self._check_finite(loss_sum / len(group), gradient_norm, group)
        self.optimizer.step()
        self.model.clamp_temperature()
        position.batches += len(group)
        position.loss_sum += loss_sum
        position.steps += 1
        return {"loss": loss_sum / len(group), "gradient_norm": gradient_norm}

    def _state(self) -> dict:
        """Where the training is, and what it has set and learned."""
        now = {"step": self.position.steps, "epoch": self.position.epoch + 1, **self._scale()}
        for parameters in self.optimizer.param_groups:
            if parameters["side"] in {"ecg", "text"}:
                now[f"{parameters['side']}_learning_rate"] = parameters["lr"]
        return now

    def _scale(self) -> dict:
        return {"temperature": self.model.temperature.item(), "bias": self.model.bias.item()}

    def loss(self, batch: TextBatch, signals: Tensor, present: Tensor | None = None) -> Tensor:
        """Loss of a batch, of which this process has the ECGs ``signals``; the same in every process.

        ``present`` tells which of their leads are there, see ``FGCLEP.encode_ecg``.
        """
        batch = union_of_texts(batch, self.device)
        mine, texts = share_of(len(batch)), batch.texts
        with self.accelerator.autocast(), text_precision(self.device):
            prepared = self.pairs.prepared([batch.keys[i] for i in mine], [texts[i] for i in mine])
        present = None if present is None else present.to(self.device)
        ecgs, encoded = self.wrapped(signals.to(self.device, non_blocking=True), prepared, present)
        logits = Logits(self.model.align, self.model.temperature, self.model.bias)
        return contrastive_loss(self.objective, ecgs, gather_rows(encoded)[: len(batch)], batch, logits)

    def _check_finite(self, loss: float, gradient_norm: float, group: list[Batch]) -> None:
        """Stop before a step that would spoil the weights, and leave the last checkpoint as it is.

        In fp16 the gradient overflows now and then; such a step is left out by the gradient scaler.
        """
        if np.isfinite(loss) and (np.isfinite(gradient_norm) or self.precision == "fp16"):
            return
        names = [name for batch in group for name in self.train_store.names(batch.places)]
        what = f"the loss is {loss}" if not np.isfinite(loss) else f"the norm of the gradient is {gradient_norm}"
        raise UserError(
            f"{what} in epoch {self.position.epoch + 1} for the records {', '.join(gather_object(names))}; "
            f"{self.checkpoints.path} is of before. Look at these records, or set a lower "
            "pretraining: {learning_rate: ...}; a changed setting starts anew"
        )

    def _asked_to_stop(self, stop: StopRequest) -> bool:
        """Whether any process has been asked to; then all stop after the same step."""
        if self.processes > 1:
            number = torch.tensor(stop.number, device=self.device)
            torch.distributed.all_reduce(number, torch.distributed.ReduceOp.MAX)
            agreed = int(number.item())
            if agreed:  # a signal that came meanwhile must not be forgotten; all know of it the next time
                stop.number = agreed
            return agreed > 0
        return stop.number > 0

    def _finish_epoch(self, log: TrainingLog) -> None:
        position = self.position
        recall, auroc = self.validation_ranks()
        row = {
            "epoch": position.epoch + 1,
            "train_loss": position.loss_sum / self.steps_per_epoch,
            "validation_loss": self.validation_loss(),
            "validation_recall": recall,
            "validation_auroc": auroc,
            **self._scale(),
        }
        LOG.info(
            "epoch %(epoch)d: loss %(train_loss).4f, validation: loss %(validation_loss)s, "
            f"mean recall at {RECALL_AT} %(validation_recall)s, mean AUROC of texts %(validation_auroc)s",
            row,
        )
        log.epoch(row, position.steps)
        self.history.append(row)
        self.position = Position(epoch=position.epoch + 1, steps=position.steps)
        selected = self.selected_epoch()
        if self.accelerator.is_main_process:
            if selected == row["epoch"] < self.settings.epochs:
                self.checkpoints.save_weights(self.model.state_dict(), selected, self.identity)
            self._save()
            self.checkpoints.keep_only(selected)

    @torch.inference_mode()
    def validation_loss(self) -> float | None:
        """Mean loss on the held-out patients, with the same texts every time; ``None`` without such patients."""
        if not len(self.validation_store):
            return None
        s = self.settings
        self.wrapped.eval()
        total = 0.0
        for places, signals in self.validation_store.in_order(s.batch_size):
            rng = np.random.default_rng([s.seed, 2, int(places[0])])
            mine = slice(self.rank, None, self.processes) if len(places) >= self.processes else slice(None)
            texts = self._texts(self.validation_bank, places[mine], rng)
            total += self.loss(texts, signals[mine]).item() * len(places)
        return total / len(self.validation_store)

    @torch.inference_mode()
    def validation_ranks(self) -> tuple[float | None, float | None]:
        """How well the first ``retrieval_records`` held-out ECGs are ranked, whatever the loss and the unit of text.

        Returns
        -------
        recall, auroc
            Mean of both directions' recall at ``RECALL_AT``, where an ECG and its whole report look for each other and
            equal reports are one; and the mean over the texts of the AUROC with which a text tells the ECGs that have
            it from those that are known not to (``text_auroc``). ``None`` without such ECGs.
        """
        wanted = min(self.settings.retrieval_records, len(self.validation_store))
        if not wanted:
            return None, None
        self.wrapped.eval()
        found, embedded = [], []
        with self.accelerator.autocast():
            for some, signals in self.validation_store.in_order(self.settings.batch_size):
                found.append(some)
                embedded.append(self.model.encode_ecg(signals.to(self.device)).float())
                if sum(map(len, found)) >= wanted:
                    break
        places, ecgs = np.concatenate(found)[:wanted], torch.cat(embedded)[:wanted]
        bank, rng = self.validation_bank, np.random.default_rng(0)
        reports = bank.batch("report", places, 1, 1, rng)
        assert isinstance(reports, ReportBatch)
        everything = int(bank.records.lengths.max())
        texts = bank.batch("statement", places, everything, everything, rng)
        targets, known = texts.targets(slice(None), slice(None))
        recall = np.mean(recall_at_k(self._cosines(ecgs, reports), reports.column, RECALL_AT))
        return float(recall), text_auroc(self._cosines(ecgs, texts), targets > 0, known > 0)

    def _cosines(self, ecgs: Tensor, texts: TextBatch) -> np.ndarray:
        with self.accelerator.autocast(), text_precision(self.device):
            encoded = self.model.embed_texts(texts.texts).to(self.device)
        return torch.cat([self.model.align(part, encoded) for part in ecgs.split(64)]).float().cpu().numpy()

    def selected_epoch(self) -> int:
        """Return the number of the epoch, from 1, that ``select_by`` prefers so far; the last of equals."""
        column = SELECT_BY.get(self.settings.select_by)
        values: list[float] = [row[column] for row in self.history if row[column] is not None] if column else []
        if len(values) < len(self.history) or not values:
            return len(self.history)
        best = min(values) if column == "validation_loss" else max(values)
        return max(number for number, value in enumerate(values, start=1) if value == best)

    def _take_selected(self) -> None:
        selected = self.selected_epoch()
        if self.accelerator.is_main_process and selected < len(self.history):
            self.model.load_state_dict(self.checkpoints.load_weights(selected, self.identity))
        LOG.info("the weights of epoch %d are kept (select_by: %s)", selected, self.settings.select_by)

    def _save(self) -> None:
        if not self.accelerator.is_main_process:
            return
        scaler = self.accelerator.scaler
        state = {
            "identity": self.identity,
            "processor": processor(self.device),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": scaler.state_dict() if scaler is not None else {},
            "position": vars(self.position),
            "history": self.history,
            "throughput": self.throughput,
        }
        self.checkpoints.save(state)

    def _resume(self) -> None:
        state = self.checkpoints.load()
        self.accelerator.wait_for_everyone()
        if state is None:
            return
        here, begun = processor(self.device), state["processor"]
        if state["identity"] != self.identity:
            self._check_precision(state["identity"], begun)
            LOG.info("%s is of a run with other data, settings or code: starting anew", self.checkpoints.path)
            return
        if here != begun:
            LOG.warning("begun on %s and continued on %s: the last digits are those of neither alone", begun, here)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.position = Position(**state["position"])
        self.history, self.throughput = state["history"], state["throughput"]
        LOG.info("resuming in epoch %d after %d batches", self.position.epoch + 1, self.position.batches)

    def _check_precision(self, identity: str, begun: str) -> None:
        """Stop before a training is lost that differs from this one only in what ``auto`` has found elsewhere."""
        theirs, _, rest = identity.partition(" ")
        if self.settings.precision == "auto" and rest == self.identity.partition(" ")[2]:
            raise UserError(
                f"{self.checkpoints.path} was begun in {theirs} on {begun}, and pretraining.precision auto is "
                f"{self.precision} on {processor(self.device)}. To go on from it, write\n\n    pretraining:\n"
                f"      precision: {theirs}\n\nor delete it, and the training starts anew"
            )
