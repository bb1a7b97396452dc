"""Statements of ECG reports: cleaning, and what is known of each; ``parser.py`` finds it, ``TEXTS`` keeps it."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from fgclep.errors import UserError
from fgclep.language.vocabulary import Vocabulary
from fgclep.schemas.reports import TEXTS
from fgclep.tables import read_table

ROWS = 10_000  # of the table of texts at once as Python objects
_DECORATION = " \t*-.,;:_=#<>"


def clean_statement(raw: str) -> str:
    """Return a statement in lower case without decoration, with single spaces; empty if nothing is left.

    >>> clean_statement("*** Consider ACUTE ST elevation MI ***")
    'consider acute st elevation mi'
    >>> clean_statement("- Premature ventricular contractions.")
    'premature ventricular contractions'
    >>> clean_statement("Summary: abnormal ECG")
    'abnormal ecg'
    """
    text = unicodedata.normalize("NFKC", raw).replace("\u2019", "'").replace("\u2018", "'").replace("\u2013", "-")
    text = "".join(" " if unicodedata.category(character).startswith("C") else character for character in text)
    text = " ".join(text.lower().split()).strip(_DECORATION)
    return re.sub(r"^summary\s*:\s*(?=\S)", "", text)


@dataclass(frozen=True)
class Statement:
    """A clean statement and what the vocabulary knows of it: columns of the table of texts (schema ``TEXTS``).

    Parameters
    ----------
    text
        As ``clean_statement`` returns it.
    kind
        ``diagnosis``, ``feature`` (only features are named or denied), ``administrative`` or ``unknown``.
    diagnoses, features
        Ids of the findings that the statement makes, certain or not, in order of appearance; diagnoses with the wider
        ones that they are a kind of.
    negated
        Ids of the findings that it denies.
    certainty
        ``certain``, ``probable`` or ``possible``: that of the least certain finding.
    possible
        Ids of those diagnoses and features that are no more than possible: no labels, and no ground to exclude another
        finding.
    """

    text: str
    kind: str
    diagnoses: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    negated: tuple[str, ...] = ()
    certainty: str = "certain"
    possible: tuple[str, ...] = ()


_COLUMNS = [field.name for field in fields(Statement)]


def statement_of(row: Mapping[str, Any]) -> Statement:
    """Return the statement of a row of the table of texts; ``vars`` turns it into a row again.

    >>> statement = Statement("afib", "diagnosis", ("afib",))
    >>> statement_of({"text_id": 3, **vars(statement)}) == statement
    True
    """
    cells = ((name, row[name]) for name in _COLUMNS)
    values: dict[str, Any] = {name: tuple(cell) if isinstance(cell, list) else cell for name, cell in cells}
    return Statement(**values)


def read_statements(path: str | Path, vocabulary: Vocabulary) -> Iterator[Statement]:
    """Read the distinct texts of the reports (schema ``TEXTS``) in the order of their ids; few are held at once.

    Raises
    ------
    UserError
        If a text names a finding that is not in the vocabulary: the table was made with another one.
    """
    known = {*vocabulary.diagnoses, *vocabulary.features}
    for batch in read_table(path, TEXTS, _COLUMNS).to_batches(max_chunksize=ROWS):
        for row in batch.to_pylist():
            statement = statement_of(row)
            if unknown := {*statement.diagnoses, *statement.features, *statement.negated} - known:
                raise UserError(
                    f"{path}: {statement.text!r} names {', '.join(sorted(unknown))}, which the vocabulary does not "
                    f"have; run `snakemake --cores all {path}` to read the reports again"
                )
            yield statement
