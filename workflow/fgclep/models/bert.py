"""BERT (Devlin et al. 2019), with the names of weights and the numbers of ``BertModel`` in transformers.

Written down here because importing transformers takes longer than most of what is done with a small text encoder.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, Self

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass
class BertConfig:
    """Sizes of a BERT, by the names and with the defaults of transformers."""

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int | None = 0

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Take what is there of a configuration of transformers."""
        return cls(**{field.name: values[field.name] for field in fields(cls) if field.name in values})

    def to_dict(self) -> dict[str, Any]:
        """Return a configuration as transformers reads it."""
        return {"model_type": "bert", "hidden_act": "gelu", **asdict(self)}


def is_bert(values: Mapping[str, Any]) -> bool:
    """Whether a configuration of transformers is that of a model of this module."""
    return values.get("model_type") == "bert" and values.get("hidden_act", "gelu") == "gelu"


class _Table(nn.Embedding):
    """An embedding that draws no weights on the device ``meta``, where PyTorch imports its compiler to do so."""

    def reset_parameters(self) -> None:
        if not self.weight.is_meta:
            super().reset_parameters()


class _Embeddings(nn.Module):
    def __init__(self, config: BertConfig):
        super().__init__()
        self.word_embeddings = _Table(config.vocab_size, config.hidden_size, padding_idx=config.pad_token_id)
        self.position_embeddings = _Table(config.max_position_embeddings, config.hidden_size)
        self.token_type_embeddings = _Table(config.type_vocab_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, input_ids: Tensor) -> Tensor:
        place = torch.arange(input_ids.shape[1], device=input_ids.device)[None]
        of_type = self.token_type_embeddings(torch.zeros_like(input_ids))  # all texts are single ones
        return self.dropout(self.LayerNorm(self.word_embeddings(input_ids) + of_type + self.position_embeddings(place)))


class _SelfAttention(nn.Module):
    def __init__(self, config: BertConfig):
        super().__init__()
        if config.hidden_size % config.num_attention_heads:
            raise ValueError(
                f"hidden_size {config.hidden_size} is no multiple of the number of attention heads "
                f"{config.num_attention_heads}"
            )
        self.query, self.key, self.value = (nn.Linear(config.hidden_size, config.hidden_size) for _ in range(3))
        self.heads, self.dropout = config.num_attention_heads, nn.Dropout(config.attention_probs_dropout_prob)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        query, key, value = (
            part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        dropout = self.dropout.p if self.training else 0.0
        found = F.scaled_dot_product_attention(query, key, value, mask, dropout)
        return found.transpose(1, 2).flatten(2)


class _Output(nn.Module):
    """Linear layer and dropout beside a shortcut, normalized."""

    def __init__(self, config: BertConfig, inputs: int):
        super().__init__()
        self.dense = nn.Linear(inputs, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, x: Tensor, shortcut: Tensor) -> Tensor:
        return self.LayerNorm(self.dropout(self.dense(x)) + shortcut)


class _Dense(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.dense = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.dense(x))


class _Attention(nn.Module):
    def __init__(self, config: BertConfig):
        super().__init__()
        self.self = _SelfAttention(config)
        self.output = _Output(config, config.hidden_size)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.output(self.self(x, mask), x)


class _Layer(nn.Module):
    def __init__(self, config: BertConfig):
        super().__init__()
        self.attention = _Attention(config)
        self.intermediate = _Dense(config.hidden_size, config.intermediate_size)
        self.output = _Output(config, config.intermediate_size)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        attended = self.attention(x, mask)
        return self.output(self.intermediate(attended), attended)


class _Encoder(nn.Module):
    def __init__(self, config: BertConfig):
        super().__init__()
        self.layer = nn.ModuleList([_Layer(config) for _ in range(config.num_hidden_layers)])

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        for layer in self.layer:
            x = layer(x, mask)
        return x


class States(NamedTuple):
    """Hidden states behind the last layer, (texts, tokens, width); the name is that of transformers."""

    last_hidden_state: Tensor


class Bert(nn.Module):
    """A BERT with new weights.

    Its pooling of the first token has weights in the files of transformers, and here, but is of no use: nobody asks
    for it.

    Parameters
    ----------
    config
        Its sizes.
    """

    def __init__(self, config: BertConfig):
        super().__init__()
        self.config = config
        self.embeddings = _Embeddings(config)
        self.encoder = _Encoder(config)
        self.pooler = _Dense(config.hidden_size, config.hidden_size)
        self.apply(self._initialize)

    @torch.no_grad()
    def _initialize(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding) and not module.weight.is_meta:
            module.weight.normal_(0.0, self.config.initializer_range)
        if isinstance(module, nn.Linear):
            module.bias.zero_()
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            module.weight[module.padding_idx].zero_()

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, inputs_embeds: Tensor | None = None
    ) -> States:
        """Encode token ids, int64 (texts, tokens), or in their place what ``embeddings`` takes; 1 in the mask: a token.

        ``attention_mask`` is needed, (texts, tokens).
        """
        assert attention_mask is not None
        hidden = self.embeddings(input_ids if inputs_embeds is None else inputs_embeds)
        mask = attention_mask[:, None, None].bool().expand(-1, -1, attention_mask.shape[1], -1)
        return States(self.encoder(hidden, mask))

    def get_input_embeddings(self) -> nn.Embedding:
        """Return the table of words."""
        return self.embeddings.word_embeddings

    @torch.no_grad()
    def resize_token_embeddings(self, rows: int) -> None:
        """Give the table of words ``rows`` rows, the first with their weights, further ones with new ones."""
        old, self.config.vocab_size = self.get_input_embeddings(), rows
        table = _Table(rows, self.config.hidden_size, old.padding_idx, device=old.weight.device)
        self._initialize(table)
        table.weight[: len(old.weight)] = old.weight[:rows]
        self.embeddings.word_embeddings = table

    def save_pretrained(self, folder: str | Path) -> None:
        """Write configuration and safetensors weights, as transformers reads them."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        dtype = str(next(self.parameters()).dtype).removeprefix("torch.")
        values = {**self.config.to_dict(), "architectures": ["BertModel"], "dtype": dtype}
        (Path(folder) / "config.json").write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        weights = {name: value.contiguous() for name, value in self.state_dict().items()}
        save_file(weights, Path(folder) / "model.safetensors", {"format": "pt"})
