"""Snakemake's command line in this process: planning in half a second, where a new process takes three or more."""

import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from unittest.mock import patch

import snakemake.executors.touch
from snakemake import cli
from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent

snakemake.executors.touch.Executor.SLEEPING_TIME = 0  # after each job, for file systems that count time in seconds


def announced_jobs(folder: Path, options: Sequence[str]) -> list[logging.LogRecord]:
    """Return what Snakemake announces of every job with these options in ``folder``; it must succeed.

    The package is the one that this process has imported: code that was edited in ``folder`` counts for nothing.
    """
    jobs: list[logging.LogRecord] = []
    errors: list[str] = []

    def keep(record: logging.LogRecord) -> bool:
        if getattr(record, "event", None) == LogEvent.JOB_INFO:
            jobs.append(record)
        elif record.levelno >= logging.ERROR:
            errors.append(record.getMessage())
        return False

    path, handler = sys.path.copy(), signal.getsignal(signal.SIGTERM)  # which Snakemake both changes
    logger.addFilter(keep)
    try:
        with chdir(folder), patch.dict(os.environ):
            cli.main([*options])
    except SystemExit as stop:
        assert not stop.code, "\n".join(errors)
    finally:
        logger.removeFilter(keep)
        signal.signal(signal.SIGTERM, handler)
        sys.path[:] = path
    return jobs
