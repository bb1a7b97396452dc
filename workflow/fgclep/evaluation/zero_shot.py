"""Zero-shot scores: how well the prompts of a class fit an ECG, without training on any label."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from fgclep.evaluation.prompts import Prompt
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
    classes: Sequence[Sequence[Prompt]],
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
        Prompts of each class. Of a prompt of several texts the mean of their logits counts.
    leads
        Ask "{text} in lead x" for the twelve leads as well and take the largest (the lead ensemble).
    batch_size
        Texts scored at once.

    Returns
    -------
    Logits, float32, shape (n, classes).
    """
    prompts = list(dict.fromkeys(prompt for some in classes for prompt in some))
    places: dict[str, list[int]] = {}
    for place, prompt in enumerate(prompts):
        for text in prompt:
            places.setdefault(text, []).append(place)
    sums = np.zeros((len(embeddings), len(prompts)), dtype=np.float32)
    for text, logits in _score_texts(score, embeddings, list(places), leads, batch_size):
        for place in places[text]:
            sums[:, place] += logits
    means = sums / np.array([len(prompt) for prompt in prompts], dtype=np.float32)
    number = {prompt: place for place, prompt in enumerate(prompts)}
    return np.stack([means[:, [number[prompt] for prompt in some]].max(axis=1) for some in classes], axis=1)


def _score_texts(
    score: Score, embeddings: np.ndarray, texts: Sequence[str], leads: bool, batch_size: int
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each text with its logits (n,), with ``leads`` the largest of its wordings."""
    wordings = {text: prompts_per_lead(text) if leads else [text] for text in texts}
    asked = list(dict.fromkeys(wording for some in wordings.values() for wording in some))
    texts_of: dict[str, list[str]] = {}
    for text, some in wordings.items():
        for wording in some:
            texts_of.setdefault(wording, []).append(text)
    best: dict[str, np.ndarray] = {}
    left = {text: len(some) for text, some in wordings.items()}
    for start in range(0, len(asked) if len(embeddings) else 0, batch_size):
        batch = asked[start : start + batch_size]
        for wording, logits in zip(batch, score(embeddings, batch).T, strict=True):
            for text in texts_of[wording]:
                best[text] = np.maximum(best[text], logits) if text in best else logits
                left[text] -= 1
                if not left[text]:
                    yield text, best.pop(text)
