"""Made-up shards, texts and settings for the tests of loading and training."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fgclep.config.pretraining import TrainingSettings
from fgclep.config.signal import SignalSection
from fgclep.models.build import new_model
from fgclep.models.fgclep import FGCLEP
from fgclep.schemas.shards import SHARD
from fgclep.signals.encoding import encode_waveform
from fgclep.tables import write_table

SIGNAL = SignalSection(sampling_rate=50, duration=4.0, highpass=0.5, lowpass=20.0)
SETTINGS = {
    "device": "cpu", "threads": 1, "ecg_encoder": {"kind": "resnet18", "width": 4},
    "text_encoder": {
        "name": "scratch", "hidden_size": 16, "layers": 1, "heads": 2, "max_tokens": 16, "trained_layers": "all",
        "cache_mb": 10,
    },
    "projection": 16, "text_unit": "statement", "statements_per_ecg": 2, "features_per_ecg": 2,
    "loss": "fg_clep", "mitigation": 0.5,
    "alignment": "global",
    "temperature": 10.0, "max_temperature": 100.0, "bias": None, "batch_size": 8, "learning_rate": 3e-3,
    "text_learning_rate": 3e-3, "weight_decay": 1e-4, "warmup": 0.1, "gradient_clip": 1.0, "precision": "fp32",
    "memory_mb": 100, "workers": 1, "checkpoint_seconds": 3600, "epochs": 2, "signal": SIGNAL.model_dump(),
    "seed": 0, "folds": 2, "processes": 1, "accumulate": 1, "select_by": "last", "retrieval_records": 1000,
    "compile": False, "log_every": 1,
    "tensorboard": False,
}  # fmt: skip
TEXTS = ["fast waves", "slow waves"]


def training_settings(**changes) -> TrainingSettings:
    """``SETTINGS`` with some changes."""
    return TrainingSettings.model_validate(SETTINGS | changes)


def made_model(texts: Sequence[str] = TEXTS, **changes) -> FGCLEP:
    """A new model as ``SETTINGS`` with some changes ask for it."""
    settings = training_settings(**changes)
    return new_model(settings, settings.signal, texts)


def write_shards(folder: Path, counts: tuple[int, ...] = (20, 13, 9), row_group_size: int | None = None) -> list[Path]:
    """Write shards of sines, 5 Hz in even records (text 0) and 1 Hz in odd ones (text 1), with some noise."""
    rng, sizes = np.random.default_rng(0), np.linspace(0.4, 0.6, 12)[:, None]  # of leads, which differ in hearts
    paths, number = [], 0
    for chunk, count in enumerate(counts):
        rows = []
        for _ in range(count):
            frequency = 1.0 if number % 2 else 5.0
            phases = 2 * np.pi * (frequency * np.arange(400) / 100 + rng.random((12, 1)))
            wave = sizes * np.sin(phases) + rng.normal(0, 0.05, (12, 400))
            rows.append(
                {
                    "source": "made-up", "record_id": f"{number:03d}", "patient_id": f"p{number // 2}",
                    "split": "val" if number % 5 == 0 else "train", "age": None, "sex": None, "codes": [],
                    "sampling_rate": 100.0, "n_samples": 400, "gain": [1000.0] * 12, "baseline": [0] * 12,
                    "waveform": encode_waveform((1000 * wave).astype(np.int16)), "flags": [],
                }
            )  # fmt: skip
            number += 1
        paths.append(folder / f"{chunk}.parquet")
        write_table(rows, paths[-1], SHARD, row_group_size)
    return paths
