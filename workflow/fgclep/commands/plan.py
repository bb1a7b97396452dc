"""``fgclep plan``: what a run takes, before it starts."""

import argparse
import json
from pathlib import Path

from fgclep.commands.run_plan import make_plan, plan_text
from fgclep.config.load import load
from fgclep.errors import UserError


def run(args: argparse.Namespace) -> None:
    """Print the plan of a run."""
    if not Path("config.yaml").exists():
        raise UserError("there is no config.yaml here; run this where the Snakefile is")
    made = make_plan(load("config.yaml", *args.configfile))
    print(json.dumps(made.as_json(), indent=1) if args.json else plan_text(made))
