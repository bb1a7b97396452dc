"""The workflow on a real SLURM, which ``.ci/slurm start`` sets up, through the profile that users take."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import yaml
from conftest import TINY, Checkout

pytestmark = pytest.mark.cluster

PROFILE = (
    *("--workflow-profile", "workflow/profiles/slurm"),
    # the node of .ci/slurm: two cores, one disk, no accounting
    *("--cores", "2", "--latency-wait", "5"),
    # most jobs have ended when Snakemake asks first; it asks again only after ten seconds more
    *("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "6"),
)
CONFIG = ("--configfile", TINY[-1], "own.yaml")
COARSE, FINE = "results/models/coarse", "results/models/fine"
MADE = ("results", "resources/physionet", ".snakemake")
EPOCHS = 100  # about half a minute of one core


@pytest.fixture(scope="module", autouse=True)
def slurm() -> None:
    if shutil.which("sinfo") is None or subprocess.run(["sinfo"], capture_output=True).returncode:
        pytest.skip("no SLURM answers: start one as root with .ci/slurm start")


def write_config(checkout: Checkout, **pretraining: object) -> None:
    own = {
        "pretraining": pretraining,
        # few jobs, because each starts Snakemake once more
        "data": {"sources": {"ptb-xl": {"chunks": 1}}},
        "verification": {"reader": "none"},
        "evaluation": {"tasks": ["ptbxl_super"]},
    }
    (checkout.folder / "own.yaml").write_text(yaml.safe_dump(own))


@pytest.fixture(scope="module")
def checkout(slurm, tmp_path_factory) -> Checkout:
    """A checkout in which all that the fine model needs has run on SLURM, each training in two processes."""
    made = Checkout(tmp_path_factory.mktemp("slurm") / "fg-clep")
    write_config(made, processes=2)
    run = made.snakemake(*PROFILE, *CONFIG, "--printshellcmds", "--", FINE)
    assert run.returncode == 0, run.stdout[-5000:]
    assert "torchrun --standalone --nproc-per-node 2 " in run.stdout
    return made


def test_after_a_run_on_slurm_nothing_is_left_to_do_here(checkout):
    assert (checkout.folder / FINE / "model.safetensors").exists()
    assert checkout.plan("--cores", "2", *CONFIG, "--", FINE) == {}


@pytest.mark.nightly
def test_the_whole_workflow_runs_on_slurm(checkout):
    run = checkout.snakemake(*PROFILE, *CONFIG)
    assert run.returncode == 0, run.stdout[-5000:]
    assert (checkout.folder / "results/report.html").exists()
    assert checkout.plan("--cores", "2", *CONFIG) == {}


def test_a_job_that_slurm_kills_for_its_memory_gets_more(checkout):
    run = checkout.snakemake(
        *PROFILE,
        *CONFIG,
        *("--forcerun", "parse_reports", "--set-resources", "parse_reports:mem_mb=150*attempt"),
        *("--", "results/reports/texts.parquet"),
    )
    assert run.returncode == 0, run.stdout[-5000:]
    kept = (checkout.folder / ".snakemake/slurm_logs/rule_parse_reports").rglob("*.log")  # of failed jobs
    assert any("exceeded memory limit" in path.read_text(encoding="utf-8") for path in kept)
    assert "Trying to restart job" in run.stdout
    assert (checkout.folder / "results/reports/texts.parquet").exists()


def wait_for(what: Callable[[], object], running: subprocess.Popen, output: Path, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert running.poll() is None and time.monotonic() < end, output.read_text(encoding="utf-8")[-5000:]
        time.sleep(0.2)


def start(checkout: Checkout, output: Path, *options: str) -> subprocess.Popen:
    """Start Snakemake in a checkout, and do not wait for it."""
    command = [sys.executable, "-m", "snakemake", "--nocolor", *options, *CONFIG, "--", COARSE]
    with output.open("w") as file:
        return subprocess.Popen(command, cwd=checkout.folder, stdout=file, stderr=subprocess.STDOUT)


def test_a_training_continues_after_preemption_and_after_the_time_limit(checkout, tmp_path):
    """It is preempted first, then out of time, and ends with the very weights of one that nobody has disturbed."""
    here, there = Checkout(tmp_path / "here/fg-clep"), Checkout(tmp_path / "there/fg-clep")
    for copy in (here, there):
        for part in MADE:
            shutil.copytree(checkout.folder / part, copy.folder / part, symlinks=True)
        write_config(copy, coarse_epochs=EPOCHS)
    quiet, output = start(here, tmp_path / "here.log", "--cores", "1"), tmp_path / "there.log"
    minutes = ("--set-resources", "pretrain:runtime=2 if attempt == 1 else 30")
    disturbed = start(there, output, *PROFILE, *minutes)
    log = there.folder / "results/logs/pretrain/coarse.log"

    def resumed() -> re.Match | None:
        """The epoch in which the training of the log has gone on, once it has completed another."""
        text = log.read_text(encoding="utf-8") if log.exists() else ""
        return re.search(r"resuming in epoch (\d+)(?s:.*)epoch \d+: loss", text)

    try:
        wait_for((there.folder / "results/models/.checkpoints/coarse.pt").exists, disturbed, output)
        urgent = ["sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=sleep 1"]
        subprocess.run(urgent, check=True, cwd=tmp_path)
        wait_for(resumed, disturbed, output)
        for process in trainings(there):
            process.suspend()  # until SLURM ends it: time limits are whole minutes, which need not be computed
        assert "Trying to restart job" not in output.read_text(encoding="utf-8")  # by SLURM, not by Snakemake
        after_preemption = int(resumed()[1])
        assert disturbed.wait(900) == 0, output.read_text(encoding="utf-8")[-5000:]
        assert quiet.wait(900) == 0, (tmp_path / "here.log").read_text(encoding="utf-8")[-5000:]
    finally:
        for process in (quiet, disturbed):
            process.terminate()
    assert "SLURM status is: 'TIMEOUT'" in output.read_text(encoding="utf-8")
    assert 1 < after_preemption < int(resumed()[1])
    models = [(copy.folder / COARSE / "model.safetensors").read_bytes() for copy in (here, there)]
    assert models[0] == models[1]


def trainings(checkout: Checkout) -> list[psutil.Process]:
    found = psutil.process_iter(["cmdline", "cwd"])
    own = [process for process in found if process.info["cwd"] == str(checkout.folder)]
    return [process for process in own if "fgclep.stages.pretrain" in (process.info["cmdline"] or ())]
