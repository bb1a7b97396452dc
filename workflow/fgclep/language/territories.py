"""Where on the heart: territories with the leads that look at them, and lists of leads in a statement."""

import re
from collections.abc import Iterable, Sequence

from fgclep.leads import CHEST_LEADS, LEADS, LIMB_LEADS

# Fourth universal definition of MI and AHA/ACCF/HRS part VI; posterior and right ventricle have no lead of the twelve.
TERRITORY_LEADS: dict[str, tuple[str, ...]] = {
    "inferior": ("II", "III", "aVF"),
    "lateral": ("I", "aVL", "V5", "V6"),
    "anterior": ("V1", "V2", "V3", "V4"),
    "septal": ("V1", "V2"),
    "anteroseptal": ("V1", "V2", "V3"),
    "high_lateral": ("I", "aVL"),
    "anterolateral": ("I", "aVL", "V3", "V4", "V5", "V6"),
    "inferolateral": ("I", "II", "III", "aVL", "aVF", "V5", "V6"),
    "posterior": (),
    "inferoposterior": ("II", "III", "aVF"),
    "inferoposterolateral": ("I", "II", "III", "aVL", "aVF", "V5", "V6"),
    "right": (),
    "limb": LIMB_LEADS,
    "precordial": CHEST_LEADS,
    "diffuse": (),
}
# What stands for a territory that a family of findings does not have.
NEAREST: dict[str, tuple[tuple[str, ...], ...]] = {
    "septal": (("anteroseptal",), ("anterior",)),
    "anteroseptal": (("septal",), ("anterior",)),
    "high_lateral": (("lateral",),),
    "anterolateral": (("anterior", "lateral"),),
    "inferolateral": (("inferior", "lateral"),),
}
MAIN = ("inferior", "anterior", "lateral")

# Territories in English, German and Swedish, as single words of a statement in lower case.
_ENDINGS = "(?:er|en|es|e|a|t)?"
_NAMED = re.compile(
    "(inferoposterolateral|inferoposterior|inferolateral|inferior|anteroseptal|anterolateral|anterior|posterior|"
    f"hochlateral|lateral|septal){_ENDINGS}$"
)
_OTHER = {
    "precordial": "precordial", "chest": "precordial", "limb": "limb", "extremity": "limb", "extremität": "limb",
    "extremitätsavledningarna": "limb", "periphere": "limb", "extensive": "diffuse", "diffuse": "diffuse",
    "widespread": "diffuse", "generalized": "diffuse", "throughout": "diffuse",
}  # fmt: skip

_RANGE = r"\s?(?:-|to|through|bis)\s?v?[1-6]"
_CHEST = rf"v[1-6](?:{_RANGE})?(?:\s*[,/]\s*[1-6](?:{_RANGE})?(?!\w|[:.]\d))*"
_ITEM = rf"(?:{_CHEST}|av[rlf]|iii|ii|i)"
_JOIN = r"(?:\s*,\s*(?:and|or|und|oder)\s+|\s*[,/&+]\s*|\s+(?:and|or|und|oder|och)\s+|\s+)"
_LIST = re.compile(rf"(?<![\w'/.-]){_ITEM}(?:{_JOIN}{_ITEM})*(?![\w'])")
_BEFORE_A_LEAD = re.compile(r"(?:\b(?:in|lead|leads|über|ableitung|ableitungen)[\s(]*)$")
_LONGEST_BEFORE = 50  # characters: the longest of these words, and what may stand between it and the lead
_BY_NAME = {lead.lower(): lead for lead in LEADS}


def territory_of(word: str) -> str | None:
    """Return the territory that a word names, in its English, German or Swedish form.

    >>> territory_of("inferiorer"), territory_of("hochlaterale"), territory_of("ischemia")
    ('inferior', 'high_lateral', None)
    """
    if named := _NAMED.match(word):
        return "high_lateral" if named[1] == "hochlateral" else named[1]
    return _OTHER.get(word)


def mark_leads(text: str) -> str:
    """Replace every list of leads of a lower-case text by one word that begins with ``@``.

    A lone "i", "ii" or "iii" is a lead only after "in" or "lead": "a-v block i" has none.

    >>> mark_leads("st depression in i, avl and v4-6")
    'st depression in @I+aVL+V4+V5+V6'
    >>> mark_leads("mobitz i")
    'mobitz i'
    """

    def word(found: re.Match[str]) -> str:
        leads = leads_of_list(found[0])
        before = text[max(0, found.start() - _LONGEST_BEFORE) : found.start()]
        certain = len(leads) > 1 or leads[0][0] in "aV" or _BEFORE_A_LEAD.search(before)
        return f" @{'+'.join(leads)} " if certain else found[0]

    return " ".join(_LIST.sub(word, text).split())


def leads_of_list(text: str) -> tuple[str, ...]:
    """Return the leads of a list such as ``"ii, iii, avf"`` or ``"v2,3 and v5-6"``, in canonical order."""
    found = set()
    for part in re.finditer(rf"(v?[1-6]){_RANGE}|av[rlf]|v?[1-6]|iii|ii|i(?!\w)", text):
        if part[1]:
            first, last = (int(digit) for digit in re.findall(r"[1-6]", part[0]))
            found |= {f"V{number}" for number in range(min(first, last), max(first, last) + 1)}
        else:
            name = part[0] if part[0][0] in "iav" else f"v{part[0]}"
            found.add(_BY_NAME[name])
    return tuple(lead for lead in LEADS if lead in found)


def place_leads(places: Iterable[str]) -> tuple[str, ...]:
    """Return the leads of territories and of marked lists, in canonical order."""
    found = {
        lead for place in places for lead in (place[1:].split("+") if place.startswith("@") else TERRITORY_LEADS[place])
    }
    return tuple(lead for lead in LEADS if lead in found)


def as_leads(place: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the leads of a territory by name, or a list of leads as it is; ``None``: none."""
    if place is None:
        return ()
    return TERRITORY_LEADS[place] if isinstance(place, str) else tuple(place)
