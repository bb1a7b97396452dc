"""Judging the candidates of many records: what is known of each record, its candidates, and the audit of decisions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fgclep.config.verification import ChecksSection
from fgclep.measurement.rules import LIKELY, UNTESTABLE, VERDICTS
from fgclep.schemas.audit import AUDIT
from fgclep.verification.calibration import ScoreHistograms
from fgclep.verification.checks import ACCEPTING, REASONS, contradiction, decide, votes
from fgclep.verification.text_evidence import TextEvidence, first_given, over_reports, pair_candidates

CHUNK = 5_000  # records judged at once; up to some hundred candidates each


@dataclass(frozen=True)
class Records:
    """Records with what is known of each.

    Parameters
    ----------
    keys
        Columns source and record_id.
    text_ids
        List column: the texts of the report.
    train
        bool of shape (records,): calibration uses these records only.
    verdicts
        int8 of shape (records, features): the measurement's verdict.
    fold
        int64 of shape (records,): whose coarse model scored the record, 0 for another reader; any number where none
        did.
    scores
        float32 of shape (records, features): logits of the reader; NaN: none.
    """

    keys: pa.Table
    text_ids: pa.ListArray
    train: np.ndarray
    verdicts: np.ndarray
    fold: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.train)


@dataclass(frozen=True)
class Proposals:
    """Candidates by text.

    Parameters
    ----------
    table
        Rows of ``schemas.candidates.CANDIDATES`` that name a feature, sorted by text; those for every record last.
    feature
        Place of each row's feature in the vocabulary.
    first, count
        For each text the first of its rows, and how many it has.
    every
        Rows for every record.
    """

    table: pa.Table
    feature: np.ndarray
    votes: np.ndarray
    first: np.ndarray
    count: np.ndarray
    every: np.ndarray


def proposals(candidates: pa.Table, features: Mapping[str, int], texts: int) -> Proposals:
    """Sort the candidates that name a feature by text and by the vocabulary's order.

    Raises
    ------
    ValueError
        If a candidate names a feature that the vocabulary does not have.
    """
    table = candidates.filter(pc.is_valid(candidates["feature"]))
    named = table["feature"].to_pylist()
    if unknown := sorted(set(named) - set(features)):
        raise ValueError(
            f"the features {unknown} are not in the vocabulary, so the candidates are from another version"
        )
    feature = np.array([features[name] for name in named], dtype=np.int64)
    text = table["text_id"].fill_null(texts).to_numpy().astype(np.int64)  # behind all texts: for every record
    order = np.lexsort((feature, text))
    count = np.bincount(text, minlength=texts + 1)
    every = np.arange(len(text) - count[texts], len(text))
    count = count[:texts]
    first = np.cumsum(count) - count
    votes = table["votes"].to_numpy().astype(np.int64)[order]
    return Proposals(table.take(pa.array(order)), feature[order], votes, first, count, every)


@dataclass(frozen=True)
class Pairs:
    """Candidates of a chunk of records that are to be judged, with the outcome of every check, one entry per pair.

    ``record`` is the place among all records, ``candidate`` the row of the proposals, ``excluded_by`` the entry of
    ``TextEvidence.findings``.
    """

    record: np.ndarray
    candidate: np.ndarray
    feature: np.ndarray
    votes: np.ndarray
    verdict: np.ndarray
    excluded_by: np.ndarray
    score: np.ndarray


@dataclass(frozen=True)
class Chunk:
    """The pairs of a chunk, and of which features its reports and measurements say that they are there, or nothing.

    ``stated`` and ``unsuggested`` are bool of shape (records, features): what the report states, and what it gives no
    reason to expect, if the measurement does not speak for it either.
    """

    start: int
    pairs: Pairs
    stated: np.ndarray
    unsuggested: np.ndarray


def chunks(records: Records, texts: TextEvidence, candidates: Proposals, size: int = CHUNK) -> Iterator[Chunk]:
    """Yield the pairs of ``size`` records at a time.

    A feature that the report states already is no candidate: there is nothing to recover.
    """
    for start in range(0, len(records), size):
        rows = slice(start, min(start + size, len(records)))
        ids = [np.asarray(values, dtype=np.int64) for values in records.text_ids[rows].to_pylist()]
        stated = over_reports(ids, texts.stated, np.logical_or)
        excluded_by = over_reports(ids, texts.excluded_by, first_given)
        verdict = records.verdicts[rows]
        unsuggested = ~over_reports(ids, texts.suggested, np.logical_or) & (verdict < LIKELY)

        report, candidate = pair_candidates(ids, candidates.first, candidates.count)
        every = candidates.every
        report = np.concatenate([report, np.repeat(np.arange(len(ids)), len(every))])
        candidate = np.concatenate([candidate, np.tile(every, len(ids))])
        feature = candidates.feature[candidate]
        new = ~stated[report, feature]
        report, candidate, feature = report[new], candidate[new], feature[new]
        pairs = Pairs(
            record=report + start,
            candidate=candidate,
            feature=feature,
            votes=candidates.votes[candidate],
            verdict=verdict[report, feature],
            excluded_by=excluded_by[report, feature],
            score=records.scores[rows][report, feature],
        )
        yield Chunk(start, pairs, stated, unsuggested)


def thresholds(
    records: Records,
    texts: TextEvidence,
    candidates: Proposals,
    settings: ChecksSection,
    examined: np.ndarray | None = None,
) -> np.ndarray:
    """Return the reader's threshold (logit) per fold and feature, float32 of shape (folds, features).

    A fixed probability (``settings.threshold``) is the same for all. Otherwise each is calibrated on the training
    records of its fold: the candidates that the other checks leave open against the records that hardly have the
    feature, because neither their report nor the measurement gives a reason to expect it. The model must know the
    records whose report states the feature, or have passed an exam on it: ``examined`` has its threshold there (see
    ``ScoreHistograms.thresholds``).
    """
    shape = (settings.folds, texts.stated.shape[1])
    fixed = settings.threshold
    if fixed is not None:
        with np.errstate(divide="ignore"):
            return np.full(shape, np.log(fixed) - np.log1p(-fixed), dtype=np.float32)
    counts = ScoreHistograms(*shape)
    for chunk in chunks(records, texts, candidates):
        pairs = chunk.pairs
        is_open = (pairs.votes >= settings.min_votes) & (pairs.excluded_by == 0) & records.train[pairs.record]
        if settings.measurement:
            is_open &= pairs.verdict == UNTESTABLE
        # several statements of a report may propose the same feature
        once = np.unique(pairs.record[is_open] * shape[1] + pairs.feature[is_open])
        record, feature = np.divmod(once, shape[1])
        counts.add(counts.candidates, records.fold[record], feature, records.scores[record, feature])
        for table, group in (
            (counts.negatives, chunk.unsuggested),
            (counts.stated, chunk.stated),
        ):
            row, feature = np.nonzero(group)
            record = row + chunk.start
            known = records.train[record]
            record, feature = record[known], feature[known]
            counts.add(table, records.fold[record], feature, records.scores[record, feature])
    return counts.thresholds(settings.target_fdr, examined)


def judge(
    pairs: Pairs,
    records: Records,
    texts: TextEvidence,
    candidates: Proposals,
    limits: np.ndarray,
    settings: ChecksSection,
) -> pa.Table:
    """Return the audit (schema ``AUDIT``) of some pairs; ``limits`` are the thresholds per fold and feature."""
    threshold = np.where(np.isnan(pairs.score), np.nan, limits[records.fold[pairs.record], pairs.feature])
    by_votes, by_report = votes(pairs.votes, settings.min_votes), contradiction(pairs.excluded_by)
    reason = decide(by_votes, pairs.verdict, by_report, pairs.score, threshold, settings)
    keys = records.keys.take(pa.array(pairs.record))
    proposed = candidates.table.take(pa.array(pairs.candidate))
    verdict_names = pa.array([VERDICTS[code] for code in sorted(VERDICTS)])
    return pa.Table.from_arrays(
        [
            keys["source"],
            keys["record_id"],
            proposed["statement"],
            proposed["feature"],
            proposed["votes"],
            verdict_names.take(pa.array(pairs.verdict.astype(np.int64) - min(VERDICTS))),
            pa.array(texts.findings, type=pa.string()).take(pa.array(pairs.excluded_by)),
            pa.array(pairs.score, type=pa.float32(), from_pandas=True),
            pa.array(threshold.astype(np.float32), from_pandas=True),
            pa.array(ACCEPTING[reason]),
            pa.array([reason.value for reason in REASONS]).take(pa.array(reason)),
            proposed["backend"],
            proposed["model_digest"],
            proposed["prompt_hash"],
        ],
        names=AUDIT.names,
    ).cast(AUDIT)
