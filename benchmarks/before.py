"""What a benchmark compares with: the code of an earlier commit, run by the same Python, in turns with today's."""

import io
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
COMMIT = "fc505d022b43"  # the one before all that docs/performance.md compares with "before"
_SHOWN = 5000  # characters of the errors of a command that failed


class Took(NamedTuple):
    """What a command took, with all processes that it started and waited for.

    Parameters
    ----------
    wall, cpu
        Seconds on the clock, and of processor time (user and system).
    peak_mb
        Resident memory of its largest process, in MiB.
    output
        What it wrote to standard output.
    """

    wall: float
    cpu: float
    peak_mb: float
    output: str


@contextmanager
def checkout(commit: str = COMMIT) -> Iterator[Path]:
    """Make a folder with all files of a commit, for as long as it is used.

    Raises
    ------
    SystemExit
        The history of the project is not here, as in a download without .git or a shallow clone.
    """
    archive = subprocess.run(["git", "-C", ROOT, "archive", commit], capture_output=True, check=False)  # nosec B603 B607
    if archive.returncode:
        sys.exit(
            f"the files of commit {commit} cannot be had from {ROOT}: {archive.stderr.decode().strip()}. A full "
            "clone has them: git fetch --unshallow"
        )
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
        yield Path(folder)


def take(checkout: Path, command: Sequence[str | Path], folder: Path | None = None, **environment: str) -> Took:
    """Run a command with the package of a checkout; ``python`` in front is this Python.

    Parameters
    ----------
    checkout
        Root of a checkout, such as ``ROOT``.
    command
        Program and arguments.
    folder
        Where it runs; the checkout's if None.
    environment
        Variables beside those of this process.

    Raises
    ------
    SystemExit
        The command failed; the message is the end of what it wrote to standard error.
    """
    program, *arguments = map(str, command)
    paths = {"PYTHONPATH": str(checkout / "workflow"), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable if program == "python" else program, *arguments],
            cwd=folder or checkout,
            env=os.environ | paths | environment,
            stdout=output,
            stderr=errors,
        )  # nosec B603
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
        if process.returncode:
            errors.seek(0)
            sys.exit(f"{errors.read()[-_SHOWN:]}\n{' '.join(map(str, command))} ended with status {process.returncode}")
        output.seek(0)
        return Took(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, output.read())


def in_turns(rounds: int, commit: str = COMMIT, **commands: Sequence[str | Path]) -> dict[str, tuple[Took, Took]]:
    """Run commands with the code of before and today's in turns; return the fastest of either by processor time.

    ``{checkout}`` in a command is the root of the code that runs.
    """
    best: dict[str, tuple[Took, Took]] = {}
    with checkout(commit) as earlier:
        for _ in range(rounds):
            for name, command in commands.items():
                pair = tuple(
                    take(code, [str(part).replace("{checkout}", str(code)) for part in command])
                    for code in (earlier, ROOT)
                )
                known = best.get(name, pair)
                best[name] = tuple(min(both, key=lambda took: took.cpu) for both in zip(known, pair, strict=True))  # type: ignore[assignment]
    return best
