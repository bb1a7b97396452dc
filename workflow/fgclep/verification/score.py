"""Precision and recall of recovered features against the simulator's truth."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from tabulate import tabulate

from fgclep.config.verification import ChecksSection
from fgclep.keys import KEY
from fgclep.measurement.rules import REFUTED, UNTESTABLE, VERDICTS
from fgclep.schemas.audit import AUDIT
from fgclep.schemas.reports import REPORTS, TEXTS
from fgclep.schemas.truth import TRUTH
from fgclep.tables import read_table
from fgclep.verification.checks import ACCEPTING, decide
from fgclep.verification.reasons import Reason

PAIR = [*KEY, "feature"]
CHECKS = ("votes", "measurement", "contradiction", "reader")


def recovery_scores(audit: pl.DataFrame, truth: pl.DataFrame, stated: pl.DataFrame | None = None) -> dict[str, Any]:
    """Compare recovered features with the truth, over distinct pairs of a record and a feature.

    Parameters
    ----------
    audit
        Schema ``AUDIT``.
    truth
        Schema ``TRUTH``: the features that each record has.
    stated
        Pairs (source, record_id, feature) that the reports state themselves and that need no recovery.

    Returns
    -------
    dict
        ``records``: with any candidate. ``true_features``: of these records. ``true_left_out``: those of them that the
        report does not state (only with ``stated``).
        ``accepted``, ``unfiltered`` and ``without`` (per check, had it been left out) hold for a set of features:
        ``features``, how many; ``true``, how many of them the record has; ``precision``, their share;
        ``recall_of_proposed``, found share of the true features that the backend proposed;
        ``recall_of_all``, found share of all true features of the records, stated or not, proposed or not;
        ``recall_of_left_out``, found share of the true features that the report does not state (only with ``stated``).
        ``per_feature``: a list of the same for each feature.
    """
    rows = audit.select(*PAIR, "accepted", unfiltered=True)
    without = {check: _accepted_without(audit, check) for check in CHECKS}
    rows = rows.with_columns(pl.Series(f"without_{check}", values) for check, values in without.items())
    pairs = rows.group_by(PAIR).agg(pl.all().any())
    true = truth.select(PAIR).unique().join(audit.select(KEY).unique(), on=KEY, how="semi")
    pairs = pairs.join(true.with_columns(true=pl.lit(True)), on=PAIR, how="left").with_columns(
        pl.col("true").fill_null(False)
    )
    left_out = None if stated is None else true.join(stated, on=PAIR, how="anti")
    totals = {"all": true.height, "proposed": int(pairs["true"].sum())}
    if left_out is not None:
        totals["left_out"] = left_out.height
    result: dict[str, Any] = {"records": audit.select(KEY).n_unique(), "true_features": true.height}
    if left_out is not None:
        result["true_left_out"] = left_out.height
    result["accepted"] = _scores(pairs, "accepted", totals)
    result["unfiltered"] = _scores(pairs, "unfiltered", totals)
    result["without"] = {check: _scores(pairs, f"without_{check}", totals) for check in CHECKS}
    per_feature = []
    true_of = dict(true.group_by("feature").len().iter_rows())
    left_out_of = {} if left_out is None else dict(left_out.group_by("feature").len().iter_rows())
    for (feature,), group in sorted(pairs.partition_by("feature", as_dict=True).items()):
        own = {"all": true_of.get(feature, 0), "proposed": int(group["true"].sum())}
        if left_out is not None:
            own["left_out"] = left_out_of.get(feature, 0)
        row = {"feature": feature, "proposed": group.height, "true_proposed": own["proposed"]}
        row |= {"unfiltered_precision": _share(own["proposed"], group.height)}
        per_feature.append(row | _scores(group, "accepted", own))
    result["per_feature"] = per_feature
    return result


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _scores(pairs: pl.DataFrame, column: str, totals: Mapping[str, int]) -> dict[str, Any]:
    chosen = pairs.filter(pl.col(column))
    true = int(chosen["true"].sum())
    scores: dict[str, Any] = {"features": chosen.height, "true": true, "precision": _share(true, chosen.height)}
    return scores | {f"recall_of_{name}": _share(true, total) for name, total in totals.items()}


def _accepted_without(audit: pl.DataFrame, check: str) -> pl.Series:
    """Decide again without one check, at the thresholds as they were.

    Which checks were on is not in the audit, so all others count as on.
    """
    codes = {name: code for code, name in VERDICTS.items()}
    verdict = audit["measurement"].replace_strict(codes, return_dtype=pl.Int8).to_numpy()
    too_few_votes = (audit["reason"] == Reason.TOO_FEW_VOTES.value).to_numpy() & (check != "votes")
    excluded = audit["contradiction"].is_not_null().to_numpy()
    score, threshold = (
        audit[name].cast(pl.Float64).fill_null(float("nan")).to_numpy() for name in ("reader_score", "reader_threshold")
    )
    by_votes, by_report = (np.where(refuted, REFUTED, UNTESTABLE) for refuted in (too_few_votes, excluded))
    switches = {name: name != check for name in ("measurement", "contradiction")}
    settings = ChecksSection(**switches, reader="none" if check == "reader" else "simulated")
    return pl.Series(ACCEPTING[decide(by_votes, verdict, by_report, score, threshold, settings)])


def stated_features(reports: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs (source, record_id, feature) that reports (schema ``REPORTS``) state, by texts (``TEXTS``)."""
    named = texts.select("text_id", feature="features").explode("feature").drop_nulls()
    own = reports.explode("text_ids").rename({"text_ids": "text_id"})
    return own.join(named, on="text_id").select(PAIR).unique()


def _percent(value: float | None) -> str:
    return "not defined" if value is None else f"{100 * value:.1f}%"


def print_recovery_scores(
    audit: str | Path, truth: str | Path, reports: str | Path | None = None, texts: str | Path | None = None
) -> None:
    """Print the scores of an audit against a truth table; with the original reports, also recall of what they omit."""
    stated = None
    if reports and texts:
        stated = stated_features(
            pl.DataFrame(read_table(reports, REPORTS)), pl.DataFrame(read_table(texts, TEXTS, ["text_id", "features"]))
        )
    scores = recovery_scores(pl.DataFrame(read_table(audit, AUDIT)), pl.DataFrame(read_table(truth, TRUTH)), stated)
    recalls = [name for name in scores["accepted"] if name.startswith("recall_of_")]
    titles = {"recall_of_all": "of all", "recall_of_proposed": "of proposed", "recall_of_left_out": "of left out"}
    print(f"{scores['records']} records with candidates, {scores['true_features']} true features in all")
    if stated is not None:
        print(f"{scores['true_left_out']} of these are left out of the reports")
    sets = {"unfiltered": scores["unfiltered"], "accepted": scores["accepted"]}
    sets |= {f"without {check}": scores["without"][check] for check in CHECKS}
    rows = [["", "features", "precision", *(f"recall {titles[name]}" for name in recalls)]]
    for title, row in sets.items():
        rows.append([title, row["features"], *(_percent(row[name]) for name in ("precision", *recalls))])
    _print_table(rows)
    rows = [["feature", "proposed", "precision", "accepted", "precision", "recall of proposed"]]
    for row in scores["per_feature"]:
        before, after = _percent(row["unfiltered_precision"]), _percent(row["precision"])
        recall = _percent(row["recall_of_proposed"])
        rows.append([row["feature"], row["proposed"], before, row["features"], after, recall])
    _print_table(rows)


def _print_table(rows: Sequence[Sequence[object]]) -> None:
    aligned = ("left", *["right"] * (len(rows[0]) - 1))
    print("\n" + tabulate(rows, tablefmt="plain", disable_numparse=True, colalign=aligned))
