"""Which place of a statement belongs to which finding, and which finding a general one is in a place."""

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
            found.append(Place(last.start, number + 1, (*last.names, name)))
        else:
            found.append(Place(start, number + 1, (name,)))
    return found


def has_place(entry: Diagnosis | Feature) -> bool:
    """Whether a finding is one that may be in some leads and not in others."""
    return entry.group in _GROUPS if isinstance(entry, Diagnosis) else entry.wave in _WAVES


def place_of(
    match: Match, words: Sequence[str], clause: Sequence[int], places: Sequence[Place], matches: Sequence[Match]
) -> tuple[str, ...]:
    """Return the territories and leads that a finding is said to be in.

    First those within its own words; then the territory right before it ("inferior st-t changes"); then the next place
    after it in the clause ("st depression in v4-6"); then the only place of the statement.
    """
    for place in places:
        if match.start <= place.start and place.stop <= match.stop:
            return place.names
    outside = [p for p in places if not any(p.start < m.stop and m.start < p.stop for m in matches)]
    for place in outside:
        after_preposition = place.start > 0 and words[place.start - 1] in _PREPOSITIONS
        adjacent = place.stop <= match.start and set(words[place.stop : match.start]) <= _BESIDE
        if adjacent and not after_preposition:
            return place.names
    following = [p for p in outside if p.start >= match.stop and clause[p.start] == clause[match.start]]
    if following and following[0].start - match.stop <= _GAP:
        others = [m for m in matches if match.stop <= m.start < following[0].start]
        if all({"and", "or"} & set(words[match.stop : other.start]) for other in others):
            return following[0].names
    lends = len(places) == 1 and (outside or not _ALL_LEADS & set(places[0].names))  # "low limb voltage" does not
    if lends and abs(places[0].start - match.start) <= 2 * _GAP:
        return places[0].names
    return ()


def joined_before(match: Match, places: Sequence[Place]) -> tuple[str, ...]:
    """Return the joined places of which the finding's own words have the last only: "inferior and lateral infarct"."""
    return next((p.names for p in places if p.start < match.start < p.stop <= match.stop), ())


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
