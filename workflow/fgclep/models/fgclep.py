"""The joint ECG-text model, in Hugging Face format."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from json import JSONDecodeError
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from fgclep.config.signal import SignalSection
from fgclep.errors import UserError, damaged
from fgclep.leads import LEADS
from fgclep.models import saved
from fgclep.models.alignment import ALIGNMENTS, AttentionAlignment
from fgclep.models.calibration import Calibration
from fgclep.models.card import FILE as CARD
from fgclep.models.card import other_card
from fgclep.models.ecg import build_ecg_encoder
from fgclep.models.processor import FGCLEPProcessor, Recording, each, is_one
from fgclep.models.text import (
    EMBEDDED_TOGETHER,
    groups_of_like_length,
    knows_whole_words,
    mean_over_tokens,
    padded,
    splits_as_made,
    text_encoder_of,
)
from fgclep.models.tokenizer import TextTokenizer

BLOCK = 2**20  # cosines computed at once


def _texts(prompts: str | Sequence[str]) -> list[str]:
    """Prompts as a list, one if it is a text; ``ValueError`` if there is none, or one is no text."""
    texts = [prompts] if isinstance(prompts, str) else list(prompts)
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError(f"prompts is {prompts!r}; give findings in words, such as ['atrial fibrillation']")
    return texts


@dataclass
class FGCLEPConfig:
    """What is needed to rebuild the model and to prepare its input.

    Parameters
    ----------
    ecg_encoder
        ``kind`` and ``width``, see ``fgclep.models.ecg.build_ecg_encoder``.
    text_config
        Configuration of the text encoder as a dictionary.
    projection
        Dimensions of the shared space.
    alignment
        ``global``: the whole ECG has one embedding. ``attention``: each text attends to the ECG's patches.
    signal
        ``sampling_rate`` (Hz), ``duration`` (s), ``highpass`` and ``lowpass`` (Hz) of the input.
    initial_temperature, initial_bias, max_temperature
        Initial scale t and offset b of the logit t * cosine + b, and the upper limit of t.
    lead_masking
        Probability with which an ECG of the training kept only some of its leads
        (``pretraining.augmentation.lead_masking``). 0 does not stand in ``config.json``.
    """

    ecg_encoder: dict[str, Any] = field(default_factory=lambda: {"kind": "resnet18", "width": 32})
    text_config: dict[str, Any] = field(default_factory=lambda: {"model_type": "bert"})
    projection: int = 128
    alignment: str = "global"
    signal: dict[str, Any] = field(default_factory=lambda: SignalSection().model_dump())
    initial_temperature: float = 10.0
    initial_bias: float = -5.0
    max_temperature: float = 100.0
    lead_masking: float = 0.0

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Take what is there; Hugging Face may write more beside it."""
        return cls(**{one.name: values[one.name] for one in fields(cls) if one.name in values})

    def to_dict(self) -> dict[str, Any]:
        """Return what stands in ``config.json``."""
        values = {"model_type": "fgclep", **asdict(self)}
        if not self.lead_masking:
            del values["lead_masking"]
        return values


class FGCLEP(nn.Module):
    """ECG and text in one space: ``logit = t * cosine(ecg, text) + b``, ``sigmoid(logit)`` = the text fits the ECG.

    With ``alignment`` global the ECG has one embedding, with attention each patch of it has one, see
    ``fgclep.models.alignment``. ``encode_ecg``, ``embed_texts`` and ``align`` are the same three steps in training,
    verification, zero-shot evaluation and ``predict``.

    >>> model = FGCLEP.from_pretrained("results/models/fine")                              # doctest: +SKIP
    >>> model.predict(signal, fs=500, leads=[...], prompts=["atrial fibrillation"])        # doctest: +SKIP
    >>> model.embed(["r1.hea", "r2.edf"])                                                  # doctest: +SKIP
    """

    def __init__(self, config: FGCLEPConfig):
        super().__init__()
        self.config = config
        if config.alignment not in ALIGNMENTS:
            raise ValueError(f"unknown alignment {config.alignment!r}; known are {', '.join(ALIGNMENTS)}")
        self.signal = SignalSection.model_validate(config.signal)
        rate = self.signal.sampling_rate
        self.samples = round(rate * self.signal.duration)
        self.ecg_encoder = build_ecg_encoder(samples=self.samples, sampling_rate=rate, **config.ecg_encoder)
        text_encoder: Any = text_encoder_of(config.text_config)
        self.text_encoder: Any = text_encoder
        self.align = ALIGNMENTS[config.alignment]()
        ecg_size = self.ecg_encoder.patch_size if self.align.by_patch else self.ecg_encoder.output_size
        self.ecg_projection = nn.Linear(ecg_size, config.projection)
        self.text_projection = nn.Linear(text_encoder.config.hidden_size, config.projection)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(config.initial_temperature)))
        self.bias = nn.Parameter(torch.tensor(float(config.initial_bias)))
        self.tokenizer: TextTokenizer | None = None
        self.calibration = Calibration()  # what its scores mean; none if it has not been calibrated
        self.folder = ""  # from which it has been loaded
        self.card = ""  # of the weights that were loaded
        self._loaded: Tensor | None = None  # their sums

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.bias.device

    @property
    def processor(self) -> FGCLEPProcessor:
        """Makes the model's input of arrays and files."""
        return FGCLEPProcessor(self.signal, self.config.ecg_encoder["kind"], self.needs_all_leads)

    @property
    def needs_all_leads(self) -> bool:
        """Whether an ECG must have twelve leads: where a missing one is a flat one, which no training ECG had."""
        return self.ecg_encoder.needs_all_leads and not self.config.lead_masking

    @classmethod
    def from_pretrained(cls, folder: str | Path, **options: Any) -> Self:
        """Load a model and its tokenizer from a folder or from the Hugging Face hub: no pickled weights, no code.

        Parameters
        ----------
        folder
            A folder, or a name such as ``organization/model``.
        options
            For a name, those of ``huggingface_hub.snapshot_download``, such as ``revision``.

        Raises
        ------
        UserError
            Naming the folder, if a file in it is truncated or damaged, if its configuration is no such model's
            (``fgclep.models.saved``), if weights are missing, unknown, of another shape or not finite, or if the
            tokenizer is another model's.
        """
        with saved.usable(folder):
            return cls._checked(saved.local_folder(folder, **options), folder)

    @classmethod
    def _checked(cls, files: Path, folder: str | Path) -> Self:
        try:
            values = saved.read_config(files, folder)
            saved.check_config(values, folder)
            config = FGCLEPConfig.from_dict(values)
            with torch.random.fork_rng([]):
                with torch.device("meta"):
                    weight_files = saved.check_shapes(cls(config), files)
                model = cls(config)
            tokenizer = TextTokenizer.from_pretrained(files)
            weights = {name: value for file in weight_files for name, value in load_file(file).items()}
        except (SafetensorError, JSONDecodeError, OSError) as error:
            raise damaged(folder, error) from error
        model.load_state_dict(weights)
        saved.check_finite(model.state_dict(), folder)
        own_words = knows_whole_words(tokenizer.get_vocab())
        saved.check_tokenizer(tokenizer, model.text_encoder, own_words, folder)
        if own_words and not splits_as_made(tokenizer):
            raise saved.unusable(folder, "its tokenizer splits texts otherwise than that of its training")
        model.tokenizer, model.calibration = tokenizer, Calibration.read(files)
        model.folder = str(folder)
        card = files / CARD
        model.card, model._loaded = (card.read_text(encoding="utf-8") if card.is_file() else ""), model._sums()
        model.eval()
        with torch.inference_mode():  # what does not fit together ends here, and not in the first answer
            model.score(
                model.encode_ecg(torch.zeros(1, len(LEADS), model.samples)).flatten(1).numpy(), ["sinus rhythm"]
            )
        return model

    def save_pretrained(self, folder: str | Path) -> None:
        """Write configuration, safetensors weights, tokenizer, calibration, and the card ``README.md``.

        The card is that of the model that was loaded, if its weights are still the same, else one which says that
        nothing was measured of them. A card that is in the folder stays as it is.
        """
        Path(folder).mkdir(parents=True, exist_ok=True)
        dtype = str(self.bias.dtype).removeprefix("torch.")
        values = {**self.config.to_dict(), "architectures": ["FGCLEP"], "dtype": dtype}
        text = json.dumps(values, indent=2, sort_keys=True) + "\n"
        (Path(folder) / "config.json").write_text(text, encoding="utf-8")
        weights = {name: value.contiguous() for name, value in self.state_dict().items()}
        save_file(weights, Path(folder) / saved.WEIGHTS, {"format": "pt"})
        if self.tokenizer is not None:
            self.tokenizer.save_pretrained(folder)
        self.calibration.write(folder)
        card = Path(folder) / CARD
        if not card.exists():
            same = self.card and self._loaded is not None and torch.allclose(self._sums(), self._loaded, rtol=1e-12)
            told = self.card if same else other_card(Path(folder).name, self.config, self.folder)
            card.write_text(told, encoding="utf-8")

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Write the model with its card to a repository of the Hugging Face hub, which is made if there is none.

        Parameters
        ----------
        repo_id
            ``organization/model``.
        options
            ``token``, and ``private`` for a new repository; others are those of ``HfApi.upload_folder``.

        Returns
        -------
        The address of the commit.
        """
        from huggingface_hub import HfApi

        api = HfApi(token=options.pop("token", None))
        api.create_repo(repo_id, private=options.pop("private", None), exist_ok=True)
        with TemporaryDirectory() as folder:
            path = Path(folder) / repo_id.rpartition("/")[2]
            self.save_pretrained(path)
            return str(api.upload_folder(repo_id=repo_id, folder_path=path, **options))

    @torch.no_grad()
    def _sums(self) -> Tensor:
        """Sum and sum of squares of each parameter, float64, by which changed weights are told."""
        values = [value.detach().double().flatten() for value in self.parameters()]
        return torch.stack([torch.stack([value.sum(), value.dot(value)]) for value in values]).cpu()

    @property
    def temperature(self) -> Tensor:
        """Scale t of the logits, finite and at most ``config.max_temperature``."""
        return self._in_range(self.log_temperature).exp()

    @torch.no_grad()
    def clamp_temperature(self) -> None:
        """Put a scale that has left its range back, after a step of the optimizer: beyond it there is no gradient."""
        self.log_temperature.copy_(self._in_range(self.log_temperature))

    def _in_range(self, log_temperature: Tensor) -> Tensor:
        initial, limit = math.log(self.config.initial_temperature), math.log(self.config.max_temperature)
        return log_temperature.nan_to_num(nan=initial, posinf=limit, neginf=initial).clamp(max=limit)

    def ecg_patches(self, signals: Tensor, present: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Patches of signals (batch, 12, samples) in mV and which are there, see ``build_ecg_encoder``."""
        return self.ecg_encoder(signals, present)

    def ecg_features(self, patches: Tensor, present: Tensor | None = None) -> Tensor:
        """Pooled patches (batch, features): input of a linear probe."""
        return self.ecg_encoder.pool(patches, present)

    def embed_ecgs(self, patches: Tensor, present: Tensor | None = None) -> Tensor:
        """Unit-norm embeddings of ECGs by their patches.

        Returns
        -------
        Shape (batch, projection); with attention (batch, patches, projection), 0 for a patch that is not there.
        """
        if not self.align.by_patch:
            return self._unit(self.ecg_projection(self.ecg_features(patches, present)))
        embedded = self._unit(self.ecg_projection(patches))
        return embedded if present is None else embedded * present[..., None]

    def encode_ecg(self, signals: Tensor, present: Tensor | None = None) -> Tensor:
        """Embeddings of signals, see ``embed_ecgs``.

        Parameters
        ----------
        signals
            Millivolts, shape (batch, 12, samples).
        present
            Which leads are there, bool of shape (batch, 12); ``None`` if all are. What a signal holds in the others
            does not matter: a transformer leaves their patches out, a ResNet takes them as flat.

        Raises
        ------
        ValueError
            For another shape: an ECG that was not prepared.
        """
        if signals.shape[1:] != (len(LEADS), self.samples):
            raise ValueError(
                f"signals has shape {tuple(signals.shape)}, the model takes (ECGs, {len(LEADS)}, {self.samples}) as "
                "model.processor(signals, fs=...) makes them; model.embed(signals, fs=...) does both"
            )
        return self.embed_ecgs(*self.ecg_patches(signals, present))

    def embed_tokens(self, tokens: dict[str, Tensor]) -> Tensor:
        """Unit-norm embeddings (texts, projection) of tokenized texts."""
        hidden = self.text_encoder(**tokens).last_hidden_state
        return self._unit(self.text_projection(mean_over_tokens(hidden, tokens["attention_mask"])))

    def _unit(self, projected: Tensor) -> Tensor:
        wide = torch.promote_types(self.bias.dtype, torch.float32)  # not in half precision, of weights or of autocast
        return F.normalize(projected.to(wide), dim=-1)

    def forward(self, signals: Tensor, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings of ECGs and of tokenized texts, for ``align``."""
        return self.encode_ecg(signals), self.embed_tokens({"input_ids": input_ids, "attention_mask": attention_mask})

    def logits(self, ecgs: Tensor, texts: Tensor) -> Tensor:
        """Logits t * cosine + b (ECGs, texts) of embedded ECGs and texts, computed some ECGs at a time.

        Raises ``UserError`` if any is not finite.
        """
        values = max(1, len(texts) * ecgs[:1].numel() // self.config.projection)
        some = ecgs.split(max(1, BLOCK // values))
        logits = torch.cat([self.temperature * self.align(part.to(texts), texts) + self.bias for part in some])
        if not bool(torch.isfinite(logits).all()):
            raise UserError(
                f"the model in {self.folder or 'memory'} gives scores that are not finite, and no probability follows "
                "from these; its weights may be damaged: take another model, or train this one anew"
            )
        return logits

    @torch.no_grad()
    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """Unit-norm embeddings (texts, projection) on the CPU."""
        if self.tokenizer is None:
            raise ValueError("the model has no tokenizer; load it with FGCLEP.from_pretrained")
        ids = self.tokenizer.ids(texts)
        embedded = torch.empty(len(texts), self.config.projection)
        for rows in groups_of_like_length([len(row) for row in ids], EMBEDDED_TOGETHER):
            tokens, mask = (part.to(self.device) for part in padded([ids[row] for row in rows], self.tokenizer))
            embedded[rows] = self.embed_tokens({"input_ids": tokens, "attention_mask": mask}).cpu().float()
        return embedded

    @torch.inference_mode()
    def score(self, embeddings: np.ndarray, prompts: Sequence[str] | Tensor) -> np.ndarray:
        """Logits (n, len(prompts)), float32, of embedded ECGs, each flattened (n, values), against prompts.

        ``prompts`` may be embedded already, by ``embed_texts``.
        """
        ecgs = torch.from_numpy(np.require(embeddings, requirements=["C", "W"]))
        if self.align.by_patch:
            ecgs = ecgs.unflatten(1, (-1, self.config.projection))
        texts = prompts.to(self.device) if isinstance(prompts, Tensor) else self._embed(prompts)
        return self.logits(ecgs, texts).float().cpu().numpy()

    @torch.inference_mode()
    def embed(
        self,
        recordings: Recording | Sequence[Recording],
        fs: float | None = None,
        leads: Sequence[str] | None = None,
        units: str | None = None,
        batch_size: int = 64,
    ) -> np.ndarray:
        """Embeddings of one recording or many, which are checked and repaired as files are.

        Parameters
        ----------
        recordings, fs, leads, units
            As ``FGCLEPProcessor.__call__`` takes them.
        batch_size
            ECGs embedded at once.

        Returns
        -------
        numpy.ndarray
            float32 (ECGs, projection), of length 1; of a model with ``alignment`` attention (ECGs, patches *
            projection), each patch of length 1. One recording is one row.

        Raises
        ------
        ValueError
            As ``FGCLEPProcessor.__call__``.
        """
        parts = self._encode(each(recordings), fs, leads, units, batch_size)
        return np.concatenate([part.flatten(1).float().cpu().numpy() for part in parts])

    @torch.inference_mode()
    def predict(
        self,
        recordings: Recording | Sequence[Recording],
        fs: float | None = None,
        prompts: str | Sequence[str] = (),
        leads: Sequence[str] | None = None,
        units: str | None = None,
        batch_size: int = 64,
    ) -> np.ndarray:
        """Probability of each prompt for one recording or many, which are checked and repaired as files are.

        What was repaired, such as limb leads computed from I and II, is told as a warning.

        Parameters
        ----------
        recordings, fs, leads, units
            As ``FGCLEPProcessor.__call__`` takes them. A transformer, and any model that was trained with masked leads
            (``needs_all_leads`` is false), works with any of the twelve. Others need all, or those from which the
            others can be computed: I, II and V1 to V6.
        prompts
            Findings in words, e.g. ``["atrial fibrillation"]``; a text is one prompt.
        batch_size
            ECGs embedded at once.

        Returns
        -------
        Probabilities, float32: of one recording (prompts,), of a list of them or an array (ECGs, leads, samples)
        (ECGs, prompts). For a prompt with a curve in ``calibration`` they assume its prevalence; how far others mean
        anything depends on the training data.

        Raises
        ------
        ValueError
            For another shape, a rate that is none, no prompt, a lead that is missing and needed, and for an ECG that a
            file could not have (``fgclep.recordings.arrays.usable_array``): dead leads, missing samples, amplitudes of
            no heart, numbers that are no millivolts.
        """
        texts = _texts(prompts)
        embedded = self._embed(texts)
        parts = self._encode(each(recordings), fs, leads, units, batch_size)
        logits = np.concatenate([self.logits(part, embedded).float().cpu().numpy() for part in parts])
        found = self.calibration.probabilities(logits, [(text,) for text in texts]).astype(np.float32)
        return found[0] if is_one(recordings) else found

    @torch.inference_mode()
    def attention(
        self, signal: np.ndarray, fs: float, prompts: str | Sequence[str], leads: Sequence[str] = LEADS
    ) -> np.ndarray:
        """Attention of each prompt to the patches of one ECG, where a model with ``alignment`` attention looks.

        Parameters
        ----------
        signal, fs, prompts, leads
            As in ``predict``.

        Returns
        -------
        numpy.ndarray
            float32 of shape (prompts, 12, windows) with leads in canonical order, 0 for missing ones; for a ResNet,
            whose patches see all leads, (prompts, 1, windows). Sums to 1 for each prompt.

        Raises
        ------
        ValueError
            As ``predict``, and for a model with global alignment.
        """
        signals, present = self.processor.one(signal, fs, leads, None)
        return self.attention_of(self.encode_prepared(signals[None], present[None]), prompts)

    @torch.inference_mode()
    def attention_of(self, ecg: Tensor, prompts: str | Sequence[str]) -> np.ndarray:
        """Attention to the patches of one embedded ECG (1, patches, projection), see ``attention``."""
        if not isinstance(self.align, AttentionAlignment):
            raise ValueError("a model with alignment: global has no attention; train one with alignment: attention")
        weights = self.align.weights(ecg, self._embed(_texts(prompts)))[0]
        rows = 1 if self.ecg_encoder.needs_all_leads else len(LEADS)
        return weights.unflatten(-1, (rows, -1)).float().cpu().numpy()

    def _embed(self, prompts: Sequence[str]) -> Tensor:
        return self.embed_texts(prompts).to(self.device)

    def _encode(
        self,
        recordings: Sequence[Recording],
        fs: float | None,
        leads: Sequence[str] | None,
        units: str | None,
        batch_size: int,
    ) -> Iterator[Tensor]:
        for start in range(0, len(recordings), batch_size):
            yield self.encode_prepared(**self.processor(recordings[start : start + batch_size], fs, leads, units))

    def encode_prepared(self, signals: Tensor, present: Tensor) -> Tensor:
        """Embeddings of ECGs from ``prepare``, stacked: (batch, 12, samples) and (batch, 12)."""
        some_missing = not bool(present.all())
        signals = signals.to(self.device, self.bias.dtype)
        return self.encode_ecg(signals, present.to(self.device) if some_missing else None)

    def prepare(self, signal: np.ndarray, fs: float, leads: Sequence[str] = LEADS) -> tuple[Tensor, Tensor]:
        """Make the model's input of one ECG that has been checked; see ``FGCLEPProcessor.prepare``."""
        return self.processor.prepare(signal, fs, leads)
