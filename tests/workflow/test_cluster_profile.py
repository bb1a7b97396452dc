"""The profile for SLURM without SLURM: all of it but the executor, in whose place a small script takes the jobs."""

import shutil

import pytest
import yaml
from conftest import ROOT, TINY, Checkout

PROFILE = ROOT / "workflow/profiles/slurm"
STAND_IN = (
    *("--workflow-profile", str(PROFILE), "--executor", "cluster-generic", "--latency-wait", "5"),
    "--cluster-generic-submit-cmd",
    f"{ROOT / 'tests/cluster/submit'} {{rule}} {{resources.mem_mb}} {{resources.runtime}}",
)
REPORTS = ("results/reports/texts.parquet", "results/reports/reports.parquet", "results/quarantine/reports.parquet")
PROBES = tuple(f"results/evaluation/linear_probe/{model}.csv" for model in ("measurements", "random"))


@pytest.mark.slow
def test_a_job_short_of_memory_is_retried_with_more_and_makes_what_a_local_run_makes(finished, tmp_path):
    copy = Checkout(tmp_path / "fg-clep")
    for part in ("results", "resources/physionet", ".snakemake"):
        shutil.copytree(finished.checkout.folder / part, copy.folder / part)
    made = {name: (copy.folder / name).read_bytes() for name in (*REPORTS, *PROBES)}
    for name in made:
        (copy.folder / name).unlink()
    run = copy.snakemake(*STAND_IN, *TINY[2:], "--", *made)
    assert run.returncode == 0, run.stdout[-5000:]
    assert {name: (copy.folder / name).read_bytes() for name in made} == made
    submitted = (copy.folder / "submitted.txt").read_text(encoding="utf-8").split("\n")[:-1]
    # two attempts; both probes in one job
    assert sorted(submitted) == ["GROUP 4000 240", "parse_reports 4000 60", "parse_reports 8000 120"]
    assert copy.plan(*TINY) == {}


def settings_of(name):
    return yaml.safe_load((ROOT / "workflow/profiles" / name / "config.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["slurm", "kubernetes"])
def test_a_profile_repeats_what_is_right_everywhere(name):
    """Snakemake reads it in place of the default profile."""
    common = {key: value for key, value in settings_of("default").items() if key != "resources"}
    assert common.items() <= settings_of(name).items()
    assert "downloads=1" in settings_of(name)["resources"]


@pytest.mark.parametrize("name", ["slurm", "kubernetes"])
def test_groups_are_of_rules_that_exist(name):
    rules = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "workflow/rules").glob("*.smk"))
    settings = settings_of(name)
    groups = dict(group.split("=") for group in settings.get("groups", []))
    assert all(f"rule {rule}:" in rules for rule in groups)
    assert {part.split("=")[0] for part in settings.get("group-components", [])} == set(groups.values())
