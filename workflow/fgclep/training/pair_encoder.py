"""Embeddings of ECGs and texts in one forward pass: the module that precision and processes are wrapped around."""

from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fgclep.models.fgclep import FGCLEP
from fgclep.models.text import groups_of_like_length, mean_over_tokens
from fgclep.training.text_batches import Key, TextBank
from fgclep.training.text_cache import TextCache
from fgclep.training.tokens import TokenCache


def texts_by_frequency(unit: str, banks: Iterable[TextBank]) -> dict[Key, str]:
    """Return the distinct texts that records are compared with, by the config's ``text_unit``, most frequent first."""
    counts: Counter[Key] = Counter()
    texts: list[str] = []
    for bank in banks:
        texts = bank.texts
        records = bank.records
        if unit == "report":
            counts.update(tuple(records[place].tolist()) for place in range(len(records)))
        else:
            counts.update((text,) for text in records.values.tolist())
    return {key: ". ".join(texts[text] for text in key) for key in sorted(counts, key=lambda key: (-counts[key], key))}


def text_precision(device: torch.device) -> AbstractContextManager:
    """Keep texts in fp32 on a CPU, whatever the precision of the ECG encoder.

    The numbers of texts and tokens are new in every step, and the kernels that oneDNN makes of bf16 for each take more
    time than they save, and a gigabyte of memory.
    """
    return torch.autocast(device.type, enabled=False) if device.type == "cpu" else nullcontext()


class TextGroup(NamedTuple):
    """Texts of like length: their positions in the batch, tokens or the frozen layers' states, and the tokens' mask."""

    rows: list[int]
    values: Tensor
    mask: Tensor


class PairEncoder(nn.Module):
    """A model with the cache of its frozen text layers, if it has such.

    Parameters
    ----------
    model
        Trained in place, on the device where it runs.
    tokens
        Its tokenizer.
    cache
        ``None`` if all text layers are trained.
    """

    def __init__(self, model: FGCLEP, tokens: TokenCache, cache: TextCache | None):
        super().__init__()
        self.model, self.tokens, self.cache = model, tokens, cache

    def prepared(self, keys: list[Key], texts: list[str]) -> list[TextGroup]:
        """Return what ``forward`` takes of texts, in groups of like length."""
        if self.cache is not None and self.cache.upper is None:
            groups = [list(range(len(keys)))]
        else:
            groups = groups_of_like_length([len(ids) for ids in self.tokens.ids(texts)])
        return [TextGroup(rows, *self._prepared([keys[i] for i in rows], [texts[i] for i in rows])) for rows in groups]

    def _prepared(self, keys: list[Key], texts: list[str]) -> tuple[Tensor, Tensor]:
        if self.cache is not None:
            return self.cache.frozen(keys)
        ids, mask = self.tokens(texts)
        return ids.to(self.model.device, non_blocking=True), mask.to(self.model.device, non_blocking=True)

    def _pooled(self, values: Tensor, mask: Tensor) -> Tensor:
        if self.cache is not None:
            return self.cache.pooled(values, mask)
        hidden = self.model.text_encoder(input_ids=values, attention_mask=mask).last_hidden_state
        return mean_over_tokens(hidden, mask)

    def forward(self, signals: Tensor, texts: list[TextGroup], present: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Embeddings of signals (batch, 12, samples) and of prepared texts, as ``FGCLEP.forward``.

        ``present`` tells which leads are there, as ``FGCLEP.encode_ecg`` takes it.
        """
        place = np.argsort([row for group in texts for row in group.rows])
        with text_precision(signals.device):
            pooled = torch.cat([self._pooled(group.values, group.mask) for group in texts])
            projected = self.model.text_projection(pooled[torch.from_numpy(place).to(pooled.device)])
        return self.model.encode_ecg(signals, present), F.normalize(projected.to(torch.float32), dim=-1)
