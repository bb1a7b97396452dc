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
    from fgclep.config.named_models import SHIPPED_MODEL, check_model_folder
    from fgclep.models.fgclep import FGCLEP

    check_model_folder(str(SHIPPED_MODEL))
    return FGCLEP.from_pretrained(SHIPPED_MODEL)


def __getattr__(name: str) -> object:
    if name == "FGCLEP":  # loaded on demand: torch takes seconds
        from fgclep.models.fgclep import FGCLEP

        return FGCLEP
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
