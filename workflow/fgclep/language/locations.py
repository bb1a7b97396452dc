"""Which place of a statement belongs to which finding, and which finding a general one is in a place."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from fgclep.language.territories import MAIN, NEAREST, territory_of
from fgclep.language.vocabulary import Diagnosis, Feature

# Findings of these groups and waves have a place that a statement may name; a rhythm has none.
_GROUPS = frozenset({"infarct", "ischemia", "repolarization", "voltage", "qrs"})
_WAVES = frozenset({"q", "r", "s", "st", "t", "u"})
_GAP = 8  # words between a finding and the place that is said after it
_BESIDE = frozenset(
    {"old", "acute", "recent", "wall", "myocardial", "lead", "minor", "minimal", "marked", "abnormal"}
)  # between a place and the finding after it
_PREPOSITIONS = frozenset({"in", "i", "of", "über", "from"})
_JOINING = frozenset({"and", "or", "und", "oder", "och", "high", "hög", "lead"})
_ALL_LEADS = frozenset({"limb", "precordial"})
_REPEATED = frozenset({"ableitungen", "myokardaffektion"})  # after each of several places


@dataclass(frozen=True)
class Match:
    """Words ``start`` to ``stop`` of a statement that name a finding of the vocabulary."""

    start: int
    stop: int
    finding: str


@dataclass(frozen=True)
class Place:
    """Words ``start`` to ``stop`` of a statement that name territories, or leads as one word beginning with ``@``."""

    start: int
    stop: int
    names: tuple[str, ...]


def find_places(words: Sequence[str]) -> list[Place]:
    """Return the places in a statement; those joined by "and", "or" or nothing make one.

    "In anterioren Ableitungen lateralen Ableitungen" is one as well: there the noun of each place is repeated.
    """
    found: list[Place] = []
    for number, word in enumerate(words):
        name = word if word.startswith("@") else territory_of(word)
        if name is None:
            continue
        start = number
        if name == "lateral" and number and words[number - 1] in {"high", "hög"}:
            name, start = "high_lateral", number - 1
        between = words[found[-1].stop : start] if found else []
        again = len(between) == 1 and between[0] in _REPEATED and list(words[number + 1 : number + 2]) == between
        if found and (again or (len(between) <= 2 and set(between) <= _JOINING)):
            last = found.pop()
            names = last.names if name in last.names else (*last.names, name)
            found.append(Place(last.start, number + 1, names))
        else:
            found.append(Place(start, number + 1, (name,)))
    return found


def has_place(entry: Diagnosis | Feature) -> bool:
    """Whether a finding is one that may be in some leads and not in others."""
    return entry.group in _GROUPS if isinstance(entry, Diagnosis) else entry.wave in _WAVES


class Places:
    """The places of a statement, and those that stand outside of the findings' own words.

    Parameters
    ----------
    words, clause
        The words of a statement, and the number of the clause of each.
    places, matches
        In order, without overlap among each other.
    """

    def __init__(self, words: Sequence[str], clause: Sequence[int], places: Sequence[Place], matches: Sequence[Match]):
        self._words, self._clause, self._places, self._matches = words, clause, places, matches
        own = {i for match in matches for i in range(match.start, match.stop)}
        self._outside = [p for p in places if own.isdisjoint(range(p.start, p.stop))]
        self._starts = [place.start for place in places]
        self._outside_starts = [place.start for place in self._outside]
        self._match_starts = [match.start for match in matches]

    def of(self, match: Match) -> tuple[str, ...]:
        """Return the territories and leads that a finding is said to be in.

        First those within its own words; then the territory right before it ("inferior st-t changes"); then the next
        place after it in the clause ("st depression in v4-6"); then the only place of the statement.
        """
        first = bisect_left(self._starts, match.start)
        if first < len(self._places) and self._places[first].stop <= match.stop:
            return self._places[first].names
        following = bisect_left(self._outside_starts, match.stop)
        if following and self._is_right_before(self._outside[following - 1], match):
            return self._outside[following - 1].names
        if following < len(self._outside) and self._is_next_after(match, self._outside[following]):
            return self._outside[following].names
        if len(self._places) != 1 or abs(self._places[0].start - match.start) > 2 * _GAP:
            return ()
        (only,) = self._places
        return only.names if self._outside or not _ALL_LEADS & set(only.names) else ()  # "low limb voltage" does not

    def _is_right_before(self, place: Place, match: Match) -> bool:
        if place.start > 0 and self._words[place.start - 1] in _PREPOSITIONS:
            return False
        between = (self._words[i] for i in range(match.start - 1, place.stop - 1, -1))
        return all(word in _BESIDE for word in between)

    def _is_next_after(self, match: Match, place: Place) -> bool:
        if self._clause[place.start] != self._clause[match.start] or place.start - match.stop > _GAP:
            return False
        begin, end = (bisect_left(self._match_starts, start) for start in (match.stop, place.start))
        others = self._matches[begin:end]
        return all({"and", "or"} & set(self._words[match.stop : other.start]) for other in others)

    def joined_before(self, match: Match) -> tuple[str, ...]:
        """Return the joined places of which a finding's words have the last only: "inferior and lateral infarct"."""
        before = bisect_left(self._starts, match.start) - 1
        joined = before >= 0 and match.start < self._places[before].stop <= match.stop
        return self._places[before].names if joined else ()


def members_at(name: str, family: Sequence[Diagnosis | Feature]) -> list[Diagnosis | Feature]:
    """Return the members of a family of findings that a territory or list of leads stands for.

    A list of leads stands for the member of just these leads, or else for every main territory of which it has two.
    """
    of_territory = {member.territory: member for member in family if member.territory}
    if not name.startswith("@"):
        for choice in ((name,), *NEAREST.get(name, ())):
            if all(territory in of_territory for territory in choice):
                return [of_territory[territory] for territory in choice]
        return []
    leads = set(name[1:].split("+"))
    if same := [member for member in family if set(member.leads) == leads]:
        return same[:1]
    main = [of_territory[territory] for territory in MAIN if territory in of_territory]
    return [member for member in main if len(leads & set(member.leads)) > 1]
