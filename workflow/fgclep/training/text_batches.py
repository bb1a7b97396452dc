"""What a batch of ECGs is compared with: the texts at hand, which belong to which ECG, and how similar they are."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from fgclep.ragged import Ragged
from fgclep.similarity.matrix import SimilarityMatrix
from fgclep.similarity.soft_overlap import largest, soft_overlap

Key = tuple[int, ...]  # a text by the ids of its statements: one, or those of a whole report


class TextBank:
    """Distinct texts, the text ids of every record, what is known of its features, and the similarity between texts.

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
    features
        For each text the waveform features that it names, as places among all, or none if it is no feature's text but a
        statement. ``None``: all are statements.
    absent
        Features that a record is known not to have, bool of shape (records, all features); of those that are neither
        among its texts nor here nobody knows. ``None``: what a record has no text of, it does not have.
    """

    def __init__(
        self,
        texts: Sequence[str],
        findings: Sequence[Sequence[str]],
        text_ids: Sequence[Sequence[int]] | pa.ListArray,
        similarity: SimilarityMatrix | np.ndarray,
        features: Sequence[Sequence[int]] | None = None,
        absent: np.ndarray | None = None,
    ):
        if isinstance(similarity, np.ndarray):
            similarity = SimilarityMatrix(similarity)
        if similarity.shape != (len(texts), len(texts)):
            raise ValueError(f"the similarity matrix has shape {similarity.shape}, there are {len(texts)} texts")
        self.texts = list(texts)
        lists = text_ids if isinstance(text_ids, pa.ListArray) else pa.array(text_ids, type=pa.list_(pa.int32()))
        self.records = Ragged(lists.values.to_numpy(), lists.offsets.to_numpy())
        self.similarity = similarity
        column = {name: number for number, name in enumerate(sorted({name for row in findings for name in row}))}
        self.names = _memberships([[column[name] for name in row] for row in findings], len(column))
        features = features or [[] for _ in texts]
        self.is_feature = np.array([len(row) > 0 for row in features], dtype=bool)
        self.features = _memberships(features, 0 if absent is None else absent.shape[1])
        self.absent = absent

    def between(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """S between texts by their ids, float32 of shape (rows, columns)."""
        return self.similarity.block(rows, columns)

    def batch(
        self, unit: str, places: np.ndarray, statements: int, features: int, rng: np.random.Generator
    ) -> "TextBatch":
        """Texts for the records at ``places`` by the config's ``text_unit``.

        ``statement``: of each record up to ``statements`` of its statements and up to ``features`` of its features'
        texts, drawn apart so that the one kind, however many there are, does not crowd out the other. ``report``: the
        whole reports, as published.
        """
        own = self.records.take(places)
        if unit == "report":
            return ReportBatch(self, own, {tuple(own[row].tolist()) for row in range(len(own))})
        drawn = [self._drawn(own[row], statements, features, rng) for row in range(len(own))]
        absent = None if self.absent is None else self.absent[places]
        return StatementBatch(self, own, {(text,) for text in np.unique(np.concatenate(drawn)).tolist()}, absent)

    def _drawn(self, own: np.ndarray, statements: int, features: int, rng: np.random.Generator) -> np.ndarray:
        shuffled = rng.permutation(own)
        is_feature = self.is_feature[shuffled]
        return np.concatenate([shuffled[~is_feature][:statements], shuffled[is_feature][:features]])


def _memberships(sets: Sequence[Sequence[int]], members: int) -> np.ndarray:
    """Which members each set has, 0 or 1, float32 of shape (sets, members)."""
    table = np.zeros((len(sets), members), dtype=np.float32)
    if members:
        for row, some in enumerate(sets):
            table[row, list(some)] = 1
    return table


class TextBatch(ABC):
    """The texts that a batch of ECGs is compared with.

    Parameters
    ----------
    bank
        Where the texts come from.
    own
        For each ECG the text ids of its report.
    keys
        The distinct texts; the columns of all that follows, in sorted order.
    """

    def __init__(self, bank: TextBank, own: Ragged, keys: set[Key]):
        self.bank, self.own, self.keys = bank, own, sorted(keys)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def texts(self) -> list[str]:
        """The texts in words; the statements of a report are joined by full stops."""
        return [". ".join(self.bank.texts[text] for text in key) for key in self.keys]

    @abstractmethod
    def with_keys(self, keys: set[Key]) -> "TextBatch":
        """Return the same ECGs beside other texts."""

    @abstractmethod
    def targets(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Targets of some ECGs and texts, and which of them are known: 0 or 1, float32 of shape (rows, columns)."""

    @abstractmethod
    def similarity(self, rows: slice, columns: slice) -> np.ndarray:
        """S of some ECGs' reports and texts, float32 of shape (rows, columns)."""


class StatementBatch(TextBatch):
    """Single statements.

    A text belongs to an ECG if it is a statement of its report, or if the report names all findings of the text, in
    whatever words. Where the bank has the features that are absent, a feature's text that does not belong is known not
    to if one of its features is; else it is unknown. The similarity of a text to a report is the largest to any of the
    report's statements.
    """

    def __init__(self, bank: TextBank, own: Ragged, keys: set[Key], absent: np.ndarray | None):
        super().__init__(bank, own, keys)
        self.ids = np.array([key[0] for key in self.keys], dtype=np.int64)
        self.absent = absent

    def with_keys(self, keys: set[Key]) -> "StatementBatch":
        """See ``TextBatch``."""
        return StatementBatch(self.bank, self.own, keys, self.absent)

    def targets(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """See ``TextBatch``."""
        own, texts = self.own.take(rows), self.ids[columns]
        asked = self.bank.names[texts]
        reported = largest(self.bank.names, own)
        belongs = ((1 - reported) @ asked.T == 0) & asked.any(axis=1)
        place = np.searchsorted(texts, own.values)
        found = texts[np.minimum(place, len(texts) - 1)] == own.values
        belongs[own.owners[found], place[found]] = True

        known = np.ones(belongs.shape, dtype=bool)
        if self.absent is not None:
            is_feature = self.bank.is_feature[texts]
            refuted = self.absent[rows].astype(np.float32) @ self.bank.features[texts[is_feature]].T > 0
            known[:, is_feature] = belongs[:, is_feature] | refuted
        return belongs.astype(np.float32), known.astype(np.float32)

    def similarity(self, rows: slice, columns: slice) -> np.ndarray:
        """See ``TextBatch``."""
        own = self.own.take(rows)
        distinct, number = np.unique(own.values, return_inverse=True)
        return largest(self.bank.between(distinct, self.ids[columns]), Ragged(number, own.bounds))


class ReportBatch(TextBatch):
    """Whole reports, equal ones once.

    The similarity of two reports is the soft overlap of their statements (``fgclep.similarity.soft_overlap``).
    """

    def __init__(self, bank: TextBank, own: Ragged, keys: set[Key]):
        super().__init__(bank, own, keys)
        column = {key: number for number, key in enumerate(self.keys)}
        self.column = np.array([column[tuple(own[row].tolist())] for row in range(len(own))], dtype=np.int64)
        self.reports = Ragged.of(self.keys)

    def with_keys(self, keys: set[Key]) -> "ReportBatch":
        """See ``TextBatch``."""
        return ReportBatch(self.bank, self.own, keys)

    def targets(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """See ``TextBatch``; all are known."""
        targets = (self.column[rows, None] == np.arange(len(self))[columns]).astype(np.float32)
        return targets, np.ones_like(targets)

    def similarity(self, rows: slice, columns: slice) -> np.ndarray:
        """See ``TextBatch``."""
        distinct, row = np.unique(self.column[rows], return_inverse=True)
        left, right = self.reports.take(distinct), self.reports.take(columns)
        left_ids, left_number = np.unique(left.values, return_inverse=True)
        right_ids, right_number = np.unique(right.values, return_inverse=True)
        between = self.bank.between(left_ids, right_ids)
        similarity = soft_overlap(between, Ragged(left_number, left.bounds), Ragged(right_number, right.bounds))
        return similarity.astype(np.float32)[row]
