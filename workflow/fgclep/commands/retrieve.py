"""``fgclep retrieve``: the ECGs of a set of shards that fit a text best."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from fgclep.commands.loading import loading
from fgclep.commands.model import find_vocabulary, load_model, model_name
from fgclep.commands.of_run import of_the_run
from fgclep.commands.output import RESEARCH_ONLY, WIDTH, Output, printable, say
from fgclep.errors import UserError
from fgclep.files import write_text
from fgclep.progress import progress
from fgclep.report.results.read import Key, millivolts, rows_of, scan
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
    shards = _shards(args.shards)
    split = None if args.split == "all" else args.split
    with loading():  # on demand: torch takes longer than the checks above
        from fgclep.inference.search import count_ecgs, search
        from fgclep.inference.wording import remarks_on

    model = load_model(args.model)
    for remark in remarks_on(queries, model.tokenizer, find_vocabulary()):
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
        write_found(output, query, rows, _cells)
    output.close()
    if args.html is not None:
        count = count_ecgs(shards, split)
        searched = f"{count:,} ECGs" if split is None else f"{count:,} ECGs of the split {split}"
        write_text(args.html, _page(dict(zip(queries, found, strict=True)), reports, model_name(model), searched))
        say(f"wrote {args.html}")
    say(RESEARCH_ONLY)


def write_found(
    output: Output, query: str, rows: Sequence[dict[str, Any]], cells: Callable[[dict[str, Any]], tuple[str, ...]]
) -> None:
    """Write the rows that were found for a query; ``cells`` are those of a table behind rank and probability."""
    if output.form == "json":
        for row in rows:
            output.json({**row, "probability": round(row["probability"], 4)})
    elif output.form == "csv":
        told = [{**row, "probability": f"{row['probability']:.4f}"} for row in rows]
        output.rows([{**row, "report": "; ".join(row.get("report", []))} for row in told])
    else:
        table = [(f"{row['rank']:>4}", f"{row['probability']:.3f}", *cells(row)) for row in rows]
        lines = tabulate(table, tablefmt="plain", disable_numparse=True, preserve_whitespace=True).splitlines()
        cut = [(line if len(line) <= WIDTH else line[: WIDTH - 1] + "…").rstrip() for line in lines]
        output.lines([printable(query), *cut])


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


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return printable(f"{row['source']}/{row['record_id']}"), row["split"], printable("; ".join(row["report"]))


def _page(found: dict[str, list["Found"]], reports: dict[Key, list[str]], model: str, searched: str) -> str:
    from fgclep.report.search_page import Shown, render_retrieved  # loaded on demand: few draw the ECGs

    by_shard: dict[str, list[Key]] = {}
    for ecgs in found.values():
        for ecg in ecgs:
            by_shard.setdefault(ecg.shard, []).append((ecg.source, ecg.record_id))
    rows: dict[Key, dict[str, Any]] = {}
    for shard, keys in by_shard.items():
        rows |= {key: some[0] for key, some in rows_of(scan([Path(shard)], SHARD), keys).items()}

    def shown(ecg: "Found") -> Shown:
        key = (ecg.source, ecg.record_id)
        row = rows[key]
        told = (row["split"], _age(row["age"]), {"F": "female", "M": "male"}.get(row["sex"], "sex unknown"))
        signal, rate = millivolts(row), row["sampling_rate"]
        return Shown("/".join(key), ecg.probability, signal, rate, told, reports.get(key, []), row["flags"])

    return render_retrieved({query: list(map(shown, ecgs)) for query, ecgs in found.items()}, model, searched)


def _age(age: float | None) -> str:
    if age is None or age != age:  # NaN
        return "age unknown"
    return "90 or older" if age >= 90 else f"{age:.0f} years"
