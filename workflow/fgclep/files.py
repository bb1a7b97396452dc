"""Text files: written whole or not at all, read with errors for the user."""

import os
from pathlib import Path
from typing import Any

import yaml

from fgclep.stage import UserError

_VALUES = 1_000_000  # in a YAML file; aliases of aliases stand for more than any memory holds


def write_text(path: Path, text: str) -> None:
    """Write a file in UTF-8 beside its place and then rename it; folders above it are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


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
        document = yaml.safe_load(read_text(path))
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: 2024-99-99 looks like a date
        raise UserError(f"{path} is not YAML: {error}") from None
    waiting, values = [document], 0
    while waiting:
        value = waiting.pop()
        values += 1
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        if values + len(waiting) > _VALUES:
            raise UserError(f"{path} holds itself, or more than {_VALUES:,} values; write its aliases (&, *) out")
    return document
