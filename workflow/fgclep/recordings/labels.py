"""Leads and units: what a file says of them, and what is given in its place."""

from collections.abc import Sequence

from fgclep.leads import LEADS, Label, read_labels

MILLIVOLTS = {
    **dict.fromkeys(("mv", "millivolt", "millivolts"), 1.0),
    **dict.fromkeys(("uv", "µv", "μv", "microvolt", "microvolts"), 0.001),  # micro sign and Greek mu
    **dict.fromkeys(("v", "volt", "volts"), 1000.0),
    "nv": 1e-6,
}


def lead_names(text: str) -> list[str]:
    """Return the leads of a list such as ``I,II,aVR``.

    Raises
    ------
    ValueError
        If a name is not one of the twelve leads, or one is given twice.
    """
    names = [name.strip() for name in text.split(",")]
    leads = []
    for name, label in zip(names, read_labels(names), strict=True):
        if label.inverted:
            raise ValueError(f"{name!r} is inverted, and read are leads with their own sign; invert it first")
        if label.lead is None:
            raise ValueError(f"{name!r} is none of the twelve leads {', '.join(LEADS)}")
        leads.append(label.lead)
    check_once(leads, leads)
    return leads


def leads_of(
    labels: Sequence[str], read: Sequence[Label], given: Sequence[str] | None, what: str
) -> tuple[list[str | None], list[str]]:
    """Return the lead of each signal of a file, and a remark on those that are none.

    Parameters
    ----------
    labels, read
        The file's names of its signals, and what they say.
    given
        Leads named by the user, for a file that names none.
    what
        What the file has: ``columns`` or ``signals``.

    Raises
    ------
    ValueError
        If there are no leads, one is there twice, or the user names leads of a file that names others.
    """
    own = [label.lead for label in read]
    named = [lead for lead in own if lead]
    turned = [label for label, lead in zip(labels, read, strict=True) if lead.inverted]
    if given is not None and not named and not turned:
        if len(given) != len(labels):
            raise ValueError(f"it has {len(labels)} {what}; --leads names {len(given)}")
        return list(given), []
    if given is not None and named != list(given):
        raise ValueError(
            f"it names its leads itself ({', '.join([*named, *turned])}); leave --leads {','.join(given)} out"
        )
    if not named:
        shown = ", ".join(map(repr, labels[:12]))
        raise ValueError(f"none of its {what} is one of the twelve leads: {shown}; --leads names them, in their order")
    check_once(named, [label for label, lead in zip(labels, own, strict=True) if lead])
    others = [label for label, lead in zip(labels, read, strict=True) if lead.lead is None and not lead.inverted]
    remarks = [f"left out {what} that are no leads: {', '.join(map(repr, others))}"] if others else []
    remarks += [f"left out inverted leads: {', '.join(map(repr, turned))}"] if turned else []
    return own, remarks


def unit_of(label: str, stated: str | None, given: str | None) -> str | None:
    """Return the unit of a lead: the file's, else the one that the user gives, else ``None``.

    Raises
    ------
    ValueError
        If the file's unit is not known and none is given, or another one is given than the file's.
    """
    stated = (stated or "").strip()
    if not stated:
        return given
    millivolts = MILLIVOLTS.get(stated.lower())
    if millivolts is None and given is None:
        raise ValueError(
            f"lead {label} is in {stated!r}, not in mV, uV or V; divide numbers of a converter by its gain, or write "
            "the unit in its place, or give --units, if they are in one of these all the same"
        )
    if millivolts is not None and given is not None and millivolts != MILLIVOLTS[given.lower()]:
        raise ValueError(f"lead {label} is in {stated!r} by its header; leave --units {given} out")
    return given if millivolts is None else stated


def check_once(leads: Sequence[str], labels: Sequence[str]) -> None:
    """Raise ``ValueError`` if a lead is named twice; ``labels`` are what the file calls them."""
    for lead in leads:
        same = [label for other, label in zip(leads, labels, strict=True) if other == lead]
        if len(same) > 1:
            raise ValueError(f"lead {lead} is given twice: {', '.join(map(repr, same))}")
