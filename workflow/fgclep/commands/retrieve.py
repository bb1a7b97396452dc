"""``fgclep retrieve``: the ECGs of a set of shards that fit a text best."""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from fgclep.commands.loading import loading
from fgclep.commands.model import load_model, model_name
from fgclep.commands.of_run import of_the_run
from fgclep.commands.output import RESEARCH_ONLY, WIDTH, Output, printable, say
from fgclep.errors import UserError
from fgclep.files import write_text
from fgclep.progress import progress
from fgclep.report.results.read import Key, rows_of, scan
from fgclep.schemas.manifest import MANIFEST
from fgclep.schemas.shards import SHARD
from fgclep.tables import check_table

if TYPE_CHECKING:
    from fgclep.inference.search import Found

COLUMNS = ("query", "rank", "source", "record_id", "split", "probability", "report", "model")


def run(args: argparse.Namespace) -> None:
    """Write what is found for each query."""
    queries = list(dict.fromkeys(args.queries))
    output = Output(args.output, args.format, COLUMNS)
    if args.html is not None and args.html.is_dir():
        raise UserError(f"{args.html} is a folder; give --html a file")
    shards = _shards(args.shards)
    split = None if args.split == "all" else args.split
    with loading():  # on demand: torch takes longer than the checks above
        from fgclep.inference.predict import unknown_words
        from fgclep.inference.search import count_ecgs, search

    model = load_model(args.model)
    for remark in unknown_words(model, queries):
        say(remark)
    found = search(
        model,
        queries,
        shards,
        args.top,
        split,
        args.batch_size,
        shown=lambda batches, total: iter(progress(batches, total, "retrieve", "batch")),
    )
    if not any(found):
        raise UserError(f"the shards hold no ECG of the split {args.split}")
    for query in queries:
        say(model.calibration.remark(query))
    reports = _reports([ecg for ecgs in found for ecg in ecgs])
    for query, ecgs in zip(queries, found, strict=True):
        named = {"model": model_name(model)}
        rows = [_row(query, rank, ecg, reports) | named for rank, ecg in enumerate(ecgs, start=1)]
        if output.form == "json":
            for row in rows:
                output.json({**row, "probability": round(row["probability"], 4)})
        elif output.form == "csv":
            output.rows(
                [
                    {**row, "probability": f"{row['probability']:.4f}", "report": "; ".join(row["report"])}
                    for row in rows
                ]
            )
        else:
            output.lines(_table(query, rows))
    output.close()
    if args.html is not None:
        count = count_ecgs(shards, split)
        searched = f"{count:,} ECGs" if split is None else f"{count:,} ECGs of the split {split}"
        write_text(args.html, _page(dict(zip(queries, found, strict=True)), reports, model_name(model), searched))
        say(f"wrote {args.html}")
    say(RESEARCH_ONLY)


def _shards(names: Sequence[Path]) -> list[Path]:
    """Return the shard files that files and folders stand for, each once; of a folder those that its run uses.

    Raises
    ------
    UserError
        If a name does not exist, a folder holds no Parquet file, or a file is no shard.
    """
    paths: list[Path] = []
    for name in names:
        if not name.exists():
            raise UserError(f"{name} does not exist; run `snakemake --cores all` first, or give --shards FILES")
        # numbers in order: 2.parquet comes before 10.parquet
        below = sorted(name.rglob("[!.]*.parquet"), key=lambda path: (path.parent, len(path.name), path.name))
        if name.is_dir() and not below:
            raise UserError(
                f"the folder {name} holds no Parquet file; run `snakemake --cores all` first, or give --shards FILES"
            )
        paths += of_the_run(below) if name.is_dir() else [name]
    paths = list(dict.fromkeys(paths))
    for path in paths:
        try:
            check_table(path, SHARD)
        except (ValueError, OSError, UserError) as error:
            raise UserError(f"{path} is no shard, or that of another version of the workflow") from error
    return paths


def _reports(ecgs: Iterable["Found"]) -> dict[Key, list[str]]:
    """Return the reports of records from the manifests beside the shards, where there are any.

    The shards of a run are ``<results>/shards/<source>/<chunk>.parquet``, and its manifests
    ``<results>/manifest/<source>.parquet``.
    """
    wanted: dict[Path, set[Key]] = {}
    for ecg in ecgs:
        # of the name alone: a shard of somebody else's may say anything
        manifest = Path(ecg.shard).resolve().parent.parent.parent / "manifest" / Path(f"{ecg.source}.parquet").name
        wanted.setdefault(manifest, set()).add((ecg.source, ecg.record_id))
    reports: dict[Key, list[str]] = {}
    for manifest, keys in wanted.items():
        if manifest.is_file():
            found = rows_of(scan([manifest], MANIFEST).select("source", "record_id", "report"), sorted(keys))
            reports |= {key: rows[0]["report"] for key, rows in found.items() if rows}
    return reports


def _row(query: str, rank: int, ecg: "Found", reports: dict[Key, list[str]]) -> dict[str, Any]:
    key = (ecg.source, ecg.record_id)
    named = {"source": ecg.source, "record_id": ecg.record_id, "split": ecg.split}
    return {"query": query, "rank": rank, **named, "probability": ecg.probability, "report": reports.get(key, [])}


def _table(query: str, rows: Sequence[dict[str, Any]]) -> list[str]:
    cells = [
        (
            *(f"{row['rank']:>4}", f"{row['probability']:.3f}", printable(f"{row['source']}/{row['record_id']}")),
            *(row["split"], printable("; ".join(row["report"]))),
        )
        for row in rows
    ]
    lines = tabulate(cells, tablefmt="plain", disable_numparse=True, preserve_whitespace=True).splitlines()
    return [printable(query), *((line if len(line) <= WIDTH else line[: WIDTH - 1] + "…").rstrip() for line in lines)]


def _page(found: dict[str, list["Found"]], reports: dict[Key, list[str]], model: str, searched: str) -> str:
    from fgclep.report.search_page import Shown, render_retrieved  # loaded on demand: few draw the ECGs

    by_shard: dict[str, list[Key]] = {}
    for ecgs in found.values():
        for ecg in ecgs:
            by_shard.setdefault(ecg.shard, []).append((ecg.source, ecg.record_id))
    rows: dict[Key, dict[str, Any]] = {}
    for shard, keys in by_shard.items():
        rows |= {key: some[0] for key, some in rows_of(scan([Path(shard)], SHARD), keys).items()}
    shown = {
        query: [
            Shown(rows[key], ecg.probability, reports.get(key, []))
            for ecg in ecgs
            for key in [(ecg.source, ecg.record_id)]
        ]
        for query, ecgs in found.items()
    }
    return render_retrieved(shown, model, searched)
