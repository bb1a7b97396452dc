"""Values and single settings as YAML for people to read."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml


def scalar(value: Any) -> str:
    """Write a value as YAML on one line.

    >>> scalar("1.0"), scalar("auto"), scalar(1e-5), scalar(None), scalar([0.1, 1.0])
    ("'1.0'", 'auto', '0.00001', 'null', '[0.1, 1.0]')
    """
    if isinstance(value, float) and "e" in repr(value):
        return f"{value:.20f}".rstrip("0")  # YAML 1.1 reads 1e-05 as a string
    if isinstance(value, list):
        return f"[{', '.join(scalar(item) for item in value)}]"
    return yaml.safe_dump(value, width=1000).removesuffix("\n").removesuffix("\n...")


def mapping(values: Mapping[str, Any], indent: str) -> str:
    """Write nested mappings as YAML, every key on its own line.

    >>> print(mapping({"evaluation": {"bootstrap": 1000, "fractions": [0.1, 1.0]}}, indent="  "))
      evaluation:
        bootstrap: 1000
        fractions: [0.1, 1.0]
    """
    lines = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            lines += [f"{indent}{key}:", mapping(value, indent + "  ")]
        else:
            lines.append(f"{indent}{key}: {scalar(value)}")
    return "\n".join(lines)


def setting(keys: Sequence[str], value: Any) -> str:
    """Write one setting with the sections above it, indented to stand apart in a message."""
    for key in reversed(keys):
        value = {key: value}
    return mapping(value, indent="    ")
