"""The joint ECG-text model, in Hugging Face format."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoModel, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast
from transformers.tokenization_utils_base import PreTrainedTokenizerBase
from transformers.utils import logging

from fgclep.leads import LEADS, lead_order
from fgclep.models.ecg import build_ecg_encoder
from fgclep.models.text import mean_over_tokens, text_config_from_dict, tokenize
from fgclep.signals import prepare_signal


class FGCLEPConfig(PretrainedConfig):
    """What is needed to rebuild the model and to prepare its input.

    Parameters
    ----------
    ecg_encoder
        ``kind`` and ``width``, see ``fgclep.models.ecg.build_ecg_encoder``.
    text_config
        Configuration of the text encoder as a dictionary.
    projection
        Dimensions of the shared space.
    signal
        ``sampling_rate`` (Hz), ``duration`` (s), ``highpass`` and ``lowpass`` (Hz) of the input.
    initial_temperature, initial_bias, max_temperature
        Initial scale t and offset b of the logit t * cosine + b, and the upper limit of t.
    """

    model_type = "fgclep"

    def __init__(
        self,
        ecg_encoder: dict | None = None,
        text_config: dict | None = None,
        projection: int = 128,
        signal: dict | None = None,
        initial_temperature: float = 10.0,
        initial_bias: float = -5.0,
        max_temperature: float = 100.0,
        **kwargs: Any,
    ):
        self.ecg_encoder = ecg_encoder or {"kind": "resnet18", "width": 32}
        self.text_config = text_config or {"model_type": "bert"}
        self.projection = projection
        self.signal = signal or {"sampling_rate": 100, "duration": 10.0, "highpass": 0.5, "lowpass": 40.0}
        self.initial_temperature = initial_temperature
        self.initial_bias = initial_bias
        self.max_temperature = max_temperature
        super().__init__(**kwargs)


class FGCLEP(PreTrainedModel):
    """ECG and text in one space: ``logit = t * cosine(ecg, text) + b``, ``sigmoid(logit)`` = the text fits the ECG.

    >>> model = FGCLEP.from_pretrained("results/models/fine")                              # doctest: +SKIP
    >>> model.predict(signal, fs=500, leads=[...], prompts=["atrial fibrillation"])        # doctest: +SKIP
    """

    config_class = FGCLEPConfig
    base_model_prefix = "fgclep"

    def __init__(self, config: FGCLEPConfig):
        super().__init__(config)
        rate = int(config.signal["sampling_rate"])
        samples = round(rate * config.signal["duration"])
        self.ecg_encoder = build_ecg_encoder(samples=samples, sampling_rate=rate, **config.ecg_encoder)
        text_config = text_config_from_dict(config.text_config)
        self.text_encoder = AutoModel.from_config(text_config)
        self.ecg_projection = nn.Linear(self.ecg_encoder.output_size, config.projection)
        self.text_projection = nn.Linear(text_config.hidden_size, config.projection)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(config.initial_temperature)))
        self.bias = nn.Parameter(torch.tensor(float(config.initial_bias)))
        self.tokenizer: PreTrainedTokenizerBase | None = None
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Keep PyTorch's initialization; the text encoder has made its own."""

    @classmethod
    def from_pretrained(cls, folder: str | Path, *args: Any, **kwargs: Any) -> "FGCLEP":  # type: ignore[override]
        """Load a model and its tokenizer from a folder or from the Hugging Face hub."""
        shown = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()  # loading takes no time worth a bar
        try:
            model = super().from_pretrained(folder, *args, **kwargs)
        finally:
            if shown:
                logging.enable_progress_bar()
        model.tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        return model.eval()

    def save_pretrained(self, folder: str | Path, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
        """Write configuration, safetensors weights and tokenizer."""
        super().save_pretrained(folder, *args, **kwargs)
        if self.tokenizer is not None:
            self.tokenizer.save_pretrained(folder)

    @property
    def temperature(self) -> Tensor:
        """Scale t of the logits, at most ``config.max_temperature``."""
        return self.log_temperature.clamp(max=math.log(self.config.max_temperature)).exp()

    def ecg_features(self, signals: Tensor) -> Tensor:
        """Pooled encoder output (batch, features) of signals (batch, 12, samples) in mV: input of a linear probe."""
        return self.ecg_encoder(signals)

    def embed_features(self, features: Tensor) -> Tensor:
        """Unit-norm embeddings (batch, projection) of pooled features."""
        return F.normalize(self.ecg_projection(features), dim=-1)

    def embed_tokens(self, tokens: dict[str, Tensor]) -> Tensor:
        """Unit-norm embeddings (texts, projection) of tokenized texts."""
        hidden = self.text_encoder(**tokens).last_hidden_state
        return F.normalize(self.text_projection(mean_over_tokens(hidden, tokens["attention_mask"])), dim=-1)

    def forward(self, signals: Tensor, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Cosine similarities (ECGs, texts)."""
        tokens = {"input_ids": input_ids, "attention_mask": attention_mask}
        return self.embed_features(self.ecg_features(signals)) @ self.embed_tokens(tokens).T

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str], batch_size: int = 256) -> Tensor:
        """Unit-norm embeddings (texts, projection) on the CPU."""
        if self.tokenizer is None:
            raise ValueError("the model has no tokenizer; load it with FGCLEP.from_pretrained")
        parts = []
        for start in range(0, len(texts), batch_size):
            tokens = tokenize(self.tokenizer, texts[start : start + batch_size])
            parts.append(self.embed_tokens({name: ids.to(self.device) for name, ids in tokens.items()}).cpu().float())
        return torch.cat(parts)

    @torch.inference_mode()
    def score(self, embeddings: np.ndarray, prompts: Sequence[str]) -> np.ndarray:
        """Logits (n, len(prompts)), float32, of ECG embeddings (n, projection) against prompts."""
        ecgs = torch.from_numpy(np.ascontiguousarray(embeddings, dtype=np.float32))
        logits = self.temperature.cpu() * (ecgs @ self.embed_texts(prompts).T) + self.bias.cpu()
        return logits.float().numpy()

    @torch.inference_mode()
    def predict(
        self, signal: np.ndarray, fs: float, prompts: Sequence[str], leads: Sequence[str] = LEADS
    ) -> np.ndarray:
        """Probability of each prompt for one ECG.

        Parameters
        ----------
        signal
            Millivolts, shape (leads, samples).
        fs
            Sampling rate in Hz.
        prompts
            Findings in words, e.g. ``"atrial fibrillation"``.
        leads
            Names of the rows of ``signal``, in any order.

        Returns
        -------
        Probabilities, float32, shape (len(prompts),). How far they are calibrated depends on the training data.

        Raises
        ------
        ValueError
            For another number of rows than lead names, a missing lead, or samples that are not finite.
        """
        signal = np.asarray(signal, dtype=np.float32)
        if signal.ndim != 2 or len(signal) != len(leads):
            raise ValueError(
                f"signal has shape {signal.shape}, expected ({len(leads)}, samples) for leads {list(leads)}"
            )
        prepared = prepare_signal(signal[lead_order(list(leads))], fs, self.config.signal)
        features = self.ecg_features(torch.from_numpy(prepared)[None].to(self.device))
        return torch.sigmoid(torch.from_numpy(self.score(self.embed_features(features).cpu().numpy(), prompts)))[
            0
        ].numpy()
