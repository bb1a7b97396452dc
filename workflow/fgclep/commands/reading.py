"""Recordings that a command was given: read ahead while the model works, each with its remarks or its error."""

import re
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch

from fgclep.commands.output import RESEARCH_ONLY, say
from fgclep.errors import reason_of
from fgclep.inference.predict import Input, leads_remark, length_remark
from fgclep.models.fgclep import FGCLEP
from fgclep.progress import progress
from fgclep.recordings.read import read_recording
from fgclep.signals.record import Record

THREADS = 2  # that read: more of them wait for each other, as Python code takes turns


@dataclass(frozen=True)
class Recording:
    """One that was asked for: as read, or why it could not be."""

    name: str
    record: Record | None = None
    prepared: Input | None = None
    error: str = ""


class Teller:
    """Tells what was noticed about recordings, the like of it once, and which of them could not be used.

    Parameters
    ----------
    recordings
        All that were asked for; what is wrong with them so far has been said.
    used
        How many of them are used without being read.
    """

    def __init__(self, recordings: Sequence[Recording], used: int = 0) -> None:
        self._said = {recording.name for recording in recordings if recording.error}
        self._count, self._failed, self._used = len(recordings), 0, used
        self._first: dict[str, str] = {}
        self._alike: Counter[str] = Counter()

    def tell(self, recording: Recording) -> None:
        """Say why it could not be used, or the remarks that differ from those before by more than their numbers."""
        if recording.record is None:
            self._failed += 1
            if recording.name not in self._said:
                say(f"fgclep: {recording.name}: {recording.error}")
            return
        self._used += 1
        for remark in recording.record.remarks:
            kind = re.sub(r"\d[\d.,]*", "#", remark)
            if kind in self._first:
                self._alike[kind] += 1
            else:
                self._first[kind] = remark
                say(f"{recording.name}: {remark}")

    def end(self) -> None:
        """Say how many recordings more each remark is about; exit with status 1 if any could not be used."""
        for kind, count in self._alike.items():
            say(f"and {count:,} more like this: {self._first[kind]}")
        if self._failed and self._count > 1:
            say(f"fgclep: {self._failed:,} of {self._count:,} recordings could not be used; the reasons stand above")
        if self._used:
            say(RESEARCH_ONLY)
        if self._failed:
            sys.exit(1)


def in_batches(
    recordings: Sequence[Recording], model: FGCLEP, options: dict, size: int, what: str
) -> Iterator[list[Recording]]:
    """Read and prepare recordings, and yield them in batches; a bar names ``what`` is done with them."""
    ahead = read_ahead(recordings, lambda recording: read(recording, model, options), size)
    batch: list[Recording] = []
    for recording in progress(ahead, len(recordings), what, "ECG") if len(recordings) > 1 else ahead:
        batch.append(recording)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


@torch.inference_mode()
def embed_batch(batch: Sequence[Recording], model: FGCLEP) -> tuple[list[Recording], np.ndarray]:
    """Return the recordings of a batch that can be used, and their embeddings, float32 (recordings, values)."""
    good = [(recording, *recording.prepared) for recording in batch if recording.prepared]
    if not good:
        return [], np.empty((0, 0), np.float32)
    usable, signals, present = zip(*good, strict=True)
    embeddings = model.encode_prepared(torch.stack(signals), torch.stack(present))
    return list(usable), embeddings.flatten(1).float().cpu().numpy()


def read_ahead(
    recordings: Iterable[Recording], read: Callable[[Recording], Recording], ahead: int
) -> Iterator[Recording]:
    """Yield recordings in their order, read by threads that stay up to ``ahead`` of them before the one in use."""
    with ThreadPoolExecutor(THREADS) as threads:
        reading: deque[Future[Recording]] = deque()
        for recording in recordings:
            reading.append(threads.submit(read, recording))
            if len(reading) > ahead:
                yield reading.popleft().result()
        while reading:
            yield reading.popleft().result()


def read(recording: Recording, model: FGCLEP, options: dict) -> Recording:
    """Read and prepare a recording for a model; ``options`` are those of ``read_recording``."""
    if recording.error:
        return recording
    name = recording.name
    try:
        record = read_recording(name, **options)
        prepared = model.prepare(record.millivolts(), record.sampling_rate, record.leads)
    except Exception as error:
        return Recording(name, error=reason_of(error, name))
    remarks = (*record.remarks, *leads_remark(model, record), *length_remark(model, record))
    return Recording(name, replace(record, remarks=remarks), prepared)
