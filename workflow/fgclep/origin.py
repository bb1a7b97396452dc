"""Where a folder of metadata was fetched from: what is planned from it must not mistake a simulation for the real."""

from pathlib import Path

_NAME = "ORIGIN"


def note_origin(metadata: Path, base: str, slug: str, version: str) -> None:
    """Leave the address of the database in a folder with its metadata."""
    (metadata / _NAME).write_text(_text(base, slug, version), encoding="utf-8")


def is_from(metadata: Path, base: str, slug: str, version: str) -> bool:
    """Whether the metadata was fetched from this database."""
    note = metadata / _NAME
    return note.is_file() and note.read_text(encoding="utf-8") == _text(base, slug, version)


def _text(base: str, slug: str, version: str) -> str:
    return f"{base.rstrip('/')} {slug} {version}\n"
