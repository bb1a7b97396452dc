"""The base of all config sections."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section that rejects unknown keys and checks its defaults like any other value."""

    model_config = ConfigDict(extra="forbid", validate_default=True, allow_inf_nan=False)


def over_defaults(defaults: Mapping[str, Any], given: Any) -> Any:
    """Merge ``given`` into ``defaults`` as Snakemake merges config files: mappings key by key, the rest replaced.

    >>> over_defaults({"a": {"x": 1, "y": 2}, "b": [1]}, {"a": {"x": 3}, "b": [4]})
    {'a': {'x': 3, 'y': 2}, 'b': [4]}
    """
    if not isinstance(given, Mapping):
        return given
    merged = dict(defaults)
    for key, value in given.items():
        below = defaults.get(key)
        merged[key] = over_defaults(below, value) if isinstance(below, Mapping) else value
    return merged
