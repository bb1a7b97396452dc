"""Names of leads and units as recorders and spreadsheets write them."""

import re
from collections.abc import Sequence

from fgclep.leads import SPELLING

MILLIVOLTS = {"mv": 1.0, "uv": 0.001, "µv": 0.001, "μv": 0.001, "v": 1000.0}  # micro sign and Greek mu
_UNIT = re.compile(r"[(\[]([^()\[\]]*)[)\]]\s*$")
_NEGATED = re.compile(r"(^|\s)[-\u2212]\s*a?v", re.IGNORECASE)  # -aVR of the Cabrera sequence
_NO_NAME = {"ECG", "EKG", "LEAD", "MDC", "CH", "CHANNEL", "ABL", "ABLEITUNG", "DERIVATION"}
_PREFIX = re.compile("^(ECG|EKG|LEAD)(?=.)")
_ROMANCE = {"DI": "I", "DII": "II", "DIII": "III"}


def lead_and_unit(label: str) -> tuple[str | None, str | None]:
    """Return the lead that a label names, and its unit if it stands there; ``None`` for what it does not name.

    An inverted lead is none: it has the opposite sign.

    >>> lead_and_unit("EKG aVR"), lead_and_unit("Lead V1 [uV]"), lead_and_unit("MDC_ECG_LEAD_II")
    (('aVR', None), ('V1', 'uV'), ('II', None))
    >>> lead_and_unit("-aVR"), lead_and_unit("SpO2 (%)")
    ((None, None), (None, None))
    """
    label = label.strip().strip("'\"").strip()
    if _NEGATED.search(label):
        return None, None
    found = _UNIT.search(label)
    unit = found[1].strip() if found and found[1].strip().lower() in MILLIVOLTS else None
    words = [word for word in re.split(r"[^0-9A-Zµμ]+", _UNIT.sub("", label).upper()) if word and word not in _NO_NAME]
    if len(words) == 2 and words[1].lower() in {"mv", "uv", "µv", "μv"}:
        unit = words.pop()
    if len(words) != 1:
        return None, None
    lead = SPELLING.get(_ROMANCE.get(words[0], words[0])) or SPELLING.get(_PREFIX.sub("", words[0]))
    return lead, unit if lead else None


def lead_names(text: str) -> list[str]:
    """Return the leads of a list such as ``I,II,aVR``.

    Raises
    ------
    ValueError
        If a name is not one of the twelve leads, or one is given twice.
    """
    leads = []
    for name in text.split(","):
        lead, _ = lead_and_unit(name)
        if lead is None:
            raise ValueError(f"{name.strip()!r} is none of the twelve leads {', '.join(SPELLING.values())}")
        leads.append(lead)
    check_once(leads, leads)
    return leads


def check_once(leads: Sequence[str], labels: Sequence[str]) -> None:
    """Raise ``ValueError`` if a lead is named twice; ``labels`` are what the file calls them."""
    for lead in leads:
        same = [label for other, label in zip(leads, labels, strict=True) if other == lead]
        if len(same) > 1:
            raise ValueError(f"lead {lead} is given twice: {', '.join(map(repr, same))}")


def left_out(labels: Sequence[str], what: str) -> list[str]:
    """Return a remark on what is no lead and not read, if there is any."""
    return [f"left out {what} that are no leads: {', '.join(map(repr, labels))}"] if labels else []
