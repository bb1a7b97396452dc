"""How many statements of a corpus the vocabulary and the parser can read.

Reports come as statements (MIMIC-IV-ECG), as English sentences, or, as most of PTB-XL, as one line in German or Swedish
in which machine statements follow each other without separators.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from fgclep.language.parser import StatementParser
from fgclep.language.statements import clean_statement

# Remarks of PTB-XL's editors, and the version line of the recorder with its "unconfirmed report".
_REMARK = re.compile(r"\bedit:.*$|\b4\.46\s+unbest\S+\s+bericht", re.DOTALL)
_SENTENCE = re.compile(r"\.\s+|\.$|;\s")
_ENGLISH = re.compile(
    r"\b(?:rhythm|ecg|axis|tracing|atrial|segments|waves|leads|premature|sinus (?:brady|tachy)cardia)\b"
)

Read = tuple[str, bool]  # a statement, and whether it is mapped to findings or known to be administrative


def read_report(report: str, parser: StatementParser) -> list[Read]:
    """Return the statements of a report in order, and whether each is read.

    English reports are split into sentences. In other lines every finding is a statement that is read, and every run of
    other words between two of them one that is not; words of doubt, territories, numbers and small words belong to
    their neighbours.
    """
    text = _REMARK.sub("", report.lower())
    if parser.parse(clean_statement(text)).kind == "administrative":
        return [(clean_statement(text), True)]
    if _ENGLISH.search(text):
        sentences = [clean for part in _SENTENCE.split(text) if (clean := clean_statement(part))]
        return [(sentence, parser.parse(sentence).kind != "unknown") for sentence in sentences]
    return parser.read_line(clean_statement(text))


@dataclass(frozen=True)
class Coverage:
    """``distinct`` and ``weighted``: shares of the distinct statements and of their occurrences that are read."""

    statements: int
    occurrences: int
    distinct: float
    weighted: float
    unread: list[tuple[str, int]]  # by falling count


def coverage(counts: Counter[Read]) -> Coverage:
    """Summarize statements with their counts."""
    unread = sorted(
        ((text, n) for (text, known), n in counts.items() if not known), key=lambda item: (-item[1], item[0])
    )
    total, missing = sum(counts.values()), sum(n for _, n in unread)
    return Coverage(len(counts), total, 1 - len(unread) / max(len(counts), 1), 1 - missing / max(total, 1), unread)


def statement_counts(statements: Iterable[tuple[str, int]], parser: StatementParser) -> Counter[Read]:
    """Read statements that come with their counts."""
    counts: Counter[Read] = Counter()
    for raw, n in statements:
        text = clean_statement(raw)
        counts[text, parser.parse(text).kind != "unknown"] += n
    return counts


def report_counts(reports: Iterable[str], parser: StatementParser) -> Counter[Read]:
    """Read whole reports."""
    counts: Counter[Read] = Counter()
    for report in reports:
        counts.update(read_report(report, parser))
    return counts
