"""The command lines of the jobs that Snakemake plans."""

import shlex
from importlib import import_module

from snakemake_here import announced_jobs


def commands(checkout, *options):
    jobs = announced_jobs(checkout.folder, ("--dry-run", *options))
    lines = (job.shellcmd or "" for job in jobs)
    return [shlex.split(line) for line in lines if line.startswith("python -m fgclep.stages.")]


def parsed(command):
    return import_module(command[2]).arguments().parse_args(command[3:])
