"""From raw WFDB files to shards: records per second on one core and on two, beside wfdb.rdrecord + numpy.savez.

Ours checks every file's SHA-256, archives it, checks header against data and the quality of every lead, and writes
compressed shards (rules fetch_records and build_shards, as Snakemake runs them: a process per chunk). The plain loop
reads each record with wfdb and saves its signal with numpy; it checks nothing.
"""

import hashlib
import json
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

from ecgs import SAMPLES, ecgs, machine, parser  # isort: skip (puts the package on the path)

import numpy as np
import wfdb

from fgclep.config.quality import QualitySection
from fgclep.schemas.manifest import MANIFEST
from fgclep.schemas.shards import SHARD
from fgclep.sources.ptb_xl import SOURCE as PTB_XL
from fgclep.stages import build_shards, fetch_records
from fgclep.tables import read_table, write_table

RAW = 12 * SAMPLES * 2
TRANSFER = '{"parallel": 1, "timeout_seconds": 60, "retries": 0}'


def plain(work: Path, chunk: int) -> None:
    """Read every record with wfdb and save it with numpy."""
    for row in read_table(work / "manifest.parquet", MANIFEST).to_pylist():
        if row["chunk"] == chunk:
            record = wfdb.rdrecord(str(work / "files/ptb-xl/1.0.3" / row["path"]))
            np.savez(work / f"plain/{row['record_id']}.npz", signal=record.p_signal, leads=record.sig_name)


def fetch(work: Path, chunk: int) -> None:
    """Check and archive the files of a chunk."""
    arguments = [
        "--source", "ptb-xl", "--base", str(work / "files"), "--version", "1.0.3", "--settings", TRANSFER,
        "--metadata", str(work / "files/ptb-xl/1.0.3"), "--chunk", str(chunk), "--chunks", "2",
        "--output", str(work / f"{chunk}.tar"), "--quarantine", str(work / f"f{chunk}.parquet"),
    ]  # fmt: skip
    fetch_records.main(fetch_records.arguments().parse_args(arguments))


def convert(work: Path, chunk: int) -> None:
    """Convert an archive to a shard."""
    arguments = [
        "--source", "ptb-xl", "--settings", QualitySection().model_dump_json(),
        "--manifest", str(work / "manifest.parquet"), "--archive", str(work / f"{chunk}.tar"), "--chunk", str(chunk),
        "--unavailable", str(work / f"f{chunk}.parquet"),
        "--output", str(work / f"{chunk}.parquet"), "--quarantine", str(work / f"s{chunk}.parquet"),
    ]  # fmt: skip
    build_shards.main(build_shards.arguments().parse_args(arguments))


def ours(work: Path, chunk: int) -> None:
    """Both rules of a chunk."""
    fetch(work, chunk)
    convert(work, chunk)


def seconds(task: Callable[[Path, int], None], work: Path, chunks: list[int]) -> float:
    """Seconds that the task takes, a process per chunk, all at once; without starting Python."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(len(chunks) + 1)
    processes = [context.Process(target=_run, args=(task, work, chunk, barrier)) for chunk in chunks]
    for process in processes:
        process.start()
    barrier.wait()
    start = time.perf_counter()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise RuntimeError(f"{task.__name__} failed")
    return time.perf_counter() - start


def _run(task: Callable[[Path, int], None], work: Path, chunk: int, barrier: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    task(work, chunk)


def lay_out(work: Path, sources: list[Path], per_chunk: int) -> None:
    """Write two chunks of records as a database with checksums, and its manifest."""
    database = work / "files/ptb-xl/1.0.3"
    rows, sums, missing = [], [], [per_chunk, per_chunk]
    for number in count():
        source, name = sources[number % len(sources)], f"{number:06d}"
        if not any(missing):
            break
        if not missing[chunk := PTB_XL.chunk_of(name, 2)]:
            continue
        missing[chunk] -= 1
        place = database / f"records500/{number // 1000:05d}"
        place.mkdir(parents=True, exist_ok=True)
        header = source.with_suffix(".hea").read_text(encoding="utf-8").replace(source.name, name)
        signals = source.with_suffix(".dat" if source.with_suffix(".dat").exists() else ".mat")
        for file, content in ((f"{name}.hea", header.encode()), (name + signals.suffix, signals.read_bytes())):
            (place / file).write_bytes(content)
            sums.append(f"{hashlib.sha256(content).hexdigest()} {(place / file).relative_to(database)}\n")
        rows.append(
            {
                "source": "ptb-xl", "record_id": name, "patient_id": name, "chunk": chunk,
                "path": str((place / name).relative_to(database)), "split": "train", "age": None, "sex": None,
                "report": [], "codes": [],
            }
        )  # fmt: skip
    (database / "SHA256SUMS.txt").write_text("".join(sums), encoding="utf-8")
    write_table(rows, work / "manifest.parquet", MANIFEST)


def main() -> None:
    """Print a table and a line of JSON with the ratio of ours to the plain loop on one core."""
    options = parser(__doc__)
    options.add_argument("--records", type=int, default=2000, help="records per chunk and process")
    options.add_argument("--rounds", type=int, default=3, help="the fastest of so many rounds counts")
    args = options.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        lay_out(work, ecgs(args.ecgs, work, 400), args.records)
        (work / "plain").mkdir()
        tasks = {"plain": plain, "fetch": fetch, "convert": convert, "ours": ours}
        one = {name: float("inf") for name in tasks}
        two = {name: float("inf") for name in tasks}
        for _ in range(args.rounds):
            for name, task in tasks.items():
                one[name] = min(one[name], seconds(task, work, [0]))
                two[name] = min(two[name], seconds(task, work, [0, 1]))
        written = sum(len(read_table(work / f"{chunk}.parquet", SHARD, ["record_id"])) for chunk in (0, 1))
        assert written == 2 * args.records, f"only {written} records are in the shards"
        sizes = {
            "plain": sum(file.stat().st_size for file in (work / "plain").iterdir()) / (2 * args.records * RAW),
            "ours": sum((work / f"{chunk}.parquet").stat().st_size for chunk in (0, 1)) / (2 * args.records * RAW),
        }
        shutil.rmtree(work / "plain")
    n = args.records
    print(f"{n} records per process, {machine()}\n")
    print("| | records/s, one core | MB/s of raw signal | records/s, two processes | scaling | size/raw |")
    print("|---|---|---|---|---|---|")
    labels = {
        "plain": "wfdb.rdrecord + numpy.savez", "fetch": "fetch_records (checksum, archive)",
        "convert": "build_shards (checks, compression)", "ours": "both rules",
    }  # fmt: skip
    for name, label in labels.items():
        scaling = 2 * one[name] / two[name]
        size = f"{sizes[name]:.2f}" if name in sizes else ""
        print(
            f"| {label} | {n / one[name]:,.0f} | {n * RAW / one[name] / 1e6:,.0f} | {2 * n / two[name]:,.0f} "
            f"| {scaling:.2f} | {size} |"
        )
    result = {
        "name": "ingest",
        "ratio": one["plain"] / one["ours"],
        "ratio_build_shards": one["plain"] / one["convert"],
    }
    result |= {"records_per_s_core": n / one["ours"], "scaling_2_cores": 2 * one["ours"] / two["ours"]}
    result["scaling_build_shards"] = 2 * one["convert"] / two["convert"]
    print(json.dumps(result))


if __name__ == "__main__":
    main()
