"""The checks that a proposed feature must pass, cheapest first, and the decision they come to.

Each check gives a verdict of its own: ``REFUTED``, ``SUPPORTED``, or ``UNTESTABLE`` where it cannot say; a measured
value that is closer to the limit than its error makes a feature ``LIKELY`` or ``UNLIKELY``. The first two look at
statements and answers, before any record is known; the others work on arrays over candidates, pairs of a record and a
feature, so that some hundred thousand records take minutes.

    administrative   a statement about the recording or the patient is never asked about
    vocabulary       an answer must be a feature of the vocabulary (``fgclep.recovery.answers.map_answer``)
    votes            enough answers must name the feature
    measurement      the measured intervals, axes and amplitudes of the record must not refute it
    contradiction    the report must not exclude it
    coarse           a coarse model that has not seen the patient must see it
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fgclep.config.verification import ChecksSection
from fgclep.language.statements import Statement
from fgclep.leads import INDEX

REFUTED, UNLIKELY, UNTESTABLE, LIKELY, SUPPORTED = -2, -1, 0, 1, 2
VERDICTS = {
    REFUTED: "refuted",
    UNLIKELY: "unlikely",
    UNTESTABLE: "untestable",
    LIKELY: "likely",
    SUPPORTED: "supported",
}

# Why a candidate is accepted or not, in the order in which the checks are made: the first that applies is given.
REASONS = (
    "dropped: named in fewer answers than verification.min_votes",
    "dropped: the measurement refutes it",
    "dropped: the measured value lies beyond the limit, though by less than its error",
    "dropped: the report excludes it",
    "accepted: the measurement supports it",
    "accepted: the measured value lies within the limit, though by less than its error",
    "accepted: no check that is switched on speaks against it",
    "dropped: the coarse model has no score for this record",
    "dropped: the coarse model cannot be calibrated for this feature",
    "accepted: the coarse model sees it in this ECG",
    "dropped: the coarse model does not see it in this ECG",
)
ACCEPTING = np.array([reason.startswith("accepted") for reason in REASONS])


def administrative(statement: Statement) -> int:
    """Refute what is no finding: statements about the recording, the patient or the reading, such as "unconfirmed"."""
    return REFUTED if statement.kind == "administrative" else UNTESTABLE


def votes(named: np.ndarray, min_votes: int) -> np.ndarray:
    """Refute what fewer than ``min_votes`` answers name; ``named`` counts the answers."""
    return np.where(named < min_votes, REFUTED, UNTESTABLE).astype(np.int8)


def measurement(rule: Mapping[str, Any] | None, measures: Mapping[str, np.ndarray], records: int) -> np.ndarray:
    """Judge a feature by the measured values of many records: ``fgclep.language.vocabulary.verdict`` on arrays.

    Parameters
    ----------
    rule
        The feature's rule, or ``None``.
    measures
        Arrays by the names of ``MEASURES``, shape (records,), and of ``LEAD_MEASURES``, shape (records, 12);
        NaN stands for a missing value.
    records
        Number of records.

    Returns
    -------
    numpy.ndarray
        int8 of shape (records,): ``SUPPORTED`` or ``REFUTED`` where the measured values, with their errors
        (``margin``), leave no doubt; ``LIKELY`` or ``UNLIKELY`` where only the values as they are decide;
        ``UNTESTABLE`` without a rule or a value.
    """
    if rule is None:
        return np.full(records, UNTESTABLE, dtype=np.int8)
    cases = [*_evaluate(rule, measures, margins=True), *_evaluate(rule, measures, margins=False)]
    return np.select(cases, [SUPPORTED, REFUTED, LIKELY, UNLIKELY], UNTESTABLE).astype(np.int8)


def _evaluate(
    rule: Mapping[str, Any], measures: Mapping[str, np.ndarray], margins: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return where the rule is true and where it is false; it is neither where that is not known."""
    if "not" in rule:
        true, false = _evaluate(rule["not"], measures, margins)
        return false, true
    if "all" in rule or "any" in rule:
        parts = [_evaluate(part, measures, margins) for part in rule.get("all") or rule["any"]]
        needed = len(parts) if "all" in rule else 1
    else:
        values = np.asarray(measures[rule["measure"]], dtype=np.float64)
        if "leads" not in rule:
            return _compare(values, rule, margins)
        parts = [_compare(values[:, INDEX[lead]], rule, margins) for lead in rule["leads"]]
        needed = rule.get("count", len(parts))
    trues = np.sum([true for true, _ in parts], axis=0)
    falses = np.sum([false for _, false in parts], axis=0)
    return trues >= needed, len(parts) - falses < needed


def _compare(values: np.ndarray, rule: Mapping[str, Any], margins: bool) -> tuple[np.ndarray, np.ndarray]:
    above, below = rule.get("above", -np.inf), rule.get("below", np.inf)
    margin = rule.get("margin", 0.0) if margins else 0.0
    true = (above + margin < values) & (values < below - margin)
    near = (above - margin < values) & (values < below + margin)
    return true, ~true & ~near & ~np.isnan(values)


def contradiction(excluded_by: np.ndarray) -> np.ndarray:
    """Refute what the report excludes: ``excluded_by`` is 0, or names the finding that does (``TextEvidence``)."""
    return np.where(excluded_by > 0, REFUTED, UNTESTABLE).astype(np.int8)


def coarse(score: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Support what the coarse model scores at its threshold or above, and refute what it scores below.

    Parameters
    ----------
    score, threshold
        Logits. NaN: the model has not scored the record, or is not calibrated for the feature, which cannot be tested
        then.
    """
    verdict = np.where(score >= threshold, SUPPORTED, REFUTED)
    return np.where(np.isnan(score) | np.isnan(threshold), UNTESTABLE, verdict).astype(np.int8)


def decide(
    by_votes: np.ndarray,
    by_measurement: np.ndarray,
    by_contradiction: np.ndarray,
    score: np.ndarray,
    threshold: np.ndarray,
    settings: ChecksSection,
) -> np.ndarray:
    """Decide on candidates by the verdicts of the checks.

    Parameters
    ----------
    by_votes, by_measurement, by_contradiction
        Verdicts.
    score, threshold
        What ``coarse`` judges.
    settings
        The switches ``measurement``, ``contradiction`` and ``coarse`` of the section ``verification``.

    Returns
    -------
    numpy.ndarray
        int64 per candidate, the place in ``REASONS``; ``ACCEPTING`` of it tells whether the candidate is accepted.
    """
    measured = by_measurement if settings.measurement else np.zeros_like(by_measurement)
    conditions = [
        by_votes == REFUTED,
        measured == REFUTED,
        measured == UNLIKELY,
        (by_contradiction == REFUTED) & settings.contradiction,
        measured == SUPPORTED,
        measured == LIKELY,
        np.full(len(by_votes), not settings.coarse),
        np.isnan(score),
        np.isnan(threshold),
        coarse(score, threshold) == SUPPORTED,
    ]
    return np.select(conditions, list(range(len(conditions))), default=len(conditions)).astype(np.int64)
