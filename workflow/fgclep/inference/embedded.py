"""Embeddings of recordings in a file, with what tells whether they are still those of the recordings."""

import hashlib
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fgclep import __version__
from fgclep.errors import UserError
from fgclep.files import whole_file
from fgclep.header import found_file, header_file, read_header
from fgclep.recordings.find import kind_of

_NAMES = ("model", "digest", "keys", "stamps", "embeddings")
_WAY = "give a file that fgclep embed has written, or another name"


@dataclass(frozen=True)
class Embedded:
    """What a file has.

    Parameters
    ----------
    model, digest
        Name of the model, and of its weights ``config.named_models.model_digest``.
    keys
        Recordings as they were given.
    stamps
        ``stamp_of`` each of them when it was embedded.
    embeddings
        Float32, shape (n, values).
    """

    model: str
    digest: str
    keys: list[str]
    stamps: list[str]
    embeddings: np.ndarray

    def write(self, path: Path) -> None:
        """Write NPZ, arrays of these names, or Parquet: ``key``, ``stamp``, ``embedding``, the rest as metadata."""
        with whole_file(path) as partial:
            if path.suffix == ".npz":
                with partial.open("wb") as file:
                    texts = {name: np.array(getattr(self, name), dtype=str) for name in _NAMES[:-1]}
                    np.savez(file, allow_pickle=False, embeddings=self.embeddings, **texts)
                return
            rows = pa.FixedSizeListArray.from_arrays(pa.array(self.embeddings.ravel()), self.embeddings.shape[1])
            table = pa.table({"key": self.keys, "stamp": self.stamps, "embedding": rows})
            pq.write_table(table.replace_schema_metadata({"model": self.model, "digest": self.digest}), partial)

    @classmethod
    def read(cls, path: Path) -> "Embedded":
        """Read what ``write`` wrote; raises ``UserError`` for anything else, and a file that is not whole."""
        try:
            found = cls(*(_from_npz if path.suffix == ".npz" else _from_parquet)(path))
        except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, AttributeError, OSError) as error:
            raise UserError(f"{path} cannot be read as embeddings ({error}); {_WAY}") from error
        shape = found.embeddings.shape
        if len(shape) != 2 or not shape[0] == len(found.keys) == len(found.stamps):
            raise UserError(f"{path}: {len(found.keys):,} keys, and embeddings of shape {shape}; {_WAY}")
        if found.embeddings.dtype != np.float32 or not np.isfinite(found.embeddings).all():
            raise UserError(f"{path}: the embeddings are no finite float32; {_WAY}")
        return found


def stamp_of(name: str, options: dict) -> str:
    """Size and time of change of a recording's files, how they are read and by which version, as 16 hexadecimal digits.

    Parameters
    ----------
    name
        As for ``read_recording``.
    options
        Of ``read_recording``.

    Returns
    -------
    str
        Empty if a file is missing or its header cannot be read.
    """
    with suppress(ValueError, OSError):
        kind, path = kind_of(Path(name))
        files = [path]
        if kind == "wfdb" and (header := header_file(path)):
            signals = [(file, found_file(header.parent, file)) for file in read_header(header).files]
            files = [header, *(found or header.parent / file for file, found in signals)]
        stats = [(file.stat().st_size, file.stat().st_mtime_ns) for file in files]
        told = [__version__, stats, sorted(options.items())]
        return hashlib.sha256(repr(told).encode()).hexdigest()[:16]
    return ""


def _from_npz(path: Path) -> tuple:
    with np.load(path, allow_pickle=False) as arrays:
        model, digest, keys, stamps, embeddings = (arrays[name] for name in _NAMES)
    return str(model), str(digest), keys.astype(str).tolist(), stamps.astype(str).tolist(), embeddings


def _from_parquet(path: Path) -> tuple:
    table = pq.read_table(path)
    metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    column = table["embedding"].combine_chunks()
    embeddings = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), column.type.list_size)
    return metadata["model"], metadata["digest"], table["key"].to_pylist(), table["stamp"].to_pylist(), embeddings
