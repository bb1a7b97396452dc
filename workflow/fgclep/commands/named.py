"""Commands on recordings before they load what takes seconds: whether all that they are given is there."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from fgclep.commands.loading import loading
from fgclep.commands.output import PREDICTIONS, Output, say
from fgclep.config.named_models import check_model_folder
from fgclep.errors import UserError, reason_of
from fgclep.recordings.find import find_recordings, kind_of
from fgclep.recordings.labels import lead_names

EMBEDDINGS = (".npz", ".parquet")


def predict(args: argparse.Namespace) -> None:
    """Say which recordings are not there, and predict for the others."""
    if blank := [prompt for prompt in args.prompt if not prompt.strip()]:
        raise UserError(f"--prompt is {blank[0]!r}; give a finding in words, such as 'atrial fibrillation'")
    output = Output(args.output, args.format, PREDICTIONS)
    options, named = _asked(args, args.records, output)
    with loading():
        from fgclep.commands.model import find_task_or_head
    task = find_task_or_head(args.task) if args.task else None
    with loading():
        from fgclep.commands import predict
    predict.run(args, named, options, output, task)


def embed(args: argparse.Namespace) -> None:
    """Say which recordings are not there, and embed the others."""
    _check_embeddings("--output", args.output)
    options, named = _asked(args, args.records)
    with loading():
        from fgclep.commands import embed
    embed.run(args, named, options)


def retrieve(args: argparse.Namespace) -> None:
    """Search shards, or recordings, of which it is said which are not there."""
    if args.html is not None and args.html.is_dir():
        raise UserError(f"{args.html} is a folder; give --html a file")
    if args.ecgs is None:
        for option in ("embeddings", "fs", "leads", "units"):
            if getattr(args, option) is not None:
                raise UserError(f"--{option} is for recordings of your own; give these with --ecgs, or leave it out")
        with loading():
            from fgclep.commands import retrieve
        retrieve.run(args)
        return
    if args.split != "all":
        raise UserError(f"--split {args.split} is for shards: recordings have no split; leave it out")
    if args.embeddings is not None:
        _check_embeddings("--embeddings", args.embeddings)
    options, named = _asked(args, args.ecgs)
    with loading():
        from fgclep.commands import retrieve_own
    retrieve_own.run(args, named, options)


def fit(args: argparse.Namespace) -> None:
    """Look for the folder's table and its recordings, and fit a head to them."""
    if args.output.suffix != ".json" or args.output.is_dir():
        raise UserError(f"--output {args.output}: give a file that ends in .json")
    if args.model is not None:
        check_model_folder(args.model)
    table = args.folder / "records.csv"
    if not table.is_file():
        raise UserError(f"there is no {table}; docs/own-data.md shows how to write it")
    try:
        found, _ = find_recordings(args.folder)  # what is no recording has no row, or its row an error
    except ValueError as error:
        raise UserError(f"{args.folder}: {error}") from error
    with loading():
        from fgclep.commands import fit
    fit.run(args, found)


def _check_embeddings(option: str, file: Path) -> None:
    if file.suffix not in EMBEDDINGS or file.is_dir():
        raise UserError(f"{option} {file}: give a file that ends in {' or '.join(EMBEDDINGS)}")


def _asked(
    args: argparse.Namespace, names: Sequence[str], output: Output | None = None
) -> tuple[dict, list[tuple[str, str]]]:
    """Options of ``read_recording``, and the recordings with what is wrong with them, which is said.

    If it is wrong with all, it is written to ``output`` as well, and the program ends with status 1.
    """
    options = {"fs": _sampling_rate(args.fs), "leads": _leads(args.leads), "units": args.units}
    if args.model is not None:
        check_model_folder(args.model)
    named = list(named_recordings(names))
    for name, error in named:
        if error:
            say(f"fgclep: {name}: {error}")
    if all(error for _, error in named):
        if output is not None:
            for name, error in named:
                output.error(name, error)
            output.close()
        sys.exit(1)
    return options, named


def named_recordings(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield what the names stand for, and why it cannot be read, if its name tells."""
    for name in names:
        try:
            paths, remarks = find_recordings(name)
        except Exception as error:
            yield name, reason_of(error, name)
            continue
        for remark in remarks:
            say(f"{name}: {remark}")
        for path in paths:
            shown = name if paths == [Path(name)] else str(path)
            try:
                kind_of(path)
            except Exception as error:
                yield shown, reason_of(error, shown)
            else:
                yield shown, ""


def _sampling_rate(fs: float | None) -> float | None:
    if fs is None:
        return None
    from fgclep.config.quality import QualitySection  # loaded on demand: pydantic takes longer than the other checks

    quality = QualitySection()
    if not quality.min_sampling_rate <= fs <= quality.max_sampling_rate:
        limits = f"{quality.min_sampling_rate:g} to {quality.max_sampling_rate:g} Hz"
        raise UserError(f"--fs {fs:g}: an ECG has a sampling rate of {limits}")
    return fs


def _leads(text: str | None) -> list[str] | None:
    try:
        leads = None if text is None else lead_names(text)
    except ValueError as error:
        raise UserError(f"--leads: {error}") from error
    return leads
