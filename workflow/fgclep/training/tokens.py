"""Tokens of texts that come again and again, each tokenized once."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from fgclep.models.text import padded
from fgclep.models.tokenizer import TextTokenizer


class TokenCache:
    """``models.text.tokenize`` with a memory."""

    def __init__(self, tokenizer: TextTokenizer):
        self.tokenizer = tokenizer
        self._ids: dict[str, np.ndarray] = {}

    def ids(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Token ids of every text; what is longer than the tokenizer's limit is cut."""
        new = [text for text in dict.fromkeys(texts) if text not in self._ids]
        if new:
            found = self.tokenizer.ids(new)
            self._ids.update((text, np.array(ids, dtype=np.int64)) for text, ids in zip(new, found, strict=True))
        return [self._ids[text] for text in texts]

    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return token ids and attention mask, both int64 of shape (texts, tokens), padded to the longest text."""
        return padded(self.ids(texts), self.tokenizer)
