"""FG-CLEP: fine-grained contrastive language-ECG pre-training."""


def __getattr__(name: str) -> object:
    if name == "FGCLEP":  # loaded on demand: torch and transformers take seconds
        from fgclep.models.fgclep import FGCLEP

        return FGCLEP
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
