"""The databases: one small module each, all of the same shape."""

from fgclep.sources import cpsc2018, csn, mimic_iv_ecg, ptb_xl
from fgclep.sources.source import Source
from fgclep.stage import UserError

SOURCES = {module.SOURCE.key: module.SOURCE for module in (mimic_iv_ecg, ptb_xl, cpsc2018, csn)}


def get_source(key: str) -> Source:
    """Return a database by its key.

    Raises ``UserError`` for an unknown one.

    Examples
    --------
    >>> get_source("csn").slug
    'ecg-arrhythmia'
    """
    if key not in SOURCES:
        raise UserError(f"unknown source {key!r}; the sources are {', '.join(SOURCES)}")
    return SOURCES[key]
