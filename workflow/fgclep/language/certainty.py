"""Words of doubt and denial in a statement, and which findings they act on.

A word before a finding ("possible", "no", "may be due to", "Verdacht auf") acts on the next finding of its clause, and
on those joined to it by "or" or "and"; a word after it ("cannot be excluded", "möglich") on the finding before it.
"""

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
    for start, stop, meanings in _cues(words):
        holder = next((i for i, (first, last) in enumerate(matches) if first < stop and start < last), None)
        if holder is not None:
            if not verdicts[holder]:
                levels[holder] |= {level for _, level in meanings if level in (POSSIBLE, PROBABLE)}
            continue
        for before, level in meanings:
            if level == NEUTRAL:
                continue
            reached = (
                _reached_after(stop, words, clause, matches, level)
                if before
                else _reached_before(start, words, clause, matches)
            )
            for place in reached:
                levels[place].add(level)
            if reached:
                break
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
    named = [_without_territory(words[slice(*match)]) for match in matches[: place + 1]]
    for earlier in range(place - 1, max(place - 3, -1), -1):
        first, last = matches[earlier]
        inner = {i for m in matches[earlier : place + 1] for i in range(*m)}
        between = [words[i] for i in range(last, start) if i not in inner]
        listed = all(word in _OR or word in _HIGH or territory_of(word) for word in between)
        if named[earlier] == named[place] and listed and clause[first] == clause[start]:
            return set(levels[earlier])
    return set()


def _without_territory(words: Sequence[str]) -> list[str]:
    return [word for word in words if not territory_of(word)]


def _reached_after(
    stop: int, words: Sequence[str], clause: Sequence[int], matches: Sequence[tuple[int, int]], level: str
) -> list[int]:
    """Return the findings that a word before them acts on."""
    first = next((i for i, (start, _) in enumerate(matches) if start >= stop), None)
    if first is None:
        return []
    begin = matches[first][0]
    between = words[stop:begin]
    if clause[begin] != clause[stop - 1] or len(between) > _GAP or _SCOPE_ENDS & set(between):
        return []
    reached, pending = [first], []
    for place in range(first + 1, len(matches)):
        start, before = matches[place][0], matches[place - 1][1]
        link = set(words[before:start])
        new_clause = clause[start] != clause[before - 1]
        if not all(word in _BETWEEN or word.startswith("@") for word in link):
            break
        pending.append(place)
        if link & _OR or (link & _AND and not new_clause):
            reached += pending
            pending = []
        elif not new_clause or level != ABSENT:
            break
    return reached


def _reached_before(
    start: int, words: Sequence[str], clause: Sequence[int], matches: Sequence[tuple[int, int]]
) -> list[int]:
    """Return the findings that a word after them acts on."""
    last = next((i for i in reversed(range(len(matches))) if matches[i][1] <= start), None)
    if last is None or clause[matches[last][1] - 1] != clause[start] or start - matches[last][1] > _GAP:
        return []
    reached = [last]
    while reached[-1] and set(words[matches[reached[-1] - 1][1] : matches[reached[-1]][0]]) & _OR:
        reached.append(reached[-1] - 1)
    return reached
