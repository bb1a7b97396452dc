"""A store of answers on disk that outlives runs: what was answered once is never asked again."""

import hashlib
import json
import logging
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fgclep.errors import UserError

LOG = logging.getLogger(__name__)


class AnswerCache:
    """Answers by content: one small JSON file per question, under the hash of all that determines the answer.

    Files appear whole or not at all (written aside, then renamed), so parallel jobs and interrupted runs do no harm: of
    two that ask the same question at the same time, both get an answer, and the later one stays.

    Parameters
    ----------
    folder
        Made with the first answer.
    """

    def __init__(self, folder: str | Path):
        self._folder = Path(folder)

    def _path(self, question: Mapping[str, Any]) -> Path:
        digest = hashlib.sha256(_canonical(question)).hexdigest()
        return self._folder / digest[:2] / f"{digest}.json"

    def get(self, question: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the stored record: ``answer``, and in ``more`` how it was got.

        ``None`` if there is none, or if its file is damaged, with a warning.
        """
        path = self._path(question)
        try:
            record = _read(path)
        except OSError as error:
            raise UserError(self._unusable(error)) from error
        if record is not None and record["question"] != question:
            LOG.warning("%s holds the answer to another question; this one is asked again", path)
            return None
        return record

    def put(self, question: Mapping[str, Any], answer: list[str], more: Mapping[str, Any]) -> None:
        """Store an answer with its question, and with how it was got."""
        path = self._path(question)
        partial = path.with_name(f".{path.stem}.{secrets.token_hex(8)}.part")  # of this writer alone
        record: dict[str, Any] = {"question": question, "answer": answer, "more": more}
        record["checksum"] = _checksum(record)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                partial.write_text(json.dumps(record, sort_keys=True, indent=1) + "\n", encoding="utf-8")
                os.replace(partial, path)
            finally:
                partial.unlink(missing_ok=True)
        except OSError as error:
            raise UserError(self._unusable(error)) from error

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield all records: ``question``, ``answer`` and ``more``."""
        for path in sorted(self._folder.glob("??/*.json")):
            record = _read(path)
            if record is not None:
                yield record

    def _unusable(self, error: OSError) -> str:
        return (
            f"cannot keep answers in {self._folder}: {error}\n"
            "Make room or give another folder in config.yaml:\n\n    recovery:\n      cache: resources/llm_cache"
        )


def _canonical(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=True).encode()


def _checksum(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical({key: record[key] for key in ("question", "answer", "more")})).hexdigest()


def _read(path: Path) -> dict[str, Any] | None:
    """Return a record; ``None`` if there is no such file, or a damaged one, with a warning."""
    try:
        record = json.loads(path.read_bytes())
        if record["checksum"] != _checksum(record):
            raise ValueError("the checksum is wrong")
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        LOG.warning("%s is damaged (%s: %s); its question is asked again", path, type(error).__name__, error)
        return None
    return record
