"""The text encoder and tokenizer of this package are, to the last bit and in their files, those of transformers."""

import pytest
import torch
from training_data import TEXTS
from transformers import AutoModel, AutoTokenizer
from transformers import BertConfig as TheirConfig

from fgclep.models.bert import Bert, BertConfig
from fgclep.models.text import text_encoder_of, train_tokenizer
from fgclep.models.tokenizer import TextTokenizer

SIZES = {
    "vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 12, "pad_token_id": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def pair():
    """Theirs and ours, made with the same random numbers."""
    made = []
    for make in (lambda: AutoModel.from_config(TheirConfig(**SIZES)), lambda: Bert(BertConfig(**SIZES))):
        torch.manual_seed(0)
        made.append(make())
    return made


def test_new_weights_are_the_same(pair):
    theirs, ours = (model.state_dict() for model in pair)
    assert list(theirs) == list(ours)
    assert all(torch.equal(theirs[name], ours[name]) for name in theirs)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_states_gradients_and_dropout_are_the_same(pair, training, padded):
    ids, mask = torch.randint(1, 50, (3, 9), generator=torch.Generator().manual_seed(0)), torch.ones(3, 9).long()
    if padded:
        mask[1, 4:] = 0
    found = []
    for model in pair:
        model.train(training).zero_grad()
        torch.manual_seed(1)
        states = model(input_ids=ids, attention_mask=mask).last_hidden_state
        states.pow(3).sum().backward()
        gradients = [weights.grad for weights in model.parameters() if weights.grad is not None]
        found.append([states.detach(), *gradients])
    assert all(torch.equal(theirs, ours) for theirs, ours in zip(*found, strict=True))


def test_what_is_saved_is_read_by_transformers_and_back(pair, tmp_path):
    pair[1].save_pretrained(tmp_path)
    tokenizer = train_tokenizer(TEXTS, 12)
    tokenizer.save_pretrained(tmp_path)
    theirs, found = AutoModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not found["missing_keys"] and not found["unexpected_keys"]
    ours = pair[1].state_dict()
    assert all(torch.equal(weights, ours[name]) for name, weights in theirs.state_dict().items())
    assert isinstance(text_encoder_of(theirs.config.to_dict()), Bert)
    their_tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    texts = [*TEXTS, "Slow, fast x", "waves " * 20]
    assert their_tokenizer(texts, truncation=True)["input_ids"] == tokenizer.ids(texts)
    assert TextTokenizer.from_pretrained(tmp_path).ids(texts) == tokenizer.ids(texts)
    again = TextTokenizer.of(their_tokenizer)
    assert again.ids(texts) == tokenizer.ids(texts) and again.pad_token_id == tokenizer.pad_token_id == 0
    assert len(again) == len(tokenizer) and again.model_max_length == 12


def test_another_activation_is_left_to_transformers():
    other = text_encoder_of({"model_type": "bert", **SIZES, "hidden_act": "relu"})
    assert type(other).__module__.startswith("transformers.")
