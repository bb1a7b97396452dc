"""Embeddings of ECGs and texts in one forward pass: the module that precision and processes are wrapped around."""

from collections import Counter
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fgclep.models.fgclep import FGCLEP
from fgclep.models.text_cache import TextCache
from fgclep.models.tokens import TokenCache
from fgclep.texts import Key, TextBank


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

    def prepared(self, keys: list[Key], texts: list[str]) -> tuple[Tensor, Tensor]:
        """Return what ``forward`` takes of texts: tokens or the frozen layers' states, and their mask."""
        if self.cache is not None:
            return self.cache.frozen(keys)
        ids, mask = self.tokens(texts)
        return ids.to(self.model.device, non_blocking=True), mask.to(self.model.device, non_blocking=True)

    def forward(self, signals: Tensor, texts: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings of signals (batch, 12, samples) and of prepared texts, as ``FGCLEP.forward``."""
        if self.cache is None:
            return self.model(signals, texts, mask)
        projected = self.model.text_projection(self.cache.pooled(texts, mask))
        return self.model.encode_ecg(signals), F.normalize(projected.to(torch.float32), dim=-1)
