"""``fgclep compare``: the models of two runs on the same test records."""

import argparse

from fgclep.commands.output import Output
from fgclep.evaluation.compare_runs import compare_runs, comparison_lines
from fgclep.schemas.comparisons import COMPARISONS


def run(args: argparse.Namespace) -> None:
    """Write one line per task, protocol and prompt set."""
    output = Output(args.output, args.format, tuple(COMPARISONS.names))
    rows = compare_runs(tuple(args.runs), args.model, args.bootstrap, args.seed)
    output.whole(rows, lambda: comparison_lines(rows))
