"""What the audit says about recovered features: the funnel, its reasons, and decisions worth a look."""

from collections.abc import Mapping

import polars as pl

from fgclep.report.dataflow import KEY, count_like

ACCEPTED, OTHER = "accepted", "other"
# What drops a candidate, in the order of the checks, and what is left of it in the funnel.
CHECKS = {
    "votes": "named in enough answers",
    "measurement": "not refuted by measurement",
    "contradiction": "not excluded by the report",
    "uncalibrated": "not left open by the coarse model",
    "coarse": "not rejected by the coarse model",
    OTHER: "not dropped for another reason",
}
MAIN_CHECKS = ("measurement", "contradiction", "coarse")  # shown even where they drop nothing
CHECK_NAMES = {
    ACCEPTED: "accepted",
    "votes": "too few answers",
    "measurement": "refuted by measurement",
    "contradiction": "excluded by the report",
    "uncalibrated": "coarse model cannot judge",
    "coarse": "not seen by the coarse model",
    OTHER: "another reason",
}
OUTCOMES = {
    "dropped: named in fewer answers than verification.min_votes": "votes",
    "dropped: the measurement refutes it": "measurement",
    "dropped: the report excludes it": "contradiction",
    "dropped: the measured value is beyond the limit, if within its error": "measurement",
    "dropped: the coarse model has no score for this record": "uncalibrated",
    "dropped: the coarse model cannot be calibrated for this feature": "uncalibrated",
    "dropped: the coarse model does not see it in this ECG": "coarse",
}


def with_outcome(audit: pl.LazyFrame) -> pl.LazyFrame:
    """Add ``outcome`` to a table with the schema ``AUDIT``: ``accepted``, or the check that drops the candidate."""
    dropped_by = pl.col("reason").replace_strict(OUTCOMES, default=OTHER, return_dtype=pl.String)
    return audit.with_columns(pl.when("accepted").then(pl.lit(ACCEPTED)).otherwise(dropped_by).alias("outcome"))


def outcome_counts(audit: pl.LazyFrame) -> dict[str, int]:
    """Candidates per outcome, in the order of the checks and ``accepted`` last."""
    counted = dict(audit.group_by("outcome").len().collect(engine="streaming").rows())
    return {outcome: counted.get(outcome, 0) for outcome in (*CHECKS, ACCEPTED)}


def funnel_steps(counts: Mapping[str, int]) -> list[tuple[str, int, str]]:
    """Steps of the funnel: name, candidates left, and how many the check dropped.

    ``MAIN_CHECKS`` are always shown, the others where they drop something.

    >>> funnel_steps({"measurement": 3, "coarse": 2, "accepted": 5})[:2]
    [('candidates', 10, ''), ('not refuted by measurement', 7, '−3')]
    """
    left = sum(counts.values())
    steps = [("candidates", left, "")]
    for check, name in CHECKS.items():
        dropped = counts.get(check, 0)
        if dropped or check in MAIN_CHECKS:
            left -= dropped
            steps.append((name, left, f"−{dropped:,}" if dropped else "none dropped"))
    return [*steps, ("accepted", counts.get(ACCEPTED, 0), "")]


def feature_table(audit: pl.LazyFrame) -> pl.DataFrame:
    """Per feature: candidates, records, and the number of each outcome, the most frequent feature first."""
    counts = [(pl.col("outcome") == outcome).sum().alias(outcome) for outcome in (*CHECKS, ACCEPTED)]
    supported = (pl.col("accepted") & (pl.col("measurement") == "supported")).sum().alias("supported")
    table = audit.group_by("feature").agg(pl.len().alias("candidates"), *counts, supported).collect(engine="streaming")
    return table.sort("candidates", "feature", descending=[True, False])


def reason_table(audit: pl.LazyFrame) -> pl.DataFrame:
    """Count the reasons, accepted ones first, then by frequency."""
    return count_like(audit, "reason", ["accepted"]).sort(
        "accepted", "records", "reason", descending=[True, True, False]
    )


def decisions(audit: pl.LazyFrame, limit: int) -> pl.DataFrame:
    """Return one decision for each of the most frequent pairs of statement and feature, evenly over the outcomes."""
    pair = ["outcome", "statement", "feature"]
    record = pl.concat_str(*KEY, separator="/").alias("record")
    counted = (
        audit.group_by(pair)
        .agg(pl.len().alias("pairs"), record.min())
        .collect(engine="streaming")
        .sort("pairs", *pair, descending=[True, False, False, False])
        .with_columns(pl.int_range(pl.len()).over("outcome").alias("turn"))
    )
    rank = {outcome: place for place, outcome in enumerate((ACCEPTED, *CHECKS))}
    order = pl.col("outcome").replace_strict(rank, return_dtype=pl.Int64).alias("rank")
    chosen = counted.with_columns(order).sort("turn", "rank").head(limit)
    rows = audit.with_columns(record).join(chosen.lazy(), on=[*pair, "record"], how="inner").collect(engine="streaming")
    return rows.unique([*pair, "record"]).sort("rank", "turn")


def choose_records(audit: pl.LazyFrame, usable: pl.LazyFrame, count: int) -> list[tuple[str, str]]:
    """Choose records to look at: one for each of the most frequent statements.

    Of the records with a statement, the one comes first whose candidates had the most different outcomes, among them an
    accepted one where there is such a record; then the order is by name. The choice shows how the checks work, and is
    no sample of the records.

    Parameters
    ----------
    audit
        As ``with_outcome`` returns it.
    usable
        Keys of the records that can be drawn.
    count
        How many to choose; fewer come back if there are not so many.
    """
    statements = (
        audit.join(usable.select(*KEY), on=KEY, how="semi")
        .group_by(*KEY, "statement")
        .agg(pl.col("outcome").unique().sort())
        .collect(engine="streaming")
    )
    records = (
        statements.explode("outcome")
        .group_by(*KEY)
        .agg(
            (pl.col("outcome") == ACCEPTED).any().alias("has_accepted"), pl.col("outcome").n_unique().alias("outcomes")
        )
    )
    order = ["has_accepted", "outcomes", *KEY]
    best = (
        statements.join(records, on=KEY)
        .sort("statement", *order, descending=[False, True, True, False, False])
        .with_columns(
            pl.len().over("statement").alias("frequency"), pl.int_range(pl.len()).over("statement").alias("turn")
        )
        .filter(pl.col("turn") < count)
        .sort("turn", "frequency", "statement", descending=[False, True, False])
    )
    return list(dict.fromkeys(best.select(*KEY).rows()))[:count]
