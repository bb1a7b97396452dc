"""What is generated from the sections: the default ``config.yaml``, its JSON schema and its reference."""

import json
import re
import textwrap
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from fgclep.config.root import Config
from fgclep.config.yaml_text import mapping, scalar

ROOT = Path(__file__).resolve().parents[3]
WIDTH = 120

YAML_HEAD = """\
# yaml-language-server: $schema=workflow/config/schema.json
# Every setting with its meaning and default. It runs as it is, offline: snakemake --cores all
# Change values here, or give a file with those that differ: snakemake --cores all --configfile my.yaml
# (mappings are merged key by key, lists are replaced). Only what depends on a changed value runs again.
# The defaults are generated from workflow/fgclep/config by `python -m fgclep.config`.
"""
REFERENCE_HEAD = """\
<!-- generated from workflow/fgclep/config by `python -m fgclep.config` -->

# Configuration

`config.yaml` holds every setting with its default. To change some, edit it, or write a file with those that differ and
give it with `--configfile`: mappings are merged key by key, lists are replaced. An unknown key is an error. Snakemake
runs again only what depends on a changed value. `workflow/config/schema.json` lets an editor complete and check keys.
"""


def _comment(text: str, indent: str) -> list[str]:
    prefix = f"{indent}# "
    return textwrap.wrap(
        text, WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_long_words=False, break_on_hyphens=False
    )


def _describe(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _yaml_lines(section: BaseModel, indent: str = "") -> list[str]:
    lines: list[str] = []
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if not indent:
            lines.append("")
        if isinstance(value, BaseModel):
            lines += [*_comment(_describe(type(value)), indent), f"{indent}{name}:", *_yaml_lines(value, indent + "  ")]
            continue
        lines += _comment(field.description or "", indent)
        if not isinstance(value, dict):
            lines.append(f"{indent}{name}: {scalar(value)}")
            continue
        lines.append(f"{indent}{name}:")
        explained = False
        for key, item in value.items():
            if isinstance(item, dict):
                lines.append(mapping({key: item}, f"{indent}  "))
                continue
            if not isinstance(item, BaseModel):
                lines.append(f"{indent}  {key}: {scalar(item)}")
                continue
            below = _yaml_lines(item, indent + "    ")
            # the first of several alike carries the comments for all
            lines += [
                f"{indent}  {key}:",
                *(line for line in below if not (explained and line.lstrip().startswith("#"))),
            ]
            explained = True
    return lines


def default_yaml() -> str:
    """Text of ``config.yaml``: all defaults, each below its description."""
    return "\n".join([YAML_HEAD.rstrip("\n"), *_yaml_lines(Config())]) + "\n"


def json_schema() -> str:
    """Text of the JSON schema, for editors."""
    return json.dumps(Config.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


def _allowed(schema: dict[str, Any]) -> str:
    """Return the values that a JSON schema allows, for a table cell."""
    if "anyOf" in schema:
        return " or ".join(_allowed(option) for option in schema["anyOf"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_allowed(schema['items'])}"
    if schema.get("type") == "object":
        inner = schema.get("additionalProperties")
        return "mapping" if not isinstance(inner, dict) else f"for each source: {_allowed(inner)}"
    names = {"string": "text", "boolean": "`true`, `false`", "null": "`null`"}
    limits = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {schema[key]:g}" for key, sign in limits.items() if key in schema]
    kind = schema.get("type", "")
    return " ".join([names.get(kind, kind), ", ".join(bounds)]).strip()


def _tables(section: BaseModel, place: str, level: int) -> list[str]:
    model = type(section)
    properties = model.model_json_schema()["properties"]
    rows: list[str] = []
    below: list[str] = []
    for name, field in model.model_fields.items():
        value = getattr(section, name)
        key = f"{place}.{name}".lstrip(".")
        if isinstance(value, BaseModel):
            below += _tables(value, key, level + 1)
        elif isinstance(value, dict) and any(isinstance(item, BaseModel) for item in value.values()):
            below += _tables(next(iter(value.values())), f"{key}.<source>", level + 1)
        else:
            written = scalar(value)
            if isinstance(value, dict):
                nested = any(isinstance(item, dict) for item in value.values())
                written = ", ".join(value if nested else (f"{k}: {scalar(v)}" for k, v in value.items()))
            default = "differs" if field.is_required() else f"`{written}`"
            rows.append(f"| `{name}` | {default} | {_allowed(properties[name])} | {field.description} |")
    title = f"{'#' * level} `{place}`" if place else "## top level"
    table = ["| key | default | values | meaning |", "|---|---|---|---|", *rows, ""] if rows else []
    return ["", title, "", _describe(model), "", *table, *below]


def reference() -> str:
    """Text of ``docs/configuration.md``: one table per section."""
    text = "\n".join([REFERENCE_HEAD, *_tables(Config(), "", 1)])
    return re.sub(r"\n{3,}", "\n\n", text).rstrip("\n") + "\n"


def generated() -> dict[Path, str]:
    """All generated files, absolute path to text."""
    return {
        ROOT / "config.yaml": default_yaml(),
        ROOT / "workflow" / "config" / "schema.json": json_schema(),
        ROOT / "docs" / "configuration.md": reference(),
    }
