"""The jobs of a finished run as commands that can be run again, and what they have written."""

import csv
import hashlib
import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from conftest import Checkout

MEASURED = {"throughput.csv", ".snakemake_timestamp"}  # ECG per second, and when Snakemake looked; never the same


@dataclass(frozen=True)
class Job:
    """One job: where it ran, its stage, its words on the command line, the outputs among them, and how long it took."""

    folder: Path
    stage: str
    words: tuple[str, ...]
    outputs: tuple[str, ...]
    seconds: float

    def command(self, places: Mapping[str, str]) -> list[str]:
        """Return the command with other paths for some words."""
        return [places.get(word, word) for word in self.words]

    @property
    def logs(self) -> list[str]:
        """Paths of the log and of a training's metrics, which are no outputs."""
        return [word for word in self.words if word.startswith("results/logs/")]


def jobs_of(checkout: Checkout, *options: str) -> dict[str, list[Job]]:
    """Return the jobs of each stage in a run with these options, the quickest first."""
    summary = checkout.snakemake("--detailed-summary", *options).stdout.splitlines()
    start = next(number for number, line in enumerate(summary) if line.startswith("output_file\t"))
    outputs: dict[str, list[str]] = {}
    for row in csv.DictReader(summary[start:], delimiter="\t", quoting=csv.QUOTE_NONE):
        if row["shellcmd"] and row["shellcmd"] != "-":
            outputs.setdefault(row["shellcmd"], []).append(row["output_file"])
    jobs: dict[str, list[Job]] = {}
    for command, files in outputs.items():
        words = tuple(shlex.split(command))
        stage = words[words.index("-m") + 1].rpartition(".")[2]
        seconds = _seconds(checkout.folder, words)
        jobs.setdefault(stage, []).append(Job(checkout.folder, stage, words, tuple(files), seconds))
    return {stage: sorted(some, key=lambda job: job.seconds) for stage, some in jobs.items()}


def _seconds(folder: Path, words: tuple[str, ...]) -> float:
    log = next(word for word in words if word.endswith(".log"))
    table = folder / log.replace("results/logs/", "results/benchmarks/").replace(".log", ".tsv")
    with table.open(newline="", encoding="utf-8") as file:
        return float(next(csv.DictReader(file, delimiter="\t"))["s"])


def environment(folder: Path) -> dict[str, str]:
    """Variables that the workflow sets for its jobs in a checkout."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, **threads, "PATH": path, "PYTHONPATH": str(folder / "workflow")}


def contents(place: Path) -> dict[str, str]:
    """Return the digests of the files at or below a place; empty if there is nothing."""
    files = [place] if place.is_file() else [file for file in place.rglob("*") if file.is_file()]
    return {
        str(file.relative_to(place)): hashlib.sha256(_without_speed(file)).hexdigest()
        for file in files
        if file.name not in MEASURED
    }


def _without_speed(file: Path) -> bytes:
    """Return the content of a file, of a report without the last two columns of its training table."""
    content = file.read_bytes()
    if file.name != "report.html":
        return content
    before, found, after = content.partition(b"Waiting for data, %")
    table, _, rest = after.partition(b"</table>")
    rows = [re.sub(rb'(<td class="n">[^<]*</td>){2}$', b"", row) for row in table.split(b"</tr>")]
    assert found and rest
    return before + b"".join(rows) + rest
