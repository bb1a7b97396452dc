"""The funnel from statements to accepted features, against counts by hand."""

import polars as pl
import pytest
from report_data import answers, texts, write_results

from fgclep.errors import UserError
from fgclep.report.results import audit_summary, funnel


def numbers(steps):
    return [(step.left, step.dropped) for step in steps]


def test_statements_are_followed_until_an_answer_came(vocabulary):
    # eight texts are in reports: one administrative; a verdict and one with a feature only; an unknown one unanswered
    steps = funnel.statement_steps(pl.DataFrame(texts()), pl.DataFrame(answers()), vocabulary)
    assert numbers(steps) == [(8, None), (7, 1), (5, 2), (4, 1)]
    assert [step.name for step in steps] == ["in the reports", "about the ECG", "asked about", "with an answer"]


def test_answers_are_followed_until_they_are_features():
    steps = funnel.answer_steps(pl.DataFrame(answers()))
    assert numbers(steps) == [(26, None), (24, 2), (23, 1), (22, 1), (21, 1), (20, 1)]
    assert [step.name for step in steps[1:]] == [
        "in the vocabulary", "not a bare diagnosis", "not a denial", "one feature, not several", "usable",
    ]  # fmt: skip


def test_the_main_reasons_are_shown_where_there_are_none_and_one_of_another_version_is_refused():
    assert numbers(funnel.answer_steps(pl.DataFrame(answers()[:1]))) == [(1, None), (1, 0), (1, 0), (1, 0)]
    rows = [{**answers()[0], "feature": None, "reason": "denies a finding"}, answers()[1]]
    with pytest.raises(UserError, match=r"candidates\.parquet: the reason 'denies a finding' is unknown"):
        funnel.answer_steps(pl.DataFrame(rows))


def test_candidates_are_followed_from_the_reports_to_what_is_accepted(tmp_path, vocabulary):
    write_results(tmp_path)
    audit = audit_summary.with_outcome(pl.scan_parquet(tmp_path / "audit.parquet"))
    parts = funnel.funnel(
        pl.DataFrame(texts()),
        pl.DataFrame(answers()),
        pl.scan_parquet(tmp_path / "reports.parquet"),
        audit_summary.outcome_counts(audit),
        vocabulary,
    )
    assert [part.unit for part in parts] == ["Distinct statements", "Answers", "Candidates"]
    # four records with one statement each, five features for each statement; three are not in the audit
    assert numbers(parts[2].steps) == [
        (20, None), (17, 3), (17, 0), (13, 4), (9, 4), (7, 2), (7, None),
    ]  # fmt: skip


def test_a_record_has_the_features_of_all_its_statements():
    reports = pl.DataFrame({"text_ids": [[0, 1], [1], [4], []]}).lazy()
    # answers: five features each for the texts 0 to 3; the rejected answers do not count
    assert funnel.proposed_candidates(reports, pl.DataFrame(answers())) == 15
