"""``fgclep evaluate``: probes of anyone's embeddings, beside the models of a run."""

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import Path

import numpy as np
from tabulate import tabulate

from fgclep.commands.model import find_task, find_vocabulary
from fgclep.commands.of_run import of_the_run, run_of
from fgclep.commands.output import Output, say
from fgclep.config.evaluation import EvaluationSection, ProbeSettings
from fgclep.documents import printable
from fgclep.errors import UserError
from fgclep.evaluation import ecg_fix
from fgclep.evaluation.given_embeddings import (
    GivenEmbeddings,
    check_complete,
    embeddings_table,
    ids_of_task,
    places_of,
    read_embeddings,
)
from fgclep.evaluation.known_records import KnownRecords, records_of_base, records_of_run
from fgclep.evaluation.logistic import sigmoid
from fgclep.evaluation.metrics_csv import metric_rows, read_metrics
from fgclep.evaluation.task_records import TaskRecords, splits_of_tasks, task_records
from fgclep.evaluation.tasks import Task
from fgclep.progress import progress
from fgclep.schemas.metrics import METRICS
from fgclep.sources import get_source
from fgclep.stages.evaluate_linear_probe import Fitted, probe_task, transfer

# Columns of ecg-fix: the model with the best macro AUROC, what this one has less, with its interval, and p of that.
COMPARED = ("against", "difference", "difference_low", "difference_high", "p")
OURS, ECG_FIX = "fg-clep", "ecg-fix"
_WHOLE = ("seed", "n", "n_pos", "patients_pos")
_NUMBERS = ("fraction", "value", "ci_low", "ci_high", *_WHOLE)
Rows = list[dict[str, object]]
Evaluated = dict[str, list[tuple[Task, TaskRecords]]]  # by the encoder's name


def run(args: argparse.Namespace) -> None:
    """Write the metrics of every file, by the protocol asked for, and those of the run's own models beside."""
    is_ours = args.protocol == OURS
    output = Output(args.output, args.format, METRICS.names if is_ours else (*METRICS.names, *COMPARED))
    settings = _settings(args)
    tasks = [find_task(name) for name in dict.fromkeys(args.task)]
    given = [read_embeddings(path) for path in args.files]
    if twice := [some.name for some in given if sum(some.name == other.name for other in given) > 1]:
        raise UserError(f"two files are named {twice[0]}, by which they stand in the table; rename one")
    evaluated = _records(args, tasks, given)
    if is_ours:
        rows = [row for name, own in evaluated.items() for row in _ours(name, own, settings)]
        rows += _of_the_run(args.results, tasks, given) if args.base is None else []
    else:
        rows = _ecg_fix(evaluated, settings)
    output.whole(rows, lambda: _lines(rows, is_ours))


def _settings(args: argparse.Namespace) -> ProbeSettings:
    """Settings of the run, of which the options change some; of a database by itself the defaults."""
    found = run_of(args.results) if args.base is None else None
    config = (found or {}).get("config", {})
    section = EvaluationSection.model_validate(config.get("evaluation", {}))
    settings = ProbeSettings.of(section, seed=config.get("seed", 0))
    names = ("fractions", "shots", "seeds", "seed", "bootstrap")
    asked = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if args.protocol == ECG_FIX:
        asked = {"fractions": list(ecg_fix.FRACTIONS), "seeds": 1} | asked
    return ProbeSettings.model_validate(settings.model_dump() | asked)


def _records(args: argparse.Namespace, tasks: Sequence[Task], given: Sequence[GivenEmbeddings]) -> Evaluated:
    """For each encoder the records of each task; all encoders have the same."""
    published = splits_of_tasks(args.splits)
    known: dict[str, KnownRecords] = {}
    for key in dict.fromkeys(task.source for task in tasks):
        source = get_source(key)
        if args.base is not None:
            known[key] = records_of_base(source, args.base, args.test_fold)
        else:
            shards = sorted((args.results / "shards" / key).glob("*.parquet"))
            known[key] = records_of_run(source, args.results, of_the_run(shards))
    places = [dict(zip(known, places_of(some, list(known.values())), strict=True)) for some in given]
    for task in tasks:
        wanted = ids_of_task(known[task.source], task, published)
        for some, own in zip(given, places, strict=True):
            if not args.allow_missing:
                check_complete(some, own[task.source], wanted, task)
        common = [name for name in wanted if all(name in own[task.source] for own in places)]
        if len(common) < len(wanted):
            beside = "" if args.base else ", and the run's own models on all of its records"
            say(f"{task.name}: evaluated on the {len(common):,} of {len(wanted):,} records that every file has{beside}")
    evaluated: Evaluated = {some.name: [] for some in given}
    for key, some_known in known.items():
        every = set(some_known.table["record_id"].to_pylist()).intersection(*(own[key] for own in places))
        for some, own in zip(given, places, strict=True):
            table = embeddings_table(some, own[key], some_known, every)
            for task in (task for task in tasks if task.source == key):
                records = task_records(table, task, "features", published)
                for split in ("train", "test"):
                    if not len(records.of(split).ids):
                        raise UserError(f"{some.path}: {task.name} has no record of the split {split}")
                evaluated[some.name].append((task, records))
    return evaluated


def _ours(name: str, evaluated: Sequence[tuple[Task, TaskRecords]], settings: ProbeSettings) -> Rows:
    """What ``evaluate_linear_probe`` measures: shares of the training records, shots, and transfer between tasks."""
    rows: Rows = []
    fitted: list[Fitted] = []
    for task, records in evaluated:
        one, found, _ = probe_task(name, task, records, settings)
        fitted.append(one)
        rows += found
    vocabulary = find_vocabulary()
    for source, target in permutations(fitted, 2):
        rows += transfer(name, source, target, vocabulary, settings)
    return rows


def _ecg_fix(evaluated: Evaluated, settings: ProbeSettings) -> Rows:
    """Fit and measure by ecg-fix; of several encoders the best by macro AUROC is compared with each other one."""
    rows: Rows = []
    names = list(evaluated)
    seeds = [settings.seed + k for k in range(settings.seeds)]
    for number, (task, _) in enumerate(evaluated[names[0]]):
        plan = [(share, seed) for share in sorted(settings.fractions) for seed in (seeds if share < 1 else seeds[:1])]
        for share, seed in progress(plan, len(plan), task.name, "draw"):
            scored: dict[str, np.ndarray] = {}
            found: dict[str, Rows] = {}
            for name in names:
                train, val, test = (evaluated[name][number][1].of(split) for split in ("train", "val", "test"))
                drawn = ecg_fix.draw(len(train.ids), share, seed)
                chosen = ecg_fix.choose((train.vectors[drawn], train.labels[drawn]), (val.vectors, val.labels))
                scored[name] = chosen.probe.scores(test.vectors)
                measured = ecg_fix.evaluate(
                    scored[name], test.labels, test.patients, task.class_names, settings.bootstrap, settings.seed
                )
                found[name] = metric_rows(measured, name, task, "ecg_fix", share, seed, chosen.setting)
            _compare(found, scored, test.labels, settings)
            rows += [row for own in found.values() for row in own]
    return rows


def _compare(
    found: Mapping[str, Rows], scored: Mapping[str, np.ndarray], labels: np.ndarray, settings: ProbeSettings
) -> None:
    """Add ``COMPARED`` to the rows: p for the macros of all encoders but the best."""
    macros = {name: {row["metric"]: row for row in own if row["class"] == "macro"} for name, own in found.items()}
    known = {name: own["auroc"]["value"] for name, own in macros.items() if isinstance(own["auroc"]["value"], float)}
    best = max(known, key=lambda name: known[name]) if known else None
    for name, own in found.items():
        for row in own:
            row.update(dict.fromkeys(COMPARED))
        if best is None or name == best:
            continue
        p = ecg_fix.permutation_test(
            sigmoid(scored[best]), sigmoid(scored[name]), labels, settings.bootstrap, settings.seed
        )
        apart = ecg_fix.difference(scored[name], scored[best], labels, settings.bootstrap, settings.seed)
        for metric, row in macros[name].items():
            told = dict(zip(COMPARED[1:4], apart[str(metric)], strict=True))
            row.update({"against": best, **told, "p": p[str(metric)]})


def _of_the_run(results: Path, tasks: Sequence[Task], given: Sequence[GivenEmbeddings]) -> Rows:
    """Rows of the run's own models for the tasks by the protocols of ``_ours``, without those that are given."""
    path = results / "evaluation" / "metrics.csv"
    if not path.is_file():
        say(f"{path} does not exist, so that no models of the run stand beside; `snakemake --cores all` makes it")
        return []
    protocols, names = ("linear_probe", "few_shot", "transfer"), {task.name for task in tasks}
    rows = [row for row in read_metrics(path) if row["task"] in names and row["protocol"] in protocols]
    rows = [row for row in rows if row["protocol"] != "transfer" or row["setting"] in names]
    own = {some.name for some in given if (results / "embeddings").resolve() in some.path.resolve().parents}
    models = {row["model"] for row in rows} - own
    if both := [some for some in given if some.name in models]:
        raise UserError(f"{both[0].path} has the name of a model of {results}, by which both would stand; rename it")
    return [{name: _number(name, text) for name, text in row.items()} for row in rows if row["model"] in models]


def _number(name: str, text: str) -> object:
    if name not in _NUMBERS:
        return text
    if not text:
        return None
    return int(text) if name in _WHOLE else float(text)


def _lines(rows: Rows, is_ours: bool) -> list[str]:
    """Lines for a terminal: macro AUROC and AUPRC in percent; of several draws their mean and range."""
    groups: dict[tuple, dict[str, Rows]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["class"] == "macro" and row["metric"] in ecg_fix.METRICS:
            place = ("task", "protocol", "fraction", *(("setting",) if is_ours else ()), "model")
            groups[tuple(row[name] for name in place)][str(row["metric"])].append(row)
    lines = [("task", "protocol", "records", "encoder", "AUROC", "AUPRC", "" if is_ours else "p of AUROC, AUPRC")]
    for (task, protocol, fraction, *setting, model), own in sorted(groups.items(), key=lambda item: _order(item[0])):
        what = f"{fraction:.0%}" if fraction < 1 or protocol != "transfer" else "100%"
        if protocol == "few_shot":
            what = f"{setting[0]} of each class"
        elif protocol == "transfer":
            what = f"100% of {setting[0]}"
        lines.append(
            (
                task, protocol, what, printable(model), *(_cell(own[metric]) for metric in ecg_fix.METRICS),
                "" if is_ours else _compared(own),
            )
        )  # fmt: skip
    return tabulate(lines, tablefmt="plain", disable_numparse=True).splitlines()


def _order(place: tuple) -> tuple:
    """Shots by their number."""
    return tuple((0, float(part), "") if str(part).isdigit() else (1, 0.0, part) for part in map(str, place))


def _cell(rows: Rows) -> str:
    values = [row["value"] for row in rows if isinstance(row["value"], float)]
    if not values:
        return "not defined"
    if len(rows) > 1:
        return f"{100 * np.mean(values):.1f} ({len(values)} draws, {100 * min(values):.1f} to {100 * max(values):.1f})"
    low, high = rows[0]["ci_low"], rows[0]["ci_high"]
    if not isinstance(low, float) or not isinstance(high, float):
        return f"{100 * values[0]:.1f} (no interval)"
    return f"{100 * values[0]:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def _compared(own: Mapping[str, Rows]) -> str:
    [row, *others] = own["auroc"]
    if others:
        return "one for each draw"
    if row["against"] is None:
        return "" if row["value"] is None else "best"
    less, low, high = (100 * float(str(row[name])) for name in COMPARED[1:4])
    told = f"{less:+.1f} ({low:+.1f} to {high:+.1f})".replace("-", "−")
    return f"{row['p']:.3f}, {own['auprc'][0]['p']:.3f}; AUROC {told} against {printable(row['against'])}"
