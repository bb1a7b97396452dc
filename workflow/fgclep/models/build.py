"""A new model as the config asks for it."""

import math
from collections.abc import Sequence

from fgclep.config.pretraining import PretrainingSection
from fgclep.config.signal import SignalSection
from fgclep.models.fgclep import FGCLEP, FGCLEPConfig
from fgclep.models.text import new_text_tower


def new_model(settings: PretrainingSection, signal: SignalSection, corpus: Sequence[str]) -> FGCLEP:
    """Build a model as the config says, for texts of words like those of ``corpus``; a text tower by name is loaded."""
    text_config, tokenizer, text_encoder = new_text_tower(settings.text_encoder, corpus)
    bias = settings.bias
    config = FGCLEPConfig(
        ecg_encoder=settings.ecg_encoder.model_dump(),
        text_config=text_config.to_dict(),
        projection=settings.projection,
        alignment=settings.alignment,
        signal=signal.model_dump(),
        initial_temperature=settings.temperature,
        initial_bias=-math.log(max(settings.batch_size - 1, 1)) if bias is None else bias,
        max_temperature=settings.max_temperature,
    )
    model = FGCLEP(config)
    model.text_encoder.load_state_dict(text_encoder.state_dict())
    model.tokenizer = tokenizer
    return model
