"""How many statements of a corpus the vocabulary and the parser can read, by the language of the report.

Reports come as statements (MIMIC-IV-ECG), as English sentences, or, as most of PTB-XL, as one line in German or Swedish
in which machine statements follow each other without separators.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from fgclep.language.parser import StatementParser
from fgclep.language.statements import clean_statement

_SENTENCE = re.compile(r"\.\s+|\.$|;\s")
# Words of ECG reports that only one of the languages has.
_LANGUAGES = {
    name: re.compile(rf"\b(?:{words})\b")
    for name, words in (
        (
            "English",
            "the|with|and|or|is|are|be|to|of|by|no|old|not|leads?|waves?|segments|rhythm|axis|ecg|tracing|trace|atrial|"
            "ventricular|premature|complexes|beats?|bundle|branch|left|right|arrhythmia|bradycardia|tachycardia|"
            "fibrillation|infarct(?:ion)?|isch(?:ae|e)mia|hypertrophy|enlargement|deviation|voltage",
        ),
        (
            "German",
            "sinus(?:rhythmus|bradykardie|tachykardie)|rhythmus|arrhythmie|bradykardie|tachykardie|vorhofflimmern|"
            "(?:vorhof)?flattern|(?:lage|links|rechts|steil|mittellage|linkslage|rechtslage)typ|llt|mlt|normales|"
            "pathologisch(?:es)?|ekg|grenzbefund|bericht|schrittmacher|ableitung(?:en)?|und|oder|der|nicht|keine?|"
            "möglich|wahrscheinlich|verdacht|s?ves|extrasystolen?|(?:links|rechts)?schenkelblock|[lr]sb|senkung|hebung|"
            "abnorm|infarkt",
        ),
        (
            "Swedish",
            "sinus(?:rytm|bradykardi|ta(?:ch|k)ykardi)|rytm|arytmi|axel|el|vänster|höger|förmaks?(?:flimmer)?|"
            "fladder|och|eller|såsom|vid|med|för|av|ej|inga|inget|bör|kan|ålder|äldre|sannolikt|möjligen|misstänkt|"
            "avvikande|förlopp|normalt|patologiskt|extraslag|extrasystoli|skänkelblock|sänkning|förändring(?:ar)?|"
            "infarkt|kammarhypertrofi|myokardskada|amplituder|ekg",
        ),
    )
}
OTHER = "other"

Read = tuple[str, bool]  # a statement, and whether it is mapped to findings or known to be administrative


def language_of(report: str) -> str:
    """Return ``English``, ``German`` or ``Swedish``: that of which most words are in the report; ``other`` if none is.

    >>> language_of("sinusrhythmus lagetyp normal"), language_of("sinusrytm normalt ekg"), language_of("SR 80")
    ('German', 'Swedish', 'other')
    """
    hits = {name: len(words.findall(report.lower())) for name, words in _LANGUAGES.items()}
    best = max(hits.values())
    found = [name for name, n in hits.items() if n == best]
    return found[0] if len(found) == 1 else OTHER


def read_report(report: str, parser: StatementParser) -> list[Read]:
    """Return the statements of a report in order, and whether each is read.

    English reports are split into sentences. In other lines every finding is a statement that is read, and every run of
    other words between two of them one that is not; words of doubt, territories, numbers and small words belong to
    their neighbours.
    """
    text = report.lower()
    if parser.parse(clean_statement(text)).kind == "administrative":
        return [(clean_statement(text), True)]
    if language_of(text) == "English":
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


def report_counts(reports: Iterable[str], parser: StatementParser) -> dict[str, Counter[Read]]:
    """Read whole reports; return the counts by ``language_of`` the report, only of languages that occur."""
    counts: dict[str, Counter[Read]] = {}
    for report in reports:
        counts.setdefault(language_of(report), Counter()).update(read_report(report, parser))
    return counts
