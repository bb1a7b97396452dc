"""What runs again after a change is what the tables of docs/reruns.md say, for every key of the config and for code."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, TINY, Checkout

from fgclep.commands.why import Job, planned_jobs
from fgclep.config.root import Config
from fgclep.config.section import SPEED, Section
from fgclep.digest import source_files

DOCUMENT = ROOT / "docs/reruns.md"
KEYED = ("data.sources", "simulation.records", "ablation.variants")  # whose keys are names that the user may choose
RAW = {"fetch_metadata", "fetch_records", "fetch_split", "simulate_physionet"}  # whose outputs depend on no code
REPORTS = {"render_report", "render_report_with_ablation"}  # they show the whole config


@dataclass(frozen=True)
class Row:
    key: str
    value: str
    given: str
    starts: str
    jobs: str

    @property
    def name(self) -> str:
        """Rows behind whose ``@`` the same is written share a process, see ``conftest.ByModule``."""
        return f"{self.key} {self.value} @{self.given} {self.target}".replace("`", "")

    @property
    def target(self) -> str:
        return "ablation" if self.key.startswith("`ablation.") else "all"


def table() -> list[Row]:
    lines = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    return [Row(*(cell.strip() for cell in line.strip("|").split("|"))) for line in lines]


@dataclass(frozen=True)
class Update:
    """A row of the table of updates."""

    what: str
    changes: str
    starts: str
    jobs: str

    def edit(self, package: Path) -> None:
        """Add to each module of the row the line that stands behind it, or else a constant."""
        for module, line in re.findall(r"`([\w/]+\.py)`(?: \(`([^`]*)`\))?", self.changes):
            append(package / module, line or "ADDED = 1")


def updates() -> list[Update]:
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    start = lines.index("| an update changes | in `workflow/fgclep` | what starts | jobs |") + 2
    rows = lines[start : lines.index("", start)]
    return [Update(*(cell.strip() for cell in line.strip("|").split("|"))) for line in rows]


def append(module: Path, line: str) -> None:
    with module.open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")


def written(cell: str) -> str:
    """YAML in a cell, between backticks; an empty cell is an empty mapping."""
    return cell.strip("`") or "{}"


def overlay(row: Row) -> dict:
    values = yaml.safe_load(written(row.value))
    for key in reversed(row.key.strip("`").split(".")):
        values = {key: values}
    return values


def leaves(values: dict, above: str = "") -> Iterator[str]:
    for key, value in values.items():
        if above.rstrip(".") in KEYED:
            key = "*"
        if isinstance(value, dict) and value and f"{above}{key}" != "ablation.variants.*":
            yield from leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}"


def test_the_table_has_every_key_of_the_config():
    known = set(leaves(Config().model_dump(mode="json")))
    shown = {key for row in table() for key in leaves(overlay(row))}
    assert known - shown == set()
    assert shown - known == set()


def marked_speed(section: Section, above: str = "") -> Iterator[str]:
    """Keys of the fields that are marked, in a section and those in it."""
    yield from (f"{above}{name}" for name in type(section).marked(SPEED))
    for name, value in section:
        if isinstance(value, Section):
            yield from marked_speed(value, f"{above}{name}.")


def test_what_starts_nothing_is_marked_as_speed_at_its_field_and_nothing_else_is():
    keys = {key for row in table() for key in leaves(overlay(row))}
    starting = {key for row in table() if row.starts for key in leaves(overlay(row))}
    shown = {"report.examples", "report.title"}  # of which the report is made, no other
    assert keys - starting - shown == set(marked_speed(Config()))


class States:
    """Checkouts in which all has been made, by the config and the target that it was made with."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.made: dict[tuple[str, str], Checkout] = {}

    def get(self, given: str, target: str) -> Checkout:
        if (given, target) not in self.made:
            checkout = Checkout(self.folder / str(len(self.made)) / "fg-clep")
            (checkout.folder / "given.yaml").write_text(given)
            checkout.pretend_all_is_done("--configfile", "given.yaml", "--", target)
            self.made[given, target] = checkout
        return self.made[given, target]


@pytest.fixture(scope="module")
def states(tmp_path_factory):
    return States(tmp_path_factory.mktemp("reruns"))


@pytest.fixture
def done(states, monkeypatch, request):
    """The workflow, all made, by default or by the config that is the parameter; the test may change files."""
    checkout = states.get(getattr(request, "param", "{}"), "all")
    shutil.copytree(checkout.folder, copy := checkout.folder.parent / "copy", symlinks=True)
    monkeypatch.chdir(copy)
    yield copy
    shutil.rmtree(copy)


def all_jobs(*config_files: str, target: str = "all") -> list[Job]:
    return [job for job in planned_jobs(config_files, [target]) if job.outputs]


def jobs_by_own_code(folder: Path, *config_files: str) -> list[Job]:
    """The plan in a checkout by its own package, which is another than that of this process."""
    program = (
        "import json, sys\n"
        "from dataclasses import asdict\n"
        "from fgclep.commands.why import planned_jobs\n"
        "print(json.dumps([asdict(job) for job in planned_jobs(sys.argv[1:], ['all'])], default=sorted))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, *config_files],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "workflow")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found = [
        Job(**{**job, **{key: frozenset(job[key]) for key in ("inputs", "outputs")}, "causes": tuple(job["causes"])})
        for job in json.loads(run.stdout.splitlines()[-1])
    ]
    return [job for job in found if job.outputs]


def name(job: Job) -> str:
    return str(job)


def running(jobs: list[Job]) -> set[str]:
    return {name(job) for job in jobs if job.runs}


def with_what_follows(jobs: list[Job], first: set[str]) -> set[str]:
    """Names of jobs, and of all that read what one of them writes, in any number of steps."""
    found, files = set(), set()
    for job in jobs:  # each comes after those that it needs
        if name(job) in first or job.inputs & files:
            found.add(name(job))
            files |= job.outputs
    return found


def started(jobs: list[Job], cell: str) -> set[str]:
    """Jobs that a cell of the table names, as `rule`, or as `rule` (wildcards; wildcards)."""
    found = set()
    for rule, wildcards in re.findall(r"`(\w+)`(?: \(([^)]*)\))?", cell):
        chosen = wildcards.split("; ") if wildcards else None
        matching = {name(job) for job in jobs if job.rule == rule and (chosen is None or job.wildcards in chosen)}
        assert len(matching) == len(chosen or matching) > 0, f"{rule} ({wildcards})"
        found |= matching
    return found


@pytest.mark.exhaustive
@pytest.mark.parametrize("row", table(), ids=lambda row: row.name)
def test_a_changed_value_reruns_what_the_table_says(row, states, monkeypatch):
    checkout = states.get(written(row.given), row.target)
    monkeypatch.chdir(checkout.folder)
    Path("change.yaml").write_text(yaml.safe_dump(overlay(row)))
    jobs = all_jobs("given.yaml", "change.yaml", target=row.target)
    first = started(jobs, row.starts) | {name(job) for job in jobs if job.rule in REPORTS}
    assert {name(job) for job in jobs if job.causes} == first
    assert running(jobs) == with_what_follows(jobs, first)
    assert f"{len(running(jobs))} of {len(jobs)}" == row.jobs


@pytest.mark.exhaustive
class TestWhatElseChanges:
    """Changes that are none of the config's values."""

    def test_nothing_reruns_without_a_change(self, done):
        assert running(all_jobs()) == set()

    def test_touched_sources_rerun_nothing(self, done):
        for path in [done / "Snakefile", done / "config.yaml", *done.rglob("*.smk"), *done.glob("workflow/**/*.py")]:
            os.utime(path)
        assert running(all_jobs()) == set()

    def test_input_files_written_anew_with_the_same_content_rerun_nothing(self, done):
        """As by a checkout of another commit and back."""
        for path in (done / "resources").rglob("*.yaml"):
            path.write_bytes(path.read_bytes())
        assert running(all_jobs()) == set()

    def test_the_order_of_keys_does_not_count(self, done):
        def turned(values):
            return {key: turned(values[key]) for key in reversed(values)} if isinstance(values, dict) else values

        config = done / "config.yaml"
        before = yaml.safe_load(config.read_text(encoding="utf-8"))
        config.write_text(yaml.safe_dump(turned(before), sort_keys=False), encoding="utf-8")
        assert list(yaml.safe_load(config.read_text())) == [*reversed(before)]
        assert running(all_jobs()) == set()

    def test_two_values_that_are_swapped_do(self, done):
        (done / "swap.yaml").write_text("quality: {flat_mv: 0.1, max_limb_error_mv: 0.01}\n")  # 0.01 and 0.1 by default
        jobs = all_jobs("swap.yaml")
        assert {job.rule for job in jobs if job.causes} == {"build_shards", "render_report"}

    def test_a_value_of_a_source_is_named_by_its_own_key(self, done):
        """The section signal has a sampling_rate of 100, too."""
        (done / "rate.yaml").write_text("data: {sources: {ptb-xl: {base: x, sampling_rate: 100}}}\n")
        causes = {cause for job in all_jobs("rate.yaml") if job.rule == "build_manifest" for cause in job.causes}
        assert causes == {"data.sources.ptb-xl.sampling_rate is 100, was null"}

    def test_a_shard_that_is_deleted_is_made_and_no_other(self, done):
        (done / "results/shards/csn/1.parquet").unlink()
        jobs = all_jobs()
        assert {name(job): job.causes for job in jobs if job.causes} == {
            "build_shards (csn, 1)": ("results/shards/csn/1.parquet is missing",)
        }
        assert running(jobs) == with_what_follows(jobs, {"build_shards (csn, 1)"})

    def test_a_table_of_the_vocabulary_is_an_input(self, done):
        path = done / "resources/vocabulary/features.yaml"
        path.write_text(path.read_text(encoding="utf-8") + "\n# a remark\n", encoding="utf-8")
        jobs = all_jobs()
        readers = {name(job) for job in jobs if "resources/vocabulary/features.yaml" in job.inputs}
        assert running(jobs) == with_what_follows(jobs, readers)
        assert any(
            cause == "resources/vocabulary/features.yaml was changed since" for job in jobs for cause in job.causes
        )


@pytest.mark.exhaustive
class TestAnUpdate:
    """Changes of the package's code."""

    @pytest.mark.parametrize("update", updates(), ids=lambda update: update.what.replace("`", ""))
    def test_an_update_reruns_what_the_table_says(self, update, done):
        update.edit(done / "workflow/fgclep")
        jobs = jobs_by_own_code(done)
        first = started(jobs, update.starts)
        assert {name(job) for job in jobs if job.causes} == first
        assert running(jobs) == with_what_follows(jobs, first)
        assert f"{len(running(jobs))} of {len(jobs)}" == update.jobs

    @pytest.mark.parametrize(
        "done",
        [
            "{}",
            "data: {sources: {simulated: {role: pretrain}}}",
            (ROOT / "workflow/config/real.yaml").read_text(encoding="utf-8"),
        ],
        indirect=True,
        ids=["default", "streamed", "real"],
    )
    def test_whatever_is_edited_nothing_is_fetched_again(self, done):
        for module in (done / "workflow/fgclep").rglob("*.py"):
            append(module, "ADDED = 1")
        jobs = jobs_by_own_code(done, "given.yaml")
        kept = {job.rule for job in jobs if not job.runs}
        assert {rule for rule in map(attrgetter("rule"), jobs) if rule.startswith("fetch_")} <= kept
        assert kept <= {*RAW, "build_prompts"}

    def test_what_was_fetched_by_another_number_is_kept_by_touching_it(self, done):
        """As docs/reruns.md says for archives from before the numbers."""
        append(done / "workflow/fgclep/fetch/formats.py", "METADATA = ARCHIVE = SPLIT = 2")
        append(done / "workflow/fgclep/simulation/version.py", "DRAWN = 4")
        jobs = jobs_by_own_code(done)
        assert RAW - {"fetch_split"} <= {job.rule for job in jobs if job.causes}
        causes = {cause for job in jobs for cause in job.causes}
        formats = {f"{number} is 2, was 1" for number in ("metadata format", "archive format")}
        assert causes == {*formats, "simulation version is 4, was 3"}
        touch = ("--cores", "1", "--touch", "--until", "fetch_records", "fetch_split")
        assert " ".join(("snakemake", *touch, "--configfile")) in DOCUMENT.read_text(encoding="utf-8")
        run = Checkout.at(done).snakemake(*touch)
        assert run.returncode == 0, run.stdout
        jobs = jobs_by_own_code(done)
        assert not any(job.rule in RAW for job in jobs if job.runs)
        assert {"build_manifest", "build_shards"} <= {job.rule for job in jobs if job.runs}

    def test_a_manifest_that_is_made_anew_fetches_nothing(self, done):
        """Nor does one that is lost: its size does not matter, as no rule that fetches reads it."""
        manifest = done / "results/manifest/mimic-iv-ecg.parquet"
        manifest.write_bytes(bytes(2_000_000))  # above what Snakemake compares by content
        jobs = all_jobs()
        assert "build_shards (mimic-iv-ecg, 0)" in running(jobs)
        assert not any(job.rule in RAW for job in jobs if job.runs)
        manifest.unlink()
        (done / "results/shards/mimic-iv-ecg/0.parquet").unlink()
        jobs = all_jobs()
        assert "build_manifest (mimic-iv-ecg)" in running(jobs)
        assert not any(job.rule in RAW for job in jobs if job.runs)


@pytest.mark.exhaustive
def test_more_simulated_chunks_leave_those_that_are_there(states, monkeypatch):
    def config(chunks):
        sources = {"sources": {"simulated": {"role": "pretrain", "chunks": chunks}}}
        return yaml.safe_dump({"data": sources, "simulation": {"records": {"simulated": 500 * chunks}}})

    def simulated(jobs):
        return sorted(job.wildcards for job in jobs if job.rule == "simulate_chunk" and job.runs)

    monkeypatch.chdir(states.get(config(4), "all").folder)
    Path("change.yaml").write_text(config(8))
    jobs = all_jobs("given.yaml", "change.yaml")
    assert simulated(jobs) == ["4", "5", "6", "7"]
    assert {"merge_manifest", "merge_truth", "pretrain (fine)"} <= running(jobs)
    assert not any(job.runs for job in jobs if job.rule == "build_shards")
    Path("change.yaml").write_text("simulation: {records: {simulated: 4000}}")
    jobs = all_jobs("given.yaml", "change.yaml")
    assert simulated(jobs) == ["0", "1", "2", "3"]


@pytest.mark.nightly
def test_nothing_stale_is_read(finished, tmp_path):
    """After a run with more chunks, more sources and another seed, all is as if there had been none."""
    changed = {
        "seed": 1,
        "verification": {"reader": "none"},  # two trainings less
        "data": {"sources": {"mimic-iv-ecg": {"chunks": 1}, "ptb-xl": {"chunks": 1}}},
        "evaluation": {"tasks": ["ptbxl_rhythm"]},
    }
    outputs = [
        *("evaluation/metrics.csv", "evaluation/comparisons.csv", "quarantine.parquet", "recovery/audit.parquet"),
        *("models/fine/model.safetensors", "shards/ptb-xl/0.parquet", "simulation/truth.parquet", "review.html"),
    ]
    targets = [f"results/{output}" for output in outputs if "models" not in output]
    shutil.copytree(finished.checkout.folder, tmp_path / "used/fg-clep", symlinks=True)
    used, fresh = Checkout.at(tmp_path / "used/fg-clep"), Checkout(tmp_path / "fresh/fg-clep")
    for checkout in (used, fresh):
        (checkout.folder / "changed.yaml").write_text(yaml.safe_dump(changed))
        run = checkout.snakemake(*TINY, "changed.yaml", "--", *targets)
        assert run.returncode == 0, run.stdout[-3000:]
    assert (used.folder / "results/shards/mimic-iv-ecg/1.parquet").exists()  # left over
    for output in outputs:
        assert (used.folder / "results" / output).read_bytes() == (fresh.folder / "results" / output).read_bytes(), (
            output
        )


def digests(folder: Path) -> dict[str, str]:
    """Digests of all stages and sources, in a process that imports the package of ``folder``."""
    program = (
        "from fgclep.digest import source_digest, PACKAGE\n"
        "for part in ('stages', 'sources'):\n"
        "    for file in sorted((PACKAGE / part).glob('[!_]*.py')):\n"
        "        print(f'fgclep.{part}.{file.stem}', source_digest(f'fgclep.{part}.{file.stem}'))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split() for line in run.stdout.splitlines())


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(ROOT / "workflow/fgclep", folder / "fgclep", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize(
    "module",
    [
        "training/losses",
        "measurement/delineation",
        "training/prefetch",
        "folds",
        "report/ecg/strips",
        "sources/csn",
        "stage",
    ],
)
def test_an_edited_module_changes_the_stages_that_import_it_and_no_other(package, module):
    path, before = package / "fgclep" / f"{module}.py", digests(package)
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}\n# a remark\n", encoding="utf-8")
    assert digests(package) == before
    path.write_text(f"{text}\nADDED = 1\n", encoding="utf-8")
    changed = {stage for stage, digest in digests(package).items() if digest != before[stage]}
    path.write_text(text, encoding="utf-8")
    importing = {stage for stage in before if ROOT / "workflow/fgclep" / f"{module}.py" in source_files(stage)}
    assert changed == importing != set()


def test_every_rule_of_a_stage_tracks_its_code():
    """Rules call a module each, whose digest, by its own name, is among their values; a number where data are raw."""
    numbers = set()
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        text = path.read_text(encoding="utf-8")
        numbers |= set(re.findall(r'\bas_json\(\{"\w+": ((?:formats\.)?[A-Z_]+)[,}]', text))
        for rule in re.split(r"^(?:use )?rule ", text, flags=re.MULTILINE)[1:]:
            for stage in re.findall(r"fgclep\.stages\.(\w+) ?\"?$", rule, flags=re.MULTILINE):
                tracked = rf'(?:source_digest\("fgclep\.stages\.{stage}"\)|code\("{stage}"\))'
                if stage in RAW:
                    assert not re.search(r"source_digest|code\(", rule), f"{path.name}: {stage}"
                else:
                    assert re.search(tracked, rule), f"{path.name}: {stage}"
    assert numbers == {"formats.METADATA", "formats.ARCHIVE", "formats.SPLIT", "SIMULATION_VERSION"}
