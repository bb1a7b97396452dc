"""Zero-shot scores: how well the prompts of a class fit an ECG, without training on any label."""

from collections.abc import Callable, Sequence

import numpy as np

from fgclep.evaluation.tasks import TaskClass
from fgclep.leads import LEADS

Score = Callable[[np.ndarray, list[str]], np.ndarray]  # FGCLEP.score


def prompts_per_lead(prompt: str) -> list[str]:
    """Return the prompt itself and the prompt asked of each lead, in lower case as the reports are.

    >>> prompts_per_lead("t wave inversion")[:3]
    ['t wave inversion', 't wave inversion in lead i', 't wave inversion in lead ii']
    """
    return [prompt, *(f"{prompt} in lead {lead.lower()}" for lead in LEADS)]


def score_classes(
    score: Score,
    embeddings: np.ndarray,
    classes: Sequence[TaskClass],
    leads: bool = False,
    batch_size: int = 256,
) -> np.ndarray:
    """Score of each ECG for each class: the largest logit over the prompts of the class.

    Parameters
    ----------
    score
        Maps embeddings (n, d) and prompts to logits (n, prompts): ``FGCLEP.score``.
    embeddings
        ECG embeddings, shape (n, d), as in the table of embeddings.
    classes
        Classes with their prompts.
    leads
        Ask "{prompt} in lead x" for the twelve leads as well (the lead ensemble).
    batch_size
        Prompts scored at once; bounds the memory to n * batch_size logits.

    Returns
    -------
    Logits, float32, shape (n, classes).
    """
    wanted: dict[str, list[int]] = {}
    for column, item in enumerate(classes):
        for prompt in item.prompts:
            for text in prompts_per_lead(prompt) if leads else [prompt]:
                wanted.setdefault(text, []).append(column)
    texts = list(wanted)
    scores = np.full((len(embeddings), len(classes)), -np.inf, dtype=np.float32)
    for start in range(0, len(texts) if len(embeddings) else 0, batch_size):
        batch = texts[start : start + batch_size]
        logits = score(embeddings, batch)
        for text, column_of_logits in zip(batch, logits.T, strict=True):
            for column in wanted[text]:
                np.maximum(scores[:, column], column_of_logits, out=scores[:, column])
    return scores
