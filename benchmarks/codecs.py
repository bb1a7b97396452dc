"""Size, writing and reading of ECGs in Parquet, for several encodings and codecs, on one core."""

import json
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from ecgs import SAMPLES, ecgs, machine, parser  # isort: skip (puts the package on the path)

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from fgclep.recordings.wfdb_file import read_record
from fgclep.signals.encoding import encode_waveform
from fgclep.signals.loader import WaveformDecoder

RAW = 12 * SAMPLES * 2
GROUP = 256


def differences(digital: np.ndarray) -> np.ndarray:
    """Differences along time, modulo 2**16."""
    return np.diff(digital, axis=1, prepend=np.int16(0))


def summed(content: bytes) -> torch.Tensor:
    """Inverse of ``differences``, by the fastest means at hand."""
    return torch.cumsum(torch.frombuffer(content, dtype=torch.int16).view(12, -1), 1, dtype=torch.int16)


def twice_summed(content: bytes) -> torch.Tensor:
    """Inverse of differences of differences."""
    once = torch.cumsum(torch.frombuffer(content, dtype=torch.int16).view(12, -1), 1, dtype=torch.int16)
    return torch.cumsum(once, 1, dtype=torch.int16)


def planes(digital: np.ndarray) -> bytes:
    """All low bytes of the differences, then all high bytes."""
    return differences(digital).view(np.uint8).reshape(-1, 2).T.tobytes()


def from_planes(content: bytes) -> torch.Tensor:
    """Inverse of ``planes``."""
    low, high = torch.frombuffer(content, dtype=torch.uint8).view(2, 12, -1)
    return torch.cumsum(high.to(torch.int16).mul_(256).add_(low), 1, dtype=torch.int16)


def offset_planes(digital: np.ndarray) -> bytes:
    """Planes of the differences plus 128: the high byte of small ones is 0, whatever their sign."""
    return (differences(digital) + np.int16(128)).view(np.uint8).reshape(-1, 2).T.tobytes()


def from_offset_planes(content: bytes) -> torch.Tensor:
    """Inverse of ``offset_planes``."""
    low, high = torch.frombuffer(content, dtype=torch.uint8).view(2, 12, -1)
    return torch.cumsum(low.to(torch.int16).add_(high, alpha=256).sub_(128), 1, dtype=torch.int16)


Encode = Callable[[np.ndarray], bytes]
Decode = Callable[[bytes], torch.Tensor]
ENCODINGS: dict[str, tuple[Encode, Decode]] = {
    "integers": (lambda w: w.tobytes(), lambda c: torch.frombuffer(c, dtype=torch.int16).view(12, -1)),
    "differences": (lambda w: differences(w).tobytes(), summed),
    "second differences": (lambda w: differences(differences(w)).tobytes(), twice_summed),
    "differences, byte planes": (planes, from_planes),
}
CODECS: list[tuple[str, int | None]] = [("none", None), ("lz4", None), ("zstd", 1), ("zstd", 3)]


def best(work: Callable[[], object], repeats: int = 7) -> float:
    """Seconds of the fastest run."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def write(path: Path, column: pa.Array, codec: str, level: int | None) -> None:
    """Write one column in row groups of ``GROUP``."""
    table = pa.table({"waveform": column})
    options = {"use_dictionary": False, "write_statistics": False, "row_group_size": GROUP}
    pq.write_table(table, path, compression=codec, compression_level=level, **options)


def read(path: Path, decode: Callable[[object], torch.Tensor]) -> list[torch.Tensor]:
    """Read all and decode every waveform to int16 (12, samples)."""
    with pq.ParquetFile(path) as file:
        found = []
        for group in range(file.num_row_groups):
            column = file.read_row_group(group, use_threads=False)["waveform"].combine_chunks()
            found += [decode(value) for value in column]
        return found


def main() -> None:
    """Print a table, and a line of JSON with the size and reading rate of the chosen encoding against integers."""
    options = parser(__doc__)
    options.add_argument("--records", type=int, default=400, help="ECGs to measure with")
    args = options.parse_args()
    torch.set_num_threads(1)
    pa.set_cpu_count(1)
    warnings.filterwarnings("ignore", message=".*not writable.*")  # buffers of Arrow are read only, and so are we
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        waveforms = [read_record(path).digital for path in ecgs(args.ecgs, work, args.records)]
        count = len(waveforms)

        def measure(
            name: str, codec: str, level: int | None, encode: Callable, decode: Callable, kind: pa.DataType
        ) -> None:
            path = work / "shard.parquet"
            writing = best(lambda: write(path, pa.array(map(encode, waveforms), kind), codec, level))
            found = read(path, decode)
            for waveform, tensor in zip(waveforms, found, strict=True):
                assert np.array_equal(waveform, tensor.numpy()), name
            reading = best(lambda: read(path, decode))
            label = codec if level is None else f"{codec}-{level}"
            rows.append((name, label, path.stat().st_size / count / RAW, count / writing, count / reading))

        def from_list(value: pa.ListScalar) -> torch.Tensor:
            return torch.from_numpy(value.values.to_numpy()).view(12, -1)

        measure("list<int16>", "zstd", 1, lambda w: w.ravel(), from_list, pa.list_(pa.int16()))
        for name, (encode, decode) in ENCODINGS.items():
            for codec, level in CODECS:
                measure(name, codec, level, encode, lambda v, d=decode: d(v.as_buffer()), pa.large_binary())
        offset = "differences + 128, byte planes"
        for codec, level in CODECS:
            measure(offset, codec, level, offset_planes, lambda v: from_offset_planes(v.as_buffer()), pa.large_binary())
        decoder = WaveformDecoder()
        each = "the same, each ECG packed by itself with LZ4 (ours)"
        decode = lambda v: decoder(v.as_buffer(), torch.empty(12, SAMPLES, dtype=torch.int16))  # noqa: E731
        measure(each, "none", None, encode_waveform, decode, pa.large_binary())

    print(f"{count} ECGs, one core of: {machine()}\n")
    print("| encoding | codec | size | write, ECG/s | read, ECG/s |\n|---|---|---|---|---|")
    for name, codec, size, writing, reading in rows:
        print(f"| {name} | {codec} | {size:.3f} | {writing:,.0f} | {reading:,.0f} |")
    chosen = rows[-1]
    plain = next(row for row in rows if row[:2] == ("integers", "zstd-1"))
    print(json.dumps({"name": "codecs", "ratio": chosen[4] / plain[4], "size": chosen[2], "read_per_s": chosen[4]}))


if __name__ == "__main__":
    main()
