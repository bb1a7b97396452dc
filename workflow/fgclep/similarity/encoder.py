"""Similarity from the embeddings of a frozen sentence encoder: cosines as published, or calibrated ones.

Cosines of a sentence encoder fill a narrow band near 1: over the reports of MIMIC-IV-ECG they average 0.84, so that
nearly everything seems to match. Calibration takes three steps: the embeddings are centred and whitened, so that what
all texts have in common no longer counts; their cosines are taken; and a rising curve gives these the quantiles of the
concept similarity of the same texts. The encoder decides the order, the vocabulary the scale: most pairs are 0, and
as many pairs are above 0.5 as texts share that much of their findings.
"""

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.covariance import ledoit_wolf
from transformers.utils import logging

from fgclep.errors import UserError
from fgclep.models.text import load_encoder, mean_over_tokens, tokenize
from fgclep.progress import progress
from fgclep.similarity.concepts import ConceptSimilarity

BATCH = 64
MAX_TOKENS = 256
# Texts that the calibration is made with, at most: their covariance, and the quantiles over all of their pairs.
SAMPLE = 2048
# Embeddings are multiples of this. The float64 product of two is then exact, so that cosines are the same to the last
# bit in whatever blocks and order they are computed.
STEP = 2.0**-24


def embed(texts: Sequence[str], name: str) -> np.ndarray:
    """Return the mean over the tokens of a frozen encoder's last layer, float32 of shape (texts, width).

    Texts of about the same length share a batch, padded to the longest of them. From here on torch computes with one
    thread: other numbers change the last digits.

    Parameters
    ----------
    texts
        Texts; what is longer than 256 tokens is cut.
    name
        A folder or a Hugging Face name of a BERT-like model.

    Raises
    ------
    UserError
        If there is no such model, or its weights are not in safetensors.
    """
    torch.set_num_threads(1)
    logging.disable_progress_bar()  # loading takes no time worth a bar
    tokenizer, encoder = load_encoder(name, MAX_TOKENS, "similarity.encoder")
    encoder.eval()
    lengths = np.array([len(ids) for ids in tokenizer.ids(texts)])
    order = np.argsort(lengths, kind="stable")
    embeddings = np.empty((len(texts), encoder.config.hidden_size), dtype=np.float32)
    batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    with torch.inference_mode():
        for batch in progress(batches, len(batches), "texts", "batch"):
            tokens = tokenize(tokenizer, [texts[i] for i in batch])
            hidden = encoder(**tokens).last_hidden_state
            embeddings[batch] = mean_over_tokens(hidden, tokens["attention_mask"]).numpy()
    return embeddings


def directions(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors to unit length, as multiples of ``STEP``, float32 of the same shape; zero stays zero."""
    vectors = vectors.astype(np.float64)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return (np.round(vectors / STEP) * STEP).astype(np.float32)


def whitening(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of vectors and the matrix that whitens them, float64 of shapes (width,) and (width, width).

    The covariance is drawn towards a multiple of the identity as far as Ledoit and Wolf (2004) find best for the
    number of vectors, so that directions in which texts hardly differ are not blown up.
    """
    mean = vectors.mean(axis=0, dtype=np.float64)
    covariance, _ = ledoit_wolf(vectors.astype(np.float64) - mean, assume_centered=True)
    variances, axes = np.linalg.eigh(covariance)
    smallest = np.finfo(np.float64).tiny
    return mean, axes / np.sqrt(np.maximum(variances, smallest))


class RawSimilarity:
    """Cosine of the embeddings as published, negative ones as 0.

    Parameters
    ----------
    embeddings
        Shape (texts, width).
    """

    def __init__(self, embeddings: np.ndarray):
        self._directions = directions(embeddings)

    def cosines(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return cosines, float64 of shape (rows, columns)."""
        return self._directions[rows].astype(np.float64) @ self._directions[columns].astype(np.float64).T

    def block(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return S between texts, float32 of shape (rows, columns)."""
        cosines = self.cosines(rows, columns)
        return np.where(cosines > 0, np.minimum(cosines, 1), 0).astype(np.float32)  # no negative zero


class EncoderSimilarity(RawSimilarity):
    """Cosine of the whitened embeddings, mapped to the quantiles of the concept similarity.

    Parameters
    ----------
    embeddings
        Shape (texts, width).
    concepts
        Concept similarity of the same texts.
    seed
        Draws the texts of the calibration if there are more than ``SAMPLE`` that are no administrative remarks.
    """

    def __init__(self, embeddings: np.ndarray, concepts: ConceptSimilarity, seed: int):
        usable = np.flatnonzero(concepts.findings.usable)
        sample = np.sort(np.random.default_rng(seed).permutation(usable)[:SAMPLE])
        if len(sample) < 2:
            raise UserError(
                f"similarity.source is encoder, which is calibrated on pairs of texts, and there are {len(sample)} "
                "texts. Write\n\n    similarity:\n      source: concepts"
            )
        mean, matrix = whitening(embeddings[sample])
        super().__init__((embeddings - mean) @ matrix)
        pairs = np.triu_indices(len(sample), k=1)
        shares = np.linspace(0, 1, min(len(pairs[0]), 4097))
        self.knots = np.quantile(self.cosines(sample, sample)[pairs], shares)
        self.values = np.quantile(concepts.block(sample, sample)[pairs], shares)

    def block(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return S between texts, float32 of shape (rows, columns)."""
        return np.interp(self.cosines(rows, columns), self.knots, self.values).astype(np.float32)
