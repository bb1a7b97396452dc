"""Time and memory of the whole default run, stage by stage, before and today.

Both checkouts are copied into temporary folders and run there from nothing, one after the other, on otherwise idle
cores. Each process that a rule starts is waited for by one that notes its processor time (with that of its children)
and the memory of its largest process; what the stages have not used, Snakemake and the shells have. Means of the
metrics of both runs stand beside, so that nothing was made faster by leaving something out. ``ratio`` is today's
processor time by that of before.

Arguments behind ``--`` go to Snakemake, targets before options: ``-- --configfile tests/config/tiny.yaml``.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import polars as pl
from before import COMMIT, ROOT, Took, checkout, take
from tabulate import tabulate

# stands in for python in the commands of rules, by a function of bash; starts it and notes what it took
_PYTHON = """#!{python} -IS
import json, os, sys, time
start = time.perf_counter()
child = os.posix_spawn({python!r}, [{python!r}, *sys.argv[1:]], os.environ)
_, status, used = os.wait4(child, 0)
name = sys.argv[2] if sys.argv[1:2] == ["-m"] else "other"
took = [time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]
with open({notes!r}, "a") as file:
    file.write(json.dumps([name.rpartition(".")[2], *took]) + "\\n")
sys.exit(os.waitstatus_to_exitcode(status))
"""


class Stage(NamedTuple):
    """What all jobs of a stage took: seconds on the clock and of processor time, and the largest process in MiB."""

    jobs: int
    wall: float
    cpu: float
    peak_mb: float


class Run(NamedTuple):
    """A run of the workflow: all of it, its stages by name, and the means of its metrics (empty without metrics)."""

    whole: Took
    stages: dict[str, Stage]
    metrics: dict[str, float]


@contextmanager
def working_tree() -> Iterator[Path]:
    """Copy what git tracks, and new files that it does not ignore, as they are now."""
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=True,
    )  # nosec B603 B607
    with tempfile.TemporaryDirectory() as folder:
        for name in filter(None, listed.stdout.decode().split("\0")):
            if os.path.lexists(ROOT / name):
                target = Path(folder, name)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, target, follow_symlinks=False)
        yield Path(folder)


def run(code: Path, arguments: Sequence[str]) -> Run:
    """Run the workflow in a checkout that nothing has been made in.

    Raises
    ------
    SystemExit
        The run failed; the message is the end of what Snakemake wrote.
    """
    with tempfile.TemporaryDirectory() as folder:
        shim, functions, notes = (Path(folder, name) for name in ("python", "functions", "notes"))
        shim.write_text(_PYTHON.format(python=sys.executable, notes=str(notes)), encoding="utf-8")
        shim.chmod(0o755)
        functions.write_text(f'python() {{ {shlex.quote(str(shim))} "$@"; }}\n', encoding="utf-8")
        notes.touch()
        command = ["snakemake", *arguments, "--cores", "all", "--quiet", "all"]
        whole = take(code, command, BASH_ENV=str(functions))
        rows = [json.loads(line) for line in notes.read_text(encoding="utf-8").splitlines()]
    stages: dict[str, Stage] = defaultdict(lambda: Stage(0, 0.0, 0.0, 0.0))
    for name, wall, cpu, peak in rows:
        known = stages[name]
        stages[name] = Stage(known.jobs + 1, known.wall + wall, known.cpu + cpu, max(known.peak_mb, peak))
    return Run(whole, dict(stages), means(code / "results/evaluation/metrics.csv"))


def means(path: Path) -> dict[str, float]:
    """Mean AUROC over the tasks by model, protocol and setting, with all records."""
    if not path.exists():
        return {}
    table = pl.read_csv(path, schema_overrides={"setting": pl.String, "fraction": pl.Float64, "value": pl.Float64})
    macro = table.filter(metric="auroc", **{"class": "macro"}).filter(pl.col("fraction").is_in([0.0, 1.0]))
    names = ["model", "protocol", "setting"]
    return {
        " ".join(filter(None, (row[name] for name in names))): row["value"]
        for row in macro.group_by(names).agg(pl.col("value").mean()).sort(names).iter_rows(named=True)
    }


def print_stages(before: Run | None, after: Run) -> None:
    """Print jobs, processor time and memory of each stage of both runs."""
    names = {**(before.stages if before else {}), **after.stages}
    nothing = Stage(0, 0.0, 0.0, 0.0)
    rows = []
    for name in names:
        pair = [run.stages.get(name, nothing) for run in (before, after) if run]
        rows.append([f"`{name}`", *(figure for stage in pair for figure in (stage.jobs, stage.cpu, stage.peak_mb))])
    rows.sort(key=lambda row: -row[2])
    runs = [run for run in (before, after) if run]
    rest, whole = ["Snakemake, shells"], ["all"]
    for one in runs:
        of_stages = sum(stage.cpu for stage in one.stages.values())
        rest += ["", one.whole.cpu - of_stages, ""]
        whole += [sum(stage.jobs for stage in one.stages.values()), one.whole.cpu, one.whole.peak_mb]
    titles = ["before", "today"] if before else ["today"]
    heads = ["stage", *(f"{head}, {title}" for title in titles for head in ("jobs", "CPU s", "MiB"))]
    print(tabulate([*rows, rest, whole], heads, tablefmt="github", floatfmt=".1f"))
    print(
        "\nWall clock: " + ", ".join(f"{run.whole.wall:.0f} s {title}" for run, title in zip(runs, titles, strict=True))
    )


def print_metrics(before: Run, after: Run) -> None:
    """Print the means of the metrics of both runs."""
    rows = [[name, before.metrics.get(name), after.metrics.get(name)] for name in before.metrics | after.metrics]
    if rows:
        print("\n" + tabulate(rows, ["mean AUROC", "before", "today"], tablefmt="github", floatfmt=".4f"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", default=COMMIT, help="commit to compare with (default: %(default)s)")
    arguments = sys.argv[1:]
    split = arguments.index("--") if "--" in arguments else len(arguments)
    args = parser.parse_args(arguments[:split])
    with checkout(args.before) as code:
        before = run(code, arguments[split + 1 :])
    with working_tree() as code:
        after = run(code, arguments[split + 1 :])
    print_stages(before, after)
    print_metrics(before, after)
    figures = {
        "cpu_s": [before.whole.cpu, after.whole.cpu],
        "wall_s": [before.whole.wall, after.whole.wall],
        "peak_mb": [max((stage.peak_mb for stage in run.stages.values()), default=0.0) for run in (before, after)],
        "jobs": [sum(stage.jobs for stage in run.stages.values()) for run in (before, after)],
    }
    rounded = {name: [round(value, 1) for value in pair] for name, pair in figures.items()}
    print(json.dumps({"name": "default_run", "ratio": round(after.whole.cpu / before.whole.cpu, 3), **rounded}))


if __name__ == "__main__":
    main()
