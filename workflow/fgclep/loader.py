"""Signals from Parquet shards in shuffled batches, within a memory limit; the order depends on seed and epoch only."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fgclep.schemas import SHARD, read_table
from fgclep.shards import decode_waveform, to_millivolts
from fgclep.signals import prepare_signal

KEY_COLUMNS = ("source", "record_id", "patient_id", "split")


class SignalStore:
    """Prepared signals of the records in a set of shards.

    Parameters
    ----------
    paths
        Shard files (schema ``SHARD``).
    signal
        The config's ``signal`` section: sampling rate, duration and filters of the prepared signals.
    memory_mb
        Prepared signals held in memory at once. If all records fit, they are read once and shuffled as a whole;
        otherwise whole shards are read in random order, as many at a time as fit, and shuffled within.
    keep
        Tells from a record's keys (``KEY_COLUMNS``) whether it is used.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        signal: dict,
        memory_mb: float,
        keep: Callable[[dict], bool] = lambda row: True,
    ):
        self.paths = [Path(path) for path in paths]
        self.signal = signal
        self.samples = round(signal["sampling_rate"] * signal["duration"])
        self.keys: list[dict] = []
        self._rows: list[np.ndarray] = []  # per shard: rows that are kept
        self._first: list[int] = []  # per shard: place of its first kept row in keys
        for path in self.paths:
            rows = read_table(path, SHARD, KEY_COLUMNS).to_pylist()
            kept = [number for number, row in enumerate(rows) if keep(row)]
            self._first.append(len(self.keys))
            self._rows.append(np.array(kept, dtype=np.int64))
            self.keys += [rows[number] for number in kept]
        self._capacity = max(1, int(memory_mb * 2**20 / (12 * self.samples * 4)))
        self._cached: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.keys)

    def _read_shard(self, number: int) -> Iterator[np.ndarray]:
        wanted, row = set(self._rows[number].tolist()), 0
        columns = ["source", "record_id", "sampling_rate", "n_samples", "gain", "baseline", "waveform"]
        with pq.ParquetFile(self.paths[number]) as file:
            for batch in file.iter_batches(batch_size=256, columns=columns):
                for record in _records(batch, [row + i in wanted for i in range(len(batch))]):
                    yield self._prepare(record)
                row += len(batch)

    def _prepare(self, record: dict) -> np.ndarray:
        digital = decode_waveform(record["waveform"], record["n_samples"])
        millivolts = to_millivolts(digital, np.array(record["gain"]), np.array(record["baseline"]))
        try:
            return prepare_signal(millivolts, record["sampling_rate"], self.signal)
        except ValueError as error:
            raise ValueError(f"{record['source']}/{record['record_id']}: {error}") from error

    def _load(self, shards: Sequence[int]) -> np.ndarray:
        """Prepared signals of these shards, float32 (records, 12, samples), in index order."""
        if self._cached is not None:
            return self._cached
        count = sum(len(self._rows[number]) for number in shards)
        signals = np.empty((count, 12, self.samples), dtype=np.float32)
        place = 0
        for number in shards:
            for prepared in self._read_shard(number):
                signals[place] = prepared
                place += 1
        if count == len(self):
            self._cached = signals
        return signals

    def _groups(self, order: Sequence[int]) -> Iterator[list[int]]:
        group: list[int] = []
        size = 0
        for number in order:
            if group and size + len(self._rows[number]) > self._capacity:
                yield group
                group, size = [], 0
            group.append(number)
            size += len(self._rows[number])
        if group:
            yield group

    def _places(self, shards: Sequence[int]) -> np.ndarray:
        return np.concatenate([self._first[n] + np.arange(len(self._rows[n])) for n in shards])

    def shuffled(self, batch_size: int, seed: Sequence[int], skip: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (places in ``keys``, signals (batch, 12, samples)) in an order that depends on ``seed`` only.

        ``skip`` leaves out that many batches, for resuming; nothing is read for groups that are skipped whole.
        Batches of a group have equal sizes up to one record, so that no batch is tiny.
        """
        rng = np.random.default_rng(list(seed))
        whole = len(self) <= self._capacity
        order = list(range(len(self.paths))) if whole else rng.permutation(len(self.paths)).tolist()
        number = 0
        for shards in self._groups(order):
            places = self._places(shards)
            if not len(places):
                continue
            permutation = rng.permutation(len(places))
            parts = np.array_split(permutation, max(1, round(len(places) / batch_size)))
            if number + len(parts) > skip:
                signals = self._load(shards)
                for position, part in enumerate(parts):
                    if number + position >= skip:
                        yield places[part], signals[part]
            number += len(parts)

    def in_order(self, batch_size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (places, signals) in the order of the shards; memory holds one batch unless all is cached."""
        if self._cached is not None:
            for start in range(0, len(self), batch_size):
                places = np.arange(start, min(start + batch_size, len(self)))
                yield places, self._cached[places]
            return
        buffer: list[np.ndarray] = []
        done = 0
        for number in range(len(self.paths)):
            for prepared in self._read_shard(number):
                buffer.append(prepared)
                if len(buffer) == batch_size:
                    yield np.arange(done, done + len(buffer)), np.stack(buffer)
                    done, buffer = done + len(buffer), []
        if buffer:
            yield np.arange(done, done + len(buffer)), np.stack(buffer)


def _records(batch: pa.RecordBatch, wanted: Sequence[bool]) -> Iterator[dict]:
    for record, keep in zip(batch.to_pylist(), wanted, strict=True):
        if keep:
            yield record
