"""A new model as the config asks for it."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from fgclep.config.named_models import WEIGHTS, folder_of
from fgclep.config.pretraining import PretrainingSection
from fgclep.config.signal import SignalSection
from fgclep.errors import UserError
from fgclep.models.calibration import Calibration
from fgclep.models.fgclep import FGCLEP, FGCLEPConfig
from fgclep.models.saved import unusable
from fgclep.models.text import knows_whole_words, new_text_tower, train_tokenizer


def new_model(settings: PretrainingSection, signal: SignalSection, corpus: Sequence[str]) -> FGCLEP:
    """Build a model as the config says, for texts of words like those of ``corpus``; a text tower by name is loaded."""
    text_config, tokenizer, text_encoder = new_text_tower(settings.text_encoder, corpus)
    bias = 0.0 if settings.loss in ("balanced", "balanced_clip") else -math.log(max(settings.batch_size - 1, 1))
    config = FGCLEPConfig(
        ecg_encoder=settings.ecg_encoder.model_dump(),
        text_config=text_config,
        projection=settings.projection,
        alignment=settings.alignment,
        signal=signal.model_dump(),
        initial_temperature=settings.temperature,
        initial_bias=bias if settings.bias is None else settings.bias,
        max_temperature=settings.max_temperature,
    )
    model = FGCLEP(config)
    model.text_encoder.load_state_dict(text_encoder.state_dict())
    model.tokenizer = tokenizer
    return model


def open_model(name: str, key: str) -> FGCLEP:
    """Load the model that the config names under ``key``: see ``fgclep.config.named_models``.

    Raises
    ------
    UserError
        If there is no such model, or it is none of this package, or damaged.
    """
    folder = Path(folder_of(name))
    try:
        if folder.is_dir() and (missing := [file for file in WEIGHTS if not (folder / file).is_file()]):
            raise unusable(name, f"{folder} has no {missing[0]}")
        return FGCLEP.from_pretrained(folder_of(name))
    except UserError as error:
        section, setting = key.split(".")
        raise UserError(
            f"{error}. Write\n\n    {section}:\n      {setting}: shipped\n\n"
            "or the folder or Hugging Face name of a model of this package"
        ) from error


def model_to_continue(start: str, settings: PretrainingSection, signal: SignalSection, corpus: Sequence[str]) -> FGCLEP:
    """Load a model to train on; a tokenizer from scratch learns the words of ``corpus`` that it does not know.

    Parameters
    ----------
    start
        See ``open_model``.
    settings, signal
        What the config says of the model and of its signals, which must be so.

    Raises
    ------
    UserError
        If there is no such model, or it is another one than the config describes.
    """
    model = open_model(start, "pretraining.start_from")
    config = model.config
    found = {
        "pretraining": {
            "ecg_encoder": config.ecg_encoder, "projection": config.projection, "alignment": config.alignment,
        },
        "signal": config.signal,
    }  # fmt: skip
    wanted = {"pretraining": settings.model_dump(), "signal": signal.model_dump()}
    differing = {
        section: changed
        for section, values in found.items()
        if (changed := {name: value for name, value in values.items() if value != wanted[section][name]})
    }
    if differing:
        lines = "\n    ".join(yaml.safe_dump(differing, sort_keys=False).splitlines())
        raise UserError(f"the model in {start} is another one than the config describes. Write\n\n    {lines}")
    model.calibration = Calibration()  # which holds for the weights as they were
    extend_vocabulary(model, corpus)
    return model


def extend_vocabulary(model: FGCLEP, corpus: Sequence[str]) -> None:
    """Give a text encoder from scratch, which knows whole words, those of ``corpus`` that it lacks, with new weights.

    An encoder with a tokenizer of its own, which has parts of words for any word, stays as it is.
    """
    assert model.tokenizer is not None
    known = model.tokenizer.get_vocab()
    if not knows_whole_words(known):
        return
    tokenizer = train_tokenizer(corpus, model.tokenizer.model_max_length, known)
    if len(tokenizer) == len(known):
        return
    encoder: Any = model.text_encoder
    encoder.resize_token_embeddings(len(tokenizer))
    model.config.text_config = {**model.config.text_config, "vocab_size": len(tokenizer)}
    model.tokenizer = tokenizer
