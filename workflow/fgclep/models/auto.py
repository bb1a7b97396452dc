"""``AutoConfig``, ``AutoModel`` and ``AutoProcessor`` of transformers know models of this package once it is imported.

Whichever is imported first, and without importing the other: each part registers itself when transformers has loaded
the module that it belongs to.
"""

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

MODEL_TYPE = "fgclep"
_AUTO = "transformers.models.auto"
_UNUSED = {"adapter_kwargs", "config", "trust_remote_code", "_commit_hash", "_from_auto"}  # that the Auto classes add
_HUB = {"cache_dir", "force_download", "local_files_only", "revision", "token"}  # of snapshot_download


def _public(name: str) -> Any:
    """Return a class of the package, which loads torch."""
    return getattr(sys.modules["fgclep"], name)


def _options(given: dict[str, Any]) -> dict[str, Any]:
    """Return the options that ``FGCLEP.from_pretrained`` takes; ``TypeError`` for others that mean something."""
    if strange := sorted(name for name in set(given) - _UNUSED - _HUB if given[name] is not None):
        raise TypeError(
            f"a model of fgclep takes no {', '.join(strange)}; load it, and use model.to(device, dtype) for the rest"
        )
    return {name: value for name, value in given.items() if name in _HUB and value is not None}


class AutoFGCLEP:
    """What ``AutoModel`` calls: loads ``fgclep.FGCLEP``, and torch with it, only then."""

    @classmethod
    def from_pretrained(cls, folder: str, *_: Any, **options: Any) -> Any:
        """Load a model; see ``FGCLEP.from_pretrained``."""
        return _public("FGCLEP").from_pretrained(folder, **_options(options))

    @classmethod
    def _from_config(cls, config: Any, **_: Any) -> Any:
        """Make a model with new weights, as ``AutoModel.from_config`` does."""
        return _public("FGCLEP")(_public("FGCLEPConfig").from_dict(config.to_dict()))


class AutoFGCLEPProcessor:
    """What ``AutoProcessor`` calls."""

    @classmethod
    def from_pretrained(cls, folder: str, **options: Any) -> Any:
        """Load the processor of a model; see ``FGCLEPProcessor.from_pretrained``."""
        return _public("FGCLEPProcessor").from_pretrained(folder, **_options(options))


def _config(module: ModuleType) -> None:
    from transformers.configuration_utils import PretrainedConfig

    class FGCLEPAutoConfig(PretrainedConfig):
        model_type = MODEL_TYPE

    module.CONFIG_MAPPING.register(MODEL_TYPE, FGCLEPAutoConfig)


def _register(module: ModuleType, mapping: str, made: type) -> None:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    getattr(module, mapping).register(CONFIG_MAPPING[MODEL_TYPE], made)


_PARTS: dict[str, Callable[[ModuleType], None]] = {
    f"{_AUTO}.configuration_auto": _config,
    f"{_AUTO}.modeling_auto": lambda module: _register(module, "MODEL_MAPPING", AutoFGCLEP),
    f"{_AUTO}.processing_auto": lambda module: _register(module, "PROCESSOR_MAPPING", AutoFGCLEPProcessor),
}


class _AfterImport(importlib.abc.MetaPathFinder):
    """Finds the modules of ``_PARTS`` as ever, and registers the part behind their execution."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in _PARTS:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                _PARTS[name](module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def register() -> None:
    """Register what transformers has loaded already, and the rest as it is loaded."""
    if any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        return
    for name, part in _PARTS.items():
        if name in sys.modules:
            part(sys.modules[name])
    sys.meta_path.insert(0, _AfterImport())
