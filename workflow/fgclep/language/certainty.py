"""Words of doubt and denial in a statement, and which findings they act on.

A word before a finding ("possible", "no", "may be due to", "Verdacht auf") acts on the next finding of its clause, and
on those joined to it by "or" or "and"; a word after it ("cannot be excluded", "möglich") on the finding before it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from fgclep.language.territories import territory_of
from fgclep.language.words import singular

PRESENT, PROBABLE, POSSIBLE, ABSENT = "present", "probable", "possible", "absent"
NEUTRAL = "neutral"  # looks like a word of doubt, and is none

_BEFORE = {
    ABSENT: (
        *("no", "not", "without", "negative for", "absence of", "no longer", "no evidence of", "rather than", "nor"),
        *("kein", "keine", "keinen", "keinerlei", "ohne", "inga", "ingen", "ej", "utan", "denies"),
    ),
    POSSIBLE: (
        *("possible", "possibly", "consider", "cannot rule out", "can not rule out", "cannot exclude", "may be"),
        *("may be due to", "may be related to", "possibly due to", "possibly secondary to", "might be", "could be"),
        *("suspect", "suspected", "questionable", "borderline", "suggest possible", "suggests possible", "if"),
        *(
            "verdacht auf",
            "v a",
            "möglicherweise",
            "fragl",
            "fragliche",
            "fraglicher",
            "överväg",
            "mässige",
            "måttliga",
        ),
        *("mäßige", "grenzwertig", "grenzwertige", "möglicher", "mögliche", "misstänkt", "möjligen", "query"),
    ),
    PROBABLE: (
        *("probable", "probably", "prob", "likely", "suggest", "suggests", "suggesting", "suggestive of", "reflect"),
        *("consistent with", "compatible with", "strongly suggests", "probably due to", "likely to be due to"),
        *("are likely to be due to", "due to", "probably related to", "related to", "wahrscheinlich", "sannolikt"),
        *("såsom vid", "vereinbar mit", "am ehesten"),
    ),
    NEUTRAL: (
        *("not only", "wahrscheinlich alt", "wahrscheinlich älter", "sannolikt äldre", "möjligen färsk"),
        *(
            "suggest recording",
            "if no",
            "not significantly",
            "not known",
            "wahrscheinlich frisch",
            "möglich akut",
            "ej bestämmbar",
            "no further",
            "no significant",
        ),
    ),
}
_AFTER = {
    ABSENT: (
        *("no longer", "is no longer", "is not present", "not present", "is not seen", "not seen", "ruled out"),
        *("excluded", "absent", "are absent", "is absent", "has been replaced", "has resolved", "nicht nachweisbar"),
        "ausgeschlossen",
    ),
    POSSIBLE: (
        *("cannot be ruled out", "cannot be excluded", "cannot be entirely excluded", "not excluded", "not ruled out"),
        *("is possible", "möglich", "nicht auszuschliessen", "nicht auszuschließen", "nicht ausgeschlossen"),
        *("kan ej uteslutas", "bör övervägas", "is borderline", "are borderline", "suspected", "fraglich"),
        *("is a possible cause", "is possible cause", "at upper limit"),
    ),
    PROBABLE: ("likely", "is likely", "are likely", "is probable", "sannolik"),
}
# A phrase with one of these in its middle names two findings.
_BETWEEN_TWO = ("possible", "may be due to", "suggest", "suggests", "consider", "cannot rule out", "may be related to")
_SCOPE_ENDS = frozenset({"but", "except", "although", "however", "by", "with", "mit", "med", "aber"})
_OR = frozenset({"or", "nor", "oder", "eller"})
_AND = frozenset({"and", "und", "och", "u"})
_BETWEEN = _OR | _AND | {"a", "an", "the", "old", "acute", "recent", "either", "in", "lead", "of", "also", "any"}
_HIGH = frozenset({"high", "hög"})  # before "lateral"
_GAP = 6  # words between a word of doubt and its finding


def _tuples(words: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(singular(word) for word in phrase.split()) for phrase in words]


_CUES: dict[tuple[str, ...], list[tuple[bool, str]]] = {}
for _table, _is_before in ((_BEFORE, True), (_AFTER, False)):
    for _level, _phrases in _table.items():
        for _phrase in _tuples(_phrases):
            _CUES.setdefault(_phrase, []).append((_is_before, _level))
_LONGEST = max(map(len, _CUES))
_CUTS = _tuples(_BETWEEN_TWO)


def cuts_in_two(words: Sequence[str]) -> bool:
    """Whether a phrase names a sign and its cause, as "st elevation, consider acute infarct" does."""
    return any(
        tuple(words[start : start + len(cut)]) == cut for cut in _CUTS for start in range(1, len(words) - len(cut))
    )


def _cues(words: Sequence[str]) -> list[tuple[int, int, list[tuple[bool, str]]]]:
    """Return start, stop and meanings of the words of doubt and denial, the longest where they overlap."""
    found = []
    start = 0
    while start < len(words):
        for length in range(min(_LONGEST, len(words) - start), 0, -1):
            meanings = _CUES.get(tuple(words[start : start + length]))
            if meanings:
                found.append((start, start + length, meanings))
                start += length - 1
                break
        start += 1
    return found


def cue_words(words: Sequence[str]) -> set[int]:
    """Return the places of words of doubt and denial."""
    return {place for start, stop, _ in _cues(words) for place in range(start, stop)}


def certainties(
    words: Sequence[str], clause: Sequence[int], matches: Sequence[tuple[int, int]], verdicts: Sequence[bool]
) -> list[str]:
    """Return the certainty of every finding.

    Parameters
    ----------
    words, clause
        The words of a statement, and the number of the clause of each.
    matches
        Start and stop of the findings, in order, without overlap.
    verdicts
        Whether a finding is a verdict on the whole ECG: "borderline" in its name is no doubt.
    """
    levels: list[set[str]] = [set() for _ in matches]
    starts, stops = [start for start, _ in matches], [stop for _, stop in matches]
    reach = _Reach(words, clause, matches)
    ranges: dict[str, set[tuple[int, int]]] = {}  # of findings by the level that they get
    for start, stop, meanings in _cues(words):
        holder = bisect_right(stops, start)  # the first finding that ends behind the start of the word
        if holder < len(matches) and starts[holder] < stop:
            if not verdicts[holder]:
                levels[holder] |= {level for _, level in meanings if level in (POSSIBLE, PROBABLE)}
            continue
        for before, level in meanings:
            if level == NEUTRAL:
                continue
            next_ = bisect_left(starts, stop)
            reached = reach.after(stop, next_, level) if before else reach.before(start, holder - 1)
            if reached is not None:
                ranges.setdefault(level, set()).add(reached)
                break
    for level, some in ranges.items():
        covered = -1  # findings up to here have the level
        for first, last in sorted(some):
            for place in range(max(first, covered + 1), last + 1):
                levels[place].add(level)
            covered = max(covered, last)
    for place in range(1, len(matches)):
        if not levels[place]:
            levels[place] = _of_the_same_list(place, words, clause, matches, levels)
        between = words[matches[place - 1][1] : matches[place][0]]
        if len(between) == 1 and between[0] in _OR and not levels[place - 1] and not levels[place]:
            levels[place - 1].add(POSSIBLE)
            levels[place].add(POSSIBLE)
        elif len(between) == 1 and between[0] in _OR and POSSIBLE in levels[place - 1] and place > 1:
            levels[place].add(POSSIBLE)
    return [next((name for name in (ABSENT, POSSIBLE, PROBABLE) if name in level), PRESENT) for level in levels]


def _of_the_same_list(
    place: int,
    words: Sequence[str],
    clause: Sequence[int],
    matches: Sequence[tuple[int, int]],
    levels: Sequence[set[str]],
) -> set[str]:
    """Return the levels of a finding that repeats the last but one or the last one for a further territory.

    "Wahrscheinlich anteriore Ischämie oder Linksbelastung laterale Ischämie oder Linksbelastung": all are probable.
    """
    start = matches[place][0]
    name = _without_territory(words[slice(*matches[place])])
    for earlier in range(place - 1, max(place - 3, -1), -1):
        first, last = matches[earlier]
        inner = {i for m in matches[earlier : place + 1] for i in range(*m)}
        between = (words[i] for i in range(last, start) if i not in inner)
        if clause[first] != clause[start] or _without_territory(words[first:last]) != name:
            continue
        if all(word in _OR or word in _HIGH or territory_of(word) for word in between):
            return set(levels[earlier])
    return set()


def _without_territory(words: Sequence[str]) -> list[str]:
    return [word for word in words if not territory_of(word)]


class _Reach:
    """Which findings a word of doubt or denial acts on: one, and those joined to it, as first and last of them.

    How far each finding is joined to others is found once, so that a long list takes no longer than its words.
    """

    def __init__(self, words: Sequence[str], clause: Sequence[int], matches: Sequence[tuple[int, int]]):
        self._words, self._clause, self._matches = words, clause, matches
        self._last = {ABSENT: list(range(len(matches))), PRESENT: list(range(len(matches)))}  # PRESENT: of the others
        self._first = list(range(len(matches)))
        for place in range(1, len(matches)):
            if self._link(place) & _OR:
                self._first[place] = self._first[place - 1]
        for level, last in self._last.items():
            for place in range(len(matches) - 2, -1, -1):
                last[place] = self._last_from(place, last[place + 1], level)

    def _link(self, place: int) -> set[str]:
        """Return the words between a finding and the one before it."""
        return set(self._words[self._matches[place - 1][1] : self._matches[place][0]])

    def _last_from(self, place: int, further: int, level: str) -> int:
        """Return the last finding joined to that at ``place``; ``further`` is that of the next one."""
        link = self._link(place + 1)
        if not all(word in _BETWEEN or word.startswith("@") for word in link):
            return place
        before, start = self._matches[place][1], self._matches[place + 1][0]
        is_new_clause = self._clause[start] != self._clause[before - 1]
        if link & _OR or (link & _AND and not is_new_clause):
            return further
        # "no A, B or C": a comma joins what an "or" further on shows to be a list
        return further if is_new_clause and level == ABSENT and further > place + 1 else place

    def after(self, stop: int, first: int, level: str) -> tuple[int, int] | None:
        """Return what a word that ends at ``stop`` before the finding ``first`` acts on."""
        if first == len(self._matches):
            return None
        begin = self._matches[first][0]
        if self._clause[begin] != self._clause[stop - 1] or begin - stop > _GAP:
            return None
        if _SCOPE_ENDS & set(self._words[stop:begin]):
            return None
        return first, self._last[ABSENT if level == ABSENT else PRESENT][first]

    def before(self, start: int, last: int) -> tuple[int, int] | None:
        """Return what a word that begins at ``start`` after the finding ``last`` acts on."""
        if last < 0:
            return None
        end = self._matches[last][1]
        if self._clause[end - 1] != self._clause[start] or start - end > _GAP:
            return None
        return self._first[last], last
