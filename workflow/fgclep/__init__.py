"""FG-CLEP: fine-grained contrastive language-ECG pre-training."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fgclep.models.fgclep import FGCLEP as FGCLEP

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


def __getattr__(name: str) -> object:
    if name == "FGCLEP":  # loaded on demand: torch takes seconds
        from fgclep.models.fgclep import FGCLEP

        return FGCLEP
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
