"""Statements of ECG reports: cleaning, and parsing into findings of the vocabulary.

A statement such as ``"*** possible inferior infarct - age undetermined ***"`` becomes the clean text ``"possible
inferior infarct - age undetermined"``, the diagnosis ``inferior_mi`` and the certainty ``possible``. Findings are the
texts and synonyms of the vocabulary, compared word by word and never within a word: replacing characters ("mi" by
"myocardial infarction") is what corrupted published report corpora.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from fgclep.stage import UserError
from fgclep.vocabulary import Vocabulary

# Words and abbreviations that machine statements write in several ways; both sides of a comparison are put in one.
SPELLINGS = {
    "abnormalities": ("abnormality",),
    "abnrm": ("abnormality",),
    "ant": ("anterior",),
    "av": ("a", "v"),
    "elev": ("elevation",),
    "first": ("1st",),
    "second": ("2nd",),
    "third": ("3rd",),
    "infarction": ("infarct",),
    "infarcts": ("infarct",),
    "ischaemia": ("ischemia",),
    "lds": ("leads",),
    "repol": ("repolarization",),
    "repolarisation": ("repolarization",),
}
# Territories in the words that the vocabulary uses, where it does not know the statement as a whole.
TERRITORIES = {
    "inferior": ("inferior",),
    "anterior": ("anterior",),
    "lateral": ("lateral",),
    "septal": ("anterior",),
    "anteroseptal": ("anterior",),
    "anterolateral": ("anterior", "lateral"),
    "inferolateral": ("inferior", "lateral"),
}
NEGATIONS = ("no", "not", "without", "negative for", "absence of", "ruled out", "no longer")
UNCERTAIN = {
    "probable": ("probable", "probably", "likely", "suggest", "suggests", "suggestive", "consistent with"),
    "possible": (
        *("possible", "possibly", "consider", "cannot rule out", "cannot exclude", "can not rule out", "may be"),
        *("might be", "suspect", "suspected", "questionable", "could be"),
    ),
}
_SCOPE_ENDS = ("but", "except", "although", "however")
_WORD = re.compile(r"(?<![^\s(])-\d+(?:\.\d+)?|\d+\.\d+|[a-z0-9]+'?")
_CLAUSE_END = re.compile(r"\s-+\s|[;:]|,\s")
_ADMINISTRATIVE_CLAUSE_END = re.compile(r"\s-+\s|;")
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
    """A clean statement and what the vocabulary knows of it.

    Parameters
    ----------
    text
        As ``clean_statement`` returns it.
    kind
        ``diagnosis``, ``feature`` (only features are named or denied), ``administrative`` or ``unknown``.
    diagnoses, features
        Ids of the findings that the statement makes, certain or not, in order of appearance.
    negated
        Ids of the findings that it denies.
    certainty
        ``certain``, ``probable`` or ``possible``: the weakest qualifier of the statement.
    """

    text: str
    kind: str
    diagnoses: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    negated: tuple[str, ...] = ()
    certainty: str = "certain"


@dataclass(frozen=True)
class _Match:
    start: int
    stop: int
    finding: str


class StatementParser:
    """Parse clean statements against a vocabulary.

    Parameters
    ----------
    vocabulary
        Its texts and synonyms are the phrases that are looked for; its administrative patterns come first.

    Raises
    ------
    UserError
        If two findings of the vocabulary have phrases that differ only in punctuation, plural or spelling.
    """

    def __init__(self, vocabulary: Vocabulary):
        self.vocabulary = vocabulary
        self._administrative = [re.compile(pattern) for pattern in vocabulary.administrative]
        self._phrases: dict[tuple[str, ...], str] = {}
        for phrase, finding in vocabulary.phrases.items():
            words = tuple(_words(phrase))
            known = self._phrases.setdefault(words, finding)
            if known != finding:
                raise UserError(f"the vocabulary gives {phrase!r} to {finding!r}, and {known!r} has the same words")

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self._phrases), default=0)

    def parse(self, text: str) -> Statement:
        """Parse a clean statement.

        Longer phrases win over shorter ones that overlap them. A verdict on the whole ECG ("normal ecg", "borderline")
        counts only if it is a clause of its own: "borderline prolonged pr interval" is no borderline ECG. "no X" and
        the like deny what follows in the same clause. An administrative remark hides the clause that it stands in.
        """
        administrative = self._is_administrative(text)
        readable = text
        if administrative:
            clauses = _ADMINISTRATIVE_CLAUSE_END.split(text)
            readable = " - ".join(clause for clause in clauses if not self._is_administrative(clause))
        made: list[str] = []
        denied: list[str] = []
        uncertain: set[str] = set()
        for words, clause in self._variants(readable):
            matches = self._matches(words, clause)
            covered = {i for match in matches for i in range(match.start, match.stop)}
            uncertain |= set(_qualifiers(words, covered)) if matches else set()
            for match in matches:
                (denied if _is_denied(words, clause, covered, match) else made).append(match.finding)
        diagnoses = self._with_wider(f for f in made if f in self.vocabulary.diagnoses)
        features = tuple(dict.fromkeys(f for f in made if f in self.vocabulary.features))
        negated = tuple(f for f in dict.fromkeys(denied) if f not in made)
        if diagnoses or any(f in self.vocabulary.diagnoses for f in negated):
            kind = "diagnosis"
        elif features or negated:
            kind = "feature"
        else:
            kind = "administrative" if administrative else "unknown"
        certainty = next((level for level in ("possible", "probable") if level in uncertain), "certain")
        return Statement(text, kind, diagnoses, features, negated, certainty)

    def _with_wider(self, diagnoses: Iterable[str]) -> tuple[str, ...]:
        """Add to each diagnosis the wider one that it is a kind of."""
        found = list(dict.fromkeys(diagnoses))
        wider = (self.vocabulary.diagnoses[name].kind_of for name in found)
        return tuple(dict.fromkeys([*found, *(name for name in wider if name)]))

    def _is_administrative(self, text: str) -> bool:
        found = any(pattern.search(text) for pattern in self._administrative)
        return found and tuple(_words(text)) not in self._phrases

    def _variants(self, text: str) -> Iterator[tuple[list[str], list[int]]]:
        """Yield the words and their clause numbers; for several territories once per territory.

        "inferior and lateral t wave changes" and "anterolateral t wave changes" say the same of both territories,
        unless the vocabulary knows the whole.
        """
        words, clause = _words_in_clauses(text)
        run = _territory_run(words, clause)
        if run is None:
            yield words, clause
            return
        start, stop = run
        several = [TERRITORIES[word] for word in words[start:stop] if word in TERRITORIES]
        territories = list(dict.fromkeys(territory for some in several for territory in some))
        if (len(several) == 1 and territories == words[start:stop]) or any(
            match.start <= start and match.stop >= stop for match in self._matches(words, clause)
        ):
            yield words, clause
            return
        for territory in territories:
            yield [*words[:start], territory, *words[stop:]], [*clause[: start + 1], *clause[stop:]]

    def _matches(self, words: Sequence[str], clause: Sequence[int]) -> list[_Match]:
        """Return the phrases found, longest first where they overlap, in order of appearance."""
        found = []
        for start in range(len(words)):
            for stop in range(start + 1, min(len(words), start + self._longest) + 1):
                finding = self._phrases.get(tuple(words[start:stop]))
                if finding is not None and self._may_stand(finding, clause, start, stop):
                    found.append(_Match(start, stop, finding))
        found.sort(key=lambda match: (match.start - match.stop, match.start))
        taken: set[int] = set()
        chosen = []
        for match in found:
            if taken.isdisjoint(range(match.start, match.stop)):
                taken.update(range(match.start, match.stop))
                chosen.append(match)
        return sorted(chosen, key=lambda match: match.start)

    def _may_stand(self, finding: str, clause: Sequence[int], start: int, stop: int) -> bool:
        diagnosis = self.vocabulary.diagnoses.get(finding)
        if diagnosis is None or diagnosis.group not in {"summary", "normal"}:
            return True
        starts_clause = start == 0 or clause[start - 1] != clause[start]
        ends_clause = stop == len(clause) or clause[stop] != clause[stop - 1]
        return starts_clause and ends_clause


def parse_statements(texts: Iterable[str], vocabulary: Vocabulary) -> list[Statement]:
    """Parse clean statements; see ``StatementParser.parse``."""
    parser = StatementParser(vocabulary)
    return [parser.parse(text) for text in texts]


def _stem(word: str) -> str:
    if word.endswith("xes"):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _words(text: str) -> list[str]:
    """Return the words of a text in one spelling, singular, without punctuation."""
    found = _WORD.findall(text.lower().replace("(s)", ""))
    return [_stem(part) for word in found for part in SPELLINGS.get(word, (word,))]


def _words_in_clauses(text: str) -> tuple[list[str], list[int]]:
    words: list[str] = []
    clause: list[int] = []
    for number, part in enumerate(_CLAUSE_END.split(text)):
        some = _words(part)
        words += some
        clause += [number] * len(some)
    return words, clause


def _territory_run(words: Sequence[str], clause: Sequence[int]) -> tuple[int, int] | None:
    """Return start and stop of the first territory and of those joined to it by "and", "or" or a slash."""
    for start, word in enumerate(words):
        if word not in TERRITORIES:
            continue
        stop = start + 1
        while stop < len(words) and clause[stop] == clause[start]:
            if words[stop] in TERRITORIES:
                stop += 1
            elif words[stop] in {"and", "or"} and stop + 1 < len(words) and words[stop + 1] in TERRITORIES:
                stop += 1
            else:
                break
        return start, stop
    return None


def _occurrences(words: Sequence[str], cues: Iterable[str], covered: set[int]) -> Iterator[int]:
    for cue in cues:
        parts = _words(cue)
        for start in range(len(words) - len(parts) + 1):
            inside = range(start, start + len(parts))
            if list(words[start : start + len(parts)]) == parts and covered.isdisjoint(inside):
                yield start


def _qualifiers(words: Sequence[str], covered: set[int]) -> Iterator[str]:
    for level, cues in UNCERTAIN.items():
        if any(True for _ in _occurrences(words, cues, covered)):
            yield level


def _is_denied(words: Sequence[str], clause: Sequence[int], covered: set[int], match: _Match) -> bool:
    for start in _occurrences(words, NEGATIONS, covered):
        if start < match.start and clause[start] == clause[match.start]:
            between = words[start : match.start]
            if not any(word in _SCOPE_ENDS for word in between) and list(between[:2]) != ["not", "only"]:
                return True
    return False
