"""Statements and a small vocabulary for the tests of the similarity."""

from pathlib import Path

import numpy as np
import torch
from conftest import ROOT
from transformers import BertConfig, BertModel

from fgclep.language.statements import Statement
from fgclep.language.vocabulary import Diagnosis, Feature, Vocabulary, load_vocabulary
from fgclep.models.text import train_tokenizer
from fgclep.similarity.concepts import ConceptSimilarity
from fgclep.similarity.findings import text_findings

SMALL = Vocabulary(
    1,
    {name: Feature(name, name, "x") for name in ("f", "g", "h")},
    {
        "a": Diagnosis("a", "a", "one", "x", typical=("f", "g")),
        "b": Diagnosis("b", "b", "one", "x", typical=("g",), alternative=("h",)),
        "c": Diagnosis("c", "c", "two", "x", typical=("g",)),
        "d": Diagnosis("d", "d", "one", "x", typical=("f",), incompatible=("g",)),
    },
    (),
)
FULL = load_vocabulary(ROOT / "resources/vocabulary")


def say(diagnoses="", features="", negated="", certainty="certain", kind=None):
    diagnoses, features, negated = tuple(diagnoses), tuple(features), tuple(negated)
    if kind is None:
        kind = "diagnosis" if diagnoses else "feature" if features or negated else "unknown"
    return Statement("text", kind, diagnoses, features, negated, certainty)


def random_statements(number: int, seed: int = 0) -> list[Statement]:
    """Statements with up to four findings of the vocabulary, some denied, some uncertain, some without any."""
    rng = np.random.default_rng(seed)
    diagnoses, features = list(FULL.diagnoses)[:20], list(FULL.features)[:20]
    return [
        say(
            rng.choice(diagnoses, rng.integers(0, 3), replace=False).tolist(),
            rng.choice(features, rng.integers(0, 2), replace=False).tolist(),
            rng.choice(features, rng.integers(0, 2) * rng.integers(0, 2), replace=False).tolist(),
            str(rng.choice(["certain", "probable", "possible"], p=[0.8, 0.1, 0.1])),
            "administrative" if rng.random() < 0.1 else None,
        )
        for _ in range(number)
    ]


def concepts(statements, vocabulary=FULL, related=0.5) -> ConceptSimilarity:
    return ConceptSimilarity(text_findings(statements, vocabulary), vocabulary, related)


def whole(source, texts: int) -> np.ndarray:
    """S of all texts in one block."""
    return source.block(np.arange(texts), np.arange(texts))


def small_bert(folder: Path, texts: list[str], positions: int = 512) -> None:
    """Write a small BERT with random weights that knows the words of the texts, up to so many."""
    tokenizer = train_tokenizer(texts, 64)
    torch.manual_seed(0)
    size = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    size["max_position_embeddings"] = positions
    BertModel(BertConfig(vocab_size=len(tokenizer), initializer_range=0.5, **size)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
