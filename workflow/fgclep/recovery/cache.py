"""A store of answers on disk that outlives runs: what was answered once is never asked again."""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fgclep.stage import UserError


class AnswerCache:
    """Answers by content: one small JSON file per question, under the hash of all that determines the answer.

    Files appear whole or not at all (written aside, then renamed), so parallel jobs and interrupted runs do no harm;
    two jobs that answer the same question write the same file.

    Parameters
    ----------
    folder
        Made when the first answer comes.
    """

    def __init__(self, folder: str | Path):
        self._folder = Path(folder)

    def _path(self, question: Mapping[str, Any]) -> Path:
        digest = hashlib.sha256(json.dumps(question, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
        return self._folder / digest[:2] / f"{digest}.json"

    def get(self, question: Mapping[str, Any]) -> str | None:
        """Return the stored answer, or ``None``.

        Raises
        ------
        UserError
            If the file is damaged.
        """
        path = self._path(question)
        try:
            answer = json.loads(path.read_text(encoding="utf-8"))["answer"]
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path}: a damaged answer ({error}); delete this file and run again") from error
        return answer

    def put(self, question: Mapping[str, Any], answer: str) -> None:
        """Store an answer with its question, for whoever reads the file."""
        path = self._path(question)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps({"question": question, "answer": answer}, sort_keys=True, indent=1)
        descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content + "\n")
        os.replace(partial, path)
