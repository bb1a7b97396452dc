"""FG-CLEP: fine-grained contrastive language-ECG pre-training."""

from importlib import import_module
from typing import TYPE_CHECKING

from fgclep.models.auto import register

if TYPE_CHECKING:
    from fgclep.models.fgclep import FGCLEP as FGCLEP
    from fgclep.models.fgclep import FGCLEPConfig as FGCLEPConfig
    from fgclep.models.processor import FGCLEPProcessor as FGCLEPProcessor

register()

__version__ = "0.1.0"  # pyproject.toml takes it from here


def load() -> "FGCLEP":
    """Load the model that comes with the package; ``FGCLEP.from_pretrained`` takes any other.

    Raises
    ------
    UserError
        If this installation comes without one.
    """
    from fgclep.config.named_models import SHIPPED_MODEL
    from fgclep.errors import UserError
    from fgclep.models.fgclep import FGCLEP

    if not (SHIPPED_MODEL / "config.json").is_file():
        raise UserError(f"{SHIPPED_MODEL} holds no model; load another one by FGCLEP.from_pretrained(folder)")
    return FGCLEP.from_pretrained(SHIPPED_MODEL)


_PUBLIC = {"FGCLEP": "fgclep", "FGCLEPConfig": "fgclep", "FGCLEPProcessor": "processor"}  # modules of fgclep.models


def __getattr__(name: str) -> object:
    if name in _PUBLIC:  # loaded on demand: torch takes seconds
        return getattr(import_module(f"fgclep.models.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
