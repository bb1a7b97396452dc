"""Write the report of a run: one HTML file that needs no network."""

import argparse
import importlib.metadata
import json
import platform
import subprocess  # nosec B404 # git, without a shell
from pathlib import Path

from fgclep.config.report import ReportSettings
from fgclep.config.yaml_text import mapping
from fgclep.files import write_text
from fgclep.report.charts.examples import answered, examples
from fgclep.report.render import render
from fgclep.report.results.run import add_inputs, read_results
from fgclep.stage import run_stage, stage_parser

PACKAGES = (
    "fgclep",
    "torch",
    "transformers",
    "numpy",
    "scipy",
    "scikit-learn",
    "polars",
    "pyarrow",
    "wfdb",
    "snakemake",
)


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, ReportSettings)
    add_inputs(parser)
    parser.add_argument("--config-json", type=json.loads, required=True, help="the whole config, as JSON")
    parser.add_argument("--output", type=Path, required=True)
    return parser


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that matter for the numbers."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def commit() -> str | None:
    """Return the commit of this code, with ``-dirty`` where it has been changed; ``None`` if git does not have it."""
    git = ["git", "-C", str(Path(__file__).parent)]
    for words in (
        ["ls-files", "--error-unmatch", Path(__file__).name],
        ["describe", "--always", "--dirty", "--exclude=*"],
    ):
        try:
            told = subprocess.run([*git, *words], capture_output=True, text=True, check=True)  # nosec B603 B607
        except (OSError, subprocess.CalledProcessError):
            return None
    return told.stdout.strip()


def main(args: argparse.Namespace) -> None:
    """Write the report, atomically."""
    settings: ReportSettings = args.settings
    results = read_results(args, settings.prompts)
    html = render(
        results,
        examples(results, settings.strips),
        answered(results, settings.retrieved),
        config=args.config_json,
        config_yaml=mapping(args.config_json, indent=""),
        versions=versions(),
        decisions=settings.examples,
        commit=commit(),
    )
    write_text(args.output, html)


if __name__ == "__main__":
    run_stage(main, arguments())
