"""ECGs simulated per second of one core, with the code of before and today's in turns; and a million of them.

Measured is the whole way from a number to a row of a packed shard, as the stage ``simulate_chunk`` does it: a person, a
condition, ten seconds of twelve leads at 500 Hz, what is true about them, a report, the packed waveform. The simulation
alone ends with the truth. What a process takes to start is left out of both, and of a few ECGs in a row the fastest of
several times counts, as other programs are in the way of the others.

With ``--large N`` (or ``--million``) N ECGs go into shards of 2,500, as with ``data.sources: {simulated: ...}``, by as
many processes at a time as ``--processes`` says, below ``--folder``; printed are seconds, processor time, peak memory
of a process and what the files take on disk, 42 GB a million. Without ``--keep`` the files of a shard are deleted as
soon as they are counted, so a small disk will do.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from before import ROOT, Took, in_turns, take

SETTINGS = json.dumps({"feature_mention_rate": 0.45, "prevalence": "flat", "seed": 0})
VOCABULARY = ROOT / "resources/vocabulary"
PER_SHARD = 2500  # as in workflow/config/simulated-large.yaml
BLOCK, REPEATED = 20, 5  # ECGs that are timed together, and how often
MEASURE = "--measure"  # of the processes that this program starts with the code that it measures


def stage_words(chunk: int, first: int, stop: int, folder: Path) -> list[str]:
    """Arguments of ``simulate_chunk``."""
    kinds = ("shard", "manifest", "truth")
    places = [word for kind in kinds for word in (f"--{kind}", f"{folder}/{kind}/{chunk}.parquet")]
    return [
        *("--chunk", str(chunk), "--first", str(first), "--stop", str(stop), "--vocabulary", str(VOCABULARY)),
        *("--settings", SETTINGS, *places),
    ]


def measure(records: int) -> None:
    """Print microseconds of processor time per ECG, of the whole way and of the simulation alone."""
    from fgclep.language.vocabulary import load_vocabulary
    from fgclep.simulation.databases.stream import stream
    from fgclep.simulation.heart.condition import draw_condition
    from fgclep.simulation.heart.patient import draw_patient
    from fgclep.simulation.recorder.recording import simulate
    from fgclep.simulation.truth.truth import find_truth

    warnings.filterwarnings("ignore", category=RuntimeWarning)
    vocabulary = load_vocabulary(VOCABULARY)

    def whole(numbers: range) -> None:
        for _ in stream(numbers, 0, 0, 0.45, vocabulary, "flat"):
            pass

    def alone(numbers: range) -> None:
        for number in numbers:
            rng = np.random.default_rng([0, number])
            patient = draw_patient(rng)
            find_truth(simulate(patient, draw_condition(rng, patient), rng), vocabulary)

    seconds = {}
    for work in (whole, alone):
        work(range(records, records + 10))  # which warms up
        blocks = [range(first, min(first + BLOCK, records)) for first in range(0, records, BLOCK)]
        seconds[work.__name__] = sum(min(timed(work, block) for _ in range(REPEATED)) for block in blocks)
    print(json.dumps({name: 1e6 * took / records for name, took in seconds.items()}))


def timed(work: Callable[[range], None], numbers: range) -> float:
    """Seconds of processor time."""
    start = time.process_time()
    work(numbers)
    return time.process_time() - start


def compare(records: int, rounds: int) -> dict[str, float]:
    """Print and return microseconds per ECG before and now: the fastest of each in several rounds."""
    command = ["python", Path(__file__), MEASURE, str(records)]
    fastest: dict[str, tuple[float, ...]] = {}
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    os.environ.update(single)
    for _ in range(rounds):
        (pair,) = in_turns(1, ecgs=command).values()
        found = [json.loads(took.output) for took in pair]
        for name in found[0]:
            both = tuple(one[name] for one in found)
            fastest[name] = tuple(map(min, zip(both, fastest.get(name, both), strict=True)))
    figures = {}
    for name, (before, now) in fastest.items():
        print(f"{name}: {1e6 / before:.0f} ECG/s of one core before, {1e6 / now:.0f} now, {before / now:.2f} times")
        figures |= {f"{name}_us_before": round(before), f"{name}_us": round(now), f"{name}_ratio": before / now}
    return figures


def large(records: int, processes: int, folder: Path, keep: bool) -> dict[str, float]:
    """Simulate ``records`` ECGs into shards below ``folder``, and print and return what that took."""
    chunks = [(chunk, first) for chunk, first in enumerate(range(0, records, PER_SHARD))]
    free = shutil.disk_usage(folder).free

    def simulated(one: tuple[int, int]) -> tuple[Took, int]:
        chunk, first = one
        words = stage_words(chunk, first, min(first + PER_SHARD, records), folder)
        single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        took = take(ROOT, ["python", "-m", "fgclep.stages.simulate_chunk", *words], **single)
        files = list(folder.glob(f"*/{chunk}.parquet"))
        size = sum(file.stat().st_size for file in files)
        for file in files if not keep else ():
            file.unlink()
        return took, size

    start = time.perf_counter()
    with ThreadPoolExecutor(processes) as pool:
        took, sizes = zip(*pool.map(simulated, chunks), strict=True)
    wall = time.perf_counter() - start
    size = sum(sizes)
    figures = {
        "records": records,
        "processes": processes,
        "wall_s": round(wall, 1),
        "cpu_s": round(sum(one.cpu for one in took), 1),
        "peak_mb": round(max(one.peak_mb for one in took)),
        "disk_gb": round(size / 1e9, 3),
        "bytes_per_ecg": round(size / records),
    }
    print(
        f"{records:,} ECGs in {wall:.0f} s with {processes} processes, {figures['cpu_s']:.0f} s of processor time "
        f"({records / figures['cpu_s']:.0f} ECG/s and core), {figures['peak_mb']} MB at most in a process, "
        f"{figures['disk_gb']:.2f} GB on disk ({free / 1e9:.0f} GB were free); a million take "
        f"{figures['bytes_per_ecg'] / 1000:.1f} GB"
    )
    return figures


def main() -> None:
    """Print the figures, and as the last line JSON; its ratio is ECGs per second and core over those of before."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100, help="ECGs per round")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--large", type=int, metavar="N", help="simulate N ECGs into shards instead")
    parser.add_argument("--million", dest="large", action="store_const", const=1_000_000, help="--large 1000000")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--folder", type=Path, help="where a folder for the shards is made")
    parser.add_argument("--keep", action="store_true", help="leave the files of --large there; the disk must hold them")
    parser.add_argument(MEASURE, type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure(args.measure)
        return
    if args.large:
        folder = Path(tempfile.mkdtemp(prefix="simulating-", dir=args.folder))
        try:
            figures = large(args.large, args.processes, folder, args.keep)
        finally:
            if not args.keep:
                shutil.rmtree(folder)
        ratio = args.large / figures["cpu_s"] / 340
    else:
        figures = compare(args.records, args.rounds)
        ratio = figures["whole_ratio"]
    print(json.dumps({"name": "simulating", "ratio": ratio, **figures}))


if __name__ == "__main__":
    main()
