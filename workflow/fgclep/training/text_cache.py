"""A text encoder of which the frozen lower layers run once per distinct text, not once per step."""

import copy
from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from fgclep.models.text import mean_over_tokens
from fgclep.training.text_batches import Key
from fgclep.training.tokens import TokenCache

TEXTS_PER_RUN = 64  # texts that the frozen layers take at once


class _AsGiven(nn.Module):
    """In the place of an encoder's embeddings: hidden states that were computed before."""

    def forward(self, inputs_embeds: Tensor, **_: object) -> Tensor:
        return inputs_embeds


def _with_parts(module: nn.Module, **parts: nn.Module | None) -> nn.Module:
    """Return a module with the same weights but some other parts, as a second view; ``module`` stays as it is."""
    view = copy.copy(module)
    view._modules = {**module._modules, **parts}
    return view


def split_encoder(encoder: nn.Module, trained_layers: int) -> tuple[nn.Module, nn.Module | None]:
    """Divide a BERT-like encoder into its frozen layers and the last ``trained_layers``, which share its weights.

    Returns
    -------
    lower, upper
        ``lower(input_ids=..., attention_mask=...)`` and ``upper(inputs_embeds=lower's states, attention_mask=...)``,
        both with ``last_hidden_state``; ``upper`` is ``None`` if all layers are frozen.

    Raises
    ------
    ValueError
        For more trained layers than there are.
    """
    stack = encoder.get_submodule("encoder")
    layers = list(stack.get_submodule("layer").children())
    below = len(layers) - trained_layers
    if below < 0:
        raise ValueError(f"trained_layers is {trained_layers}, the text encoder has only {len(layers)}")
    unused = {"pooler": None} if "pooler" in encoder._modules else {}

    def part(some: list[nn.Module], **parts: nn.Module) -> nn.Module:
        return _with_parts(encoder, encoder=_with_parts(stack, layer=nn.ModuleList(some)), **parts, **unused)

    if not trained_layers:
        return part(layers), None
    given = {name: nn.Identity() for name in ("embeddings_project",) if name in encoder._modules}
    return part(layers[:below]), part(layers[below:], embeddings=_AsGiven(), **given)


class TextCache:
    """Pooled features of texts, from a text encoder of which only the last layers are trained.

    The frozen layers run without dropout, on groups of texts of like length that never change. So what is kept of a
    text does not depend on when it was asked for, and an interrupted training continues with the same numbers. Texts
    beyond the limit of memory take the frozen layers in every step.

    Parameters
    ----------
    encoder
        A BERT-like encoder of transformers, with ``embeddings`` and ``encoder.layer``, on the device where it runs.
    tokens
        The encoder's tokenizer.
    trained_layers
        Last layers, which run in every step; with 0 the pooled features are kept, not the hidden states.
    texts
        Every text by its key, the most frequent first; those are kept.
    memory_mb
        Limit of what is kept, in MiB.
    dtype
        Kept numbers: float32, or bfloat16 for half of the memory.
    """

    def __init__(
        self,
        encoder: nn.Module,
        tokens: TokenCache,
        trained_layers: int,
        texts: Mapping[Key, str],
        memory_mb: float,
        dtype: torch.dtype = torch.float32,
    ):
        self.tokens = tokens
        self.texts = texts
        self.lower, self.upper = split_encoder(encoder, trained_layers)
        self.device = next(encoder.parameters()).device
        width = next(iter(encoder.get_submodule("encoder.layer").parameters())).shape[-1]
        keys, rows = self._fitting(int(memory_mb * 2**20 / (width * dtype.itemsize)))
        order = np.argsort(rows, kind="stable")
        self._groups = [
            [keys[number] for number in order[first : first + TEXTS_PER_RUN]]
            for first in range(0, len(keys), TEXTS_PER_RUN)
        ]
        self._group_of = {key: number for number, group in enumerate(self._groups) for key in group}
        self._filled = np.zeros(len(self._groups), dtype=bool)
        starts = np.cumsum([0, *rows])
        self._place = dict(zip(keys, zip(starts[:-1].tolist(), rows, strict=True), strict=True))
        self._states = torch.zeros(int(starts[-1]) + 1, width, dtype=dtype, device=self.device)  # the last is padding

    def __len__(self) -> int:
        """Number of texts that are kept."""
        return len(self._place)

    def _fitting(self, rows: int) -> tuple[list[Key], list[int]]:
        """Keys and numbers of kept states of the first texts, as many as fit into ``rows``."""
        keys: list[Key] = []
        counts: list[int] = []
        remaining = iter(self.texts)
        while some := list(islice(remaining, 1000)):
            for key, ids in zip(some, self.tokens.ids([self.texts[key] for key in some]), strict=True):
                count = len(ids) if self.upper is not None else 1
                rows -= count
                if rows < 0:
                    return keys, counts
                keys.append(key)
                counts.append(count)
        return keys, counts

    @torch.no_grad()
    def _run_frozen(self, keys: Sequence[Key]) -> tuple[Tensor, Tensor]:
        """What the frozen layers make of texts, (texts, tokens, width), and the mask of the tokens."""
        ids, mask = (part.to(self.device) for part in self.tokens([self.texts[key] for key in keys]))
        self.lower.eval()
        states = self.lower(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        return (states, mask) if self.upper is not None else (mean_over_tokens(states, mask)[:, None], mask[:, :1])

    def _fill(self, number: int) -> None:
        for key, states in zip(self._groups[number], self._run_frozen(self._groups[number])[0], strict=True):
            start, count = self._place[key]
            self._states[start : start + count] = states[:count]
        self._filled[number] = True

    def frozen(self, keys: Sequence[Key]) -> tuple[Tensor, Tensor]:
        """Return what the frozen layers make of texts, without gradient: the input of ``pooled``.

        Returns
        -------
        states, mask
            float32 (texts, tokens, width) and int64 (texts, tokens), padded to the longest of these texts; without
            trained layers the pooled features in place of a single token.
        """
        kept = [row for row, key in enumerate(keys) if key in self._place]
        others = [row for row, key in enumerate(keys) if key not in self._place]
        for number in sorted({self._group_of[keys[row]] for row in kept}):
            if not self._filled[number]:
                self._fill(number)
        computed, computed_mask = self._run_frozen([keys[row] for row in others]) if others else (None, None)

        places = [self._place.get(key, (0, 0)) for key in keys]
        starts, counts = (torch.tensor(part) for part in zip(*places, strict=True))
        longest = max(int(counts.max()), 0 if computed is None else computed.shape[1])
        token = torch.arange(longest)
        here = token < counts[:, None]
        index = torch.where(here, starts[:, None] + token, len(self._states) - 1)
        states = self._states[index.to(self.device)].float()
        mask = here.long().to(self.device)
        if computed is not None and computed_mask is not None:
            states[others, : computed.shape[1]] = computed
            mask[others, : computed.shape[1]] = computed_mask
        return states, mask

    def pooled(self, states: Tensor, mask: Tensor) -> Tensor:
        """Mean over the tokens, (texts, width), of what the trained layers make of the frozen layers' states."""
        if self.upper is None:
            return states[:, 0]
        return mean_over_tokens(self.upper(inputs_embeds=states, attention_mask=mask).last_hidden_state, mask)
