"""The cached frozen layers give what the whole text encoder gives, whatever is kept and however texts are padded."""

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModel

from fgclep.models.text import mean_over_tokens, tokenize, train_tokenizer
from fgclep.training.text_cache import TextCache, split_encoder
from fgclep.training.tokens import TokenCache

CORPUS = [
    "sinus rhythm", "atrial fibrillation", "left bundle branch block", "wide qrs complex", "absent p waves",
    "irregular rr intervals with absent p waves and a wide qrs complex in all leads", "block", "st elevation in v1",
]  # fmt: skip
TEXTS = {(number,): text for number, text in enumerate(CORPUS)}
KINDS = {
    "bert": {},
    "roberta": {"max_position_embeddings": 40},
    "electra": {"embedding_size": 16},
    "mpnet": {},
}


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(CORPUS, 32)


def encoder_of(kind, tokenizer, layers=3):
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": layers, "num_attention_heads": 2, "intermediate_size": 64}
    special = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
    encoder = AutoModel.from_config(AutoConfig.for_model(kind, **sizes, **special, **KINDS[kind]))
    with torch.no_grad():
        for name, weights in encoder.named_parameters():
            if name.endswith("weight") and weights.ndim == 2:
                weights.mul_(5)  # far from the near-identity of new layers
    return encoder.eval()


def pooled_without_cache(encoder, tokenizer, texts):
    tokens = tokenize(tokenizer, texts)
    with torch.no_grad():
        return mean_over_tokens(encoder(**tokens).last_hidden_state, tokens["attention_mask"])


@pytest.mark.parametrize("memory_mb", [0, 0.0015, 1], ids=["nothing kept", "some kept", "all kept"])
@pytest.mark.parametrize("trained_layers", [0, 1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_the_cached_tower_equals_the_whole_one(tokenizer, kind, trained_layers, memory_mb):
    encoder = encoder_of(kind, tokenizer)
    cache = TextCache(encoder, TokenCache(tokenizer), trained_layers, TEXTS, memory_mb)
    expected = pooled_without_cache(encoder, tokenizer, CORPUS)  # padded to the longest of all
    assert expected.std(dim=0).min() > 0.01
    for keys in ([(0,), (6,)], [(5,), (2,), (7,), (0,)], [(0,), (6,)], sorted(TEXTS)):
        states, mask = cache.frozen(keys)
        assert states.shape[1] == mask.shape[1] == (mask.sum(1).max() if trained_layers else 1)
        with torch.no_grad():
            pooled = cache.pooled(states, mask)
        torch.testing.assert_close(pooled, expected[[key[0] for key in keys]], rtol=0, atol=1e-6)


def test_the_most_frequent_texts_are_kept_within_the_limit(tokenizer):
    encoder, tokens = encoder_of("bert", tokenizer), TokenCache(tokenizer)
    lengths = [len(ids) for ids in tokens.ids(CORPUS)]
    assert lengths[:3] == [4, 4, 6]  # with the marks of begin and end
    megabytes = 14 * 32 * 4 / 2**20
    assert len(TextCache(encoder, tokens, 1, TEXTS, megabytes)) == 3
    assert len(TextCache(encoder, tokens, 1, TEXTS, megabytes * 0.99)) == 2
    assert len(TextCache(encoder, tokens, 1, TEXTS, megabytes / 2, torch.bfloat16)) == 3
    assert len(TextCache(encoder, tokens, 0, TEXTS, 5 * 32 * 4 / 2**20)) == 5  # one state per text


@pytest.mark.parametrize("trained_layers", [0, 1])
def test_the_frozen_layers_run_once_per_text_and_never_with_dropout(tokenizer, trained_layers):
    encoder = encoder_of("bert", tokenizer)
    cache = TextCache(encoder, TokenCache(tokenizer), trained_layers, TEXTS, 1)
    expected = cache.frozen(sorted(TEXTS))[0]
    again = TextCache(encoder, TokenCache(tokenizer), trained_layers, TEXTS, 1)
    runs = []
    hook = encoder.encoder.layer[0].register_forward_hook(lambda *args: runs.append(1))
    encoder.train()
    states = again.frozen(sorted(TEXTS))[0]
    assert len(runs) == 1
    again.frozen([(3,)])
    assert len(runs) == 1
    hook.remove()
    torch.testing.assert_close(states, expected, rtol=0, atol=0)
    assert encoder.encoder.layer[2].training == bool(trained_layers)


def test_what_is_kept_does_not_depend_on_the_order_of_questions(tokenizer):
    encoder = encoder_of("bert", tokenizer)
    many = {(n,): " ".join(np.random.default_rng(n).choice(CORPUS, 3)) for n in range(200)}
    some, others = (TextCache(encoder, TokenCache(tokenizer), 1, many, 10) for _ in range(2))
    for key in sorted(many, reverse=True):
        others.frozen([key])
    torch.testing.assert_close(some.frozen(sorted(many))[0], others.frozen(sorted(many))[0], rtol=0, atol=0)


def test_gradients_reach_the_trained_layers_only(tokenizer):
    encoder = encoder_of("bert", tokenizer)
    cache = TextCache(encoder, TokenCache(tokenizer), 1, TEXTS, 1)
    cache.pooled(*cache.frozen([(0,), (5,)])).pow(2).sum().backward()
    reached = {name for name, weights in encoder.named_parameters() if weights.grad is not None}
    assert reached and all(name.startswith("encoder.layer.2.") for name in reached)

    tokens = tokenize(tokenizer, [CORPUS[0], CORPUS[5]])
    mine = {name: weights.grad.clone() for name, weights in encoder.named_parameters() if name in reached}
    encoder.zero_grad()
    mean_over_tokens(encoder(**tokens).last_hidden_state, tokens["attention_mask"]).pow(2).sum().backward()
    for name, weights in encoder.named_parameters():
        if name in reached:
            torch.testing.assert_close(mine[name], weights.grad, rtol=1e-4, atol=1e-5)


def test_the_encoder_keeps_its_own_parts(tokenizer):
    encoder = encoder_of("bert", tokenizer)
    before = [name for name, _ in encoder.named_modules()]
    split_encoder(encoder, 1)
    assert [name for name, _ in encoder.named_modules()] == before
    with pytest.raises(ValueError, match="trained_layers is 4, the text encoder has only 3"):
        split_encoder(encoder, 4)


def test_tokens_are_those_of_the_tokenizer(tokenizer):
    tokens = TokenCache(tokenizer)
    for texts in (CORPUS[:3], CORPUS, CORPUS[4:], [CORPUS[0] * 20]):
        ids, mask = tokens(texts)
        expected = tokenize(tokenizer, texts)
        assert torch.equal(ids, expected["input_ids"]) and torch.equal(mask, expected["attention_mask"])
