"""Similarity from the findings that texts share.

Cosines of sentence encoders are of no use here: over the reports of MIMIC-IV-ECG they average 0.84, and put left and
right bundle branch block at 0.96. This source compares what the statements say instead.
"""

import numpy as np
from scipy.sparse import csr_array

from fgclep.language.vocabulary import Vocabulary
from fgclep.similarity.findings import TextFindings

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


class ConceptSimilarity:
    """Soft overlap of the findings of two texts.

    Each finding of both texts is compared with the most related finding of the other text; S is the mean over them: 1
    for equal sets, 2/3 for {a, b} and {a}. A denied finding is another finding, related to nothing. Texts that differ
    in certainty have ``OTHER_CERTAINTY`` of that. Texts without known findings are similar to themselves only.

    Parameters
    ----------
    findings
        Of all texts.
    vocabulary
        Says how findings are related.
    related
        Relatedness of a diagnosis and its typical feature, 0 to 1.
    """

    def __init__(self, findings: TextFindings, vocabulary: Vocabulary, related: float):
        self.findings = findings
        _, between = relatedness(vocabulary, related)
        known = len(between)
        self._between = np.eye(2 * known, dtype=np.float32)
        self._between[:known, :known] = between

    def block(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return S between texts, float32 of shape (rows, columns)."""
        mine, theirs = self.findings.sets[rows], self.findings.sets[columns]
        sizes = np.diff(mine.indptr)[:, None] + np.diff(theirs.indptr)[None, :]
        similarity = self._best_matches(mine, theirs)
        similarity += self._best_matches(theirs, mine).T
        similarity /= np.maximum(sizes, 1)
        differs = self.findings.certainty[rows, None] != self.findings.certainty[columns]
        similarity *= np.where(differs, np.float32(OTHER_CERTAINTY), np.float32(1))
        similarity[rows[:, None] == columns] = 1
        return similarity

    def _best_matches(self, texts: csr_array, others: csr_array) -> np.ndarray:
        """Sum over a text's findings of the largest relatedness to a finding of the other, (texts, others).

        A sparse product adds the findings of a text in a fixed order, whatever the size of the block; so S is the same
        to the last bit in any blocks.
        """
        named, place = np.unique(texts.indices, return_inverse=True)
        best = np.zeros((len(named), others.shape[0]), dtype=np.float32)
        filled = np.flatnonzero(np.diff(others.indptr))
        if len(filled):
            related = self._between[np.ix_(named, others.indices)]
            best[:, filled] = np.maximum.reduceat(related, others.indptr[filled], axis=1)
        return csr_array((texts.data, place, texts.indptr), shape=(texts.shape[0], len(named))) @ best
