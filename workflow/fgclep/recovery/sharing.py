"""Which statements may share a question with others: those that cannot carry an instruction."""

import re
from collections.abc import Iterable, Sequence
from typing import TypeVar

from fgclep.language.vocabulary import Vocabulary

T = TypeVar("T")

MAX_CHARACTERS = 100
# Beside the words of the vocabulary; none of them can name the question, its answer or another statement.
ORDINARY = """
    a aberrant aberrantly an and ant are as at atypical be beats because but by can cannot cardiac change
    consider considered consistent contraction could due during evidence except for from fusion has in
    intermittent interpolated is it lds likely may might minimal more most new no not now occasional of old on
    only or otherwise out partial possible possibly predominant previous probable probably questionable recent
    related rule ruled since some still suggest suggesting suggestive suggests suspect suspected sustained the
    there this to very was with without
"""
# Not even if the vocabulary comes to hold them.
NEVER = "all answer answers every ignore instruction instructions json key keys other others statement statements"
_WORD = re.compile(r"[a-z]+")
_PLAIN = re.compile(r"[a-z0-9 ,.;:()/'&+%<>=-]*")


class Sharing:
    """Decide by a closed list of words, not by a list of suspicious ones.

    Parameters
    ----------
    vocabulary
        The words of its texts and synonyms are harmless.
    """

    def __init__(self, vocabulary: Vocabulary):
        known = {word for phrase in vocabulary.phrases for word in _WORD.findall(phrase.lower())}
        self._words = known.union(ORDINARY.split()).difference(NEVER.split())

    def __call__(self, text: str) -> bool:
        """Whether a clean statement is short, without special characters, and made of known words only."""
        plain = len(text) <= MAX_CHARACTERS and _PLAIN.fullmatch(text) is not None
        return plain and self._words.issuperset(_WORD.findall(text))


def in_parts(items: Iterable[T], size: int) -> list[Sequence[T]]:
    """Cut into lists of at most ``size``.

    >>> in_parts("abcde", 2)
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    rows = list(items)
    return [rows[start : start + size] for start in range(0, len(rows), size)]
