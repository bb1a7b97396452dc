"""What any value of a config may be, and what an address in it may.

A config stands in logs, in the report and in what Snakemake keeps of a run; a user name or password in an address would
stand there as well.
"""

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

LARGEST = 10**9  # of all numbers but the seed: more than any has a use for
LARGEST_SEED = 2**62  # with some to add to it, what numpy, torch and Parquet all take
_WEB = ("http://", "https://")
_BEGINS_AS_WEB = re.compile(r"https?:", re.IGNORECASE)  # also with slashes that are missing or turned round
_CREDENTIALS_OF = re.compile(r"(//|https?:[/\\]*)[^/\\\s]*(@|%40)", re.IGNORECASE)
_CREDENTIALS = (
    "holds a user name or password, which would stand in logs and reports. Leave what stands before the @ out: a "
    "language server takes a key from the environment,\n\n    export FGCLEP_API_KEY=...\n\n"
    "and data are fetched with the user name and password of ~/.netrc,\n\n"
    "    machine SERVER login NAME password PASSWORD"
)


def check_address(address: str) -> str:
    """Return the address of a server or of a folder on it, without what could not be used or would be told to others.

    Raises
    ------
    ValueError
        If it is not ``http://`` or ``https://`` with a host, has a user name, a query or a fragment, or a port that is
        none.
    """
    if not address.startswith(_WEB):
        raise ValueError("an address begins with http:// or https://")
    if has_credentials(address):
        raise ValueError(f"it {_CREDENTIALS}")
    try:
        parts = urlsplit(address)
        is_known = parts.hostname and parts.port != 0 and not any(c.isspace() for c in parts.netloc)
    except ValueError:
        is_known = False
    if not is_known:
        raise ValueError("it is no address such as http://localhost:8000, with a host and perhaps a port and a path")
    if "?" in address or "#" in address:
        raise ValueError("paths are added to it, so it must end with a path, without ? and #")
    return address


def check_base(base: str) -> str:
    """Return the folder or address of a database; see ``check_address``."""
    return check_address(base) if "://" in base or _BEGINS_AS_WEB.match(base) else base


Address = Annotated[str, AfterValidator(check_address)]
Base = Annotated[str, Field(min_length=1), AfterValidator(check_base)]


def has_credentials(text: str) -> bool:
    """Whether a text has a user name or password in an address.

    >>> has_credentials("https://me:secret@example.org/files"), has_credentials("https://example.org/@me")
    (True, False)
    """
    return _CREDENTIALS_OF.search(text) is not None


def check_values(values: Any) -> None:
    """Check every text and number of a config, whatever it means.

    Raises
    ------
    ValueError
        If a text holds a user name or password in an address, or characters that would steer a terminal, or a number is
        above ``LARGEST``; the message names the place, and shows no password.
    """
    for place, value in _values(values):
        if isinstance(value, str):
            if has_credentials(value):
                raise ValueError(f"{place} {_CREDENTIALS}")
            if wrong := next((c for c in value if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}), None):
                raise ValueError(
                    f"{place} holds U+{ord(wrong):04X}, a line break or another character that is not shown; leave it "
                    "out"
                )
        elif place != "seed" and math.isfinite(value) and abs(value) > LARGEST:
            raise ValueError(f"{place} is {value}; no number but the seed may be above {LARGEST:,}")


def _values(values: Any, place: str = "") -> Iterator[tuple[str, str | int | float]]:
    """Yield place and value of all texts, keys as well, and of all numbers."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield place or "a key", str(key)
            yield from _values(value, f"{place}.{key}" if place else str(key))
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _values(value, place)
    elif isinstance(values, str | int | float):
        yield place, values
