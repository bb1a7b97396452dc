"""Compare the models of two runs of the workflow, such as with different settings, on the same test records."""

from pathlib import Path

import numpy as np
from tabulate import tabulate

from fgclep.documents import read_csv, read_json
from fgclep.errors import UserError
from fgclep.evaluation.comparison import compare
from fgclep.evaluation.scores import Evaluation, Scored, read_scores
from fgclep.files import RUN_RECORD

_SHOWN = 3  # records or classes in a message


def compare_runs(runs: tuple[Path, Path], model: str, resamples: int, seed: int) -> list[dict[str, object]]:
    """Compare a model of two runs in every evaluation that both have.

    Parameters
    ----------
    runs
        Folders of results, with ``evaluation/scores``, where those of earlier configs may lie, too:
        ``evaluation/metrics.csv`` names the evaluations that are of the run.
    model
        Name of the model in both.
    resamples, seed
        Of the bootstrap of the patients, see ``comparison.compare``.

    Returns
    -------
    Rows with the columns of ``COMPARISONS``; the models are named by their folders.

    Raises
    ------
    UserError
        If both are the same folder, one has no scores of the model, the runs have no evaluation in common, or one was
        made on other records.
    """
    if runs[0].resolve() == runs[1].resolve():
        raise UserError(f"{runs[0]} and {runs[1]} are the same folder; give the results of two runs")
    found = [_scores(run, model) for run in runs]
    common = [evaluation for evaluation in found[0] if evaluation in found[1]]
    if not common:
        raise UserError(f"{runs[0]} and {runs[1]} have no task, protocol and prompts of {model} in common")
    scored = {
        (str(run), evaluation): own[evaluation] for evaluation in common for run, own in zip(runs, found, strict=True)
    }
    try:
        return compare(scored, resamples, seed)
    except UserError as error:
        pairs = ([own[evaluation] for own in found] for evaluation in common)
        one, other = next(pair for pair in pairs if not _alike(*pair))
        told = (_side(runs[0], one, other), _side(runs[1], other, one))
        raise UserError("\n".join([f"{error}:", *told])) from error


def _alike(one: Scored, other: Scored) -> bool:
    same = one.classes == other.classes and np.array_equal(one.ids, other.ids)
    return same and np.array_equal(one.labels, other.labels)


def _side(run: Path, own: Scored, other: Scored) -> str:
    """Say on what a run was evaluated, where its data are from, and what the other one lacks."""
    record = run / RUN_RECORD
    written = read_json(record) if record.is_file() else {}
    data = written.get("config", {}).get("data", {}) if isinstance(written, dict) else {}
    base = data.get("sources", {}).get(own.source, {}).get("base") or data.get("base")
    parts = [f"{len(own.ids):,} records", f"{len(set(own.patients)):,} patients", f"{len(own.classes)} classes"]
    parts += [f"data.base {base}"] if base else []
    for what, mine, others in (("record", own.ids, other.ids), ("class", own.classes, other.classes)):
        if only := sorted({*mine} - {*others}):
            more = ", ..." if len(only) > _SHOWN else ""
            parts.append(f"{what} only here ({len(only):,}): {', '.join(map(str, only[:_SHOWN]))}{more}")
    return f"    {run}: {'; '.join(parts)}"


def _scores(run: Path, model: str) -> dict[Evaluation, Scored]:
    folder, metrics = run / "evaluation" / "scores", run / "evaluation" / "metrics.csv"
    by_protocol = [folder / f"{protocol}/{model}.parquet" for protocol in ("zero_shot", "linear_probe")]
    evaluations = _evaluations(metrics, model) if metrics.is_file() else None
    if evaluations is not None:
        protocols = {protocol for _, _, protocol, _ in evaluations}
        paths = [path for path in by_protocol if path.parent.name in protocols]
    elif (run / RUN_RECORD).is_file():
        raise UserError(
            f"{metrics} does not exist, which names what the run in {run} has evaluated: run `snakemake --cores all` "
            "there to its end"
        )
    else:  # scores by themselves, beside which no run has left others
        paths = [path for path in by_protocol if path.is_file()]
    if not paths:
        raise UserError(
            f"{folder} has no scores of a model {model}; give the folder of results of a finished run, or --model"
        )
    if missing := [path for path in paths if not path.is_file()]:
        raise UserError(f"{missing[0]} does not exist; run `snakemake --cores all` where {run} is, which makes it")
    found = {evaluation: own for (_, evaluation), own in read_scores(paths).items()}
    return {evaluation: own for evaluation, own in found.items() if evaluations is None or evaluation in evaluations}


def _evaluations(metrics: Path, model: str) -> set[Evaluation]:
    """Tasks, label sets, protocols and settings of a model that a run has evaluated."""
    columns = ("task", "label_set", "protocol", "setting")
    rows = [row for row in read_csv(metrics, ("model", *columns)) if row["model"] == model]
    return {(row["task"], row["label_set"], row["protocol"], row["setting"]) for row in rows}


def comparison_lines(rows: list[dict[str, object]]) -> list[str]:
    """Lines for a terminal: macro AUROC of both runs, difference with its 95 % interval, corrected p."""
    heads = ("task", "protocol", "first", "second", "difference (95 % interval)", "p, corrected", "n", "classes")
    lines = [heads]
    for row in rows:
        protocol = " ".join(filter(None, (str(row["protocol"]), str(row["setting"] or ""))))
        interval = (
            f"{_signed(row['ci_low'])} to {_signed(row['ci_high'])}" if row["ci_low"] is not None else "no interval"
        )
        lines.append(
            (
                str(row["task"]), protocol, _percent(row["value_a"]), _percent(row["value_b"]),
                f"{_signed(row['difference'])} ({interval})", _p(row["p_holm"]), str(row["n"]), str(row["classes"]),
            )
        )  # fmt: skip
    return tabulate(lines, tablefmt="plain", disable_numparse=True).splitlines()


def _percent(value: object) -> str:
    return f"{100 * value:.1f}" if isinstance(value, float) else "not defined"


def _signed(value: object) -> str:
    return f"{100 * value:+.1f}" if isinstance(value, float) else "not defined"


def _p(value: object) -> str:
    if not isinstance(value, float):
        return "not defined"
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}"
