"""Frozen similarity S between texts, from the findings that they share.

Cosines of sentence encoders are of no use here: over the reports of MIMIC-IV-ECG they average 0.84, and put left and
right bundle branch block at 0.96. S compares what the statements say instead.
"""

from collections.abc import Sequence

import numpy as np

from fgclep.statements import Statement
from fgclep.vocabulary import Vocabulary

# "possible X" is nearly X.
OTHER_CERTAINTY = 0.97


def relatedness(vocabulary: Vocabulary, related: float) -> tuple[list[str], np.ndarray]:
    """Return the ids of all findings and their relatedness, symmetric, float32 of shape (findings, findings).

    A finding and itself: 1. A diagnosis and its typical feature: ``related``; its alternative feature: half of that.
    Two diagnoses of one group: ``related`` times the Jaccard index of their typical features, unless one excludes a
    typical feature of the other. All others: 0.
    """
    names = [*vocabulary.diagnoses, *vocabulary.features]
    place = {name: i for i, name in enumerate(names)}
    matrix = np.eye(len(names), dtype=np.float32)
    diagnoses = list(vocabulary.diagnoses.values())
    for diagnosis in diagnoses:
        for features, value in ((diagnosis.alternative, related / 2), (diagnosis.typical, related)):
            for feature in features:
                matrix[place[diagnosis.id], place[feature]] = matrix[place[feature], place[diagnosis.id]] = value
    for i, one in enumerate(diagnoses):
        for other in diagnoses[:i]:
            mine, theirs = set(one.typical), set(other.typical)
            excluded = mine & set(other.incompatible) or theirs & set(one.incompatible)
            if one.group == other.group and mine & theirs and not excluded:
                value = related * len(mine & theirs) / len(mine | theirs)
                matrix[place[one.id], place[other.id]] = matrix[place[other.id], place[one.id]] = value
    return names, matrix


def concept_similarity(statements: Sequence[Statement], vocabulary: Vocabulary, related: float) -> np.ndarray:
    """Similarity of texts from their findings, in [0, 1], symmetric, diagonal 1, float32 of shape (texts, texts).

    Each finding of both texts is compared with the most related finding of the other text; S is the mean over them
    (soft overlap of sets): 1 for equal sets, 2/3 for {a, b} and {a}. A denied finding is another finding, related to
    nothing. Texts that differ in certainty only have ``OTHER_CERTAINTY``. Texts without known findings are similar to
    themselves only.
    """
    names, between = relatedness(vocabulary, related)
    known = len(names)
    place = {name: i for i, name in enumerate(names)}
    sets = [
        sorted({place[f] for f in (*s.diagnoses, *s.features)} | {known + place[f] for f in s.negated})
        for s in statements
    ]
    both = np.eye(2 * known, dtype=np.float32)
    both[:known, :known] = between

    member = np.zeros((len(sets), 2 * known), dtype=np.float32)
    best = np.zeros((2 * known, len(sets)), dtype=np.float32)  # of each finding to the findings of each text
    for i, findings in enumerate(sets):
        member[i, findings] = 1
        if findings:
            best[:, i] = both[:, findings].max(axis=1)
    sizes = member.sum(axis=1)
    one_way = member @ best
    total = sizes[:, None] + sizes[None, :]
    similarity = np.divide(one_way + one_way.T, total, out=np.zeros_like(one_way), where=total > 0)
    certainty = np.array([s.certainty for s in statements])
    similarity[certainty[:, None] != certainty[None, :]] *= OTHER_CERTAINTY
    unknown = sizes == 0
    similarity[unknown, :] = 0
    similarity[:, unknown] = 0
    np.fill_diagonal(similarity, 1)
    return np.clip(similarity, 0, 1)


def similarity_of(statements: Sequence[Statement], vocabulary: Vocabulary, source: str, related: float) -> np.ndarray:
    """Return S by the config's ``similarity.source``: ``concepts``, or ``identity`` (1 on the diagonal, else 0)."""
    if source == "identity":
        return np.eye(len(statements), dtype=np.float32)
    return concept_similarity(statements, vocabulary, related)


def summarize(similarity: np.ndarray, statements: Sequence[Statement], source: str) -> dict:
    """Describe S over all pairs of different texts, to see at a glance whether it says that everything matches.

    Returns
    -------
    dict
        ``texts``, ``histogram`` (20 bins over [0, 1]: ``edges``, ``counts``), ``share_above_half``,
        ``mean_without_shared_finding`` (over pairs with no finding in common; null if there are none) and ``source``.
    """
    upper = np.triu(np.ones(similarity.shape, dtype=bool), k=1)
    values = similarity[upper]
    edges = np.linspace(0, 1, 21)
    counts, _ = np.histogram(values, edges)
    names = sorted({f for s in statements for f in (*s.diagnoses, *s.features)})
    place = {name: i for i, name in enumerate(names)}
    member = np.zeros((len(statements), len(names)), dtype=np.float32)
    for i, statement in enumerate(statements):
        member[i, [place[f] for f in (*statement.diagnoses, *statement.features)]] = 1
    apart = values[(member @ member.T)[upper] == 0]
    return {
        "texts": len(statements),
        "histogram": {"edges": [round(float(e), 2) for e in edges], "counts": counts.tolist()},
        "share_above_half": float((values > 0.5).mean()) if values.size else 0.0,
        "mean_without_shared_finding": float(apart.mean()) if apart.size else None,
        "source": source,
    }
