"""The one lead order of the workflow, and the names that files and people give to leads."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
LIMB_LEADS = LEADS[:6]
CHEST_LEADS = LEADS[6:]
INDEX = {name: position for position, name in enumerate(LEADS)}
SPELLING = {name.upper(): name for name in LEADS}  # AVR -> aVR

# Words around a name that say no more than that it is a lead, in some languages and of some makers
_WORDS = {
    *("ECG", "EKG", "LEAD", "LEADS", "IN", "MDC", "CH", "CHANNEL", "SIGNAL", "WAVEFORM", "REF", "WCT"),
    *("EINTHOVEN", "GOLDBERGER", "WILSON", "LIMB", "CHEST", "PRECORDIAL", "STANDARD", "AUGMENTED"),
    *("ABL", "ABLEITUNG", "DERIVATION", "DERIVACION", "DERIVACAO", "DERIVAZIONE", "AFLEIDING", "AVLEDNING"),
}  # fmt: skip
_PREFIX = re.compile("^(ECG|EKG|LEAD|MDC)(?=.)")
# DI and D1 in Romance languages and Turkish; C1 to C6 for the chest in German and international standards
_NATIONAL = {f"{word}{number}": lead for word in "DL" for number, lead in zip(("I", "II", "III"), LEADS, strict=False)}
_NATIONAL |= {f"D{number}": LEADS[number - 1] for number in (1, 2, 3)}
_C = {f"C{number}": f"V{number}" for number in range(1, 7)}
# Electrodes of an EEG, beside which C3 is one, too
_EEG = re.compile(r"^(FP|AF|FC|FT|CP|TP|PO|[FTPOAM])(\d+|Z)$|^CZ$|^EEG$")
# the last three are dashes of Windows and the soft hyphen, in files read as Latin-1
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―⸺⸻˗−⁻₋➖⊖\x96\x97\xad"), "-")
_INVERTED = re.compile(
    r"""
      (^|[\s({\[_:*/]) -+ \s* (?=[\w(])     # -I, ECG -I, -(I), -1*I
    | - [\s)\]}'"]* $                       # I-, I(-)
    | [({\[]\s*-\s*[)}\]] | [*x×·] \s* \(? - \s* 1  # (-)I, I*-1
    | [~!¬]
    """,
    re.VERBOSE,
)
_MINUS = re.compile(r"(MINUS|NEG|INV)$|(NEGATIV|INVERS|INVERT|REVERS|FLIP|OPPOSIT|MIRROR|UMGEKEHRT|GESPIEGELT)")
_BRACKET = re.compile(r"[(\[]([^()\[\]]*)[)\]]\s*$")
_UNITS = {"MV", "UV", "NV", "ΜV", "ADU", "ADC", "LSB", "COUNT", "COUNTS"}  # as the last word: V1_uV


class Label(NamedTuple):
    """What a label says.

    Attributes
    ----------
    lead
        Canonical name; ``None`` if it names none of the twelve leads, or one of the other sign.
    inverted
        Whether it names a lead and says that the sign is the other one.
    unit
        As written, known or not; ``None`` if it says none.
    """

    lead: str | None
    inverted: bool
    unit: str | None


@lru_cache(maxsize=256)  # databases name theirs alike
def read_label(label: str) -> Label:
    """Read the name of a signal, the same for every format. C1 is a lead only among others, see ``read_labels``.

    >>> [read_label(text).lead for text in ("EKG aVR", "MDC_ECG_LEAD_II", "DIII", "V1-REF", "MLII", "V7")]
    ['aVR', 'II', 'III', 'V1', None, None]
    >>> read_label("Lead V1 [uV]").unit, read_label("-aVR").inverted, read_label("I inverted").lead
    ('uV', True, None)
    """
    text = unicodedata.normalize("NFKC", label.translate(_DASHES)).strip(" '\"\t").translate(_DASHES)
    text = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    inverted = bool(_INVERTED.search(text))
    unit = None
    if (found := _BRACKET.search(text)) and not _plain(found[1]):
        unit = found[1].strip().replace("μ", "u") or None
        text = text[: found.start()]
    words = re.findall(r"[^\W_]+", text.upper())
    inverted |= any(map(_MINUS.match, words))
    if len(words) > 1 and words[-1] in _UNITS:
        unit = words.pop().lower().replace("μ", "u").replace("v", "V")
    words = [word for word in words if word not in _WORDS and not _MINUS.match(word)]
    if len(words) > 1 and words[0] in {"A", "AV", "V", "D"}:  # a.V.R, V 1, D II
        words = ["".join(words)]
    name = words[0] if len(words) == 1 else ""
    name = name if name in SPELLING or name in _NATIONAL else _PREFIX.sub("", name)
    lead = _NATIONAL.get(name) or SPELLING.get(name)
    return Label(None if inverted else lead, inverted and (lead or name) in {*LEADS, *_C}, unit)


def _plain(bracket: str) -> bool:
    """Whether brackets hold no unit: a sign, a lead, or words that are said of leads."""
    words = re.findall(r"[^\W_]+", bracket.upper())
    if not words:
        return bracket.strip() in {"-", "+"}
    return all(word in _WORDS or word in SPELLING or _MINUS.match(word) for word in words)


def read_labels(labels: Sequence[str]) -> list[Label]:
    """Read the names of all signals of a file.

    C1 to C6 are V1 to V6 where all six are there, and neither V1 to V6 nor an electrode of an EEG is.
    """
    read = [read_label(label) for label in labels]
    words = [[word for word in re.findall(r"[^\W_]+", label.upper()) if word not in _WORDS] for label in labels]
    named = {some[0]: place for place, some in enumerate(words) if len(some) == 1 and some[0] in _C}
    taken = {label.lead for label in read} & set(CHEST_LEADS)
    if len(named) == len(_C) and not taken and not any(_EEG.match(word) for some in words for word in some):
        for name, place in named.items():
            if not read[place].inverted:
                read[place] = read[place]._replace(lead=_C[name])
    return read


def canonical_lead(name: str) -> str:
    """Return the canonical spelling of a lead name (``AVR`` -> ``aVR``).

    Raises ``ValueError`` for a name that is not one of the twelve standard leads, or says that the sign is inverted.
    """
    return _known(name, read_label(name))


def _known(name: str, label: Label) -> str:
    if label.inverted:
        raise ValueError(f"{name!r} is an inverted lead; multiply it by -1 and name it without the sign")
    if label.lead is None:
        raise ValueError(f"unknown lead {name!r}; the twelve standard leads are {', '.join(LEADS)}")
    return label.lead


def canonical_leads(names: Sequence[str]) -> list[str]:
    """Return the canonical spelling of names of leads.

    Raises ``ValueError`` as ``canonical_lead``, and if a lead is given twice.
    """
    canonical = [_known(name, label) for name, label in zip(names, read_labels(names), strict=True)]
    if len(set(canonical)) != len(canonical):
        raise ValueError(f"a lead is given twice in {list(names)}")
    return canonical


def lead_positions(names: Sequence[str]) -> list[int]:
    """Position of each named lead in the canonical order.

    Raises ``ValueError`` as ``canonical_leads``.
    """
    return [INDEX[name] for name in canonical_leads(names)]
