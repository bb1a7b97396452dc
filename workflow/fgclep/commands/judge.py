"""``fgclep audit``, ``score-recovery`` and ``score-review``: judge the recovered features."""

import argparse
from pathlib import Path

from fgclep.commands.of_run import run_of
from fgclep.commands.output import show
from fgclep.errors import UserError
from fgclep.files import RUN_RECORD


def audit(args: argparse.Namespace) -> None:
    """Print what was decided about the recovered features of records, and why."""
    from fgclep.language.vocabulary import load_vocabulary  # each command loads what it needs, and no more
    from fgclep.verification.record_audit import record_audit

    vocabulary = load_vocabulary(args.vocabulary)
    show("\n\n".join(record_audit(name, Path(args.results), vocabulary) for name in args.records))


def score_recovery(args: argparse.Namespace) -> None:
    """Print precision and recall of the accepted and of all proposed features against the simulator's truth."""
    for path in (args.audit, args.truth, args.reports, args.texts):
        if not Path(path).exists():
            raise UserError(f"{path} does not exist; run `snakemake --cores all` with a simulated source first")
    run = run_of(Path(args.truth).parent.parent)
    if run is not None and not run["truth"]:
        raise UserError(
            f"{args.truth} is of an earlier run: this one trains on no simulated source, so that nobody knows the truth"
        )
    from fgclep.verification.score import print_recovery_scores

    print_recovery_scores(args.audit, args.truth, args.reports, args.texts)
    if not args.controls:
        return
    results = Path(args.truth).parent.parent
    if run is None or "config" not in run:
        raise UserError(f"{results / RUN_RECORD} does not tell the config of the run; run snakemake again")
    from fgclep.commands.controls import control_lines
    from fgclep.config.load import validate_config

    show("\n".join(["", *control_lines(results, validate_config(run["config"]))]))


def score_review(args: argparse.Namespace) -> None:
    """Print the precision of the filter by a clinician's answers on the review sheet, weighted as they were drawn."""
    from fgclep.review.score import read_answers, score_text

    show(score_text(read_answers(args.file)))
