"""Text, YAML, JSON and CSV, with errors that name the file, and nothing from outside that steers who opens it."""

import csv
import io
import json
import os
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Any

import yaml

from fgclep.errors import UserError, damaged

_FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")  # a spreadsheet takes what begins so for a formula
_VALUES = 1_000_000  # in a YAML file; aliases of aliases stand for more than any memory holds
_DEPTH = 100  # levels of a YAML file; what holds itself has no end of them


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8.

    Raises ``UserError`` that names the file if it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text in UTF-8 (byte {error.start}); save it as such") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


def read_yaml(path: Path) -> Any:
    """Return the document of a YAML file.

    Raises ``UserError`` that names the file if it is no YAML, or if its aliases make it endless.
    """
    try:
        document = _parse(read_text(path))
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: 2024-99-99 looks like a date
        raise UserError(f"{path} is not YAML: {error}") from None
    level, depth, values = [document], 0, 0
    while level:
        depth, values = depth + 1, values + len(level)
        if depth > _DEPTH or values > _VALUES:
            raise UserError(
                f"{path} holds itself, or more than {_VALUES:,} values, or more than {_DEPTH} levels; write its "
                "aliases (&, *) out"
            )
        level = list(islice(chain.from_iterable(map(_below, level)), _VALUES + 1))
    return document


def _parse(text: str) -> Any:
    try:
        return yaml.load(text, yaml.CSafeLoader)
    except yaml.YAMLError:
        return yaml.safe_load(text)  # eight times as slow; its errors show the line


def _below(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def check_last_line(path: Path) -> None:
    """Raise ``UserError`` if a text file has no end of line at its end, because it was cut."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        if file.read() != b"\n":
            raise damaged(path, "its last line does not end")


def read_csv(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of a CSV table of ours as text, so that numbers pass through unchanged.

    Raises ``UserError`` naming the file if it is truncated or damaged, or lacks a column.
    """
    check_last_line(path)
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""))
    try:
        rows = list(reader)
    except csv.Error as error:
        raise damaged(path, error) from None
    if lacking := [name for name in columns if name not in (reader.fieldnames or [])]:
        raise UserError(f"{path}: there is no column {lacking[0]}; delete it and run snakemake again")
    if any(None in row or None in row.values() for row in rows):
        raise damaged(path, "a line has more or fewer values than there are columns")
    return rows


def read_json(path: Path) -> Any:
    """Read a JSON file; raises ``UserError`` if it is none, because it was cut."""
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise damaged(path, error) from error


def printable(text: object) -> str:
    r"""Write control characters, and what cannot be encoded, as escapes: a name must not steer the terminal.

    >>> printable("ecg\x1b[2J ü")
    'ecg\\x1b[2J ü'
    """
    shown = str(text)
    if shown.isprintable():
        return shown
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    r"""Return rows as CSV; ``None`` becomes an empty field, and a text neither a formula nor a control sequence.

    A text that a spreadsheet would take for a formula gets a ``'`` in front, as on the review sheet; ``csv_value``
    takes it away. Numbers stay as they are, also those written as text.

    >>> csv_text([["=1+1", "-0.5", -0.5, None, "v1\x1b[2J"]])
    "'=1+1,-0.5,-0.5,,v1\\x1b[2J\n"
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        writer.writerow([_cell(value) if isinstance(value, str) else value for value in row])
    return text.getvalue()


@lru_cache(maxsize=2**14)  # of most columns, the same few again and again
def _cell(text: str) -> str:
    shown = printable(text)
    return f"'{shown}" if _is_formula(shown) else shown


def csv_value(text: str) -> str:
    """Return what ``csv_text`` was given for a text without control characters."""
    return text[1:] if text.startswith("'") and _is_formula(text[1:]) else text


def _is_formula(text: str) -> bool:
    begin = text.lstrip("'")
    return begin[:1] in _FORMULA and bool(begin) and not all(map(_is_number, begin.split(" to ")))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
