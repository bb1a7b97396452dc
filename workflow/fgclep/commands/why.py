"""``fgclep why``: what Snakemake would run again, and in words, because of which value."""

import argparse
import json
import logging
import re
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from fgclep.commands.output import show
from fgclep.config.load import load
from fgclep.digest import source_files
from fgclep.errors import UserError

_CONTENT = "content of."  # of a file that people write: above its digest among the params
_DIGESTS = re.compile(r"'[0-9a-f]{12}(-[0-9a-f]{12})*'")
_STAGE = re.compile(r"fgclep\.stages\.\w+")
_MISSING = object()


def run(args: argparse.Namespace) -> None:
    """Print what a run would make anew, and why."""
    targets = [args.target] if args.target else []
    show(explain(planned_jobs(args.configfile, targets), args.target or "the workflow"))


@dataclass(frozen=True)
class Job:
    """A job of the workflow.

    Attributes
    ----------
    rule
        Name of its rule.
    wildcards
        Their values, such as ``coarse``, as one text; empty if it has none.
    inputs, outputs
        Its files and folders.
    runs
        Whether it would run.
    causes
        Why it would run even if no other did, in words; empty if it merely follows from others.
    """

    rule: str
    wildcards: str
    inputs: frozenset[str]
    outputs: frozenset[str]
    runs: bool
    causes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.rule} ({self.wildcards})" if self.wildcards else self.rule


def planned_jobs(config_files: Sequence[str | Path] = (), targets: Sequence[str] = ()) -> list[Job]:
    """Have Snakemake plan a run in the current folder, as ``snakemake -n`` does.

    Parameters
    ----------
    config_files
        As of ``snakemake --configfile``.
    targets
        Files or rules; none: what ``snakemake`` makes by default.

    Returns
    -------
    list of Job
        All jobs that the targets need, also those that would not run, each after those that it needs.

    Raises
    ------
    UserError
        If there is no workflow here, or it cannot be planned: a wrong config, an unknown target.
    """
    from snakemake.api import SnakemakeApi
    from snakemake.exceptions import RuleException, WorkflowError
    from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, Quietness, ResourceSettings

    if not Path("Snakefile").is_file():
        raise UserError("there is no Snakefile here; run this where it is")
    values = dict(_leaves(load("config.yaml", *config_files).model_dump(mode="json")))
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # Snakemake would print the plan itself
    handler = signal.getsignal(signal.SIGTERM)  # Snakemake sets its own
    try:
        with SnakemakeApi(OutputSettings(quiet={Quietness.ALL}, dryrun=True)) as api:
            workflow = api.workflow(
                resource_settings=ResourceSettings(cores=1),
                config_settings=ConfigSettings(configfiles=[Path(file) for file in config_files]),
                snakefile=Path("Snakefile"),
            )
            # what an interrupted run left is a reason to run, and not an error
            plan = workflow.dag(DAGSettings(targets=set(targets), force_incomplete=True))
            plan.execute_workflow(executor="dryrun")
            dag = workflow._workflow.dag
            running = set(dag.needrun_jobs(exclude_finished=False))
            return [
                _job(job, dag, job in running, values) for level in dag.toposorted() for job in sorted(level, key=str)
            ]
    except (RuleException, WorkflowError) as error:
        raise UserError(f"Snakemake cannot plan this: {error}") from None
    finally:
        logging.disable(level)
        signal.signal(signal.SIGTERM, handler)


def _job(job: Any, dag: Any, runs: bool, values: dict[str, Any]) -> Job:
    return Job(
        rule=job.rule.name,
        wildcards=", ".join(job.wildcards_dict.values()),
        inputs=frozenset(map(str, job.input)),
        outputs=frozenset(map(str, job.output)),
        runs=runs,
        causes=tuple(_causes(job, dag, values)) if runs else (),
    )


def _causes(job: Any, dag: Any, values: dict[str, Any]) -> Iterator[str]:
    reason, recorded = dag.reason(job), dag.workflow.persistence
    if reason.missing_output:
        yield f"{_some(reason.missing_output)} {_is(reason.missing_output)} missing"
    if reason.incomplete_output:
        partial = reason.incomplete_output
        yield f"{_some(partial)} {_was(partial)} left incomplete by an interrupted run"
    if newer := set(reason.updated_input) - set(reason.updated_input_run):
        yield f"{_some(newer)} {_was(newer)} changed since"
    # Snakemake looks for these only where nothing before the job runs again; all that changed is worth knowing
    if any(recorded.input_changed(job)):
        yield from _changed_inputs(job, {file for output in job.output for file in recorded.input(output) or ()})
    if any(recorded.code_changed(job)):
        yield f"the shell command of the rule {job.rule.name} has changed"
    if any(recorded.software_stack_changed(job)):
        yield "the conda environment or container has changed"
    if change := recorded.params_changed(job):
        yield from _changed_params(job, change, values)


def _changed_inputs(job: Any, before: set[str]) -> Iterator[str]:
    now = set(map(str, job.input))
    if added := now - before:
        yield f"{_some(added)} {'is a new input' if len(added) == 1 else 'are new inputs'}"
    if gone := before - now:
        yield f"{_some(gone)} {_is(gone)} no input any more"


def _changed_params(job: Any, change: Any, values: dict[str, Any]) -> Iterator[str]:
    """Explain values that Snakemake has kept without their names, as sorted texts."""
    names = {repr(value): name for name, value in job.params.items()}
    before, now = sorted(change.only_old), sorted(change.only_new)
    if any(map(_DIGESTS.fullmatch, [*before, *now])):
        yield _changed_code(job)
    before, now = ([text for text in texts if not _DIGESTS.fullmatch(text)] for texts in (before, now))
    settings_before, settings_now = ([_settings(text) for text in texts] for texts in (before, now))
    old = {path: value for found in settings_before if found is not None for path, value in _leaves(found)}
    new = {path: value for found in settings_now if found is not None for path, value in _leaves(found)}
    for path in sorted(old.keys() | new.keys()):
        value, was = new.get(path, _MISSING), old.get(path, _MISSING)
        if value == was:
            continue
        if not path.startswith(_CONTENT):
            yield _change(_config_key(path, value, values, set(job.wildcards_dict.values())), value, was)
        elif _MISSING not in (value, was):  # else its name is in the config, and new there or gone
            yield f"the content of {path.removeprefix(_CONTENT)} has changed"
    plain_before = [text for text, found in zip(before, settings_before, strict=True) if found is None]
    plain_now = [text for text, found in zip(now, settings_now, strict=True) if found is None]
    if len(plain_before) == len(plain_now) == 1:
        yield f"{names.get(plain_now[0], 'a value')} is {plain_now[0]}, was {plain_before[0]}"
    elif plain_before or plain_now:
        named = (f"{names.get(text, 'a value')} {text}" for text in plain_now)
        yield f"now {', '.join(named) or 'nothing'}, before {', '.join(plain_before) or 'nothing'}"


def _changed_code(job: Any) -> str:
    stage = _STAGE.search(job.rule.shellcmd or "")
    if stage is None:
        return "its code has changed"
    written = min((Path(file).stat().st_mtime for file in job.output if Path(file).exists()), default=0.0)
    edited = [str(file) for file in source_files(stage.group()) if file.stat().st_mtime > written]
    hint = f"; edited since: {_some(_relative(edited))}" if edited else ""
    return f"the code of {stage.group()}, or of a module that it imports, has changed{hint}"


def _relative(files: Iterable[str]) -> list[str]:
    here = Path.cwd()
    return [str(Path(file).relative_to(here)) if Path(file).is_relative_to(here) else file for file in files]


def _settings(text: str) -> dict | None:
    """The JSON object in the repr of a text; ``None`` if there is none."""
    if not text.startswith("'{"):
        return None
    try:
        found = json.loads(text[1:-1].replace("\\\\", "\\").replace("\\'", "'"))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _leaves(values: Mapping, above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _config_key(path: str, value: Any, values: dict[str, Any], wildcards: set[str]) -> str:
    """Where in the config a setting of a rule stands: rules get their part of it, without the names above.

    Of several places, one named like a wildcard of the job is meant, such as its source. What stands nowhere, such as
    ``archive_format``, is a number that the package raises.
    """
    own = (key for key in values if not key.startswith("ablation.variants."))  # which repeat the names of others
    ends = [path] if path in values else [key for key in own if f".{key}".endswith((f".{path}", f"_{path}"))]
    ends = [key for key in ends if wildcards & set(key.split("."))] or ends
    return " or ".join([key for key in ends if values[key] == value] or ends) or path.replace("_", " ")


def _change(key: str, value: Any, was: Any) -> str:
    if was is _MISSING:
        return f"{key} is {_yaml(value)}, and did not count before"
    if value is _MISSING:
        return f"{key} was {_yaml(was)}, and does not count any more"
    return f"{key} is {_yaml(value)}, was {_yaml(was)}"


def _yaml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _some(names: Iterable[Any], shown: int = 3) -> str:
    names = sorted(map(str, names))
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def _is(names: Iterable[Any]) -> str:
    return "is" if len(list(names)) == 1 else "are"


def _was(names: Iterable[Any]) -> str:
    return "was" if len(list(names)) == 1 else "were"


def explain(jobs: Sequence[Job], target: str) -> str:
    """Say in words which jobs would run: causes, each with the jobs that have it, and what follows from them."""
    jobs = [job for job in jobs if job.outputs]
    running = [job for job in jobs if job.runs]
    if not running:
        return f"{target} is up to date: none of its {len(jobs)} jobs would run"
    lines = [f"{target}: {len(running)} of {len(jobs)} jobs would run"]
    causes: dict[str, list[Job]] = {}
    for job in running:
        for cause in job.causes:
            causes.setdefault(cause, []).append(job)
    for cause, its_jobs in causes.items():
        lines += ["", f"Because {cause}:", *_by_rule(its_jobs)]
    if follows := [job for job in running if not job.causes]:
        lines += ["", "What follows from these:", *_by_rule(follows)]
    return "\n".join(lines)


def _by_rule(jobs: Sequence[Job]) -> Iterator[str]:
    for rule, group in groupby(sorted(jobs, key=lambda job: (job.rule, job.wildcards)), key=lambda job: job.rule):
        wildcards = [job.wildcards for job in group]
        shown = f" ({'; '.join(wildcards)})" if any(wildcards) and len(wildcards) <= 4 else ""
        yield f"  {rule}{shown}" if shown or len(wildcards) == 1 else f"  {rule} ({len(wildcards)} jobs)"
