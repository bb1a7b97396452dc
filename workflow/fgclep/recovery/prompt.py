"""The question to a language model: one versioned template, one JSON schema, and what counts as an answer."""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

from fgclep.documents import read_text
from fgclep.errors import UserError
from fgclep.recovery.server import UnusableAnswer

UNKNOWN = "unknown"  # what the model answers to abstain
MAX_FEATURES = 24  # in the answer to one statement; a longer one is a loop
MAX_CHARACTERS = 200  # of one item
_VERSION = re.compile(r"\A# version: (\d+)\n")
_THOUGHTS = ("<think>", "</think>")  # of models that think, where the server does not set it apart
# in linear time whatever stands in an answer: a fence begins once, and what it names is not read again
_FENCE = re.compile(r"(?<![`~])(`{3,}+|~{3,}+)[^\n{`~]*+(.*?)\1", re.DOTALL)
_KEY = "statement_1"  # the template lets a question be about several, but together a model may mix them up
# Marks of prompts and chat templates: a server reads "<|im_end|>" in a statement as the end of the question.
_MARKS = {ord(character): f"\\u{ord(character):04x}" for character in "<>[]{}|"}


def digest(text: str) -> str:
    """Return 12 hexadecimal digits that stand for ``text``."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class Prompt:
    """A question about a statement and some features.

    Parameters
    ----------
    path
        Template with ``$features`` and ``$statements`` below a line ``# version: N``, and ``$items`` where an answer is
        a list. What differs from question to question comes last, so that servers keep the part before it.
    items
        The most features that an answer may name.

    Raises
    ------
    UserError
        If the template has no version, or not these places.
    """

    def __init__(self, path: str | Path, items: int = MAX_FEATURES):
        text = read_text(Path(path))
        if not (found := _VERSION.match(text)):
            raise UserError(f"{path}: the first line must give the version of the prompt, such as\n\n    # version: 1")
        self.version = int(found[1])
        self.items = items
        self._template = Template(text[found.end() :])
        words = set(self._template.get_identifiers())
        if words - {"items"} != {"features", "statements"} or not self._template.is_valid():
            raise UserError(
                f"{path}: the prompt must hold $features and $statements, may hold $items, and no other word after a $"
            )
        self.hash = digest(self._fill("", ""))

    def _fill(self, features: str, statements: str) -> str:
        return self._template.substitute(features=features, statements=statements, items=self.items)

    def render(self, text: str, features: str) -> str:
        """Return the question about ``text``: a JSON string in it, without the marks of chat templates."""
        return self._fill(features, f'{{"{_KEY}": {json.dumps(text).translate(_MARKS)}}}')

    def schema(self, features: Sequence[str]) -> dict[str, Any]:
        """Return the JSON schema of an answer that may name ``features``."""
        return {
            "type": "object",
            "additionalProperties": False,
            "required": [_KEY],
            "properties": {_KEY: {"$ref": "#/$defs/features"}},
            "$defs": {
                "features": {
                    "type": "array",
                    "maxItems": self.items,
                    "items": {"type": "string", "enum": [*features, UNKNOWN]},
                }
            },
        }

    def read(self, content: str) -> list[str]:
        """Return the answer; servers do not enforce every schema.

        Exactly the key that was asked for, with a list of texts: otherwise nothing of it can be trusted. What a model
        has thought before, and the fence of Markdown around the JSON, are taken off.

        Raises
        ------
        UnusableAnswer
        """
        try:
            answer = json.loads(_json_of(content), object_pairs_hook=_each_key_once)
        except (ValueError, RecursionError) as error:
            raise UnusableAnswer(f"the answer is not the JSON asked for: {error}", content) from None
        if not isinstance(answer, dict) or set(answer) != {_KEY}:
            raise UnusableAnswer("the answer does not have the keys asked for", content)
        if problem := _problem(answer[_KEY]):
            raise UnusableAnswer(problem, content)
        return [_printable(item) for item in answer[_KEY]]


def _json_of(content: str) -> str:
    r"""Return the JSON of an answer that a model has thought about, or has put into the one fence of its answer.

    >>> _json_of('<think>P waves?</think>\n```json\n{"statement_1": []}\n```')
    '{"statement_1": []}'
    """
    text = content.strip().removeprefix("\ufeff")
    if text.startswith(_THOUGHTS[0]) and _THOUGHTS[1] in text:
        text = text.partition(_THOUGHTS[1])[2].strip()
    fenced = [found[2] for found in _FENCE.finditer(text)]
    return fenced[0] if len(fenced) == 1 else text


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key is given twice")
    return dict(pairs)


def _problem(value: Any) -> str:
    """Return why a statement's features are of no use; empty if they are."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return "the answer is not of the form asked for: a statement's features are no list of texts"
    if len(value) > MAX_FEATURES:
        return f"the answer names {len(value)} features for a statement, more than {MAX_FEATURES}"
    return ""


def _printable(text: str) -> str:
    """Return a text that any file and terminal can take: no control characters, no broken Unicode, not endless."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:MAX_CHARACTERS])
