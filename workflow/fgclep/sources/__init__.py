"""The databases: one small module each, all of the same shape.

A module of this package that defines ``SOURCE`` is a database, and its key can be used in the config at once. What a
stage does with a database depends on that module as well; ``module_of`` names it.
"""

import pkgutil
from importlib import import_module

from fgclep.errors import UserError
from fgclep.sources.source import Source


def discover(paths: list[str]) -> dict[str, tuple[str, Source]]:
    """Return key -> (name of the module, database) of the modules in the package's folders, by the modules' names.

    Raises ``UserError`` if two modules have the same key.
    """
    found: dict[str, tuple[str, Source]] = {}
    for _, name, _ in pkgutil.iter_modules(paths, f"{__name__}."):
        source = getattr(import_module(name), "SOURCE", None)
        if not isinstance(source, Source):
            continue
        if source.key in found:
            raise UserError(f"{found[source.key][0]} and {name} have the same key {source.key!r}; give one another")
        found[source.key] = (name, source)
    return found


_FOUND = discover(list(__path__))
SOURCES = {key: source for key, (_, source) in _FOUND.items()}


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


def module_of(key: str) -> str:
    """Return the module that defines a database.

    Examples
    --------
    >>> module_of("ptb-xl")
    'fgclep.sources.ptb_xl'
    """
    return _FOUND[key][0]
