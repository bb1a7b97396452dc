"""Reading and checking a config, with messages that say what to write."""

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fgclep.config.data import OTHER_SOURCES, SourceSection
from fgclep.config.root import Config
from fgclep.config.section import over_defaults
from fgclep.config.yaml_text import setting
from fgclep.documents import read_yaml
from fgclep.errors import UserError, without_credentials

Keys = tuple[str, ...]

_NO_MAPPING = {"model_type", "dict_type"}
# Keys of earlier versions: what stands in their place, with the new value for each old one.
_REPLACED: dict[Keys, tuple[Keys, dict[Any, Any]]] = {
    ("verification", "coarse"): (("verification", "reader"), {True: "coarse", False: "none"}),
    ("pretraining", "texts_per_ecg"): (("pretraining", "statements_per_ecg"), {}),
}


def validate_config(values: Mapping[str, Any]) -> Config:
    """Check ``values`` and fill in the defaults.

    Raises ``UserError`` with one line per problem, each followed by the YAML to write.

    >>> validate_config({"evaluation": {"bootstrap": 50}}).evaluation.bootstrap
    50
    """
    try:
        return Config.model_validate(dict(values))
    except ValidationError as error:
        problems: dict[Keys, list[dict]] = {}
        for detail in error.errors(include_url=False):
            problems.setdefault(_keys(detail["loc"]), []).append(dict(detail))
        messages = [_message(keys, details) for keys, details in problems.items()]
        raise UserError("\n".join(messages)) from None


def load(*paths: str | Path) -> Config:
    """Read config files, later ones over earlier ones as with ``snakemake --configfile``, and check the result.

    Raises ``UserError`` for a file that is missing, is no YAML mapping, or holds an unknown key or a wrong value.
    """
    values: dict[str, Any] = {}
    for path in paths:
        if not Path(path).exists():
            raise UserError(f"{path}: there is no such config file")
        document = read_yaml(Path(path))
        if not isinstance(document, dict):
            raise UserError(f"{path}: expected sections such as\n\n    seed: 0")
        values = over_defaults(values, document)
    return validate_config(values)


def _keys(location: tuple[str | int, ...]) -> Keys:
    """Return the keys of a place in the config, without pydantic's notes on unions, validators and list items."""
    known: Any = _known()
    keys: list[str] = []
    for part in location:
        if not isinstance(part, str) or part == "[key]" or not isinstance(known, dict):
            break
        keys.append(part)
        known = known.get(part)
    return tuple(keys)


def _message(keys: Keys, details: list[dict]) -> str:
    name = ".".join(keys)
    kinds = {detail["type"] for detail in details}
    if "extra_forbidden" in kinds or any(detail["loc"][-1:] == ("[key]",) for detail in details):
        meant = _meant(keys)
        value = details[0]["input"] if "extra_forbidden" in kinds else None
        if keys in _REPLACED:
            instead, values = _REPLACED[keys]
            new = values.get(value, _at(instead)) if isinstance(value, bool | str | int) else _at(instead)
            return f"config: {name} is no key any more; in its place stands {'.'.join(instead)}. Write\n\n" + setting(
                instead, new
            )
        if meant is None:
            *above, _ = keys
            return f"config: {name} is not a known key; known here are {', '.join(sorted(_at(tuple(above))))}"
        if value is None or isinstance(value, Mapping) or isinstance(_at(meant), dict):
            value = _at(meant)
        return f"config: {name} is not a known key; did you mean {'.'.join(meant)}? Write\n\n{setting(meant, value)}"
    reasons = []
    for detail in details:
        reason = detail["msg"].removeprefix("Value error, ").replace("Input should", "it should")
        reasons.append("it should hold keys and values" if detail["type"] in _NO_MAPPING else reason)
    given = details[0]["input"]
    shown = (
        ""
        if isinstance(given, Mapping | Config) or hasattr(given, "model_dump")
        else f" is {without_credentials(repr(given))}"
    )
    if not keys:
        return f"config: {', or '.join(dict.fromkeys(reasons))}"
    text = f"config: {name}{shown}: {', or '.join(dict.fromkeys(reasons))}"
    default = _at(keys)
    return text if default is None or isinstance(default, dict) else f"{text}. For example\n\n{setting(keys, default)}"


def _known() -> dict[str, Any]:
    """Return every key that a config may hold, with its default: sources that are not among the defaults as well."""
    values = Config().model_dump(mode="json")
    for key, section in OTHER_SOURCES.items():
        values["data"]["sources"][key] = SourceSection.model_validate(section).model_dump(mode="json")
    return values


def _at(keys: Keys) -> Any:
    """Return the default value at a place, ``None`` if there is no such place."""
    value: Any = _known()
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _places(values: Any, above: Keys = ()) -> Iterator[Keys]:
    for key, value in values.items() if isinstance(values, dict) else ():
        yield (*above, key)
        yield from _places(value, (*above, key))


def _meant(keys: Keys) -> Keys | None:
    """Return the known place most like ``keys``: a sibling of a similar name, or that name in another section."""
    *above, last = keys
    siblings = _at(tuple(above))
    if isinstance(siblings, dict) and (near := difflib.get_close_matches(last, siblings, n=1)):
        return (*above, near[0])
    elsewhere = {place[-1]: place for place in reversed(list(_places(_known())))}
    near = difflib.get_close_matches(last, elsewhere, n=1, cutoff=0.8)
    return elsewhere[near[0]] if near else None
