"""Scores of ECGs by texts that are asked for many times."""

from collections.abc import Sequence

import numpy as np
import torch

from fgclep.evaluation.zero_shot import Score
from fgclep.models.fgclep import FGCLEP


def scoring(model: FGCLEP) -> Score:
    """Return ``model.score`` that embeds each text once: tasks, prompt sets and protocols ask for many of the same."""
    known: dict[str, torch.Tensor] = {}

    def score(embeddings: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known.update(zip(new, model.embed_texts(new), strict=True))
        return model.score(embeddings, torch.stack([known[text] for text in texts]))

    return score
