import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from unittest.mock import patch

import pytest
from filelock import FileLock
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

    from fgclep.language.vocabulary import Vocabulary

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")

ROOT = Path(__file__).resolve().parents[1]
TINY = ("--cores", "2", "--configfile", "tests/config/tiny.yaml")
SCATTERED = ("test_faults.py", "test_benchmarks.py")
PARTS = ("Snakefile", "config.yaml", "profiles", "workflow", "resources", "envs", "tests/config")


# of the moments at which tests/workflow/test_faults.py kills; give it back to have the same ones again
FAULT_SEED = os.environ.get("FGCLEP_FAULT_SEED") or str(random.randrange(10**6))


def pytest_report_header() -> str:
    return f"FGCLEP_FAULT_SEED={FAULT_SEED}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put modules that look at the finished run first: they are the longest."""
    finished = {item.path for item in items if "finished" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: item.path not in finished)


class ByModule(LoadScopeScheduling):
    """Tests of a module share a process, and what is costly to make.

    Of tests/workflow/test_reruns.py, the rows of the same config do, which is behind the ``@`` in their names. The long
    tests of ``SCATTERED`` go where there is room.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return nodeid if path.endswith(SCATTERED) else path + nodeid.partition(" @")[2]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> ByModule:
    """Distribute tests; ``--dist loadgroup`` of pytest-xdist 3.8.0 groups nothing under pytest 9.2.0."""
    return ByModule(config, log)


class Checkout:
    """A copy of the repository without anything that the workflow has made."""

    def __init__(self, folder: Path):
        self.folder = folder
        for part in PARTS:
            source, target = ROOT / part, folder / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "physionet", "llm_cache"))
            else:
                shutil.copy2(source, target)

    @classmethod
    def at(cls, folder: Path) -> "Checkout":
        """A folder that is a checkout already, with what has been made in it."""
        checkout = cls.__new__(cls)
        checkout.folder = folder
        return checkout

    def snakemake(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake in the copy; standard output and error come back as one text, as on a terminal."""
        return subprocess.run(
            [sys.executable, "-m", "snakemake", "--nocolor", *options],
            cwd=self.folder,
            env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def plan(self, *options: str) -> dict[str, int]:
        """Jobs per rule that ``snakemake -n`` announces, by the package of this process."""
        from snakemake_here import announced_jobs  # most tests do without Snakemake

        return dict(Counter(job.rule_name for job in announced_jobs(self.folder, ("--dry-run", *options))))

    def pretend_all_is_done(self, *options: str) -> None:
        """Create every output empty, and have Snakemake note it as made by the present code and config."""
        from snakemake_here import announced_jobs

        for job in announced_jobs(self.folder, ("--dry-run", *options)):
            for path in (self.folder / output for output in job.output):
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.suffix in {".parquet", ".csv", ".npy", ".json", ".html", ".tar"}:
                    path.touch()
                else:
                    path.mkdir(exist_ok=True)
        announced_jobs(self.folder, ("--cores", "1", "--touch", "--forceall", *options))


@pytest.fixture(autouse=True)
def same_environment() -> Iterator[None]:
    """End what a test sets in the environment, as Snakemake's rules do when they are read in this process."""
    with patch.dict(os.environ):
        yield


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("checkout") / "fg-clep")


class Finished(NamedTuple):
    """A checkout in which the workflow has run, and what it printed."""

    checkout: Checkout
    run: subprocess.CompletedProcess[str]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The whole road on the tiny config, taken once for all tests; they may add to it, and change nothing.

    Each process of pytest-xdist has a copy of its own.
    """
    return once(tmp_path_factory, "finished", lambda folder: take_the_road(Checkout(folder), *TINY))


def once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Finished]) -> Finished:
    """Return what ``make`` makes in a folder; one process of pytest-xdist makes it, and the others copy it.

    In the folder that the variable ``FGCLEP_RUNS`` names it stays for the next pytest.
    """
    folder = tmp_path_factory.mktemp(name) / "fg-clep"
    kept = os.environ.get("FGCLEP_RUNS")
    if not kept and "PYTEST_XDIST_WORKER" not in os.environ:
        return make(folder)
    first = Path(kept or tmp_path_factory.getbasetemp().parent) / name / "fg-clep"
    first.parent.mkdir(parents=True, exist_ok=True)
    output = first.parent / "output.txt"
    with FileLock(f"{first.parent}.lock"):
        if not output.exists():
            output.write_text(make(first).run.stdout, encoding="utf-8")
    shutil.copytree(first, folder, symlinks=True)
    printed = output.read_text(encoding="utf-8").replace(str(first), str(folder))
    return Finished(Checkout.at(folder), subprocess.CompletedProcess((), 0, printed))


def take_the_road(checkout: Checkout, *options: str) -> Finished:
    """Run Snakemake in a checkout, which must succeed."""
    run = checkout.snakemake(*options)
    assert run.returncode == 0, run.stdout[-5000:]
    return Finished(checkout, run)


@pytest.fixture(scope="session")
def vocabulary() -> "Vocabulary":
    """Return the vocabulary of the repository, which tests must not change."""
    from fgclep.language.vocabulary import load_vocabulary

    return load_vocabulary(ROOT / "resources/vocabulary")


@pytest.fixture(scope="session")
def physionet() -> Path:
    """Folder with a small mirror of real databases, which is not part of the repository."""
    folder = ROOT.parent / "shared" / "physionet" / "files"
    if not folder.is_dir():
        pytest.skip(f"needs real recordings in PhysioNet's layout at {folder}")
    return folder


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Tiny models gain nothing from more, and lose much on a busy machine."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
