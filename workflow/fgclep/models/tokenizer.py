"""The tokenizer of a model: one of the library ``tokenizers`` with a limit, saved as Hugging Face does.

``transformers`` has the same around the same library, and takes seconds to be imported.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tokenizers import Tokenizer

_UNLIMITED = 10**30  # as transformers takes a tokenizer that says nothing of its limit
_SPECIAL = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token", "bos_token", "eos_token")


class TextTokenizer:
    """Makes token ids of texts, of which those behind the limit are cut off.

    Parameters
    ----------
    backend_tokenizer
        Splits texts and knows the words.
    model_max_length
        Tokens of the longest text, with those at its ends.
    special_tokens
        Such as ``{"pad_token": "[PAD]"}``, by the names of Hugging Face.
    """

    def __init__(self, backend_tokenizer: Tokenizer, model_max_length: int, special_tokens: Mapping[str, str]):
        self.backend_tokenizer = backend_tokenizer
        self.backend_tokenizer.no_padding()
        self.model_max_length = model_max_length
        self.special_tokens = dict(special_tokens)

    @classmethod
    def of(cls, tokenizer: Any) -> Self:
        """Take what a fast tokenizer of transformers has."""
        special = {name: str(value) for name in _SPECIAL if (value := getattr(tokenizer, name, None)) is not None}
        return cls(Tokenizer.from_str(tokenizer.backend_tokenizer.to_str()), tokenizer.model_max_length, special)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Read ``tokenizer.json`` and ``tokenizer_config.json``.

        Raises
        ------
        OSError, ValueError
            If a file is missing, or damaged.
        """
        text = (Path(folder) / "tokenizer.json").read_text(encoding="utf-8")
        values = json.loads((Path(folder) / "tokenizer_config.json").read_text(encoding="utf-8"))
        json.loads(text)  # whose error tells a damaged file from one of another kind
        given = {name: values[name] for name in _SPECIAL if values.get(name) is not None}
        special = {name: value if isinstance(value, str) else value["content"] for name, value in given.items()}
        return cls(Tokenizer.from_str(text), values.get("model_max_length", _UNLIMITED), special)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write ``tokenizer.json`` and ``tokenizer_config.json``, which transformers reads, too."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        self.backend_tokenizer.no_truncation()
        self.backend_tokenizer.save(str(Path(folder) / "tokenizer.json"))
        values = {
            **self.special_tokens, "model_max_length": self.model_max_length, "padding_side": "right",
            "tokenizer_class": "PreTrainedTokenizerFast",
        }  # fmt: skip
        text = json.dumps(values, indent=2, sort_keys=True) + "\n"
        (Path(folder) / "tokenizer_config.json").write_text(text, encoding="utf-8")

    def __len__(self) -> int:
        """Number of words, special tokens included."""
        return self.backend_tokenizer.get_vocab_size(with_added_tokens=True)

    def get_vocab(self) -> dict[str, int]:
        """Return the number of every word."""
        return self.backend_tokenizer.get_vocab(with_added_tokens=True)

    @property
    def unk_token(self) -> str | None:
        """The token of what is not known."""
        return self.special_tokens.get("unk_token")

    @property
    def pad_token_id(self) -> int | None:
        """The number that fills up short texts; ``None`` if there is none."""
        token = self.special_tokens.get("pad_token")
        return None if token is None else self.backend_tokenizer.token_to_id(token)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of every text; what is longer than the limit is cut."""
        if self.model_max_length < _UNLIMITED:
            self.backend_tokenizer.enable_truncation(self.model_max_length)
        return [encoded.ids for encoded in self.backend_tokenizer.encode_batch(list(texts))]

    def words(self, text: str) -> list[tuple[int | None, str]]:
        """Return the tokens of a text, however long, each with the number of the word that it is of."""
        self.backend_tokenizer.no_truncation()
        encoded = self.backend_tokenizer.encode(text, add_special_tokens=False)
        return list(zip(encoded.word_ids, encoded.tokens, strict=True))
