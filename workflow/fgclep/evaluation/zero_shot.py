"""Zero-shot scores: how well the prompts of a class fit an ECG, without training on any label."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from fgclep.evaluation.prompts import COMBINED, Prompt, worded
from fgclep.leads import LEADS

Score = Callable[[np.ndarray, list[str]], np.ndarray]  # FGCLEP.score


def prompts_per_lead(prompt: str) -> list[str]:
    """Return the prompt itself and the prompt asked of each lead, in lower case as the reports are.

    >>> prompts_per_lead("t wave inversion")[:3]
    ['t wave inversion', 't wave inversion in lead i', 't wave inversion in lead ii']
    """
    return [prompt, *(f"{prompt} in lead {lead.lower()}" for lead in LEADS)]


def any_of(logits: np.ndarray) -> np.ndarray:
    r"""Logit of the probability that at least one of several prompts fits.

    .. math:: \log \frac{1 - q}{q}, \quad q = \prod_i \frac{1}{1 + e^{x_i}}

    They are taken as independent ("noisy or", Pearl 1988). Unlike the largest logit this counts what prompts say
    together: three that fit half are more than one.

    Parameters
    ----------
    logits
        Of the prompts, shape (n, prompts).

    Returns
    -------
    float32, shape (n,): at least the largest logit, and that of a single prompt itself.

    >>> any_of(np.array([[0.0, 0.0], [2.0, -50.0]])).round(3).tolist()
    [1.0989999771118164, 2.0]
    """
    if logits.shape[1] == 1:
        return logits[:, 0].astype(np.float32)
    surprise = np.logaddexp(0, logits.astype(np.float64)).sum(axis=1)  # -log q
    return (surprise + np.log(-np.expm1(-surprise))).astype(np.float32)


def score_classes(
    score: Score,
    embeddings: np.ndarray,
    classes: Sequence[Sequence[Prompt]],
    leads: bool = False,
    batch_size: int = 256,
) -> np.ndarray:
    """Score of each ECG for each class: the logit that any of the prompts of the class fits, see ``any_of``.

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
    return np.stack([any_of(means[:, [number[prompt] for prompt in some]]) for some in classes], axis=1)


def added(parts: Sequence[np.ndarray], over: Sequence[np.ndarray]) -> np.ndarray:
    r"""Add the scores of several prompt sets, each standardized class by class.

    .. math:: s_{rc} = \sum_k (x^k_{rc} - m^k_c) / d^k_c

    with the mean :math:`m^k_c` and the standard deviation :math:`d^k_c` (of the population) of the scores
    :math:`x^k_c` of a class by the set k over the records of ``over``. A set that gives all of these the same score
    adds nothing. A class that all sets ask for by the same words keeps its order of the records.

    Parameters
    ----------
    parts
        Scores of the records by each set, shape (n, classes).
    over
        By the same sets the scores that are standardized by, shape (m, classes).

    Returns
    -------
    float32, shape (n, classes). A sum of standard deviations, not a logit.
    """
    total = np.zeros(parts[0].shape)
    for scores, known in zip(parts, over, strict=True):
        if not len(known):
            continue
        mean, deviation = known.mean(axis=0, dtype=np.float64), known.std(axis=0, dtype=np.float64)
        constant = deviation <= 1e-9 * np.maximum(1.0, np.abs(mean))
        total += np.where(constant, 0.0, (scores - mean) / np.where(constant, 1.0, deviation))
    return total.astype(np.float32)


def score_sets(
    score: Score,
    records: Sequence[np.ndarray],
    prompts: Mapping[str, Sequence[Sequence[Prompt]]],
    kinds: Sequence[str],
    leads: bool = False,
    batch_size: int = 256,
) -> dict[str, list[np.ndarray]]:
    """Scores of several groups of records by each prompt set; words that sets share are asked for once.

    Parameters
    ----------
    score, leads, batch_size
        As for ``score_classes``.
    records
        Embeddings of each group, shape (n, d). A set of ``COMBINED`` is standardized over the first group: the records
        that are evaluated. Others, by which a threshold is chosen, are put on its scale.
    prompts
        Prompts of each class, by every set of ``worded(kinds)``.
    kinds
        The sets.

    Returns
    -------
    By set the scores of each group, float32, shape (n, classes): logits as of ``score_classes``, or their sums as of
    ``added``.
    """
    logits = {
        kind: [score_classes(score, group, prompts[kind], leads, batch_size) for group in records]
        for kind in worded(kinds)
    }

    def summed(kind: str) -> list[np.ndarray]:
        parts = [logits[part] for part in COMBINED[kind]]
        return [added(group, [part[0] for part in parts]) for group in zip(*parts, strict=True)]

    return {kind: summed(kind) if kind in COMBINED else logits[kind] for kind in kinds}


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
