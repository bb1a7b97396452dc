"""The command ``fgclep``: use a trained model, and judge what the workflow made."""

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from fgclep import __version__
from fgclep.commands.loading import loading
from fgclep.errors import UserError, disk_error, without_credentials
from fgclep.progress import printable_lines

MODEL_HELP = "folder of a model (default: results/models/fine, else the one that comes with the package)"
FORMATS = ("table", "csv", "json")  # fgclep.commands.output.FORMATS, which is not loaded for --help


def command_of(module: str, function: str = "run") -> Callable[[argparse.Namespace], None]:
    """Return a function of ``fgclep.commands`` that is loaded when it is called, so that ``--help`` does not wait."""

    def run(args: argparse.Namespace) -> None:
        with loading():
            loaded = import_module(f"fgclep.commands.{module}")
        getattr(loaded, function)(args)

    return run


def within(least: int, most: int) -> Callable[[str], int]:
    """Return a parser of whole numbers with these limits."""

    def number(text: str) -> int:
        found = int(text)
        if found < least:
            raise argparse.ArgumentTypeError(f"{text} is not at least {least}")
        if found > most:
            raise argparse.ArgumentTypeError(f"{text} is above {most:,}")
        return found

    return number


positive = within(1, 10**9)


def share(text: str) -> float:
    """Parse a share above 0 and up to 1."""
    found = float(text)
    if not 0 < found <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and up to 1")
    return found


def _add_output(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--format",
        choices=FORMATS,
        help="json: one object per line (default: by the extension of --output, else table)",
    )
    command.add_argument("--output", type=Path, metavar="FILE", help="file in place of standard output")


def _add_recordings(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "records",
        nargs="+",
        metavar="RECORD",
        help="file of a recording, WFDB record with or without extension, or a folder of them",
    )
    _add_reading(command)


def _add_reading(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", metavar="FOLDER", help=MODEL_HELP)
    command.add_argument(
        "--fs", type=float, metavar="HZ", help="sampling rate of CSV and NPY, and of WFDB that says none"
    )
    command.add_argument(
        "--leads",
        metavar="I,II,...",
        help="leads of a file that names none, in its order, and of NPY (default there: the usual twelve)",
    )
    command.add_argument(
        "--units",
        choices=("mV", "uV", "V"),
        help="unit of CSV and NPY, and of WFDB and EDF that say none that is known (default: as the file says, else "
        "guessed by the amplitude; integers are not)",
    )
    command.add_argument(
        "--batch-size", type=positive, default=64, metavar="N", help="ECGs embedded at once (default: %(default)s)"
    )


def add_predict(commands: argparse._SubParsersAction) -> None:
    """Add ``fgclep predict``."""
    command = commands.add_parser(
        "predict",
        help="probabilities of findings for recordings",
        description="Give the probability of prompts, of the classes of a task, or of the waveform features that the "
        "model sees, for recordings. docs/using-the-model.md tells more, and which formats are read.",
    )
    _add_recordings(command)
    command.add_argument("--prompt", action="append", default=[], help="a finding in words; may be given many times")
    command.add_argument(
        "--task",
        help="classes of a task of resources/tasks, such as ptbxl_super, or of a file FILE.yaml, or of FILE.json that "
        "fgclep fit wrote",
    )
    command.add_argument(
        "--features",
        nargs="?",
        type=positive,
        const=10,
        metavar="N",
        help="the N (10) most unusual waveform features, by how far their probability is above their prevalence, with "
        "what the measurement of the signal says; the default without --prompt and --task",
    )
    command.add_argument(
        "--wide", action="store_true", help="CSV with one row per recording, and a column per prompt or class"
    )
    command.add_argument(
        "--metadata",
        type=Path,
        metavar="FILE.csv",
        help="put the columns of a table of yours, whose column record names the recordings, beside the CSV's",
    )
    command.add_argument(
        "--html",
        type=Path,
        metavar="FILE.html",
        help="draw the ECG, what was measured and what the model says on a page; of several recordings in a folder",
    )
    _add_output(command)
    command.set_defaults(run=command_of("named", "predict"))


def add_embed(commands: argparse._SubParsersAction) -> None:
    """Add ``fgclep embed``."""
    command = commands.add_parser(
        "embed",
        help="embeddings of recordings, for a classifier of one's own",
        description="Write the embeddings of recordings, with the names by which they were given as keys. "
        "docs/using-the-model.md tells more, and which formats are read.",
    )
    _add_recordings(command)
    command.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="FILE.npz with the arrays keys, embeddings and model, or FILE.parquet with the columns key and embedding",
    )
    command.set_defaults(run=command_of("named", "embed"))


def add_check(commands: argparse._SubParsersAction) -> None:
    """Add ``fgclep check``."""
    command = commands.add_parser(
        "check",
        help="what of a table of one's own would be left out",
        description="Read records.csv, its recordings and reports as the workflow would, and say what would be left "
        "out and why, with status 1 if anything would. docs/own-data.md tells more.",
    )
    command.add_argument("table", type=Path, metavar="records.csv", help="the table, or its folder")
    command.add_argument("--format", choices=("table", "json"), default="table", help="(default: %(default)s)")
    command.add_argument(
        "--configfile", nargs="+", default=[], metavar="FILE", help="over config.yaml, as with snakemake"
    )
    command.set_defaults(run=command_of("check"))


def add_fit(commands: argparse._SubParsersAction) -> None:
    """Add ``fgclep fit``."""
    command = commands.add_parser(
        "fit",
        help="a classifier for labels of one's own, on a model's embeddings",
        description="Fit a logistic regression for each code of a folder's records.csv to the embeddings of its "
        "recordings, judge it by cross-validation over patients, and write it for predict --task. docs/fine-tune.md "
        "tells more.",
    )
    command.add_argument("folder", type=Path, metavar="FOLDER", help="recordings and records.csv (docs/own-data.md)")
    command.add_argument("--model", metavar="FOLDER", help=MODEL_HELP)
    command.add_argument("--output", type=Path, required=True, metavar="FILE.json", help="the head")
    command.add_argument(
        "--batch-size", type=positive, default=64, metavar="N", help="ECGs embedded at once (default: %(default)s)"
    )
    command.set_defaults(run=command_of("named", "fit"))


def add_retrieve(commands: argparse._SubParsersAction) -> None:
    """Add ``fgclep retrieve``."""
    command = commands.add_parser(
        "retrieve",
        help="the ECGs that fit a text best",
        description="Find the ECGs that fit a text best, of the workflow's shards or in recordings of your own. "
        "docs/using-the-model.md tells more.",
    )
    command.add_argument("queries", nargs="+", metavar="TEXT", help='a finding in words, "sawtooth flutter waves"')
    searched = command.add_mutually_exclusive_group()
    searched.add_argument(
        "--shards",
        nargs="+",
        type=Path,
        default=[Path("results/shards")],
        metavar="FILE",
        help="Parquet files or folders of them (default: results/shards)",
    )
    searched.add_argument("--ecgs", nargs="+", metavar="RECORD", help="recordings, or folders of them, as of predict")
    command.add_argument(
        "--embeddings",
        type=Path,
        metavar="FILE",
        help="of --ecgs, as embed writes them: FILE.npz or FILE.parquet; used again where recordings and model are the "
        "same, and written otherwise",
    )
    command.add_argument(
        "--split", choices=("all", "train", "val", "test"), default="all", help="of shards (default: %(default)s)"
    )
    command.add_argument("--top", type=positive, default=10, metavar="N", help="ECGs per text (default: %(default)s)")
    _add_reading(command)
    command.add_argument("--html", type=Path, metavar="FILE", help="also draw the ECGs on paper, in one HTML file")
    _add_output(command)
    command.set_defaults(run=command_of("named", "retrieve"))


def add_compare(commands: argparse._SubParsersAction) -> None:
    """Add ``fgclep compare``."""
    command = commands.add_parser(
        "compare",
        help="whether the model of one run is better than that of another",
        description="Compare the macro AUROCs of two runs on the same test records, by a paired bootstrap of the "
        "patients with p-values corrected for the number of tasks. docs/evaluation.md tells more.",
    )
    command.add_argument("runs", nargs=2, type=Path, metavar="RESULTS", help="folder of the results of a run")
    command.add_argument("--model", default="fine", help="name of the model in both (default: %(default)s)")
    command.add_argument(
        "--bootstrap", type=within(1, 10**6), default=1000, metavar="N", help="resamples (default: %(default)s)"
    )
    command.add_argument("--seed", type=within(0, 2**62), default=0, help="of the resampling (default: %(default)s)")
    _add_output(command)
    command.set_defaults(run=command_of("compare"))


def add_evaluate(commands: argparse._SubParsersAction) -> None:
    """Add ``fgclep evaluate``."""
    command = commands.add_parser(
        "evaluate",
        help="probes of anyone's embeddings, beside the models of a run",
        description="Fit linear probes on the embeddings that any encoder has made of the records of a task, and "
        "measure them on its test records. docs/evaluation.md tells more.",
    )
    command.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="FILE.npz with the arrays keys and embeddings, FILE.parquet with the columns key and embedding, or "
        "results/embeddings/MODEL/SOURCE.parquet of a run; keys are record ids, source/id, or paths of recordings",
    )
    command.add_argument(
        "--task",
        action="append",
        required=True,
        metavar="TASK",
        help="task of resources/tasks, such as ptbxl_super, or a file FILE.yaml; may be given many times",
    )
    of = command.add_mutually_exclusive_group()
    of.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="FOLDER",
        help="results of a run, which have patients, splits and codes, settings and the rows of its models "
        "(default: %(default)s)",
    )
    of.add_argument(
        "--base", type=Path, metavar="FOLDER", help="folder that holds the database as PhysioNet does, without a run"
    )
    command.add_argument(
        "--test-fold", type=within(1, 10), metavar="FOLD", help="of PTB-XL from --base (default: 10, the official one)"
    )
    command.add_argument(
        "--splits", nargs="+", default=[], metavar="FILE", help="resources/splits/TASK.parquet of a task that names one"
    )
    command.add_argument(
        "--protocol",
        choices=("fg-clep", "ecg-fix"),
        default="fg-clep",
        help="how probes are fitted and compared (default: %(default)s)",
    )
    command.add_argument("--fractions", nargs="+", type=share, metavar="SHARE", help="of the training records")
    command.add_argument(
        "--shots", nargs="*", type=positive, metavar="N", help="of each class; none: no few-shot probe"
    )
    command.add_argument("--seeds", type=within(1, 1000), metavar="N", help="draws of a share or of shots")
    command.add_argument("--seed", type=within(0, 2**62), help="of the first draw, and of the resampling")
    command.add_argument(
        "--bootstrap", type=within(0, 10**6), metavar="N", help="resamples, and permutations of ecg-fix"
    )
    command.add_argument(
        "--allow-missing", action="store_true", help="leave out records of a task that a file lacks, from every file"
    )
    _add_output(command)
    command.set_defaults(run=command_of("evaluate"))


def add_audit(commands: argparse._SubParsersAction) -> None:
    """Add ``fgclep audit``."""
    command = commands.add_parser(
        "audit",
        help="why recovered features of a record were accepted or dropped",
        description="Print what was decided about the recovered features of a record, and why.",
    )
    command.add_argument("records", nargs="+", metavar="RECORD", help="record_id or source/record_id")
    command.add_argument("--results", default="results", help="folder of the results (default: %(default)s)")
    command.add_argument("--vocabulary", default="resources/vocabulary", help="folder (default: %(default)s)")
    command.set_defaults(run=command_of("judge", "audit"))


def add_score_review(commands: argparse._SubParsersAction) -> None:
    """Add ``fgclep score-review``."""
    command = commands.add_parser(
        "score-review",
        help="a clinician's answers on the review sheet as precision",
        description="Print the precision of the filter by a clinician's answers on the review sheet, weighted as they "
        "were drawn.",
    )
    command.add_argument("file", type=Path, metavar="FILE.csv", help="as results/review.html exports it")
    command.set_defaults(run=command_of("judge", "score_review"))


def add_plan(commands: argparse._SubParsersAction) -> None:
    """Add ``fgclep plan``."""
    command = commands.add_parser(
        "plan",
        help="what a run takes, before it starts",
        description="Print what a run with this config takes: records, bytes to fetch, disk and LLM calls; fetches "
        "nothing.",
    )
    command.add_argument(
        "--configfile", nargs="+", default=[], metavar="FILE", help="config files over config.yaml, as for snakemake"
    )
    command.add_argument("--json", action="store_true", help="as JSON, sizes in bytes")
    command.set_defaults(run=command_of("plan"))


def add_why(commands: argparse._SubParsersAction) -> None:
    """Add ``fgclep why``."""
    command = commands.add_parser(
        "why",
        help="what would run again, and because of which value",
        description="Say in words which jobs Snakemake would run for a file, and why: which setting, module or file "
        "has changed since it was made. Runs nothing.",
    )
    command.add_argument("target", nargs="?", metavar="TARGET", help="file or rule (default: all that snakemake makes)")
    command.add_argument(
        "--configfile", nargs="+", default=[], metavar="FILE", help="config files over config.yaml, as for snakemake"
    )
    command.set_defaults(run=command_of("why"))


def add_recover(commands: argparse._SubParsersAction) -> None:
    """Add ``fgclep recover``."""
    command = commands.add_parser(
        "recover",
        help="ask the language model of the config about all statements",
        description="Ask the language model of the config, ahead of the workflow, which then finds the answers in the "
        "cache.",
    )
    command.add_argument(
        "--dry-run", action="store_true", help="only show the prompt, the number of calls and the time they will take"
    )
    command.add_argument(
        "--probe", action="store_true", help="only ask what the vocabulary knows, and show what the model is worth"
    )
    command.add_argument(
        "--configfile", nargs="+", default=[], metavar="FILE", help="over config.yaml, as with snakemake"
    )
    command.add_argument("--texts", default="results/reports/texts.parquet")
    command.set_defaults(run=command_of("recover"))


def add_serve_llm(commands: argparse._SubParsersAction) -> None:
    """Add ``fgclep serve-llm``."""
    command = commands.add_parser(
        "serve-llm",
        help="serve a language model from a GGUF file, for the recovery, where there is no Ollama",
        description="Serve a language model at an address with OpenAI's API, by llama.cpp, until Ctrl-C; print the "
        "YAML with which the recovery asks it.",
    )
    command.add_argument("model", metavar="MODEL.gguf", type=Path, help="the model, which you bring")
    command.add_argument("--name", help="under which it is asked for; the file's if not given")
    command.add_argument("--port", type=int, default=8080)
    command.add_argument("--threads", type=int, help="of one answer; all cores, shared by the slots, if not given")
    command.add_argument("--slots", type=int, default=1, help="answers at the same time (recovery.concurrency)")
    command.add_argument("--context", type=int, default=4096, help="tokens of prompt and answer, for each slot")
    command.set_defaults(run=command_of("serve_llm"))


def add_score_recovery(commands: argparse._SubParsersAction) -> None:
    """Add ``fgclep score-recovery``."""
    command = commands.add_parser(
        "score-recovery",
        help="recovered features against the simulator's truth",
        description="Print precision and recall of the accepted and of all proposed features against the simulator's "
        "truth.",
    )
    command.add_argument("--audit", default="results/recovery/audit.parquet")
    command.add_argument("--truth", default="results/simulation/truth.parquet")
    command.add_argument("--reports", default="results/reports/reports.parquet")
    command.add_argument("--texts", default="results/reports/texts.parquet")
    command.add_argument(
        "--controls",
        action="store_true",
        help="verify as well what random, constant, all measurable features and the table of knowledge would propose",
    )
    command.set_defaults(run=command_of("judge", "score_recovery"))


COMMANDS = (
    add_predict,
    add_embed,
    add_check,
    add_fit,
    add_retrieve,
    add_compare,
    add_evaluate,
    add_audit,
    add_score_review,
    add_plan,
    add_why,
    add_recover,
    add_serve_llm,
    add_score_recovery,
)


class Parser(argparse.ArgumentParser):
    """Says which option or command was perhaps meant, with the usage of the command that it belongs to."""

    def parse_known_args(self, args=None, namespace=None):
        """Parse as ever; an unknown option ends the program here, where its command is known."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            option = unknown[0].partition("=")[0]
            self.error(f"unrecognized arguments: {' '.join(unknown)}{_meant(option, self._option_string_actions)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Print usage and message, with the nearest command for one that is unknown, and exit with status 2."""
        wrong = re.match(r"argument COMMAND: invalid choice: '([^']*)'", message)
        super().error(message + (_meant(wrong[1], self._commands()) if wrong else ""))

    def _commands(self) -> list[str]:
        return [name for action in self._actions for name in (action.choices or ())]


def _meant(given: str, known: Iterable[str]) -> str:
    near = get_close_matches(given, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def arguments() -> argparse.ArgumentParser:
    """Command line of ``fgclep``."""
    parser = Parser(prog="fgclep", description=__doc__)
    parser.add_argument("--version", action="version", version=f"fgclep {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in COMMANDS:
        add(commands)
    return parser


def main(arguments_: Sequence[str] | None = None) -> None:
    """Run a command; an error meant for the user is one line and status 1."""
    args = arguments().parse_args(arguments_)
    try:
        args.run(args)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of a pipe, such as head, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (UserError, OSError) as error:
        explained = disk_error(error) or error
        print(printable_lines(without_credentials(f"fgclep: {explained}")), file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
