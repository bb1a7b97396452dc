"""The base of all config sections and of the settings that stages take from them, and the marks of their fields."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

# Marks of a field: Field(json_schema_extra=SPEED).
SPEED: JsonDict = {"speed": True}  # changes how long it takes, and what is logged meanwhile, but no output
MACHINE: JsonDict = {"machine": True}  # where it is computed: may change the last digits, says nothing about the method


class Section(BaseModel):
    """A section that rejects unknown keys and checks its defaults like any other value."""

    model_config = ConfigDict(extra="forbid", validate_default=True, allow_inf_nan=False)

    @classmethod
    def of(cls, section: BaseModel, **more: Any) -> Self:
        """Take from ``section`` the fields that the class has, too; ``more`` gives others, or other values."""
        shared = {name: value for name, value in section if name in cls.model_fields}
        return cls(**(shared | more))

    @classmethod
    def marked(cls, mark: JsonDict) -> set[str]:
        """Names of the fields with a mark."""
        extras = {name: field.json_schema_extra for name, field in cls.model_fields.items()}
        return {name for name, extra in extras.items() if isinstance(extra, dict) and mark.items() <= extra.items()}

    def idle(self) -> set[str]:
        """Names of the fields without effect, given the values of the others."""
        return set()

    def dependencies(self) -> dict[str, Any]:
        """Fields that outputs depend on, as JSON has them: all but those marked ``SPEED`` and those that are idle."""
        values = self.model_dump(mode="json")
        for name in self.marked(SPEED) | self.idle():
            del values[name]
        for name in values:
            if isinstance(below := getattr(self, name), Section):
                values[name] = below.dependencies()
        return values


class Seeded(Section):
    """What a stage takes of the config if it draws random numbers."""

    seed: int = Field(ge=0)


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
