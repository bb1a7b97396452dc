"""Signals from Parquet shards in batches, within a memory limit, for one process or for many ranks."""

import itertools
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import DTypeLike
from torch import Tensor

from fgclep.config.signal import SignalSection
from fgclep.errors import reason_of
from fgclep.keys import KEY, record_names
from fgclep.schemas.shards import SHARD
from fgclep.signals.encoding import OFFSET, unpack
from fgclep.signals.preparation import prepare_signal
from fgclep.tables import read_table

LOG = logging.getLogger(__name__)
KEY_COLUMNS = (*KEY, "patient_id", "split")
READ_ONCE_MB = 256  # enough where every signal is read once, in order: more would only be kept
_PREPARED_TOGETHER = 40_000  # samples per lead: few calls, and what is in work stays in a processor's cache
_WAVEFORM_COLUMNS = [*KEY, "sampling_rate", "n_samples", "gain", "baseline", "waveform"]


class WaveformDecoder:
    """``encoding.decode_waveform`` in half of its time, with vector instructions."""

    def __init__(self) -> None:
        self._differences = torch.empty(12, 0, dtype=torch.int16)

    def __call__(self, encoded: bytes | pa.Buffer, out: Tensor) -> Tensor:
        """Decode to ``out``, int16 (12, samples), and return it."""
        if self._differences.shape != out.shape:
            self._differences = torch.empty_like(out)
        low, high = torch.from_numpy(unpack(encoded, out.shape[1]))
        self._differences.copy_(low).add_(high, alpha=256).sub_(OFFSET)
        return torch.cumsum(self._differences, 1, dtype=torch.int16, out=out)


class Damaged(ValueError):
    """What stands in a shard is not what was written there, or not what is asked for."""


def _scale_and_shift(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """What makes mV of ADC units, each float32 (records, 12, 1): ``digital * scale + shift``."""
    gain, baseline = (
        table[name].combine_chunks().flatten().to_numpy().reshape(-1, 12, 1).astype(np.float64)
        for name in ("gain", "baseline")
    )
    return (1 / gain).astype(np.float32), (-baseline / gain).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Group:
    """The wanted rows of one row group of a shard, and the place of the first of them in ``SignalStore.keys``."""

    path: Path
    number: int
    rows: np.ndarray
    first: int

    def __len__(self) -> int:
        return len(self.rows)


class Window:
    """Signals in memory: prepared ones as float32 or float16, stored ones as int16 with what makes mV of them.

    Arrays, not tensors: what is read in torch's inference mode must serve for training, too.
    """

    def __init__(self, records: int, samples: int, dtype: DTypeLike):
        self.signals = np.empty((records, 12, samples), dtype)
        self.scale, self.shift = np.empty((2, records if dtype == np.int16 else 0, 12, 1), np.float32)

    def __len__(self) -> int:
        return len(self.signals)

    def gather(self, records: np.ndarray, out: Tensor) -> None:
        """Copy the signals of some records to ``out``, stored ones in mV."""
        index = torch.from_numpy(records)
        if self.signals.dtype == np.float32:
            torch.index_select(torch.from_numpy(self.signals), 0, index, out=out)
            return
        digital = torch.index_select(torch.from_numpy(self.signals), 0, index)
        if self.signals.dtype == np.float16:
            out.copy_(digital)
            return
        torch.mul(digital, torch.from_numpy(self.scale[records]), out=out)
        if (shift := self.shift[records]).any():
            out.add_(torch.from_numpy(shift))


class SignalStore:
    """Signals of the records in a set of shards.

    Row groups (a few hundred records) are read whole, in threads beside the caller. If all wanted records fit into
    memory, they are read once, kept, and shuffled as a whole. Otherwise an epoch takes the row groups in random order,
    as many as fit into half of the memory at a time, shuffles their records, and reads the next ones meanwhile.

    A record that cannot be prepared is left out of its batch, and the log says why (``failed``, by its place in
    ``keys``). One that cannot be unpacked ends all: the file is damaged.

    Parameters
    ----------
    paths
        Shard files (schema ``SHARD``).
    signal
        The config's ``signal`` section: signals come as the model takes them (``prepare_signal``). ``None``:
        in mV as stored; then all records must have the same number of samples.
    memory_mb
        Limit of the signals held in memory, in MiB; at least two row groups are.
    keep
        From a table with ``KEY_COLUMNS`` to a mask of the records to use; ``None``: all.
    workers
        Threads that read and prepare; the result does not depend on it.
    pin_memory
        Whether batches are in page-locked memory, from which a GPU copies without waiting.
    half
        Whether prepared signals are held in half precision, with an error of 0.05 %, in half of the memory; for
        encoders that compute in no more.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        signal: SignalSection | None,
        memory_mb: float,
        keep: Callable[[pa.Table], Sequence[bool] | np.ndarray] | None = None,
        workers: int = 1,
        pin_memory: bool = False,
        half: bool = False,
    ):
        self.signal = signal
        self._dtype = np.dtype(np.int16 if signal is None else np.float16 if half else np.float32)
        self.workers = workers
        self.pin_memory = pin_memory
        self.groups: list[Group] = []
        tables: list[pa.Table] = []
        first = 0
        for path in map(Path, paths):
            keys = read_table(path, SHARD, KEY_COLUMNS)
            mask = np.ones(len(keys), dtype=bool) if keep is None else np.asarray(keep(keys), dtype=bool)
            tables.append(keys.filter(pa.array(mask)))
            metadata, row = pq.read_metadata(path), 0
            for number in range(metadata.num_row_groups):
                count = metadata.row_group(number).num_rows
                rows = np.flatnonzero(mask[row : row + count])
                if len(rows):
                    self.groups.append(Group(path, number, rows, first))
                first, row = first + len(rows), row + count
        self.keys: pa.Table = pa.concat_tables(tables).combine_chunks()
        if signal is None:
            self.samples = _stored_samples(self.groups[0]) if self.groups else 0
        else:
            self.samples = round(signal.sampling_rate * signal.duration)
        self._capacity = int(memory_mb * 2**20 / (12 * max(1, self.samples) * self._dtype.itemsize))
        self._cached: tuple[list[Group], Window] | None = None
        self.failed: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.keys)

    def files(self) -> list[Path]:
        """Return the shards that hold any of the records, in their order."""
        return list(dict.fromkeys(group.path for group in self.groups))

    def names(self, places: np.ndarray) -> list[str]:
        """``source/record_id`` of the records at these places of ``keys``."""
        return record_names(self.keys.take(pa.array(places))).to_pylist()

    def shuffled(
        self, batch_size: int, seed: Sequence[int], skip: int = 0, rank: int = 0, world_size: int = 1
    ) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Yield (places in ``keys``, signals (batch, 12, samples)) of one epoch, in an order that ``seed`` decides.

        Every record comes exactly once over all ranks. All ranks have the same number of batches (``steps``), whose
        sizes on a rank differ by one at most, so that no batch is tiny. Neither ``workers`` nor ``skip`` changes the
        order.

        Parameters
        ----------
        batch_size
            Records per batch and rank; a batch has this many or nearly.
        seed
            Such as (seed of the run, epoch); the same on all ranks.
        skip
            Batches left out at the beginning, for resuming; what is skipped is not read.
        rank, world_size
            Number of this process, and how many share the epoch.
        """
        rng = np.random.default_rng(list(seed))
        fits = len(self) <= self._capacity * world_size
        order = self.groups if fits else [self.groups[i] for i in rng.permutation(len(self.groups))]
        shares = _shares(order, world_size)
        if rank:
            rng = np.random.default_rng([*seed, rank])
        windows = self._windows(shares[rank])
        starts = np.cumsum([0, *map(_records, windows)])
        slots = np.concatenate(
            [start + rng.permutation(_records(w)) for start, w in zip(starts, windows, strict=False)]
        )
        steps = _steps(len(self), batch_size, shares)
        sizes = [len(part) for part in np.array_split(slots, steps)]
        yield from self._batches(windows, slots, np.cumsum([0, *sizes])[skip:])

    def in_order(self, batch_size: int) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Yield (places, signals) in the order of the shards."""
        bounds = np.unique([*range(0, len(self), batch_size), len(self)])
        yield from self._batches(self._windows(self.groups), np.arange(len(self)), bounds)

    def steps(self, batch_size: int, world_size: int = 1) -> int:
        """Return the number of batches per rank of an epoch."""
        return _steps(len(self), batch_size, _shares(self.groups, world_size))

    def _windows(self, groups: list[Group]) -> list[list[Group]]:
        """Divide row groups into runs that are in memory together."""
        if _records(groups) <= self._capacity:
            return [groups]
        windows: list[list[Group]] = [[]]
        for group in groups:
            if windows[-1] and _records(windows[-1]) + len(group) > self._capacity // 2:
                windows.append([])
            windows[-1].append(group)
        return windows

    def _batches(
        self, windows: list[list[Group]], slots: np.ndarray, bounds: np.ndarray
    ) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Yield the batches ``slots[bounds[i] : bounds[i + 1]]``; a slot counts the records of all windows in turn."""
        spans = list(itertools.pairwise(bounds.tolist()))
        if not spans:
            return
        ends = np.cumsum([_records(window) for window in windows])
        places = np.concatenate([group.first + np.arange(len(group)) for window in windows for group in window])
        number, position = 0, int(bounds[0])
        batch = self._new_batch(spans[0])
        first = int(np.searchsorted(ends, position, side="right"))
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="loader")
        try:
            for count, window in self._in_memory(pool, windows, first):
                start, end = int(ends[count]) - _records(windows[count]), int(ends[count])
                while number < len(spans) and position < end:
                    low, high = spans[number]
                    stop = min(high, end)
                    window.gather(slots[position:stop] - start, batch[position - low : stop - low])
                    position = stop
                    if position == high:
                        if len(usable := self._usable(places[slots[low:high]])) == high - low:
                            yield places[slots[low:high]], batch
                        elif len(usable):
                            yield places[slots[low:high]][usable], batch[torch.from_numpy(usable)]
                        number += 1
                        if number < len(spans):
                            batch = self._new_batch(spans[number])
        finally:
            pool.shutdown(cancel_futures=True)

    def _usable(self, places: np.ndarray) -> np.ndarray:
        """Numbers of the records of a batch that could be prepared.

        Raises ``ValueError`` if it is none of the store: that is no trouble of a record.
        """
        if not self.failed:
            return np.arange(len(places))
        if len(self.failed) == len(self) > 1:
            raise ValueError(f"no record can be prepared; {self.failed[min(self.failed)]}")
        return np.flatnonzero([place not in self.failed for place in places.tolist()])

    def _new_batch(self, span: tuple[int, int]) -> Tensor:
        return torch.empty(span[1] - span[0], 12, self.samples, pin_memory=self.pin_memory)

    def _in_memory(
        self, pool: ThreadPoolExecutor, windows: list[list[Group]], first: int
    ) -> Iterator[tuple[int, Window]]:
        """Yield number and signals of the windows from ``first`` on, while the next one is being read."""
        if self._cached is not None and windows == [self._cached[0]]:
            yield 0, self._cached[1]
            return
        free = [Window(0, self.samples, self._dtype), Window(0, self.samples, self._dtype)]

        def start(number: int) -> tuple[Window, list[Future]]:
            groups, window = windows[number], free.pop(0)
            if len(window) < _records(groups):
                window = Window(_records(groups), self.samples, self._dtype)
            places = np.cumsum([0, *map(len, groups)]).tolist()
            return window, [
                pool.submit(self._read, group, window, place) for group, place in zip(groups, places, strict=False)
            ]

        reading = start(first) if first < len(windows) else None
        for number in range(first, len(windows)):
            assert reading is not None
            window, futures = reading
            for future in futures:
                future.result()
            reading = start(number + 1) if number + 1 < len(windows) else None
            if len(windows) == 1:
                self._cached = windows[0], window
            yield number, window
            free.append(window)

    def _read(self, group: Group, window: Window, place: int) -> None:
        """Fill a window from ``place`` on with the signals of a row group."""
        with pq.ParquetFile(group.path) as file:
            table = file.read_row_group(group.number, columns=_WAVEFORM_COLUMNS, use_threads=False)
        rates, lengths = table["sampling_rate"].to_numpy(), table["n_samples"].to_numpy()
        waveforms = table["waveform"].combine_chunks()
        scale, shift = _scale_and_shift(table)
        decode = WaveformDecoder()

        def read(numbers: np.ndarray) -> None:
            """Fill the places of some of the group's rows, all of one rate and length."""
            rows, places = group.rows[numbers], place + numbers
            samples = int(lengths[rows[0]])
            if self.signal is not None:
                digital: Sequence[np.ndarray] | np.ndarray = np.empty((len(rows), 12, samples), np.int16)
            elif samples == self.samples:
                digital = [window.signals[number] for number in places.tolist()]
            else:
                raise Damaged(f"has {samples} samples, others {self.samples}")
            for row, out in zip(rows.tolist(), digital, strict=True):
                try:
                    decode(waveforms[row].as_buffer(), torch.from_numpy(out))
                except ValueError as error:
                    raise Damaged(str(error)) from error
            if self.signal is not None:
                mv = np.multiply(digital, scale[rows])
                mv += shift[rows]
                window.signals[places] = prepare_signal(mv, float(rates[rows[0]]), self.signal)

        if self.signal is None:
            window.scale[place : place + len(group)] = scale[group.rows]
            window.shift[place : place + len(group)] = shift[group.rows]
        for numbers in _alike(rates[group.rows], lengths[group.rows]):
            try:
                read(numbers)
            except Exception:  # one by one, to name the record
                for number in numbers.tolist():
                    name = record_names(table.slice(int(group.rows[number]), 1))[0].as_py()
                    try:
                        read(np.array([number]))
                    except Damaged as error:
                        raise ValueError(f"{group.path}, {name}: {error}") from error
                    except Exception as error:
                        reason = f"{group.path}, {name}: {reason_of(error, name)}"
                        self.failed[group.first + number] = reason
                        LOG.warning("left out %s", reason)


def _alike(rates: np.ndarray, lengths: np.ndarray) -> Iterator[np.ndarray]:
    """Yield numbers of records that have one rate and length, as many as are prepared together."""
    for rate, samples in sorted(set(zip(rates.tolist(), lengths.tolist(), strict=True))):
        numbers = np.flatnonzero((rates == rate) & (lengths == samples))
        together = max(1, _PREPARED_TOGETHER // max(1, samples))
        yield from (numbers[start : start + together] for start in range(0, len(numbers), together))


def _stored_samples(group: Group) -> int:
    with pq.ParquetFile(group.path) as file:
        return file.read_row_group(group.number, columns=["n_samples"])["n_samples"][int(group.rows[0])].as_py()


def _records(groups: Sequence[Group]) -> int:
    return sum(map(len, groups))


def _shares(groups: Sequence[Group], world_size: int) -> list[list[Group]]:
    """Deal row groups to the ranks, each to the one with the fewest records so far."""
    shares: list[list[Group]] = [[] for _ in range(world_size)]
    counts = [0] * world_size
    for group in groups:
        rank = counts.index(min(counts))
        shares[rank].append(group)
        counts[rank] += len(group)
    return shares


def _steps(records: int, batch_size: int, shares: list[list[Group]]) -> int:
    fewest = min(map(_records, shares))
    if not fewest:
        raise ValueError(
            f"{len(shares)} ranks cannot share {records} records in {sum(map(len, shares))} row groups; "
            "take fewer ranks"
        )
    return max(1, min(fewest, round(records / (batch_size * len(shares)))))
