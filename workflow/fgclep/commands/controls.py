"""``fgclep score-recovery --controls``: what would have been recovered in this run without a model."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
from tabulate import tabulate

from fgclep.config.root import Config
from fgclep.config.verification import ChecksSection
from fgclep.language.statements import Statement
from fgclep.language.vocabulary import load_vocabulary
from fgclep.recovery.controls import Control, controls
from fgclep.schemas.audit import AUDIT
from fgclep.schemas.candidates import CANDIDATES
from fgclep.schemas.reports import REPORTS, TEXTS
from fgclep.schemas.truth import TRUTH
from fgclep.stages import verify_features
from fgclep.stages.recover_features import statements_to_ask
from fgclep.tables import read_table, write_table
from fgclep.verification.score import recovery_scores, stated_features

VOCABULARY = Path("resources/vocabulary")
KEY = ("source", "record_id")
HEAD = ("proposed by", "features", "true before", "accepted", "precision after", "of what reports leave out")


def control_lines(results: Path, config: Config) -> list[str]:
    """Verify what the controls propose, as the run verified its own candidates, and compare all with the truth.

    Parameters
    ----------
    results
        Of a run with simulated sources.
    config
        Of the run.
    """
    vocabulary = load_vocabulary(VOCABULARY)
    texts = results / "reports/texts.parquet"
    asked = statements_to_ask(texts, vocabulary)
    reports = pl.DataFrame(read_table(results / "reports/reports.parquet", REPORTS))
    stated = stated_features(reports, pl.DataFrame(read_table(texts, TEXTS, ["text_id", "features"])))
    truth = pl.DataFrame(read_table(results / "simulation/truth.parquet", TRUTH))
    truth = truth.join(reports.select(KEY), on=list(KEY), how="semi")
    own = pl.DataFrame(read_table(results / "recovery/audit.parquet", AUDIT))
    rows: list[tuple[str, ...]] = [HEAD, _row(f"this run ({config.recovery.backend})", own, truth, stated)]
    with TemporaryDirectory() as work:
        for name, control in controls(vocabulary, [statement for _, statement in asked]).items():
            audit = _verified(results, config, asked, control, Path(work))
            rows.append(_row(name, audit, truth, stated))
    aligned = ("left", *["right"] * (len(HEAD) - 1))
    return tabulate(rows, tablefmt="plain", disable_numparse=True, colalign=aligned).splitlines()


def _verified(
    results: Path, config: Config, asked: list[tuple[int, Statement]], control: Control, work: Path
) -> pl.DataFrame:
    origin = {"backend": "control", "model_digest": "", "prompt_hash": ""}
    rows: list[Mapping[str, Any]] = [
        {"text_id": None, "statement": "", **vars(candidate), **origin} for candidate in control.every
    ]
    rows += [
        {"text_id": number, "statement": statement.text, **vars(candidate), **origin}
        for (number, statement), some in zip(asked, control.proposed, strict=True)
        for candidate in some
    ]
    write_table(rows, work / "candidates.parquet", CANDIDATES)
    checks = ChecksSection.of(config.verification).model_copy(update={"min_votes": 1})
    sources = config.data.pretraining_sources()
    parts = {"none": [], "coarse": [f"fold{fold}" for fold in range(checks.folds)]}.get(checks.reader, sources)
    given: dict[str, list[Path]] = {
        "candidates": [work / "candidates.parquet"],
        "texts": [results / "reports/texts.parquet"],
        "reports": [results / "reports/reports.parquet"],
        "measurements": [results / f"measurements/{source}.parquet" for source in sources],
        "manifests": [results / f"manifest/{source}.parquet" for source in sources],
        "scores": [results / f"recovery/scores/{part}.parquet" for part in parts],
        "exam": [results / "recovery/exam.parquet"] if checks.reader == "simulated" else [],
        "output": [work / "audit.parquet"],
        "vocabulary": [VOCABULARY],
    }
    options = [word for name, paths in given.items() for word in (f"--{name}", *map(str, paths))]
    verify_features.main(verify_features.arguments().parse_args([*options, "--settings", checks.model_dump_json()]))
    return pl.DataFrame(read_table(work / "audit.parquet", AUDIT))


def _row(name: str, audit: pl.DataFrame, truth: pl.DataFrame, stated: pl.DataFrame) -> tuple[str, ...]:
    scores = recovery_scores(audit, truth, stated)
    before, after = scores["unfiltered"], scores["accepted"]
    # of all records, also of those for which nothing is proposed
    whole = truth.join(stated, on=[*KEY, "feature"], how="anti").height
    found = (after["recall_of_left_out"] or 0.0) * scores["true_left_out"] / whole if whole else None
    shares = before["precision"], after["precision"], found
    told = ["–" if share is None else f"{100 * share:.1f}%" for share in shares]
    return name, f"{before['features']:,}", told[0], f"{after['features']:,}", told[1], told[2]
