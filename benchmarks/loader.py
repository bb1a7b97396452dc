"""Shuffled batches of ECGs in mV: this package's loader beside a memory-mapped array and beside wfdb record by record.

All deliver float32 tensors (64, 12, 5000) in random order from the page cache:

wfdb     a torch Dataset that calls wfdb.rdsamp per item, in a DataLoader with a worker per core, as published code does
memmap   an int16 array (records, 12, 5000) in a .npy file, scaled to mV: what reading cannot beat by much
shards   fgclep.signals.loader.SignalStore on the workflow's shards, a thread per core, with limited memory

Then the same ECGs as a model takes them, float32 (64, 12, 1000), in a thread and in a thread per core:

one by one   every record decoded, resampled and filtered by itself with SciPy, as published code does
prepared     fgclep.signals.loader.SignalStore, which does so to many at once without Python's lock

Each runs in a process of its own. Rates count from the first request to the last batch. Peak memory is that of the
process (resident set), with torch and all libraries loaded; that of the DataLoader's workers is not in it.
"""

import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ecgs import SAMPLES, ecgs, machine, parser  # isort: skip (puts the package on the path)

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import wfdb
from scipy.signal import butter, firwin, resample_poly, sosfiltfilt

from fgclep.config.signal import SignalSection
from fgclep.leads import LEADS
from fgclep.recordings.wfdb_file import read_record
from fgclep.schemas.shards import SHARD
from fgclep.signals.encoding import decode_waveform, to_millivolts
from fgclep.signals.loader import SignalStore
from fgclep.stages.build_shards import ROWS_PER_GROUP, shard_row
from fgclep.tables import table_writer

BATCH = 64
RAW = 12 * SAMPLES * 2
PER_SHARD = 5000
SIGNAL = SignalSection(sampling_rate=100, duration=10.0, highpass=0.5, lowpass=40.0)


class OneByOne(torch.utils.data.Dataset):
    """One record per item, read with wfdb."""

    def __init__(self, paths: list[Path]):
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, item: int) -> torch.Tensor:
        signal, fields = wfdb.rdsamp(str(self.paths[item]))
        order = [[name.upper() for name in fields["sig_name"]].index(lead.upper()) for lead in LEADS]
        return torch.from_numpy(signal.T[order].astype(np.float32))


def wfdb_batches(paths: list[Path], cores: int) -> Iterator[torch.Tensor]:
    """Batches from WFDB files."""
    yield from torch.utils.data.DataLoader(OneByOne(paths), batch_size=BATCH, shuffle=True, num_workers=cores)


def memmap_batches(path: Path, scale: float) -> Iterator[torch.Tensor]:
    """Batches from a memory-mapped array."""
    array = np.load(path, mmap_mode="r")
    order = np.random.default_rng(0).permutation(len(array))
    for start in range(0, len(array), BATCH):
        yield torch.from_numpy(array[order[start : start + BATCH]]).to(torch.float32).mul_(scale)


def shard_batches(paths: list[Path], cores: int, memory_mb: int) -> Iterator[torch.Tensor]:
    """Batches from shards."""
    store = SignalStore(paths, None, memory_mb, workers=cores)
    for _, signals in store.shuffled(BATCH, [0]):
        yield signals


def one_by_one(paths: list[Path], workers: int) -> Iterator[torch.Tensor]:
    """Batches from shards, whose records threads prepare one by one with SciPy."""
    taps = firwin(81, 0.2, window=("kaiser", 5.0)).astype(np.float32)
    band = butter(2, [SIGNAL.highpass, SIGNAL.lowpass], "bandpass", fs=SIGNAL.sampling_rate, output="sos")

    def prepare(row: dict) -> np.ndarray:
        digital = decode_waveform(row["waveform"], row["n_samples"])
        mv = to_millivolts(digital, np.array(row["gain"]), np.array(row["baseline"]))
        resampled = resample_poly(mv - mv.mean(axis=1, keepdims=True), 1, 5, axis=1, window=taps, padtype="line")
        return sosfiltfilt(band, resampled, axis=1, padlen=400).astype(np.float32)

    with ThreadPoolExecutor(workers) as pool:
        for path in paths:
            for group in pq.ParquetFile(path).iter_batches(BATCH):
                yield torch.from_numpy(np.stack(list(pool.map(prepare, group.to_pylist()))))


def prepared_batches(paths: list[Path], workers: int, memory_mb: int) -> Iterator[torch.Tensor]:
    """Batches from shards, prepared."""
    for _, signals in SignalStore(paths, SIGNAL, memory_mb, workers=workers).shuffled(BATCH, [0]):
        yield signals


KINDS = {
    "wfdb": wfdb_batches, "memmap": memmap_batches, "shards": shard_batches, "one by one": one_by_one,
    "prepared": prepared_batches,
}  # fmt: skip


def measure(kind: str, arguments: tuple) -> dict[str, float]:
    """ECGs per second, seconds until the first batch, and peak memory in MiB, in a new process."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(sender, kind, arguments))
    process.start()
    result = receiver.recv()
    process.join()
    return result


def _run(sender: Any, kind: str, arguments: tuple) -> None:
    torch.set_num_threads(1)
    start = time.perf_counter()
    count, first = 0, 0.0
    samples = 1000 if kind in {"one by one", "prepared"} else SAMPLES
    for batch in KINDS[kind](*arguments):
        assert batch.shape[1:] == (12, samples) and batch.dtype == torch.float32
        first = first or time.perf_counter() - start
        count += len(batch)
    seconds = time.perf_counter() - start
    sender.send({"records": count, "rate": count / seconds, "first_s": first, "peak_mib": peak_memory()})


def peak_memory() -> float:
    """Largest resident memory of this process so far in MiB (VmHWM; ru_maxrss would start with the parent's)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def write_files(work: Path, sources: list[Path], records: int) -> list[Path]:
    """Copies of the ECGs as WFDB files, every one in files of its own."""
    paths = []
    for number in range(records):
        source, path = sources[number % len(sources)], work / f"wfdb/{number // 1000}/{number:06d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        header = source.with_suffix(".hea").read_text(encoding="utf-8").replace(source.name, path.name)
        path.with_suffix(".hea").write_text(header, encoding="utf-8")
        suffix = ".dat" if source.with_suffix(".dat").exists() else ".mat"
        path.with_suffix(suffix).write_bytes(source.with_suffix(suffix).read_bytes())
        paths.append(path)
    return paths


def write_shards(work: Path, sources: list[Path], records: int) -> list[Path]:
    """Shards of as many records, which repeat the ECGs under new names."""
    entry = {"source": "s", "record_id": "", "patient_id": "p", "split": "train", "age": None, "sex": None, "codes": []}
    rows = [shard_row(entry, read_record(path)) for path in sources]
    paths = []
    for first in range(0, records, PER_SHARD):
        paths.append(work / f"shards/{first // PER_SHARD}.parquet")
        last = min(first + PER_SHARD, records)
        with table_writer(paths[-1], SHARD) as write:
            for start in range(first, last, ROWS_PER_GROUP):
                numbers = range(start, min(start + ROWS_PER_GROUP, last))
                group = [{**rows[number % len(rows)], "record_id": f"{number:07d}"} for number in numbers]
                write(pa.Table.from_pylist(group, schema=SHARD))
    return paths


def in_page_cache(paths: list[Path]) -> int:
    """Read all files once; return their bytes."""
    size = 0
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                size += len(block)
    return size


def main() -> None:
    """Print tables, and a line of JSON with the ratio of ours to wfdb."""
    options = parser(__doc__)
    options.add_argument("--records", type=int, default=100_000, help="ECGs in shards")
    options.add_argument("--wfdb-records", type=int, default=4_000, help="ECGs in WFDB files")
    options.add_argument("--memmap-records", type=int, default=16_000, help="ECGs in the memory-mapped array")
    options.add_argument("--prepared-records", type=int, default=20_000, help="ECGs in shards to prepare, at least")
    options.add_argument("--memory-mb", type=int, default=512, help="limit of the signals that our loader holds")
    options.add_argument("--rounds", type=int, default=3, help="the median of so many rounds counts, for each of them")
    args = options.parse_args()
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        sources = ecgs(args.ecgs, work, 400)
        files = write_files(work, sources, args.wfdb_records)
        shards = write_shards(work, sources, args.records)
        waveforms = [read_record(path) for path in sources]
        array = np.lib.format.open_memmap(work / "a.npy", "w+", np.int16, (args.memmap_records, 12, SAMPLES))
        for number in range(args.memmap_records):
            array[number] = waveforms[number % len(waveforms)].digital
        del array
        size = in_page_cache(shards)
        in_page_cache([work / "a.npy", *(file for path in files for file in path.parent.glob(f"{path.name}.*"))])
        runs = {
            "wfdb": (files, cores),
            "memmap": (work / "a.npy", float(1 / waveforms[0].gain[0])),
            "shards": (shards, cores, args.memory_mb),
        }
        some = shards[: -(-args.prepared_records // PER_SHARD)]
        preparing = {
            (kind, workers): (some, workers, *memory)
            for workers in sorted({1, cores})
            for kind, memory in (("one by one", ()), ("prepared", (args.memory_mb,)))
        }
        measured: dict[Any, list[dict[str, float]]] = {kind: [] for kind in (*runs, *preparing)}
        for _ in range(args.rounds):
            for kind, arguments in runs.items():
                measured[kind].append(measure(kind, arguments))
            for (kind, workers), arguments in preparing.items():
                measured[kind, workers].append(measure(kind, arguments))
    results = {kind: sorted(found, key=lambda run: run["rate"])[len(found) // 2] for kind, found in measured.items()}
    share = size / (args.records * RAW)
    print(f"Batches of {BATCH}, float32 (12, {SAMPLES}), {machine()}\n")
    print("| | ECGs | ECG/s | first batch after | peak memory | size/raw |\n|---|---|---|---|---|---|")
    labels = {"wfdb": "wfdb.rdsamp in a DataLoader", "memmap": "memory-mapped int16", "shards": "shards (ours)"}
    for kind, label in labels.items():
        found, stored = results[kind], {"shards": f"{share:.2f}"}.get(kind, "1.00")
        print(
            f"| {label} | {found['records']:,} | {found['rate']:,.0f} | {found['first_s']:.2f} s "
            f"| {found['peak_mib']:,.0f} MiB | {stored} |"
        )
    rates = {kind: results[kind]["rate"] for kind in results}
    print("\n| prepared, (12, 1000) | threads | ECG/s | ratio | peak memory |\n|---|---|---|---|---|")
    for kind, workers in preparing:
        label = {"one by one": "one by one with SciPy", "prepared": "many at once (ours)"}[kind]
        print(
            f"| {label} | {workers} | {rates[kind, workers]:,.0f} "
            f"| {rates[kind, workers] / rates['one by one', workers]:.1f} "
            f"| {results[kind, workers]['peak_mib']:,.0f} MiB |"
        )
    print(
        json.dumps(
            {
                "name": "loader",
                "ratio": rates["shards"] / rates["wfdb"],
                "of_memmap": rates["shards"] / rates["memmap"],
                "ecg_per_s": rates["shards"],
                "size": share,
                "peak_mib": results["shards"]["peak_mib"],
                "prepared_ecg_per_s": rates["prepared", cores],
                "prepared_ratio": rates["prepared", cores] / rates["one by one", cores],
            }
        )
    )


if __name__ == "__main__":
    main()
