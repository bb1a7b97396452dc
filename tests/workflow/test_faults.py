"""Whatever happens to a run, the next one completes and its outputs are those of an undisturbed run, byte for byte.

Moments are drawn at random; ``FGCLEP_FAULT_SEED=<number> pytest -m faults`` repeats those of a run, whose header says
the number. What stages have in common is tried on six of them at each change, and on all of them every night.
"""

import importlib
import itertools
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from conftest import FAULT_SEED, ROOT, TINY, Checkout, Finished, once, take_the_road
from fault_jobs import MEASURED, Job, contents, environment, jobs_of
from small_disk import SmallDisk, kill_group

from fgclep.errors import UserError
from fgclep.files import RUN_RECORD

STAGES = sorted(path.stem for path in (ROOT / "workflow/fgclep/stages").glob("[!_]*.py"))
# stages that neither of the two runs has a job of -> why no fault of theirs is tried
NOT_IN_THE_RUNS = {
    "fetch_split": "takes no split but the published one, by its checksum; writes one table, as build_prompts"
}
# One of each way to write (archive; table at once, and in parts; arrays and JSON; model and checkpoint; CSV; page) and
# to read (table, archive, arrays, model, CSV), all of the tiny run; the others write and read by the same functions.
AT_EACH_CHANGE = {
    *("fetch_records", "build_shards", "build_similarity", "pretrain", "evaluate_zero_shot", "render_report"),
}
# what the tiny run leaves out, in a copy of it
OTHERS = (
    *TINY, "tests/config/others.yaml", "--", "results/manifest/simulated.parquet", "results/attention.parquet",
    "results/ablation/ablation.csv",
)  # fmt: skip

pytestmark = pytest.mark.faults


@pytest.fixture(scope="session")
def others(finished, tmp_path_factory):
    """A copy of the finished run in which the other stages have run, too."""

    def make(folder: Path) -> Finished:
        shutil.copytree(finished.checkout.folder, folder, symlinks=True)
        return take_the_road(Checkout.at(folder), *OTHERS)

    return once(tmp_path_factory, "others", make)


@pytest.fixture(scope="module")
def jobs(finished):
    return jobs_of(finished.checkout, *TINY)


@pytest.fixture(scope="module")
def jobs_of_others(others):
    return jobs_of(others.checkout, *OTHERS)


@pytest.fixture
def job(request, stage, jobs):
    """The quickest job of the stage ``stage``."""
    return (jobs if stage in jobs else request.getfixturevalue("jobs_of_others"))[stage][0]


@pytest.fixture
def rng(request):
    return random.Random(f"{FAULT_SEED} {request.node.name}")


@pytest.mark.nightly
def test_every_stage_is_tried(jobs, jobs_of_others):
    tried = set(jobs) | set(jobs_of_others)
    assert tried | set(NOT_IN_THE_RUNS) == set(STAGES) and not tried & set(NOT_IN_THE_RUNS)


def test_what_is_tried_at_each_change_is_in_the_tiny_run(jobs):
    assert set(jobs) > AT_EACH_CHANGE


every_stage = pytest.mark.parametrize(
    "stage",
    [
        pytest.param(stage, marks=() if stage in AT_EACH_CHANGE else pytest.mark.nightly)
        for stage in STAGES
        if stage not in NOT_IN_THE_RUNS
    ],
)


class OnDisk:
    """A job whose outputs and logs lie on a disk of its own; its inputs are those of the run that it was part of."""

    def __init__(self, job: Job, disk: SmallDisk, folder: Path):
        self.job, self.disk = job, disk
        self.wanted = {output: contents(job.folder / output) for output in job.outputs}
        assert all(self.wanted.values())
        places = {output: str(disk.folder / output) for output in job.outputs}
        self.command = job.command({**places, **{log: str(folder / log) for log in job.logs}})

    def start(self) -> subprocess.Popen[str]:
        return self.disk.start(self.command, self.job.folder, environment(self.job.folder))

    def fail(self, message: str) -> None:
        """Run to the end, which must be an error with this message and nothing half written."""
        process = self.start()
        output = process.communicate()[0]
        assert process.returncode == 1 and re.search(message, output) and "Traceback" not in output, output
        self.check_whole(all_of_them=False)
        assert not [name for name in self.files() if name.endswith(".part")], output

    def files(self) -> set[str]:
        return {str(file.relative_to(self.disk.seen)) for file in self.disk.seen.rglob("*") if file.is_file()}

    def check_whole(self, all_of_them: bool) -> None:
        """Each output is as in the finished run, or not there at all."""
        for output, wanted in self.wanted.items():
            found = contents(self.disk.seen / output)
            assert found == wanted or not (all_of_them or found or (self.disk.seen / output).exists()), output


@every_stage
def test_a_stage_on_a_bad_disk_and_killed_ends_with_the_same_outputs(job, rng, tmp_path):
    with SmallDisk(tmp_path / "disk") as disk:
        there = OnDisk(job, disk, tmp_path)
        disk.remount("ro")
        there.fail(rf"{disk.folder}\S*: Read-only file system\. Its file system is mounted read-only: mount it")
        size = sum((job.folder / output).stat().st_size for output in job.outputs)
        disk.fill(int(rng.uniform(0, 0.9) * size))
        there.fail(rf"the disk of {disk.folder}\S* is full .* Make room there and run snakemake again")
        disk.make_room()
        process = there.start()
        if rng.random() < 0.5:
            time.sleep(rng.uniform(0, job.seconds))
        else:
            wait_for_a_write(process, disk.seen)
            time.sleep(rng.uniform(0, 0.05))
        kill_group(process)
        there.check_whole(all_of_them=False)
        process = there.start()
        output = process.communicate()[0]
        assert process.returncode == 0, output
        there.check_whole(all_of_them=True)
        expected = {file for o in job.outputs for file in [o, *(f"{o}/{name}" for name in contents(disk.seen / o))]}
        assert {name for name in there.files() if not name.endswith("throughput.csv")} <= expected


def wait_for_a_write(process: subprocess.Popen[str], folder: Path) -> None:
    """Return when the process has begun an output, or has ended."""
    while process.poll() is None and not any(folder.rglob(".*")):
        time.sleep(0.002)


@every_stage
def test_a_truncated_input_is_named(stage, job, rng, tmp_path, monkeypatch):
    """Or it is none that the outputs depend on."""
    module = importlib.import_module(f"fgclep.stages.{stage}")
    monkeypatch.chdir(job.folder)
    outputs = {output: str(tmp_path / output) for output in job.outputs}
    for given, file in own_inputs(job):
        for size in (0, within_a_line(file, rng)):
            cut = tmp_path / "cut" / given
            shutil.rmtree(tmp_path / "cut", ignore_errors=True)
            cut.parent.mkdir(parents=True)
            shutil.copytree(given, cut) if given.is_dir() else shutil.copy2(given, cut)
            os.truncate(cut / file.relative_to(given), size)
            command = job.command({**outputs, str(given): str(cut)})
            arguments = module.arguments().parse_args(command[command.index("-m") + 2 :])
            try:
                module.main(arguments)
            except UserError as error:
                assert re.search(rf"{cut}\S* is {DAMAGED}", str(error)), f"{file}, {size} bytes: {error}"
            else:
                assert all(contents(Path(outputs[o])) == contents(Path(o)) for o in outputs), f"{file}, {size} bytes"


def within_a_line(file: Path, rng: random.Random) -> int:
    """Return a size to cut a file to; of a CSV not behind a line, where nothing tells it from a shorter one."""
    content = file.read_bytes()
    while True:
        size = rng.randrange(len(content))
        if file.suffix != ".csv" or content[size - 1 : size] != b"\n":
            return size


def own_inputs(job: Job) -> Iterator[tuple[Path, Path]]:
    """Yield inputs that the workflow made, the first of each option, with each of their files."""
    for option, word in itertools.pairwise(job.words):
        place = Path(word)
        raw = place.name in {"metadata", "files"}  # of databases; tests/fetch/test_fetch_faults.py damages these
        is_ours = word.startswith(("results/", "resources/physionet/")) and not raw
        if option.startswith("--") and is_ours and word not in {*job.outputs, *job.logs}:
            # of a model, the report reads only the tables of its training
            inside = sorted(place.glob("*.csv" if job.stage.startswith("render_") else "*"))
            for file in [place] if place.is_file() else inside:
                if file.name not in MEASURED and file.stat().st_size:
                    yield place, file


@pytest.fixture
def copy(finished, tmp_path):
    """A copy of the finished run, with the times of its files, in which Snakemake has nothing to do."""
    copy = Checkout(tmp_path / "fg-clep")
    for part in ("results", "resources/physionet", ".snakemake"):
        shutil.copytree(finished.checkout.folder / part, copy.folder / part)
    return copy


def start(checkout: Checkout, *targets: str) -> subprocess.Popen[str]:
    """Start Snakemake as the leader of a process group, to which its jobs belong."""
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--nocolor", *TINY, "--", *targets],
        cwd=checkout.folder,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def complete(checkout: Checkout, *targets: str) -> str:
    run = checkout.snakemake(*TINY, "--", *targets)
    assert run.returncode == 0, run.stdout[-5000:]
    return run.stdout


def differences(checkout: Checkout, finished) -> tuple[set[str], set[str]]:
    """Return what the workflow has made otherwise, and not at all; logs and measured times do not count."""
    found, wanted = (
        {
            f"{part}/{name}": digest
            for part in ("results", "resources/physionet")
            for name, digest in contents(run.folder / part).items()
            if not name.startswith(("logs/", "benchmarks/")) and name != RUN_RECORD  # of the last command
        }
        for run in (checkout, finished.checkout)
    )
    return {name for name in found if found[name] != wanted.get(name)}, wanted.keys() - found.keys()


def check_equal(checkout: Checkout, finished) -> None:
    assert differences(checkout, finished) == (set(), set())
    assert not list(checkout.folder.glob("re*/**/*.part"))


def check_made_again(checkout: Checkout, finished, job: Job) -> None:
    """Repeat the command that was disturbed; what it had no need of may be absent, and nothing be otherwise."""
    complete(checkout, *job.outputs)
    for output in job.outputs:
        assert contents(checkout.folder / output) == contents(finished.checkout.folder / output)
    assert not differences(checkout, finished)[0]


def delete(checkout: Checkout, job: Job) -> None:
    for output in job.outputs:
        place = checkout.folder / output
        shutil.rmtree(place) if place.is_dir() else place.unlink()


def stage_of(process: subprocess.Popen[str], stage: str) -> psutil.Process:
    """Wait for a job of a stage below a running Snakemake."""
    while process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.Error):
                if f"fgclep.stages.{stage}" in child.cmdline():
                    return child
        time.sleep(0.02)
    raise AssertionError(process.communicate()[0])


DAMAGED = r"(truncated|cut) or damaged [^\n]*[Dd]elete it and run snakemake again"
LOCKED = "Directory cannot be locked"


@pytest.mark.nightly
def test_a_run_killed_again_and_again_ends_like_an_undisturbed_one(finished, rng, tmp_path):
    """Snakemake with all its jobs, or alone: then its jobs come to their end."""
    run = Checkout(tmp_path / "fg-clep")
    kills = 0
    for pause in (5, 10, 15, 20):
        process = start(run)
        with suppress(subprocess.TimeoutExpired):
            process.wait(rng.uniform(1, pause))
        if process.poll() is not None:
            break
        kills += 1
        if rng.random() < 0.3:
            process.kill()
            jobs_end(process.pid)
        kill_group(process)
        if (run.folder / ".snakemake/locks").exists() and any((run.folder / ".snakemake/locks").iterdir()):
            blocked = run.snakemake(*TINY)
            assert blocked.returncode == 1 and LOCKED in blocked.stdout and "--unlock" in blocked.stdout
            assert run.snakemake("--unlock").returncode == 0
    complete(run)
    assert kills >= 3, FAULT_SEED
    check_equal(run, finished)


def jobs_end(group: int) -> None:
    while any(os.getpgid(process.pid) == group for process in psutil.process_iter() if process.pid != group):
        time.sleep(0.1)


def test_a_job_that_is_killed_is_named_and_repeated(copy, finished, jobs, rng):
    job = jobs["build_shards"][0]
    delete(copy, job)
    process = start(copy, *job.outputs)
    stage_of(process, job.stage).kill()
    output = process.communicate()[0]
    assert process.returncode == 1 and f"rule {job.stage}" in output and job.logs[0] in output, output
    assert not any((copy.folder / output).exists() for output in job.outputs)
    check_made_again(copy, finished, job)


def test_a_truncated_output_of_a_killed_run_is_made_again(copy, finished, jobs):
    job = jobs["evaluate_linear_probe"][0]
    delete(copy, job)
    process = start(copy, *job.outputs)
    stage_of(process, job.stage)
    kill_group(process)
    for output in job.outputs:
        whole = (finished.checkout.folder / output).read_bytes()
        (copy.folder / output).write_bytes(whole[: len(whole) // 2])
    copy.snakemake("--unlock")
    check_made_again(copy, finished, job)


@pytest.mark.parametrize(
    ("path", "stage"),
    [
        ("resources/physionet/csn/0.tar", "build_shards"),
        pytest.param("results/models/fine/model.safetensors", "evaluate_zero_shot", marks=pytest.mark.nightly),
    ],
)
def test_a_truncated_input_is_deleted_as_the_error_says_and_made_again(copy, finished, jobs, rng, path, stage):
    place = copy.folder / path
    os.truncate(place, rng.randrange(place.stat().st_size))
    job = next(job for job in jobs[stage] if {"fine", "csn"} & set(job.words))
    delete(copy, job)
    process = start(copy, *job.outputs)
    output = process.communicate()[0]
    found = re.search(rf"(\S+) is {DAMAGED}", output)
    assert process.returncode == 1 and found, output[-5000:]
    named = copy.folder / found[1]
    shutil.rmtree(named) if named.is_dir() else named.unlink()
    check_made_again(copy, finished, job)


def test_of_two_runs_at_once_one_completes_and_the_other_says_why_not(copy, finished, jobs):
    delete(copy, jobs["render_report"][0])
    runs = [(process.communicate()[0], process.returncode) for process in [start(copy), start(copy)]]
    outputs = dict(runs)
    assert sorted(outputs.values()) == [0, 1], "\n\n".join(outputs)
    (refused,) = (output for output, status in outputs.items() if status)
    assert LOCKED in refused and "no other Snakemake process" in refused and "--unlock" in refused
    check_equal(copy, finished)
    assert "Nothing to be done" in complete(copy)


def test_inputs_from_the_future_are_named_and_a_touch_mends_them(copy, finished, jobs):
    """As left by a run while the clock was a day ahead: Snakemake refuses outputs that are older than their inputs."""
    tomorrow = time.time() + 86400
    os.utime(copy.folder / "results/evaluation/metrics.csv", (tomorrow, tomorrow))
    delete(copy, jobs["render_report"][0])
    refused = copy.snakemake(*TINY)
    assert refused.returncode == 1
    assert re.search(r"older modification time .* than input results/evaluation/metrics\.csv", refused.stdout)
    assert "clock skew" in refused.stdout
    (command,) = re.findall(r"`(find [^`]*)`", (ROOT / "docs/faults.md").read_text(encoding="utf-8"))
    subprocess.run(shlex.split(command), cwd=copy.folder, check=True)
    complete(copy)
    check_equal(copy, finished)
    assert "Nothing to be done" in complete(copy)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty", marks=pytest.mark.nightly),
        pytest.param(b"\0" * 100, id="zeros", marks=pytest.mark.nightly),
        pytest.param(b'{"version": 6, "code": ', id="cut"),
    ],
)
def test_damaged_records_of_snakemake_do_no_harm(copy, finished, content):
    for record in (copy.folder / ".snakemake/metadata").rglob("*"):
        if record.is_file():
            record.write_bytes(content)
    complete(copy)
    check_equal(copy, finished)
