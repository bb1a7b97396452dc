"""Text encoder: a pre-trained one by its Hugging Face name, or a small BERT trained from scratch on the corpus."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn

from fgclep.config.pretraining import TextEncoderSection
from fgclep.errors import UserError
from fgclep.models.bert import Bert, BertConfig, is_bert
from fgclep.models.saved import check_finite, check_names, check_parts, check_tokenizer
from fgclep.models.tokenizer import TextTokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SPECIAL_TOKENS = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}  # nosec B105
SHORTEST = 0.75  # of a group's longest text: at most a quarter of the group's tokens is padding
TOGETHER = 8192  # tokens of a group in training, with padding
EMBEDDED_TOGETHER = 2048  # no slower on a CPU, where what the layers hold of 8192 raises the peak by 60 MB or more


def train_tokenizer(corpus: Sequence[str], max_tokens: int, known: Mapping[str, int] | None = None) -> TextTokenizer:
    """Return a lower-case tokenizer that knows every word of the corpus and spells other words by characters.

    A WordPiece model whose vocabulary is the corpus's words and all printable ASCII characters. It is written down
    rather than trained, because the trainer of ``tokenizers`` gives another order on every run. ``known`` is the
    vocabulary of a tokenizer made by this function, of which every entry keeps its number.
    """
    normalizer, splitter = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    words = {word for text in corpus for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))}
    characters = [chr(code) for code in range(ord("!"), ord("~") + 1)]
    pieces = characters + ["##" + character for character in characters] + sorted(words.difference(characters))
    vocabulary = dict(known or {})
    for piece in (*SPECIAL_TOKENS.values(), *pieces):
        vocabulary.setdefault(piece, len(vocabulary))
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))  # nosec B106 # a token of text
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = splitter
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")]
    )
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS.values()))
    return TextTokenizer(tokenizer, max_tokens, SPECIAL_TOKENS)


def knows_whole_words(vocabulary: Mapping[str, int]) -> bool:
    """Whether a tokenizer's vocabulary is of the kind that ``train_tokenizer`` makes: parts of words are characters."""
    parts = [piece for piece in vocabulary if piece.startswith("##") and piece != "##"]
    return bool(parts) and all(len(piece) == 3 for piece in parts)


def splits_as_made(tokenizer: TextTokenizer) -> bool:
    """Whether a tokenizer of whole words splits texts as one of ``train_tokenizer``, and has its numbers of characters.

    One that has the words and not this gives other numbers to the same text, and says nothing.
    """
    known = tokenizer.get_vocab()
    made, found = (
        json.loads(each.backend_tokenizer.to_str())
        for each in (train_tokenizer((), tokenizer.model_max_length, known), tokenizer)
    )
    parts = ("normalizer", "pre_tokenizer", "post_processor", "model")
    return train_tokenizer((), 1).get_vocab().items() <= known.items() and all(made[x] == found[x] for x in parts)


def known_words(tokenizer: TextTokenizer, text: str) -> dict[str, bool]:
    """Return whether a tokenizer knows each word of a text, in the order of the text: punctuation is no word.

    A word that a tokenizer of whole words spells by characters is one that it does not know.
    """
    spells = knows_whole_words(tokenizer.get_vocab())
    known: dict[int, bool] = {}
    words: dict[int, str] = {}
    for word, piece in tokenizer.words(text):
        if word is not None and any(character.isalnum() for character in piece):
            is_known = piece != tokenizer.unk_token and not (spells and (word in known or len(piece) == 1))
            known[word] = is_known and known.get(word, True)
            words[word] = words.get(word, "") + piece.removeprefix("##")
    return {words[word]: is_known for word, is_known in known.items()}


def knows_no_word(tokenizer: TextTokenizer, text: str) -> bool:
    """Whether a tokenizer knows none of a text's words, so that nothing is learned of it."""
    return not any(known_words(tokenizer, text).values())


def new_text_tower(
    settings: TextEncoderSection, corpus: Sequence[str]
) -> tuple[dict[str, Any], TextTokenizer, nn.Module]:
    """Return configuration (as transformers writes it), tokenizer and encoder for ``pretraining.text_encoder``.

    Parameters
    ----------
    settings
        ``name`` is ``scratch`` or a Hugging Face name or folder; with ``scratch``, ``hidden_size``, ``layers`` and
        ``heads`` give the size. ``max_tokens`` is the longest text.
    corpus
        Texts whose words a tokenizer from scratch knows.

    Raises
    ------
    UserError
        If the weights are not in safetensors, or not to be had, or the encoder takes shorter texts only.
    """
    if settings.name != "scratch":
        tokenizer, encoder = load_encoder(settings.name, settings.max_tokens, "pretraining.text_encoder.name")
        if (takes := tokenizer.model_max_length) < settings.max_tokens:
            raise UserError(
                f"pretraining.text_encoder.max_tokens is {settings.max_tokens}, and {settings.name} takes up to {takes}"
                f". Write\n\n    pretraining:\n      text_encoder:\n        max_tokens: {takes}"
            )
        return encoder.config.to_dict(), tokenizer, encoder
    tokenizer = train_tokenizer(corpus, settings.max_tokens)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.hidden_size,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        intermediate_size=4 * settings.hidden_size,
        max_position_embeddings=settings.max_tokens,
        pad_token_id=tokenizer.pad_token_id,
    )
    return config.to_dict(), tokenizer, Bert(config)


def load_encoder(name: str, max_tokens: int, setting: str) -> "tuple[TextTokenizer, PreTrainedModel]":
    """Return tokenizer and encoder of a Hugging Face name or folder: no pickled weights, and no code from there.

    Parameters
    ----------
    name
        Of a BERT-like model.
    max_tokens
        Tokens of the longest text, or fewer where the encoder takes no more; what is longer is cut.
    setting
        The config key that gives the name, for the message.

    Raises
    ------
    UserError
        If there is no such model, its weights are not in safetensors, not all there or not finite, or its tokenizer is
        another one's.
    """
    # only here, because it takes longer than all that is done with a text encoder of this package
    from transformers import AutoModel, AutoTokenizer, PretrainedConfig

    try:  # the user names the model, and may name a folder where its revision matters
        found_tokenizer = AutoTokenizer.from_pretrained(  # nosec B615
            name, model_max_length=max_tokens, trust_remote_code=False
        )
        tokenizer = TextTokenizer.of(found_tokenizer)
        values, _ = PretrainedConfig.get_config_dict(name)
        check_parts(values, name)
        encoder, found = AutoModel.from_pretrained(  # nosec B615
            name, use_safetensors=True, trust_remote_code=False, output_loading_info=True, dtype=torch.float32
        )
    except UserError:
        raise
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(
            f"{setting} is {name}, of which no tokenizer and weights in safetensors can be read ({reason}). Get it "
            f"where there is a network, such as `hf download {name} --local-dir FOLDER`; if its weights have another "
            "format, load and save them once with transformers (save_pretrained); then name the folder"
        ) from error
    longest = getattr(encoder.config, "max_position_embeddings", None)
    tokenizer.model_max_length = max_tokens if longest is None else min(max_tokens, longest)
    # BERT's own pooling is not used; what more a checkpoint has, such as a head, is not of the encoder
    check_names([weights for weights in found["missing_keys"] if "pooler." not in weights], (), name)
    check_finite(encoder.state_dict(), name)
    check_tokenizer(tokenizer, encoder, knows_whole_words(tokenizer.get_vocab()), name)
    return tokenizer, encoder


def text_encoder_of(values: Mapping[str, Any]) -> nn.Module:
    """Make a text encoder, with new weights in float32, of the configuration that ``FGCLEPConfig`` stores."""
    values = {name: value for name, value in values.items() if name not in ("dtype", "torch_dtype")}
    if is_bert(values):
        return Bert(BertConfig.from_dict(values))
    from transformers import AutoConfig, AutoModel

    return AutoModel.from_config(AutoConfig.for_model(values.pop("model_type"), **values))


def freeze_text_layers(encoder: nn.Module, trained_layers: int | str) -> None:
    """Leave ``all`` layers trainable, none (0), or the last ``n`` transformer layers.

    Raises ``UserError`` if it has fewer.
    """
    if trained_layers == "all":
        return
    encoder.requires_grad_(False)
    layers = list(encoder.get_submodule("encoder.layer").children())
    trained = int(trained_layers)
    if trained > len(layers):
        raise UserError(
            f"pretraining.text_encoder.trained_layers is {trained}, and the text encoder has {len(layers)}. Write\n\n"
            "    pretraining:\n      text_encoder:\n        trained_layers: all"
        )
    for layer in layers[len(layers) - trained :]:
        layer.requires_grad_(True)


def mean_over_tokens(hidden: Tensor, mask: Tensor) -> Tensor:
    """Mean of hidden states (batch, tokens, width) over the tokens that are no padding."""
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1).clamp_min(1)


def tokenize(tokenizer: TextTokenizer, texts: Sequence[str]) -> dict[str, Tensor]:
    """Tokenize texts, padded to the longest of them; longer than the tokenizer's limit is cut."""
    ids, mask = padded(tokenizer.ids(texts), tokenizer)
    return {"input_ids": ids, "attention_mask": mask}


def padded(rows: Sequence[Sequence[int] | np.ndarray], tokenizer: TextTokenizer) -> tuple[Tensor, Tensor]:
    """Return token ids and attention mask, both int64 of shape (texts, tokens), filled up to the longest text."""
    assert tokenizer.pad_token_id is not None
    ids = np.full((len(rows), max(map(len, rows))), tokenizer.pad_token_id, dtype=np.int64)
    mask = np.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = 1
    return torch.from_numpy(ids), torch.from_numpy(mask)


def groups_of_like_length(lengths: Sequence[int], together: int = TOGETHER) -> list[list[int]]:
    """Divide texts by their numbers of tokens, for an encoder that takes a group at a time.

    Return the positions of each group's texts, the longest group first. A group of more than one text has at most
    ``together`` tokens with its padding.

    >>> groups_of_like_length([4, 12, 5, 10])
    [[1, 3], [2, 0]]
    """
    groups: list[list[int]] = []
    for position in sorted(range(len(lengths)), key=lambda position: -lengths[position]):
        longest = lengths[groups[-1][0]] if groups else 0
        if not groups or lengths[position] < SHORTEST * longest or (len(groups[-1]) + 1) * longest > together:
            groups.append([])
        groups[-1].append(position)
    return groups
