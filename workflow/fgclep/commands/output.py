"""What commands print: results to a file or standard output, remarks to standard error, nothing raw from outside."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from fgclep.documents import csv_text, printable
from fgclep.errors import UserError
from fgclep.files import write_text
from fgclep.progress import printable_lines

FORMATS = ("table", "csv", "json")
PREDICTIONS = (
    "record", "kind", "finding", "text", "probability", "measurement", "measured", "error", "model", "leads",
    "prevalence",
)  # fmt: skip
WIDTH = 110  # characters of a line
RESEARCH_ONLY = "For research only: not a medical device, not for diagnosis."
_EXTENSIONS = {"": "table", ".txt": "table", ".csv": "csv", ".json": "json", ".jsonl": "json"}


def say(message: object) -> None:
    """Write a line to standard error, above a progress bar."""
    tqdm.write(printable(message), file=sys.stderr)


def show(text: object) -> None:
    """Write lines to standard output."""
    print(printable_lines(text))


class Output:
    """Results as they come, to standard output or, all at once at the end, to a file.

    Parameters
    ----------
    file
        Where to; ``None``: standard output.
    form
        ``table``, ``csv`` or ``json`` (one object per line); ``None``: by the extension of the file, else ``table``.
    columns
        Of the CSV.

    Raises
    ------
    UserError
        If the file is a folder, or its extension is that of no form and ``form`` is ``None``.
    """

    def __init__(self, file: Path | None, form: str | None, columns: Sequence[str]):
        if file is not None and file.is_dir():
            raise UserError(f"{file} is a folder; give --output a file")
        extension = "" if file is None else file.suffix.lower()
        if form is None and extension not in _EXTENSIONS:
            raise UserError(
                f"--output {file}: {extension} is not written, but {', '.join(filter(None, _EXTENSIONS))}; give one of "
                f"these, or --format {'|'.join(FORMATS)}"
            )
        self.file = file
        self.form = form or _EXTENSIONS[extension]
        self.columns = columns
        self._parts: list[str] = []
        self._header = csv_text([columns])

    def use(self, columns: Sequence[str]) -> None:
        """Take other columns for the CSV, before the first row."""
        self.columns = columns
        self._header = csv_text([columns])

    def whole(self, rows: Sequence[Mapping[str, Any]], table: Callable[[], Sequence[str]]) -> None:
        """Write all there is, and close: ``rows`` as CSV or JSON, else the lines of ``table``."""
        if self.form == "csv":
            self.rows(rows)
        elif self.form == "json":
            for row in rows:
                self.json(row)
        else:
            self.lines(table())
        self.close()

    def lines(self, lines: Sequence[str]) -> None:
        """Write lines of a table."""
        self._add("".join(f"{line}\n" for line in lines))

    def rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows of a CSV; a column that a row lacks is empty."""
        self._add(self._header + csv_text([row.get(name) for name in self.columns] for row in rows))
        self._header = ""

    def json(self, row: Mapping[str, Any]) -> None:
        """Write an object as a line."""
        self._add(json.dumps(row, allow_nan=False) + "\n")

    def error(self, record: str, error: str) -> None:
        """Write why a recording cannot be used; a table has nothing of it."""
        if self.form == "csv":
            self.rows([{"record": record, "error": error}])
        elif self.form == "json":
            self.json({"record": record, "error": error})

    def close(self) -> None:
        """Put the file in its place."""
        if self.file is not None:
            write_text(self.file, "".join(self._parts))
            say(f"wrote {self.file}")

    def _add(self, text: str) -> None:
        if self.file is None:
            tqdm.write(text, file=sys.stdout, end="")
        else:
            self._parts.append(text)
