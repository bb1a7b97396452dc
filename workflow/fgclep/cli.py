"""The command ``fgclep``: use a trained model, and judge what the workflow made."""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from fgclep.stage import UserError

MODEL = "results/models/fine"
KNOWLEDGE = """\
recovery.backend is knowledge: nothing is asked, and there is nothing to wait for. For a language model write

    recovery:
      backend: ollama"""


def predict(args: argparse.Namespace) -> None:
    """Print the probability of every prompt for every record."""
    if not (Path(args.model) / "config.json").exists():
        raise UserError(f"{args.model} holds no model; run `snakemake --cores all` first, or give --model FOLDER")
    from fgclep.config.quality import QualitySection
    from fgclep.models.fgclep import FGCLEP
    from fgclep.quality import usable_record
    from fgclep.wfdb_reader import read_record

    model = FGCLEP.from_pretrained(args.model)
    width = max(len(prompt) for prompt in args.prompt)
    for name in args.records:
        path = Path(name.removesuffix(".hea").removesuffix(".dat").removesuffix(".mat"))
        try:
            record = usable_record(read_record(path), QualitySection().model_dump())
            probabilities = model.predict(record.millivolts(), record.sampling_rate, args.prompt)
        except ValueError as error:
            raise UserError(f"{name}: {error}") from error
        if args.json:
            found = {prompt: round(float(p), 4) for prompt, p in zip(args.prompt, probabilities, strict=True)}
            print(json.dumps({"record": str(path), "probabilities": found}))
            continue
        print(path)
        for prompt, probability in zip(args.prompt, probabilities, strict=True):
            print(f"  {prompt:<{width}}  {probability:.3f}")
    print("For research only: not a medical device, not for diagnosis.", file=sys.stderr)


def score_recovery(args: argparse.Namespace) -> None:
    """Print precision and recall of the accepted and of all proposed features against the simulator's truth."""
    from fgclep.recovery.score import print_recovery_scores

    for path in (args.audit, args.truth, args.reports, args.texts):
        if not Path(path).exists():
            raise UserError(f"{path} does not exist; run `snakemake --cores all` with a simulated source first")
    print_recovery_scores(args.audit, args.truth, args.reports, args.texts)


def recover(args: argparse.Namespace) -> None:
    """Ask the language model of the config, ahead of the workflow, which then finds the answers in the cache."""
    from fgclep.config import load
    from fgclep.recovery.dry_run import describe
    from fgclep.stages.recover_features import make_language_model, statements_to_ask
    from fgclep.vocabulary import load_vocabulary

    settings = load("config.yaml", *args.configfile).recovery.model_dump(mode="json")
    if settings["backend"] == "knowledge":
        print(KNOWLEDGE)
        return
    if not Path(args.texts).exists():
        raise UserError(f"{args.texts} does not exist; run `snakemake --cores all {args.texts}` first")
    vocabulary = load_vocabulary("resources/vocabulary")
    statements = [statement for _, statement in statements_to_ask(args.texts, vocabulary)]
    model = make_language_model(settings, Path("resources/prompts/recover.txt"), vocabulary)
    if args.dry_run:
        print(describe(model, settings, [statement.text for statement in statements]))
        return
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    candidates = [candidate for some in model.propose(statements) for candidate in some]
    features = sum(candidate.feature is not None for candidate in candidates)
    print(f"{features} features proposed for {len(statements)} statements; the answers are in {settings['cache']}")


def audit(args: argparse.Namespace) -> None:
    """Print what was decided about the recovered features of a record, and why."""
    from fgclep.report.record_audit import record_audit
    from fgclep.vocabulary import load_vocabulary

    vocabulary = load_vocabulary(args.vocabulary)
    print("\n\n".join(record_audit(name, Path(args.results), vocabulary) for name in args.records))


def score_review(args: argparse.Namespace) -> None:
    """Print the precision of the filter by a clinician's answers on the review sheet, weighted as they were drawn."""
    from fgclep.report.review_score import read_answers, score_text

    print(score_text(read_answers(args.file)))


def plan(args: argparse.Namespace) -> None:
    """Print what a run with this config takes: records, bytes to fetch, disk and LLM calls; fetches nothing."""
    from fgclep.config import load
    from fgclep.plan import make_plan, plan_text

    if not Path("config.yaml").exists():
        raise UserError("there is no config.yaml here; run this where the Snakefile is")
    made = make_plan(load("config.yaml", *args.configfile))
    print(json.dumps(made.as_json(), indent=1) if args.json else plan_text(made))


def arguments() -> argparse.ArgumentParser:
    """Command line of ``fgclep``."""
    parser = argparse.ArgumentParser(prog="fgclep", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser(
        "predict", help="probabilities of findings for WFDB records", description=predict.__doc__
    )
    command.add_argument(
        "records", nargs="+", metavar="RECORD", help="path of a WFDB record, with or without extension"
    )
    command.add_argument("--prompt", action="append", required=True, help="a finding in words; may be given many times")
    command.add_argument("--model", default=MODEL, help="folder or Hugging Face name of a model (default: %(default)s)")
    command.add_argument("--json", action="store_true", help="one JSON object per record")
    command.set_defaults(run=predict)

    command = commands.add_parser(
        "audit", help="why recovered features of a record were accepted or dropped", description=audit.__doc__
    )
    command.add_argument("records", nargs="+", metavar="RECORD", help="record_id or source/record_id")
    command.add_argument("--results", default="results", help="folder of the results (default: %(default)s)")
    command.add_argument("--vocabulary", default="resources/vocabulary", help="folder (default: %(default)s)")
    command.set_defaults(run=audit)

    command = commands.add_parser(
        "score-review", help="a clinician's answers on the review sheet as precision", description=score_review.__doc__
    )
    command.add_argument("file", type=Path, metavar="FILE.csv", help="as results/review.html exports it")
    command.set_defaults(run=score_review)

    command = commands.add_parser("plan", help="what a run takes, before it starts", description=plan.__doc__)
    command.add_argument(
        "--configfile", nargs="+", default=[], metavar="FILE", help="config files over config.yaml, as for snakemake"
    )
    command.add_argument("--json", action="store_true", help="as JSON, sizes in bytes")
    command.set_defaults(run=plan)

    command = commands.add_parser(
        "recover", help="ask the language model of the config about all statements", description=recover.__doc__
    )
    command.add_argument(
        "--dry-run", action="store_true", help="only show the prompt, the number of calls and the time they will take"
    )
    command.add_argument(
        "--configfile", nargs="+", default=[], metavar="FILE", help="over config.yaml, as with snakemake"
    )
    command.add_argument("--texts", default="results/reports/texts.parquet")
    command.set_defaults(run=recover)

    command = commands.add_parser(
        "score-recovery", help="recovered features against the simulator's truth", description=score_recovery.__doc__
    )
    command.add_argument("--audit", default="results/recovery/audit.parquet")
    command.add_argument("--truth", default="results/simulation/truth.parquet")
    command.add_argument("--reports", default="results/reports/reports.parquet")
    command.add_argument("--texts", default="results/reports/texts.parquet")
    command.set_defaults(run=score_recovery)
    return parser


def main(arguments_: Sequence[str] | None = None) -> None:
    """Run a command; an error meant for the user is one line and status 1."""
    args = arguments().parse_args(arguments_)
    try:
        args.run(args)
    except (UserError, FileNotFoundError) as error:
        print(f"fgclep: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
