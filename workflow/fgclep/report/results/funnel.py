"""The funnel of the recovery: from the distinct statements of the reports to the accepted features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from fgclep.errors import UserError
from fgclep.language.statements import statement_of
from fgclep.language.vocabulary import Vocabulary
from fgclep.recovery.backend import is_asked
from fgclep.recovery.rejections import Rejection
from fgclep.report.results.audit_summary import ACCEPTED, CHECKS

ALWAYS_ANSWERS = 3  # the first rejections are always shown, the others where there are such answers
RARE_CHECKS = ("uncalibrated",)  # shown where they drop something


@dataclass(frozen=True)
class Step:
    """One step: what is left after a check, and how many the check dropped; ``why`` says what these are."""

    name: str
    left: int
    dropped: int | None = None  # None: nothing is checked here
    why: str = ""


@dataclass(frozen=True)
class Part:
    """Steps that count the same thing; its name stands in ``unit``."""

    unit: str
    steps: Sequence[Step]


def _steps(start: Step, checks: Sequence[tuple[str, int, str]]) -> list[Step]:
    """Follow checks (name of what is left, how many are dropped, why) from a start."""
    steps = [start]
    for name, dropped, why in checks:
        steps.append(Step(name, steps[-1].left - dropped, dropped, why))
    return steps


def statement_steps(texts: pl.DataFrame, candidates: pl.DataFrame, vocabulary: Vocabulary) -> list[Step]:
    """Count distinct statements (schemas ``TEXTS`` and ``CANDIDATES``) until an answer came."""
    written = texts.filter(pl.col("count") > 0)
    administrative = written.filter(pl.col("kind") == "administrative").height
    asked = {row["text_id"] for row in written.iter_rows(named=True) if is_asked(statement_of(row), vocabulary)}
    silent = len(asked - set(candidates["text_id"]))
    return _steps(
        Step("in the reports", written.height),
        [
            ("about the ECG", administrative, "administrative, never asked about"),
            (
                "asked about",
                written.height - administrative - len(asked),
                "they name features only, or a verdict such as “abnormal ecg”",
            ),
            ("with an answer", silent, "the backend has none for them"),
        ],
    )


def answer_steps(candidates: pl.DataFrame) -> list[Step]:
    """Count answers (schema ``CANDIDATES``) until they are candidates; the reasons that drop them are told apart."""
    candidates = candidates.filter(pl.col("text_id").is_not_null())
    rejected = candidates.filter(pl.col("feature").is_null())
    counts = dict(rejected.group_by("reason").len().rows())
    if unknown := sorted(set(counts) - set(Rejection)):
        raise UserError(
            f"results/recovery/candidates.parquet: the reason {unknown[0]!r} is unknown, so the candidates are from "
            "another version; delete the file and run snakemake again"
        )
    checks = [
        (rejection.passed, counts.get(rejection, 0), rejection.sentence)
        for place, rejection in enumerate(Rejection)
        if rejection in counts or place < ALWAYS_ANSWERS
    ]
    start = Step("given, each feature or wording once per statement", candidates.height)
    return _steps(start, checks)


def proposed_candidates(reports: pl.LazyFrame, candidates: pl.DataFrame) -> int:
    """Count pairs of a record (schema ``REPORTS``) and a feature proposed for a statement of its report, or for all."""
    named = candidates.filter(pl.col("feature").is_not_null())
    per_text = named.group_by("text_id").len("features")
    every = named["text_id"].null_count()
    records = (
        reports.select(pl.col("text_ids").alias("text_id"))
        .explode("text_id")
        .group_by("text_id")
        .agg(pl.len().alias("records"))
        .collect(engine="streaming")
    )
    both = records.join(per_text, on="text_id")
    of_all = every * int(reports.select(pl.len()).collect().item()) if every else 0
    return int((both["records"].cast(pl.Int64) * both["features"]).sum()) + of_all


def candidate_steps(outcomes: Mapping[str, int], proposed: int) -> list[Step]:
    """Follow candidates, features proposed for a record by a statement of its report, through the filter.

    Parameters
    ----------
    outcomes
        As ``audit_summary.outcome_counts`` returns them.
    proposed
        As ``proposed_candidates`` returns them.

    Examples
    --------
    >>> steps = candidate_steps({"measurement": 3, "reader": 2, "accepted": 5}, 12)
    >>> [(step.name, step.left, step.dropped) for step in steps[1:4]]
    [('left out of the report', 10, 2), ('named in enough answers', 10, 0), ('not refuted by measurement', 7, 3)]
    """
    judged = sum(outcomes.values())
    checks = [("left out of the report", proposed - judged, "the report states the feature itself")]
    for check, name in CHECKS.items():
        if outcomes.get(check, 0) or check not in RARE_CHECKS:
            checks.append((name, outcomes.get(check, 0), ""))
    steps = _steps(Step("a proposed feature, for each record that it is proposed for", proposed), checks)
    return [*steps, Step("accepted", outcomes.get(ACCEPTED, 0))]


def funnel(
    texts: pl.DataFrame,
    candidates: pl.DataFrame,
    reports: pl.LazyFrame,
    outcomes: Mapping[str, int],
    vocabulary: Vocabulary,
) -> list[Part]:
    """Return the funnel in its three parts; see the functions above for the arguments."""
    answers = answer_steps(candidates)
    return [
        Part("Distinct statements", statement_steps(texts, candidates, vocabulary)),
        Part("Answers", [*answers, Step("features proposed for statements", answers[-1].left)]),
        Part("Candidates", candidate_steps(outcomes, proposed_candidates(reports, candidates))),
    ]
