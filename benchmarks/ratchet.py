"""Tells when a change made the workflow slower: the processor time of the tiny run, in units of a calibration loop.

The loop is a fixed piece of work (Python objects, sorting, matrices, Fourier transforms, compression) whose time stands
for the machine; it runs before and after the workflow, and the fastest round counts. ``ratchet.json`` holds the units
of each stage as they were accepted. More than a fifth above them in all ends the program with status 1 and the stages
that grew; ``--accept`` writes what was found, which belongs into the commit that made it so, with the reason.
"""

import argparse
import json
import sys
import time
import zlib
from pathlib import Path

import numpy as np
from before import ROOT
from default_run import Run, run, working_tree
from tabulate import tabulate
from threadpoolctl import threadpool_limits

FILE = Path(__file__).with_suffix(".json")
WORSE = 1.2  # times what was accepted
NOTABLE = 3.0  # units by which a stage must have changed to be named
ROUNDS = 5
TINY = ("--configfile", "tests/config/tiny.yaml")
REST = "Snakemake, shells"


def calibrate() -> float:
    """Seconds of processor time that the loop takes, the fastest of some rounds: a unit."""
    return min(_loop() for _ in range(ROUNDS))


def _loop() -> float:
    rng = np.random.default_rng(0)
    signals = rng.normal(size=(300, 12, 500))
    square = rng.normal(size=(400, 400))
    start = time.process_time()
    with threadpool_limits(limits=1):
        words: dict[str, int] = {}
        for number in range(400_000):
            word = f"w{number % 5003}"
            words[word] = words.get(word, 0) + number
        for part in signals:
            zlib.compress(np.fft.rfft(part).astype(np.complex64).tobytes(), 1)
            np.median(part, axis=1)
            np.sort(part, axis=1)
        for _ in range(20):
            square = square @ square / np.abs(square).max() / 20
    return time.process_time() - start


def in_units(made: Run, unit: float) -> dict[str, float]:
    """Processor time of each stage, and of what is none, by the unit."""
    units = {name: stage.cpu / unit for name, stage in sorted(made.stages.items())}
    return {
        name: round(value, 2) for name, value in (units | {REST: made.whole.cpu / unit - sum(units.values())}).items()
    }


def verdict(accepted: dict[str, float], found: dict[str, float]) -> tuple[float, list[list]]:
    """How many times as much all stages take as accepted; and those that changed notably, the largest growth first."""
    rows = [
        [name, accepted.get(name, 0.0), found.get(name, 0.0), found.get(name, 0.0) - accepted.get(name, 0.0)]
        for name in sorted(accepted | found)
    ]
    notable = [row for row in rows if abs(row[3]) >= NOTABLE]
    return sum(found.values()) / sum(accepted.values()), sorted(notable, key=lambda row: -row[3])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accept", action="store_true", help=f"write what was found to {FILE.name}")
    args = parser.parse_args()
    before = calibrate()
    with working_tree() as code:
        made = run(code, TINY)
    found = in_units(made, min(before, calibrate()))
    accepted = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else found
    ratio, rows = verdict(accepted, found)
    print(tabulate(rows, ["stage", "accepted", "found", "more"], tablefmt="github", floatfmt=".1f"))
    if args.accept:
        FILE.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({"name": "ratchet", "ratio": round(ratio, 3), "units": round(sum(found.values()), 1)}))
    if ratio > WORSE and not args.accept:
        sys.exit(
            f"the tiny run takes {ratio:.2f} times the accepted processor time; make the stages above faster, or, if "
            f"it must be so, accept it: python {Path(__file__).relative_to(ROOT)} --accept"
        )


if __name__ == "__main__":
    main()
