"""Where the metadata in a folder was fetched from."""

from pathlib import Path

_NAME = "ORIGIN"


def note_origin(metadata: Path, base: str, slug: str, version: str) -> None:
    """Leave the address of the database in a folder with its metadata."""
    (metadata / _NAME).write_text(_text(base, slug, version), encoding="utf-8")


def is_from(metadata: Path, base: str, slug: str, version: str) -> bool:
    """Whether the metadata was fetched from this database."""
    note = metadata / _NAME
    return note.is_file() and note.read_text(encoding="utf-8") == _text(base, slug, version)


def origin(metadata: Path) -> str:
    """Return the base that the metadata was fetched from; its own folder if nothing was noted."""
    note = metadata / _NAME
    if not note.is_file():
        return str(metadata)
    return note.read_text(encoding="utf-8").rstrip("\n").rsplit(" ", 2)[0]


def _text(base: str, slug: str, version: str) -> str:
    return f"{base.rstrip('/')} {slug} {version}\n"
