import atexit
import logging
import sys
from pathlib import Path

from snakemake.common import NOTHING_TO_BE_DONE_MSG
from snakemake.logging import logger
from snakemake_interface_executor_plugins.settings import ExecMode

succeeded = []


class WatchForNothingToDo(logging.Handler):
    """Notes that Snakemake found everything up to date, for which it calls no hook."""

    def emit(self, record):
        if record.getMessage() == NOTHING_TO_BE_DONE_MSG:
            succeeded.append(True)


def say_where_the_report_is(report=Path("results/report.html").absolute()):
    """Last line on the terminal: hooks come before Snakemake's own last lines, so this waits for the end of the process."""
    if succeeded and not workflow.dryrun and any(job.rule.name == "render_report" for job in workflow.dag.jobs):
        print(f"The report is {report}", file=sys.stderr, flush=True)


if workflow.exec_mode == ExecMode.DEFAULT:
    logger.addHandler(WatchForNothingToDo())
    atexit.register(say_where_the_report_is)


onsuccess:
    succeeded.append(True)
