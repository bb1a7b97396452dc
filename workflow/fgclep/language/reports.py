"""Tables of distinct texts and of reports as lists of text ids."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import pyarrow as pa

from fgclep.language.parser import StatementParser
from fgclep.language.statements import Statement, clean_statement
from fgclep.language.vocabulary import Vocabulary
from fgclep.schemas.quarantine import QUARANTINE
from fgclep.schemas.reports import REPORTS, TEXTS

Report = tuple[str, str, Sequence[str]]  # source, record_id, statements as written


@dataclass(frozen=True)
class ParsedReports:
    """Tables by the schemas ``TEXTS``, ``REPORTS`` and ``QUARANTINE``."""

    texts: pa.Table
    reports: pa.Table
    quarantine: pa.Table


def parse_reports(
    reports: Iterable[Report], vocabulary: Vocabulary, min_words: int, vocabulary_words: bool = True
) -> ParsedReports:
    """Clean and parse the statements of all reports.

    Parameters
    ----------
    reports
        Source, record id and statements as written, per record.
    vocabulary
        What is looked for in the statements. The text of every feature gets a text id, whether a report has it or not,
        so that accepted features can be added later without any id changing.
    min_words
        Words that a report must have in all, administrative statements left out.
    vocabulary_words
        Whether each report also gets the vocabulary's texts of the diagnoses that it makes for certain or probably, and
        of the wider ones that these are (``wider_diagnoses``), after its statements.

    Returns
    -------
    ParsedReports
        Texts by falling count, then the vocabulary's features and diagnoses that no report has. Reports keep the order
        in which they came and have each text once; a report without a usable statement is in the quarantine instead.
    """
    keys: list[tuple[str, str]] = []
    cleaned: list[list[str]] = []
    counts: Counter[str] = Counter()
    clean = cache(clean_statement)  # reports say the same again and again: one string for each distinct text
    for source, record_id, statements in reports:
        texts = list(dict.fromkeys(text for raw in statements if (text := clean(raw))))
        counts.update(texts)
        keys.append((source, record_id))
        cleaned.append(texts)

    ordered = sorted(counts, key=lambda text: (-counts[text], text))
    entries = vocabulary.entries if vocabulary_words else vocabulary.features.values()
    ordered += [text for text in dict.fromkeys(clean_statement(entry.text) for entry in entries) if text not in counts]
    parser = StatementParser(vocabulary)
    parsed = [parser.parse(text) for text in ordered]
    usable = {s.text: i for i, s in enumerate(parsed) if s.kind != "administrative"}
    named = [_named(statement, vocabulary, usable) if vocabulary_words else [] for statement in parsed]

    kept_keys, kept_ids, dropped = [], [], []
    for (source, record_id), texts in zip(keys, cleaned, strict=True):
        own = [text for text in texts if text in usable]
        reason = _why_unusable(texts, own, min_words)
        if reason:
            dropped.append({"source": source, "record_id": record_id, "stage": "parse_reports", "reason": reason})
        else:
            kept_keys.append((source, record_id))
            ids = [usable[text] for text in own]
            kept_ids.append(list(dict.fromkeys((*ids, *(text for i in ids for text in named[i])))))
    return ParsedReports(
        pa.Table.from_pylist([{"text_id": i, "count": counts[s.text], **vars(s)} for i, s in enumerate(parsed)], TEXTS),
        pa.table([[key[0] for key in kept_keys], [key[1] for key in kept_keys], kept_ids], schema=REPORTS),
        pa.Table.from_pylist(dropped, schema=QUARANTINE),
    )


def _named(statement: Statement, vocabulary: Vocabulary, usable: Mapping[str, int]) -> list[int]:
    """Ids of the vocabulary's texts of what a statement diagnoses, unless it is merely possible."""
    made = [name for name in statement.diagnoses if name not in statement.possible]
    texts = (clean_statement(vocabulary.diagnoses[name].text) for name in wider_diagnoses(made, vocabulary))
    return [usable[text] for text in texts if text in usable]


def wider_diagnoses(made: Iterable[str], vocabulary: Vocabulary) -> list[str]:
    """Return diagnoses with the wider ones that they are: an inferior infarction is a myocardial infarction."""
    found = dict.fromkeys(made)
    waiting = list(found)
    for name in waiting:
        diagnosis = vocabulary.diagnoses[name]
        wider = [other for other in (diagnosis.kind_of, diagnosis.general) if other and other not in found]
        found.update(dict.fromkeys(wider))
        waiting += wider
    return list(found)


def _why_unusable(texts: Sequence[str], usable: Sequence[str], min_words: int) -> str:
    if not texts:
        return "the report is empty"
    if not usable:
        return "the report has administrative statements only"
    words = sum(len(text.split()) for text in usable)
    return f"words in the report: {words}, fewer than {min_words}" if words < min_words else ""


def feature_text_ids(texts: Sequence[str], vocabulary: Vocabulary) -> list[int]:
    """Return the text id of every feature of the vocabulary, in its order.

    Raises
    ------
    ValueError
        If a feature's text is not among ``texts``: they come from another version of the vocabulary.
    """
    place = {text: i for i, text in enumerate(texts)}
    wanted = [clean_statement(feature.text) for feature in vocabulary.features.values()]
    if missing := [text for text in wanted if text not in place]:
        raise ValueError(f"the features {missing} are not among the texts, which another vocabulary was used for")
    return [place[text] for text in wanted]
