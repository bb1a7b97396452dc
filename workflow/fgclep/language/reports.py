"""Tables of distinct texts and of reports as lists of text ids."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import pyarrow as pa

from fgclep.language.parser import StatementParser
from fgclep.language.statements import clean_statement
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


def parse_reports(reports: Iterable[Report], vocabulary: Vocabulary, min_words: int) -> ParsedReports:
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

    Returns
    -------
    ParsedReports
        Texts by falling count, then the vocabulary's features that no report has. Reports keep the order in which they
        came and have each text once; a report without a usable statement is in the quarantine instead.
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
    features = dict.fromkeys(clean_statement(feature.text) for feature in vocabulary.features.values())
    ordered += [text for text in features if text not in counts]
    parser = StatementParser(vocabulary)
    parsed = [parser.parse(text) for text in ordered]
    usable = {s.text: i for i, s in enumerate(parsed) if s.kind != "administrative"}

    kept_keys, kept_ids, dropped = [], [], []
    for (source, record_id), texts in zip(keys, cleaned, strict=True):
        own = [text for text in texts if text in usable]
        reason = _why_unusable(texts, own, min_words)
        if reason:
            dropped.append({"source": source, "record_id": record_id, "stage": "parse_reports", "reason": reason})
        else:
            kept_keys.append((source, record_id))
            kept_ids.append([usable[text] for text in own])
    return ParsedReports(
        pa.Table.from_pylist([{"text_id": i, "count": counts[s.text], **vars(s)} for i, s in enumerate(parsed)], TEXTS),
        pa.table([[key[0] for key in kept_keys], [key[1] for key in kept_keys], kept_ids], schema=REPORTS),
        pa.Table.from_pylist(dropped, schema=QUARANTINE),
    )


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
