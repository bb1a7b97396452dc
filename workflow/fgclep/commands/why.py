"""``fgclep why``: what would run again, and because of which value."""

import argparse

from fgclep.commands.reruns import explain, planned_jobs


def run(args: argparse.Namespace) -> None:
    """Print what a run would make anew, and why."""
    targets = [args.target] if args.target else []
    print(explain(planned_jobs(args.configfile, targets), args.target or "the workflow"))
