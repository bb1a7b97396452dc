"""From a clean statement to the findings of the vocabulary that it makes or denies.

``"possible inferior infarct - age undetermined"`` becomes the diagnosis ``inferior_mi`` with the certainty ``possible``
in the leads II, III and aVF. Findings are the wordings of the vocabulary, compared word by word and never within a
word: replacing characters ("mi" by "myocardial infarction") is what corrupted published report corpora.

Parsing takes four steps: the phrases of the vocabulary are found, longest first; words of doubt and denial
(``certainty.py``) act on the findings that they stand by; territories and leads (``territories.py``) are joined to the
findings that have no place of their own; and a general finding ("st depression") in a known place becomes the finding
of that place (``std_inferior``).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fgclep.errors import UserError
from fgclep.language.certainty import ABSENT, POSSIBLE, PRESENT, PROBABLE, certainties, cue_words, cuts_in_two
from fgclep.language.locations import Match, Places, find_places, has_place, members_at
from fgclep.language.statements import Statement
from fgclep.language.territories import TERRITORY_LEADS, place_leads
from fgclep.language.vocabulary import Diagnosis, Feature, Vocabulary
from fgclep.language.words import words_in_clauses, words_of

_PROBABLY = frozenset({"wahrscheinlich", "sannolikt"})  # before a verdict at the end of a line without separators
_ADMINISTRATIVE_CLAUSE_END = re.compile(r"\s-+\s|[;:]\s|\.\s|\bbecause of\b|\bdue to (?=paced)|(?=\b4\.46\b)")
# Words that say nothing alone, in the lines of PTB-XL.
_SMALL = frozenset(
    [
        *("in", "i", "und", "oder", "och", "eller", "bei", "mit", "med", "von", "der", "die", "das", "an", "zu", "im"),
        *("über", "bis", "ableitungen", "ableitung", "ableitg", "abl", "typ", "a", "b", "v", "hf", "jetzt", "sonst"),
        *("eljest", "ekg", "qrst", "förlopp", "avvikande", "abnorm", "abnormal", "leichte", "diskret", "diskrete"),
        *(
            "sicher",
            "sichere",
            "sicherer",
            "uniform",
            "uniforme",
            "vollständig",
            "vollständiger",
            "kompl",
            "kompletter",
        ),
        *("alter", "ålder", "unbest", "unbestimmt", "ej", "bestämmbar", "alt", "gammal", "neuer", "akut", "subakut"),
        *("subakuter", "chron", "chronisch", "chronischer", "grade"),
        "myokardaffektion",  # infarct or ischemia? Its place goes to the finding before it
    ]
)


@dataclass(frozen=True)
class Finding:
    """What a statement says of one finding.

    Parameters
    ----------
    id
        In the vocabulary.
    certainty
        ``present``, ``probable``, ``possible`` or ``absent``.
    leads
        Where, in canonical order; empty: in no particular lead.
    """

    id: str
    certainty: str = PRESENT
    leads: tuple[str, ...] = ()


class StatementParser:
    """Parse clean statements against a vocabulary.

    Parameters
    ----------
    vocabulary
        Its wordings are the phrases that are looked for; its administrative patterns come first.

    Raises
    ------
    UserError
        If two findings of the vocabulary have phrases that differ only in punctuation, plural or spelling.
    """

    def __init__(self, vocabulary: Vocabulary):
        self.vocabulary = vocabulary
        self._administrative = [re.compile(pattern) for pattern in vocabulary.administrative]
        self._entries: dict[str, Diagnosis | Feature] = {**vocabulary.features, **vocabulary.diagnoses}
        self._phrases: dict[tuple[str, ...], str] = {}
        self._whole: set[tuple[str, ...]] = set()
        for phrase, finding in vocabulary.phrases.items():
            words = tuple(words_of(phrase))
            if not words:
                raise UserError(f"the vocabulary gives {phrase!r} to {finding!r}, and {phrase!r} has no words")
            self._whole.add(words)
            if cuts_in_two(words):
                continue  # names a sign and what it may be due to; the two are read one by one
            known = self._phrases.setdefault(words, finding)
            if known != finding:
                raise UserError(f"the vocabulary gives {phrase!r} to {finding!r}, and {known!r} has the same words")
        self._lengths: dict[str, list[int]] = {}  # of the phrases by their first word, longest first
        for words in self._phrases:
            self._lengths.setdefault(words[0], []).append(len(words))
        self._lengths = {word: sorted(set(lengths), reverse=True) for word, lengths in self._lengths.items()}
        self._families: dict[str, list[Diagnosis | Feature]] = {}
        for entry in self._entries.values():
            if entry.general is not None:
                self._families.setdefault(entry.general, []).append(entry)

    def parse(self, text: str) -> Statement:
        """Return what a clean statement says; see ``findings``."""
        findings = self.findings(text)
        made = [finding for finding in findings if finding.certainty != ABSENT]
        diagnoses = self._with_wider(f.id for f in made if f.id in self.vocabulary.diagnoses)
        features = tuple(f.id for f in made if f.id in self.vocabulary.features)
        negated = tuple(f.id for f in findings if f.certainty == ABSENT)
        if diagnoses or any(f in self.vocabulary.diagnoses for f in negated):
            kind = "diagnosis"
        elif features or negated:
            kind = "feature"
        else:
            kind = "administrative" if self._is_administrative(text) else "unknown"
        weakest = max((finding.certainty for finding in made), key=_RANK.__getitem__, default=PRESENT)
        certainty = "certain" if weakest == PRESENT else weakest
        sure = self._with_wider(f.id for f in made if f.certainty != POSSIBLE)
        possible = tuple(name for name in (*diagnoses, *features) if name not in sure)
        return Statement(text, kind, diagnoses, features, negated, certainty, possible)

    def findings(self, text: str) -> list[Finding]:
        """Return the findings that a clean statement makes or denies, each with its own certainty and leads.

        Longer phrases win over shorter ones that overlap them. A verdict on the whole ECG ("normal", "borderline")
        counts only if it is a clause of its own: "borderline prolonged pr interval" is no borderline ECG. An
        administrative remark hides the clause that it stands in.
        """
        readable = text
        if self._is_administrative(text):
            clauses = _ADMINISTRATIVE_CLAUSE_END.split(text)
            readable = " - ".join(clause for clause in clauses if not self._is_administrative(clause))
        words, clause = words_in_clauses(readable)
        matches = self._matches(words, clause)
        said = certainties(words, clause, [(m.start, m.stop) for m in matches], [self._is_verdict(m) for m in matches])
        unplaced = [m for m in matches if not has_place(self._entries[m.finding])]  # "left anterior fascicular block"
        taken = {i for match in unplaced for i in range(match.start, match.stop)}
        places = Places(words, clause, [p for p in find_places(words) if p.start not in taken], matches)
        best: dict[str, Finding] = {}
        for match, certainty in zip(matches, said, strict=True):
            for finding in self._placed(match, certainty, places):
                known = best.get(finding.id)
                if known is None or _RANK[finding.certainty] < _RANK[known.certainty]:
                    best[finding.id] = finding
        return list(best.values())

    def read_line(self, text: str) -> list[tuple[str, bool]]:
        """Return the findings of a line without separators, and the runs of words between them that are not read."""
        words, clause = words_in_clauses(text)
        matches = self._matches(words, clause)
        held = cue_words(words) | {i for place in find_places(words) for i in range(place.start, place.stop)}
        parts: list[tuple[str, bool]] = []
        after = 0
        for match in [*matches, Match(len(words), len(words), "")]:
            unread = [w for i, w in enumerate(words[after : match.start], after) if i not in held and w not in _SMALL]
            if any(not word[0].isdigit() and len(word) > 1 for word in unread):
                parts.append((" ".join(unread), False))
            if match.finding:
                parts.append((" ".join(words[match.start : match.stop]), True))
            after = match.stop
        return parts

    def _with_wider(self, diagnoses: Iterable[str]) -> tuple[str, ...]:
        """Add to each diagnosis the wider one that it is a kind of."""
        found = list(dict.fromkeys(diagnoses))
        wider = (self.vocabulary.diagnoses[name].kind_of for name in found if name in self.vocabulary.diagnoses)
        return tuple(dict.fromkeys([*found, *(name for name in wider if name)]))

    def _is_administrative(self, text: str) -> bool:
        found = any(pattern.search(text) for pattern in self._administrative)
        return found and words_of(text) not in self._whole

    def _is_verdict(self, match: Match) -> bool:
        diagnosis = self.vocabulary.diagnoses.get(match.finding)
        return diagnosis is not None and diagnosis.group in {"summary", "normal"}

    def _matches(self, words: Sequence[str], clause: Sequence[int]) -> list[Match]:
        """Return the phrases found, longest first where they overlap, in order of appearance."""
        found = []
        for start, word in enumerate(words):
            for length in self._lengths.get(word, ()):
                finding = self._phrases.get(tuple(words[start : start + length]))
                if finding is not None and start + length <= len(words):
                    match = Match(start, start + length, finding)
                    if not self._is_verdict(match) or _is_own_clause(match, words, clause):
                        found.append(match)
        found.sort(key=lambda match: (match.start - match.stop, match.start))
        taken: set[int] = set()
        chosen = []
        for match in found:
            if taken.isdisjoint(range(match.start, match.stop)):
                taken.update(range(match.start, match.stop))
                chosen.append(match)
        return sorted(chosen, key=lambda match: match.start)

    def _placed(self, match: Match, certainty: str, places: Places) -> list[Finding]:
        """Return the finding with its leads, or the findings of its places if it is a general one."""
        entry = self._entries[match.finding]
        joined = places.joined_before(match) if entry.general else ()
        if entry.general and joined:
            entry = self._entries[entry.general]
        elif entry.leads:
            return [Finding(entry.id, certainty, entry.leads)]
        elif not has_place(entry) and entry.id not in self._families:
            return [Finding(entry.id, certainty)]
        special: dict[str, Finding] = {}
        general: list[str] = []
        for name in joined or places.of(match):
            members = members_at(name, self._families.get(entry.id, []))
            special |= {member.id: Finding(member.id, certainty, member.leads) for member in members}
            if not members and TERRITORY_LEADS.get(name) != ():
                general.append(name)
        if special and not general:
            return list(special.values())
        return [*special.values(), Finding(entry.id, certainty, place_leads(general))]


_RANK = {PRESENT: 0, PROBABLE: 1, POSSIBLE: 2, ABSENT: 3}


def parse_statements(texts: Iterable[str], vocabulary: Vocabulary) -> list[Statement]:
    """Parse clean statements; see ``StatementParser.parse``."""
    parser = StatementParser(vocabulary)
    return [parser.parse(text) for text in texts]


def _is_own_clause(match: Match, words: Sequence[str], clause: Sequence[int]) -> bool:
    """Whether a verdict such as "normal" stands alone; with "ecg" in it, or in German, it need not."""
    if {"ecg", "ekg", "pathologisch", "grenzbefund", "säkert"} & set(words[match.start : match.stop]):
        return True
    starts = match.start == 0 or clause[match.start - 1] != clause[match.start] or words[match.start - 1] in _PROBABLY
    return starts and (match.stop == len(clause) or clause[match.stop] != clause[match.stop - 1])
