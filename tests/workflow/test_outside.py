"""What lies around a checkout, or is given to Snakemake beside the config, changes nothing in silence."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Checkout
from planned_commands import commands

PROMPTS = "results/evaluation/prompts.parquet"
DECOYS = ("fgclep/__init__.py", "fgclep/stages/build_prompts.py", "pydantic.py", "polars.py", "openai.py", "wfdb.py")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return Checkout(tmp_path_factory.mktemp("outside") / "fg-clep")


def test_no_file_of_the_working_folder_is_imported_in_place_of_a_module(tmp_path):
    checkout = Checkout(tmp_path / "fg-clep")
    for name in DECOYS:
        decoy = checkout.folder / name
        decoy.parent.mkdir(parents=True, exist_ok=True)
        decoy.write_text("raise SystemExit('the decoy ran')\n")
    # by its script, as users start it: "python -m snakemake" would look for its own modules in the folder
    run = subprocess.run(
        [Path(sys.executable).with_name("snakemake"), "--cores", "1", "--", PROMPTS],
        cwd=checkout.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert run.returncode == 0 and "decoy" not in run.stdout, run.stdout[-3000:]
    assert (checkout.folder / PROMPTS).exists()


def test_processes_of_torchrun_are_started_after_the_same_prefix(copy):
    (copy.folder / "own.yaml").write_text("pretraining: {processes: 2}\n")
    run = copy.snakemake("-n", "-p", "--configfile", "own.yaml", "--", "results/models/coarse")
    assert "torchrun --standalone --nproc-per-node 2 -m -- fgclep.stages.pretrain" in run.stdout
    assert commands(copy, "--", PROMPTS)  # others by python -m
    common = (copy.folder / "workflow/rules/common.smk").read_text(encoding="utf-8")
    assert "PYTHONSAFEPATH=1" in common.split("def prefix")[1]


def test_snakemake_in_another_folder_says_that_it_must_run_in_the_checkout(copy, tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "-s", copy.folder / "Snakefile", "--directory", tmp_path],
        cwd=copy.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert f"must run in the folder of the Snakefile, and this is {tmp_path}" in run.stdout + run.stderr
    assert f"cd {copy.folder}" in run.stdout + run.stderr


@pytest.mark.parametrize(
    ("option", "word"),
    [
        ("--default-resources slurm_partition", "all"),
        ("--default-resources slurm_account", "12e4"),
        ("--set-resources pretrain:slurm_partition", "max"),
        ("--set-resources pretrain:gpu_model", "input"),
    ],
)
def test_a_name_that_is_python_is_told_with_its_option(copy, option, word):
    run = copy.snakemake("-n", *f"{option}={word}".split(), "--", PROMPTS)
    assert run.returncode == 1
    assert f"{option}={word}: Snakemake takes {word} for Python" in run.stdout
    assert f"{option}=\"'{word}'\"" in run.stdout


def test_other_names_are_taken_and_so_are_quoted_ones(copy):
    given = ["slurm_partition='all'", "slurm_account=main", "gpu_model=a100", "slurm_extra='--qos=max'"]
    chosen = ["pretrain:slurm_account=2024", "pretrain:slurm_partition='big' if attempt > 1 else 'small'"]
    run = copy.snakemake("-n", "--default-resources", *given, "--set-resources", *chosen, "--", PROMPTS)
    assert run.returncode == 0, run.stdout[-2000:]
