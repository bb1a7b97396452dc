"""By what a checkpoint is known to be of this very training: a digest of all that the outcome depends on."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from importlib.metadata import version

import numpy as np
import torch

from fgclep.config.pretraining import TrainingSettings
from fgclep.digest import file_digest, source_digest
from fgclep.keys import record_names
from fgclep.models.fgclep import FGCLEP
from fgclep.signals.loader import SignalStore
from fgclep.training.text_batches import TextBank

LIBRARIES = ("torch", "transformers", "tokenizers", "accelerate", "numpy", "scipy")  # whose sums may round otherwise
_PLACES = ("_name_or_path", "transformers_version")  # of a configuration: where from, and written by what
_LAST_CALL = ("padding", "truncation")  # of a tokenizer: how it was called last


def training_identity(
    settings: TrainingSettings,
    precision: str,
    model: FGCLEP,
    stores: Sequence[SignalStore],
    banks: Sequence[TextBank],
    module: str,
) -> str:
    """Digest of settings, code, libraries, start weights, tokenizer, signals, texts and their similarity.

    The processor is not in it, see ``processor``. The shards that hold any of the records are read once; this takes as
    long as reading the files, or 2 to 4 s per GB where they are in memory.

    Parameters
    ----------
    settings
        What the stage takes of the config; of its precision ``auto`` counts what it is here.
    precision
        In which the encoders compute.
    model
        As the training begins with it.
    stores, banks
        Signals, and texts of their records, for training and for validation.
    module
        Name of the module that trains.

    Returns
    -------
    str
        The precision, and 64 hexadecimal digits of all else.
    """
    digest = _Digest()
    digest.add("settings", {name: v for name, v in settings.dependencies().items() if name != "precision"})
    digest.add("code", [source_digest(module), {name: version(name) for name in LIBRARIES}])
    for path in dict.fromkeys(path for store in stores for path in store.files()):
        digest.add("shard", file_digest(path))
    for store in stores:
        digest.add("records", record_names(store.keys).to_pylist())
    for similarity in {id(bank.similarity): bank.similarity for bank in banks}.values():
        digest.arrays("similarity", [similarity.values, similarity.neighbors, similarity.bounds])
    for bank in banks:
        digest.add("texts", bank.texts)
        digest.arrays("findings", [bank.names, bank.is_feature, bank.features, bank.absent])
        digest.arrays("texts of records", [bank.records.values, bank.records.bounds])
    digest.add("model", {name: value for name, value in model.config.to_dict().items() if name not in _PLACES})
    assert model.tokenizer is not None
    tokenizer = json.loads(model.tokenizer.backend_tokenizer.to_str())
    tokenizer = {name: value for name, value in tokenizer.items() if name not in _LAST_CALL}
    digest.add("tokenizer", [tokenizer, model.tokenizer.model_max_length])
    for name, weights in model.state_dict().items():
        digest.add("weights", name)
        digest.arrays("weights", [weights.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()])
    return f"{precision} {digest.hex()}"


def processor(device: torch.device) -> str:
    """Name the kind of processor, on which the last digits of a training depend.

    >>> processor(torch.device("cpu")).startswith("cpu ")
    True
    """
    kind = torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
    return f"{device.type} {kind}"


class _Digest:
    """SHA-256 of named parts, each with its length, so that no two lists of parts are the same bytes."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, name: str, value: object) -> None:
        text = json.dumps([name, value], sort_keys=True, default=str).encode()
        self._hash.update(len(text).to_bytes(8, "big") + text)

    def arrays(self, name: str, arrays: Iterable[np.ndarray | None]) -> None:
        for array in arrays:
            self.add(name, None if array is None else [str(array.dtype), array.shape])
            if array is not None:
                self._hash.update(np.ascontiguousarray(array).data)

    def hex(self) -> str:
        return self._hash.hexdigest()
