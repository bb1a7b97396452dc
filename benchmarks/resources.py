"""What each rule takes, by results/benchmarks/, beside what it asks a scheduler for.

Run it in the folder of a finished run, with the config files of that run. Snakemake itself, which runs twice more
around each job of a cluster, is not in these figures.
"""

import argparse
import csv
import json
import logging
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from snakemake import cli
from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent


class Job(NamedTuple):
    """What a job took and what it asked for."""

    peak_mb: float
    seconds: float
    asked_mb: int
    asked_minutes: int


def planned(config_files: list[str]) -> list[logging.LogRecord]:
    """Return what Snakemake announces of every job of the workflow."""
    announced = []

    def keep(record: logging.LogRecord) -> bool:
        if getattr(record, "event", None) == LogEvent.JOB_INFO:
            announced.append(record)
        return record.levelno >= logging.ERROR

    logger.addFilter(keep)
    try:
        cli.main(["--dry-run", "--forceall", *(["--configfile", *config_files] if config_files else [])])
    except SystemExit as stop:
        if stop.code:
            sys.exit(f"snakemake --dry-run ended with status {stop.code}")
    finally:
        logger.removeFilter(keep)
    return announced


def measured(records: list[logging.LogRecord]) -> dict[str, list[Job]]:
    """Return the jobs of each rule that have run."""
    jobs = defaultdict(list)
    for record in records:
        path = Path(record.benchmark) if record.benchmark else None
        if path is None or not path.exists():
            continue
        with path.open(newline="", encoding="utf-8") as file:
            [row] = csv.DictReader(file, delimiter="\t")
        if row["max_rss"] not in ("NA", "-"):  # too short to be looked at
            asked = record.resources
            job = Job(float(row["max_rss"]), float(row["s"]), asked["mem_mb"], asked["runtime"])
            jobs[record.rule_name].append(job)
    return jobs


def main() -> None:
    """Print a table with a line for each rule, and the rule that comes closest to what it asks for."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--configfile", nargs="+", default=[], help="config files of the run beside config.yaml")
    jobs = measured(planned(options.parse_args().configfile))
    if not jobs:
        sys.exit("there is nothing in results/benchmarks/: run the workflow first, with the same options")
    print("| rule | jobs | peak, MB | asked, MB | longest, s | asked, s |\n|---|---|---|---|---|---|")
    margins = {}
    for rule, found in sorted(jobs.items()):
        peak, longest = max(job.peak_mb for job in found), max(job.seconds for job in found)
        memory, minutes = max(job.asked_mb for job in found), max(job.asked_minutes for job in found)
        if peak:  # 0: over before Snakemake looked at its memory
            margins[rule] = memory / peak
        print(f"| `{rule}` | {len(found)} | {peak:,.0f} | {memory:,} | {longest:,.0f} | {60 * minutes:,} |")
    closest = min(margins, key=margins.__getitem__)
    print(json.dumps({"name": "resources", "ratio": round(margins[closest], 2), "closest": closest}))


if __name__ == "__main__":
    main()
