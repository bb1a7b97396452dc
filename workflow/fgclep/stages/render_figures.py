"""Write the report's figures as SVG, PDF and CSV, and its tables as LaTeX and CSV, for use in a paper."""

import argparse
from pathlib import Path

from fgclep.config.report import FigureSettings
from fgclep.documents import csv_text
from fgclep.files import whole_folder
from fgclep.report.charts.examples import answered, examples
from fgclep.report.charts.figure_set import figures
from fgclep.report.charts.print_plots import print_plot
from fgclep.report.results.run import add_inputs, read_results
from fgclep.report.tables.table_set import csv_rows, tables
from fgclep.report.tables.tex import tabular
from fgclep.stage import run_stage, stage_parser


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, FigureSettings)
    add_inputs(parser)
    parser.add_argument("--figures", type=Path, required=True, help="folder for the figures")
    parser.add_argument("--tables", type=Path, required=True, help="folder for the tables")
    return parser


def main(args: argparse.Namespace) -> None:
    """Write both folders; each appears when it is complete."""
    settings: FigureSettings = args.settings
    results = read_results(args, settings.prompts)
    shown, found = examples(results, settings.strips), answered(results, settings.retrieved)
    drawn: dict[str, bytes] = {}
    for name, figure in figures(results, shown, found).items():
        drawn |= {f"{name}.{kind}": content for kind, content in print_plot(figure).items()}
        columns, rows = figure.data()
        drawn[f"{name}.csv"] = csv_text([columns, *rows]).encode()
    write_folder(args.figures, drawn)
    written: dict[str, bytes] = {}
    for name, table in tables(results, settings.variants).items():
        written |= {f"{name}.tex": tabular(table).encode(), f"{name}.csv": csv_text(csv_rows(table)).encode()}
    write_folder(args.tables, written)


def write_folder(folder: Path, files: dict[str, bytes]) -> None:
    """Replace a folder by one with these files."""
    with whole_folder(folder) as partial:
        for name, content in files.items():
            (partial / name).write_bytes(content)


if __name__ == "__main__":
    run_stage(main, arguments())
