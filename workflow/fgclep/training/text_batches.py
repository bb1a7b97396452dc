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
        self.records = Ragged(lists.values.to_numpy(), lists.offsets.to_numpy())
        self.similarity = similarity
        column = {name: number for number, name in enumerate(sorted({name for row in findings for name in row}))}
        self.names = np.zeros((len(texts), len(column)), dtype=np.float32)  # text names finding
        for text, row in enumerate(findings):
            self.names[text, [column[name] for name in row]] = 1

    def between(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """S between texts by their ids, float32 of shape (rows, columns)."""
        return self.similarity.block(rows, columns)

    def batch(self, unit: str, places: np.ndarray, per_ecg: int, rng: np.random.Generator) -> "TextBatch":
        """Texts for the records at ``places`` by the config's ``text_unit``.

        ``statement``: up to ``per_ecg`` statements drawn from each report. ``report``: the whole reports, as published.
        """
        own = self.records.take(places)
        if unit == "report":
            return ReportBatch(self, own, {tuple(own[row].tolist()) for row in range(len(own))})
        drawn = np.unique(np.concatenate([rng.permutation(own[row])[:per_ecg] for row in range(len(own))]))
        return StatementBatch(self, own, {(text,) for text in drawn.tolist()})


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

    def with_keys(self, keys: set[Key]) -> "TextBatch":
        """Return the same ECGs beside other texts."""
        return type(self)(self.bank, self.own, keys)

    @abstractmethod
    def block(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Targets (0 or 1) and similarity S of some ECGs and texts, both float32 of shape (rows, columns)."""


class StatementBatch(TextBatch):
    """Single statements.

    A text belongs to an ECG if it is a statement of its report, or if the report names all findings of the text, in
    whatever words. Its similarity to the report is the largest to any of the report's statements, and 1 where it
    belongs.
    """

    def __init__(self, bank: TextBank, own: Ragged, keys: set[Key]):
        super().__init__(bank, own, keys)
        self.ids = np.array([key[0] for key in self.keys], dtype=np.int64)

    def block(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Targets and similarity, see ``TextBatch``."""
        own, texts = self.own.take(rows), self.ids[columns]
        asked = self.bank.names[texts]
        reported = largest(self.bank.names, own)
        belongs = ((1 - reported) @ asked.T == 0) & asked.any(axis=1)
        place = np.searchsorted(texts, own.values)
        found = texts[np.minimum(place, len(texts) - 1)] == own.values
        belongs[own.owners[found], place[found]] = True

        distinct, number = np.unique(own.values, return_inverse=True)
        similarity = largest(self.bank.between(distinct, texts), Ragged(number, own.bounds))
        similarity[belongs] = 1
        return belongs.astype(np.float32), similarity


class ReportBatch(TextBatch):
    """Whole reports, equal ones once.

    The similarity of two reports is the soft overlap of their statements (``fgclep.similarity.soft_overlap``).
    """

    def __init__(self, bank: TextBank, own: Ragged, keys: set[Key]):
        super().__init__(bank, own, keys)
        column = {key: number for number, key in enumerate(self.keys)}
        self.column = np.array([column[tuple(own[row].tolist())] for row in range(len(own))], dtype=np.int64)
        self.reports = Ragged.of(self.keys)

    def block(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Targets and similarity, see ``TextBatch``."""
        mine = self.column[rows]
        number_of_column = np.arange(len(self))[columns]
        targets = (mine[:, None] == number_of_column).astype(np.float32)

        distinct, row = np.unique(mine, return_inverse=True)
        left, right = self.reports.take(distinct), self.reports.take(columns)
        left_ids, left_number = np.unique(left.values, return_inverse=True)
        right_ids, right_number = np.unique(right.values, return_inverse=True)
        between = self.bank.between(left_ids, right_ids)
        similarity = soft_overlap(between, Ragged(left_number, left.bounds), Ragged(right_number, right.bounds))
        return targets, similarity.astype(np.float32)[row]
