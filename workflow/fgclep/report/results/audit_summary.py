"""What the audit says about recovered features: the funnel, its reasons, and decisions worth a look."""

import polars as pl

from fgclep.keys import KEY
from fgclep.verification.reasons import Reason, reason_of

ACCEPTED = "accepted"
# What drops a candidate, in the order of the checks, and what is left of it in the funnel.
CHECKS = {
    "votes": "named in enough answers",
    "measurement": "not refuted by measurement",
    "contradiction": "not excluded by the report",
    "uncalibrated": "not left open by the reader",
    "reader": "not rejected by the reader",
}
MAIN_CHECKS = ("measurement", "contradiction", "reader")  # shown even where they drop nothing
CHECK_NAMES = {
    ACCEPTED: "accepted",
    "votes": "too few answers",
    "measurement": "refuted by measurement",
    "contradiction": "excluded by the report",
    "uncalibrated": "reader cannot judge",
    "reader": "not seen by the reader",
}


def with_outcome(audit: pl.LazyFrame) -> pl.LazyFrame:
    """Add ``outcome`` to a table with the schema ``AUDIT``: ``accepted``, or the check that drops the candidate."""
    # conditions are streamed, which replace_strict is not
    outcomes = [
        pl.when(pl.col("reason") == reason.value).then(pl.lit(reason.dropped_by or ACCEPTED)) for reason in Reason
    ]
    return audit.with_columns(pl.coalesce(*outcomes).alias("outcome"))


def outcome_counts(audit: pl.LazyFrame) -> dict[str, int]:
    """Candidates per outcome, in the order of the checks and ``accepted`` last.

    Raises ``UserError`` if there are reasons that are unknown.
    """
    counted = dict(audit.group_by("outcome").len().collect(engine="streaming").rows())
    if None in counted:
        reason_of(audit.filter(pl.col("outcome").is_null()).select("reason").head(1).collect().item())  # raises
    return {outcome: counted.get(outcome, 0) for outcome in (*CHECKS, ACCEPTED)}


def feature_table(audit: pl.LazyFrame) -> pl.DataFrame:
    """Per feature: candidates, records, and the number of each outcome, the most frequent feature first."""
    counts = [(pl.col("outcome") == outcome).sum().alias(outcome) for outcome in (*CHECKS, ACCEPTED)]
    supported = (pl.col("accepted") & (pl.col("measurement") == "supported")).sum().alias("supported")
    table = audit.group_by("feature").agg(pl.len().alias("candidates"), *counts, supported).collect(engine="streaming")
    return table.sort("candidates", "feature", descending=[True, False])


def reason_table(audit: pl.LazyFrame) -> pl.DataFrame:
    """Count the reasons, accepted ones first, then by frequency."""
    counted = audit.group_by("accepted", "reason").agg(pl.len().alias("records")).collect(engine="streaming")
    return counted.sort("accepted", "records", "reason", descending=[True, True, False])


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
    no sample of the records. The audit is read once per statement, and of no statement more than ``count`` records are
    kept.

    Parameters
    ----------
    audit
        As ``with_outcome`` returns it.
    usable
        Keys of the records that can be drawn.
    count
        How many to choose; fewer come back if there are not so many.
    """
    drawable = audit.join(usable.select(*KEY), on=KEY, how="semi")
    # records per statement: those of its most frequent candidate
    frequencies = drawable.group_by("statement", "feature").len().group_by("statement").agg(pl.col("len").max())
    ordered = frequencies.collect(engine="streaming").sort("len", "statement", descending=[True, False])
    chosen: dict[tuple[str, str], None] = {}
    best: dict[str, list[tuple[str, str]]] = {}
    by_statement = sorted(ordered["statement"], key=lambda statement: not statement)  # what holds for all records last
    for turn in range(count):
        for statement in by_statement:
            if len(chosen) == count:
                return list(chosen)
            if statement not in best:
                best[statement] = _most_varied(audit, drawable, statement, count)
            chosen |= dict.fromkeys(best[statement][turn : turn + 1])
    return list(chosen)


def _most_varied(audit: pl.LazyFrame, drawable: pl.LazyFrame, statement: str, count: int) -> list[tuple[str, str]]:
    """Keys of the records with a statement whose candidates had the most different outcomes, an accepted one first."""
    with_statement = drawable.filter(pl.col("statement") == statement).select(*KEY)
    records = (
        audit.join(with_statement, on=KEY, how="semi")
        .group_by(*KEY)
        .agg(
            (pl.col("outcome") == ACCEPTED).any().alias("has_accepted"), pl.col("outcome").n_unique().alias("outcomes")
        )
        .sort("has_accepted", "outcomes", *KEY, descending=[True, True, False, False])
        .head(count)
    )
    return records.select(*KEY).collect(engine="streaming").rows()
