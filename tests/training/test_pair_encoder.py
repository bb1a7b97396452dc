"""Texts in groups of like length, cached or not, get the embeddings that the model itself gives them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from training_data import SETTINGS, made_model

from fgclep.models.text import groups_of_like_length, tokenize
from fgclep.training.pair_encoder import PairEncoder, texts_by_frequency
from fgclep.training.text_batches import TextBank
from fgclep.training.text_cache import TextCache
from fgclep.training.tokens import TokenCache

STATEMENTS = [
    "sinus rhythm", "block", "wide qrs complex", "irregular rr intervals with absent p waves in all leads",
    "left bundle branch block", "st elevation in v1 to v4 and reciprocal depression in the inferior leads",
]  # fmt: skip


@given(st.lists(st.integers(1, 300), min_size=1, max_size=80), st.sampled_from([2048, 8192]))
def test_groups_hold_every_text_once_and_little_padding(lengths, together):
    groups = groups_of_like_length(lengths, together)
    assert sorted(row for group in groups for row in group) == list(range(len(lengths)))
    for group in groups:
        longest = max(lengths[row] for row in group)
        assert all(lengths[row] >= 0.75 * longest for row in group)
        assert len(group) == 1 or len(group) * longest <= together
    full = sum(lengths) / (0.75 * (together - max(lengths)))
    assert len(groups) <= 1 + np.log(max(lengths)) / np.log(4 / 3) + full


@pytest.mark.parametrize("trained_layers", ["all", 0, 1, 2])
def test_embeddings_of_groups_equal_those_of_the_model(trained_layers):
    torch.manual_seed(0)
    text = {**SETTINGS["text_encoder"], "layers": 2, "max_tokens": 32}
    model = made_model(STATEMENTS, text_encoder=text).eval()
    tokens = TokenCache(model.tokenizer)
    texts = {(number,): statement for number, statement in enumerate(STATEMENTS)}
    cache = None
    if trained_layers != "all":
        cache = TextCache(model.text_encoder, tokens, trained_layers, texts, 1)
    pairs = PairEncoder(model, tokens, cache)
    keys = [(4,), (1,), (5,), (0,), (3,), (2,)]
    signals = torch.randn(3, 12, 200)
    with torch.no_grad():
        prepared = pairs.prepared(keys, [texts[key] for key in keys])
        ecgs, embedded = pairs(signals, prepared)
        expected = model.embed_tokens(tokenize(model.tokenizer, [texts[key] for key in keys]))
        torch.testing.assert_close(ecgs, model.encode_ecg(signals), rtol=0, atol=1e-6)
        found = model.embed_texts([texts[key] for key in keys])
        present = torch.tensor([[lead % 5 > ecg for lead in range(12)] for ecg in range(3)])
        masked = pairs(signals, prepared, present)[0]
        torch.testing.assert_close(masked, model.encode_ecg(signals * present[..., None]), rtol=0, atol=1e-6)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(embedded, expected, rtol=0, atol=1e-6)
    assert len(prepared) == (1 if trained_layers == 0 else 3)


def test_texts_are_counted_over_all_banks_by_their_unit():
    similarity = np.eye(6, dtype=np.float16)
    banks = [TextBank(STATEMENTS, [[]] * 6, ids, similarity) for ids in ([[0, 1], [1]], [[0, 1], [1, 5], [1]])]
    assert list(texts_by_frequency("statement", banks).items()) == [
        ((1,), "block"), ((0,), "sinus rhythm"), ((5,), STATEMENTS[5]),
    ]  # fmt: skip
    assert list(texts_by_frequency("report", banks).items()) == [
        ((0, 1), "sinus rhythm. block"), ((1,), "block"), ((1, 5), f"block. {STATEMENTS[5]}"),
    ]  # fmt: skip
