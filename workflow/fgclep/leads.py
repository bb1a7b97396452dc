"""The one lead order of the workflow."""

from collections.abc import Sequence

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
LIMB_LEADS = LEADS[:6]
CHEST_LEADS = LEADS[6:]
INDEX = {name: position for position, name in enumerate(LEADS)}
SPELLING = {name.upper(): name for name in LEADS}  # AVR -> aVR


def canonical_lead(name: str) -> str:
    """Return the canonical spelling of a lead name (``AVR`` -> ``aVR``).

    Raises ``ValueError`` for a name that is not one of the twelve standard leads.
    """
    try:
        return SPELLING[name.strip().upper()]
    except KeyError:
        raise ValueError(f"unknown lead {name!r}; the twelve standard leads are {', '.join(LEADS)}") from None


def lead_positions(names: Sequence[str]) -> list[int]:
    """Position of each named lead in the canonical order.

    Raises ``ValueError`` if a lead is unknown or given twice.
    """
    canonical = [canonical_lead(name) for name in names]
    if len(set(canonical)) != len(canonical):
        raise ValueError(f"a lead is given twice in {list(names)}")
    return [INDEX[name] for name in canonical]
