"""``fgclep recover``: ask the language model of the config, ahead of the workflow, which finds the answers then."""

import argparse
import logging
from pathlib import Path

from fgclep.commands.output import show
from fgclep.config.load import load
from fgclep.errors import UserError
from fgclep.language.vocabulary import load_vocabulary
from fgclep.progress import log_to
from fgclep.recovery.dry_run import describe
from fgclep.recovery.probe import require, run_probe
from fgclep.stages.recover_features import make_language_model, statements_to_ask

NOTHING_ASKED = """\
recovery.backend is {}: nothing is asked, and there is nothing to wait for. For a language model write

    recovery:
      backend: ollama"""


def run(args: argparse.Namespace) -> None:
    """Ask about all statements of the reports, after the probe; or the probe alone."""
    settings = load("config.yaml", *args.configfile).recovery
    if not settings.asks:
        show(NOTHING_ASKED.format(settings.backend))
        return
    vocabulary = load_vocabulary("resources/vocabulary")
    model = make_language_model(settings, Path("resources/prompts"), vocabulary)
    if not args.dry_run:
        log_to(None, "%(message)s", logging.INFO)
    if args.probe:
        show(run_probe(model, settings.model, vocabulary).text())
        return
    if not Path(args.texts).exists():
        raise UserError(f"{args.texts} does not exist; run `snakemake --cores all {args.texts}` first")
    statements = [statement for _, statement in statements_to_ask(args.texts, vocabulary)]
    if args.dry_run:
        show(describe(model, settings, statements))
        return
    require(model, settings, vocabulary)
    candidates = [candidate for some in model.propose(statements) for candidate in some]
    features = sum(candidate.feature is not None for candidate in candidates)
    show(f"{features} features proposed for {len(statements)} statements; the answers are in {settings.cache}")
