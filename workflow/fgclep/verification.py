"""Checks of recovered features against the record: measurement, contradiction with the report, and the coarse model.

All functions work on arrays over records or over candidates (pairs of a record and a feature), so that some hundred
thousand records take minutes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fgclep.leads import INDEX
from fgclep.statements import Statement
from fgclep.vocabulary import Vocabulary

REFUTED, UNTESTABLE, SUPPORTED = -1, 0, 1
VERDICTS = {REFUTED: "refuted", UNTESTABLE: "untestable", SUPPORTED: "supported"}
MIN_NEGATIVES = 30  # fewer incompatible records say nothing about a false-discovery rate of a few percent

# Why a candidate is accepted or not, in the order in which the checks are made: the first that applies is given.
REASONS = (
    "dropped: named in fewer answers than verification.min_votes",
    "dropped: the measurement refutes it",
    "dropped: the report excludes it",
    "accepted: the measurement supports it",
    "accepted: no check that is switched on speaks against it",
    "dropped: the coarse model has no score for this record",
    "dropped: the coarse model cannot be calibrated for this feature",
    "accepted: the coarse model sees it in this ECG",
    "dropped: the coarse model does not see it in this ECG",
)
ACCEPTING = np.array([reason.startswith("accepted") for reason in REASONS])


def verdicts(rule: Mapping[str, Any] | None, measures: Mapping[str, np.ndarray], records: int) -> np.ndarray:
    """Judge a feature by the measured values of many records: ``fgclep.vocabulary.verdict`` on arrays.

    Parameters
    ----------
    rule
        The feature's rule, or ``None``.
    measures
        Arrays by the names of ``schemas.MEASURES``, shape (records,), and of ``LEAD_MEASURES``, shape (records, 12);
        NaN stands for a missing value.
    records
        Number of records.

    Returns
    -------
    numpy.ndarray
        int8 of shape (records,): ``SUPPORTED``, ``REFUTED`` or ``UNTESTABLE``.
    """
    if rule is None:
        return np.full(records, UNTESTABLE, dtype=np.int8)
    true, false = _evaluate(rule, measures)
    return true.astype(np.int8) - false.astype(np.int8)


def _evaluate(rule: Mapping[str, Any], measures: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return where the rule is true and where it is false; it is neither where that is not known."""
    if "not" in rule:
        true, false = _evaluate(rule["not"], measures)
        return false, true
    if "all" in rule or "any" in rule:
        parts = [_evaluate(part, measures) for part in rule.get("all") or rule["any"]]
        needed = len(parts) if "all" in rule else 1
    else:
        values = np.asarray(measures[rule["measure"]], dtype=np.float64)
        if "leads" not in rule:
            return _compare(values, rule)
        parts = [_compare(values[:, INDEX[lead]], rule) for lead in rule["leads"]]
        needed = rule.get("count", len(parts))
    trues = np.sum([true for true, _ in parts], axis=0)
    falses = np.sum([false for _, false in parts], axis=0)
    return trues >= needed, len(parts) - falses < needed


def _compare(values: np.ndarray, rule: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    above, below, margin = rule.get("above", -np.inf), rule.get("below", np.inf), rule.get("margin", 0.0)
    true = (above + margin < values) & (values < below - margin)
    near = (above - margin < values) & (values < below + margin)
    return true, ~true & ~near & ~np.isnan(values)


@dataclass(frozen=True)
class TextFindings:
    """What each text states and excludes.

    Parameters
    ----------
    stated
        bool of shape (texts, features): the text names the feature.
    excluded_by
        int16 of shape (texts, features): 0, or which entry of ``findings`` excludes the feature.
    diagnosis_excludes
        bool of shape (texts, features): a diagnosis that the text makes lists the feature as incompatible.
    unlikely
        bool of shape (texts, features): the text calls the ECG normal, and the feature is not seen on normal ECGs.
    findings
        Names of the excluding findings; the first stands for none.
    """

    stated: np.ndarray
    excluded_by: np.ndarray
    diagnosis_excludes: np.ndarray
    unlikely: np.ndarray
    findings: list[str | None] = field(default_factory=lambda: [None])


def text_findings(statements: Sequence[Statement], vocabulary: Vocabulary) -> TextFindings:
    """Tabulate what each text states, and what it excludes: by a diagnosis that it makes, or by denying a feature.

    What is merely possible is neither stated nor does it exclude anything: "possible atrial fibrillation" leaves open
    whether there are P waves.
    """
    place = {name: i for i, name in enumerate(vocabulary.features)}
    shape = (len(statements), len(place))
    stated, excludes, unlikely = (np.zeros(shape, dtype=bool) for _ in range(3))
    abnormal = np.array([not feature.normal for feature in vocabulary.features.values()])
    excluded_by = np.zeros(shape, dtype=np.int16)
    names: dict[str | None, int] = {None: 0}
    for i, statement in enumerate(statements):
        stated[i, [place[name] for name in statement.features if name not in statement.possible]] = True
        for name in statement.negated:
            if name in place and not excluded_by[i, place[name]]:
                denial = f"no {vocabulary.features[name].text}"
                excluded_by[i, place[name]] = names.setdefault(denial, len(names))
        for name in (name for name in statement.diagnoses if name not in statement.possible):
            diagnosis = vocabulary.diagnoses[name]
            if diagnosis.group == "normal":
                unlikely[i] = abnormal
            for feature in diagnosis.incompatible:
                excludes[i, place[feature]] = True
                if not excluded_by[i, place[feature]]:
                    excluded_by[i, place[feature]] = names.setdefault(diagnosis.text, len(names))
    return TextFindings(stated, excluded_by, excludes, unlikely, list(names))


def over_reports(
    text_ids: Sequence[np.ndarray], table: np.ndarray, join: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Join the rows of a per-text table over the texts of each report.

    Parameters
    ----------
    text_ids
        Text ids per report; the first text counts first.
    table
        Shape (texts, features).
    join
        Element-wise on two arrays of rows: what is known so far, and what the next text adds.

    Returns
    -------
    numpy.ndarray
        Shape (reports, features), zero for a report without texts.
    """
    lengths = np.array([len(ids) for ids in text_ids], dtype=np.int64)
    result = np.zeros((len(lengths), table.shape[1]), dtype=table.dtype)
    for position in range(lengths.max(initial=0)):
        rows = np.flatnonzero(lengths > position)
        result[rows] = join(result[rows], table[[text_ids[row][position] for row in rows.tolist()]])
    return result


def first_given(known: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Keep what is known, and take the new where nothing is (0)."""
    return np.where(known != 0, known, new)


def pair_candidates(
    text_ids: Sequence[np.ndarray], first: np.ndarray, count: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pair every report with the candidates of its texts.

    Parameters
    ----------
    text_ids
        Text ids per report.
    first, count
        For each text where its candidates start in the table of candidates, and how many it has.

    Returns
    -------
    tuple of numpy.ndarray
        For each pair the place of the report, and the row of the candidate.
    """
    lengths = np.array([len(ids) for ids in text_ids], dtype=np.int64)
    flat = np.concatenate([*text_ids, np.zeros(0, dtype=np.int64)]).astype(np.int64)
    counts = count[flat]
    report = np.repeat(np.repeat(np.arange(len(text_ids)), lengths), counts)
    start_of_pair = np.repeat(np.cumsum(counts) - counts, counts)
    within = np.arange(counts.sum()) - start_of_pair
    return report, np.repeat(first[flat], counts) + within


class ScoreHistograms:
    """Scores of candidates and of records without the feature, counted per fold and feature on a grid of logits.

    ``negatives`` counts records that are known not to have the feature, ``normals`` those whose report calls the ECG
    normal; the latter are easier to tell from the candidates, and serve only where there are too few of the former.
    Counting takes the same memory for any number of records, and the order of the records does not matter.

    Parameters
    ----------
    folds, features
        Numbers of folds and of features.
    """

    LOW, HIGH, STEP = -120.0, 120.0, 0.05  # logits are t * cosine + b with t of at most 100

    def __init__(self, folds: int, features: int):
        self.edges = np.linspace(self.LOW, self.HIGH, round((self.HIGH - self.LOW) / self.STEP) + 1)
        shape = (folds, features, len(self.edges) - 1)
        self.candidates = np.zeros(shape, dtype=np.int64)
        self.negatives = np.zeros(shape, dtype=np.int64)
        self.normals = np.zeros(shape, dtype=np.int64)

    def add(self, counts: np.ndarray, fold: np.ndarray, feature: np.ndarray, score: np.ndarray) -> None:
        """Count scores, arrays of one length, into one of the three tables; NaN is left out."""
        known = ~np.isnan(score)
        bins = ((score[known].astype(np.float64) - self.LOW) / self.STEP).astype(np.int64)
        np.add.at(counts, (fold[known], feature[known], np.clip(bins, 0, counts.shape[2] - 1)), 1)

    def thresholds(self, target_fdr: float) -> np.ndarray:
        """Return the threshold per fold and feature, float32 of shape (folds, features); see ``fdr_threshold``."""
        shape = self.candidates.shape[:2]
        result = np.full(shape, np.nan, dtype=np.float32)
        for place in np.ndindex(*shape):
            negatives = self.negatives[place]
            if negatives.sum() < MIN_NEGATIVES:
                negatives = negatives + self.normals[place]
            result[place] = fdr_threshold(self.candidates[place], negatives, self.edges, target_fdr)
        return result


def fdr_threshold(candidates: np.ndarray, negatives: np.ndarray, edges: np.ndarray, target_fdr: float) -> float:
    """Return the lowest threshold at which few enough of the accepted candidates are expected to be false.

    Scores of false candidates are taken to be distributed like those of records that are known not to have the
    feature. At a threshold t the expected share of false ones among the accepted candidates is then

        FDR(t) = pi0 * P(negative >= t) / P(candidate >= t)

    with pi0, the share of false candidates, estimated from the candidates below the median of the negatives
    (Storey 2002, J. R. Stat. Soc. B 64:479, with lambda at the median). The threshold is never within the lower half of
    the negatives, however few candidates are there.

    Parameters
    ----------
    candidates, negatives
        Counts of scores per bin.
    edges
        Edges of the bins, one more than there are bins.
    target_fdr
        Share of false features tolerated.

    Returns
    -------
    float
        A lower edge of a bin; infinity if no threshold is good enough; NaN if there are no candidates or fewer than
        ``MIN_NEGATIVES`` negatives.
    """
    total, known_false = candidates.sum(), negatives.sum()
    if known_false < MIN_NEGATIVES or not total:
        return float("nan")
    passing = candidates[::-1].cumsum()[::-1]
    # one more than counted: no negative above t among n seen does not mean that there is none
    false_rate = (negatives[::-1].cumsum()[::-1] + 1) / (known_false + 1)
    median = int(np.searchsorted(negatives.cumsum(), known_false / 2))
    below = negatives[: median + 1].sum() / known_false
    pi0 = min(1.0, candidates[: median + 1].sum() / (below * total))
    fdr = np.divide(pi0 * false_rate * total, passing, out=np.full(len(passing), np.inf), where=passing > 0)
    good = np.flatnonzero(fdr[median + 1 :] <= target_fdr)
    return float(edges[median + 1 + good[0]]) if good.size else float("inf")


def decide(
    votes: np.ndarray,
    measurement: np.ndarray,
    contradicted: np.ndarray,
    score: np.ndarray,
    threshold: np.ndarray,
    settings: Mapping[str, Any],
) -> np.ndarray:
    """Decide on candidates from the outcome of every check.

    Parameters
    ----------
    votes
        Answers that name the feature.
    measurement
        ``SUPPORTED``, ``REFUTED`` or ``UNTESTABLE``.
    contradicted
        Whether the report excludes the feature.
    score, threshold
        Of the coarse model; a NaN score: the model has not scored the record; a NaN threshold: it is not calibrated.
    settings
        ``min_votes``, and the switches ``measurement``, ``contradiction`` and ``coarse``.

    Returns
    -------
    numpy.ndarray
        Per candidate the place in ``REASONS``; ``ACCEPTING`` of it tells whether the candidate is accepted.
    """
    by_measurement = np.full(len(votes), bool(settings["measurement"]))
    conditions = [
        votes < settings["min_votes"],
        by_measurement & (measurement == REFUTED),
        contradicted & bool(settings["contradiction"]),
        by_measurement & (measurement == SUPPORTED),
        np.full(len(votes), not settings["coarse"]),
        np.isnan(score),
        np.isnan(threshold),
        score >= threshold,
    ]
    return np.select(conditions, list(range(len(conditions))), default=len(conditions)).astype(np.int64)
