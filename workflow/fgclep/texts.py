"""What a batch of ECGs is compared with: the texts at hand, which belong to which ECG, and how similar they are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from fgclep.similarity.matrix import SimilarityMatrix


@dataclass(frozen=True)
class TextBatch:
    """Texts for a batch: ``texts`` (distinct), ``targets`` and ``similarity`` float32 of shape (ECGs, texts)."""

    texts: list[str]
    targets: np.ndarray
    similarity: np.ndarray


class TextBank:
    """Distinct texts, the text ids of every record, and the frozen similarity between texts.

    Parameters
    ----------
    texts
        Distinct texts; the text id is the position.
    findings
        For each text the findings that it names; may be empty.
    text_ids
        For each record its text ids, at least one; as lists or as an Arrow array of lists.
    similarity
        S, values in [0, 1], looked up by text id; an array has the shape (texts, texts).
    """

    def __init__(
        self,
        texts: Sequence[str],
        findings: Sequence[Sequence[str]],
        text_ids: Sequence[Sequence[int]] | pa.ListArray,
        similarity: SimilarityMatrix | np.ndarray,
    ):
        if isinstance(similarity, np.ndarray):
            similarity = SimilarityMatrix(similarity)
        if similarity.shape != (len(texts), len(texts)):
            raise ValueError(f"the similarity matrix has shape {similarity.shape}, there are {len(texts)} texts")
        self.texts = list(texts)
        lists = text_ids if isinstance(text_ids, pa.ListArray) else pa.array(text_ids, type=pa.list_(pa.int32()))
        self.text_ids, self.bounds = lists.values.to_numpy(), lists.offsets.to_numpy()  # of all records in turn
        self.similarity = similarity
        column = {name: number for number, name in enumerate(sorted({name for row in findings for name in row}))}
        self.names = np.zeros((len(texts), len(column)), dtype=np.float32)  # text names finding
        for text, row in enumerate(findings):
            self.names[text, [column[name] for name in row]] = 1

    def of_record(self, place: int) -> np.ndarray:
        """Text ids of a record."""
        return self.text_ids[self.bounds[place] : self.bounds[place + 1]]

    def statements(self, places: np.ndarray, per_ecg: int, rng: np.random.Generator) -> TextBatch:
        """Draw up to ``per_ecg`` statements of each record.

        A text belongs to an ECG if it is a statement of its report, or if the report names all findings of the text,
        in whatever words. Its similarity to the report is the largest to any of the report's statements, and 1 where
        it belongs.
        """
        own = [self.of_record(place) for place in places]
        drawn = np.unique(np.concatenate([rng.permutation(ids)[:per_ecg] for ids in own]))
        reported = np.stack([self.names[ids].max(axis=0) for ids in own])
        not_reported = (1 - reported) @ self.names[drawn].T
        belongs = (not_reported == 0) & self.names[drawn].any(axis=1)
        belongs |= np.stack([np.isin(drawn, ids) for ids in own])
        similarity = np.stack([self.similarity.block(ids, drawn).max(axis=0) for ids in own])
        similarity[belongs] = 1
        return TextBatch([self.texts[i] for i in drawn], belongs.astype(np.float32), similarity)

    def reports(self, places: np.ndarray) -> TextBatch:
        """Take whole reports, as published: statements joined by full stops, equal reports once.

        The similarity of two reports is the mean over the statements of both of the largest similarity to a
        statement of the other (soft set overlap).
        """
        own = [tuple(self.of_record(place).tolist()) for place in places]
        distinct = sorted(set(own))
        column = {ids: number for number, ids in enumerate(distinct)}
        between = np.empty((len(distinct), len(distinct)), dtype=np.float32)
        for a, first in enumerate(distinct):
            for b in range(a, len(distinct)):
                block = self.similarity.block(first, distinct[b])
                best = np.concatenate([block.max(axis=1), block.max(axis=0)])
                between[a, b] = between[b, a] = best.mean()
        rows = [column[ids] for ids in own]
        targets = np.zeros((len(own), len(distinct)), dtype=np.float32)
        targets[np.arange(len(own)), rows] = 1.0
        return TextBatch([". ".join(self.texts[i] for i in ids) for ids in distinct], targets, between[rows])

    def batch(self, unit: str, places: np.ndarray, per_ecg: int, rng: np.random.Generator) -> TextBatch:
        """Return ``statements`` or ``reports`` by the config's ``text_unit``."""
        return self.statements(places, per_ecg, rng) if unit == "statement" else self.reports(places)
