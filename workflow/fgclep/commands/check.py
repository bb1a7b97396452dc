"""``fgclep check``: what of a table of one's own would be left out, before any training."""

import argparse
import json
import shutil
from collections import Counter
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fgclep.commands.model import find_vocabulary
from fgclep.commands.output import show
from fgclep.config.load import load
from fgclep.config.quality import QualitySection
from fgclep.config.reports import ReportsSection
from fgclep.errors import UserError, reason_of
from fgclep.fetch.lists import folder_records, write_folder_lists
from fgclep.fetch.manifest import build_manifest
from fgclep.fetch.origin import note_origin
from fgclep.language.coverage import language_of
from fgclep.language.reports import parse_reports
from fgclep.language.vocabulary import Vocabulary
from fgclep.progress import progress
from fgclep.recordings.read import read_file
from fgclep.signals.quality import usable_record
from fgclep.sources.local import SOURCE, TABLE, read_records

SHOWN = 20  # lines of a list


def run(args: argparse.Namespace) -> None:
    """Print what was found; raises ``UserError`` if the table has mistakes or a record would be left out."""
    folder = args.table if args.table.is_dir() else args.table.parent
    if folder == args.table.parent and args.table.name != TABLE:
        raise UserError(f"{args.table} is not named {TABLE}; rename it, and put it into the folder of the recordings")
    given = ["config.yaml"] if Path("config.yaml").exists() else []
    settings = load(*given, *args.configfile)
    found = check_folder(folder, find_vocabulary(), settings.quality, settings.reports)
    if args.format == "json":
        show(json.dumps(found, allow_nan=False))
    else:
        show("\n".join(_lines(found)))
    if left_out := len(found["left_out"]):
        raise UserError(f"{folder / TABLE}: {left_out:,} would be left out; mend what is named above")


def check_folder(
    folder: Path,
    vocabulary: Vocabulary,
    quality: QualitySection | None = None,
    reports: ReportsSection | None = None,
) -> dict[str, Any]:
    """Read table, recordings and reports of a folder as the workflow does.

    Parameters
    ----------
    folder
        Has ``records.csv`` and the recordings.
    vocabulary
        What is looked for in the reports.
    quality, reports
        Sections of the config; the defaults if not given.

    Returns
    -------
    dict
        Counts of ``records``, ``usable`` signals and ``patients``; ``left_out``: reason by record, or by file without a
        row; ``leads``, ``sampling_rates`` in Hz, ``seconds`` and ``remarks`` (such as on units): how many records have
        each; ``splits`` and ``languages``: how many records and reports are in each; ``statements`` that were read,
        ``unread``: text, count and the nearest words of the vocabulary, and ``unread_by_language``: how many of all.

    Raises
    ------
    UserError
        With all mistakes of the table.
    """
    with TemporaryDirectory() as work:
        metadata = Path(work)
        write_folder_lists(folder, metadata)
        records = folder_records(metadata)[0]
        rows = read_records(folder, set(records))
        shutil.copyfile(folder / TABLE, metadata / TABLE)
        note_origin(metadata, str(folder), SOURCE.slug, "")
        manifest, quarantine = build_manifest(SOURCE, metadata, 1)
    left_out = dict(quarantine.select("record_id", "reason").iter_rows())
    counts: dict[str, Counter] = {name: Counter() for name in ("leads", "sampling_rates", "seconds", "remarks")}
    usable = 0
    for name, path in progress(manifest.select("record_id", "path").rows(), len(manifest), "check", "record"):
        try:
            record = read_file(folder / records[path][0])
            counts["leads"][", ".join(record.leads)] += 1
            counts["sampling_rates"][f"{record.sampling_rate:g}"] += 1
            counts["seconds"][f"{record.digital.shape[1] / record.sampling_rate:.4g}"] += 1
            counts["remarks"].update(usable_record(record, quality or QualitySection()).remarks)
            usable += 1
        except Exception as error:
            left_out[name] = reason_of(error, name)
    reports = reports or ReportsSection()
    given = [("local", name, report) for name, report in rows.select("record_id", "report").iter_rows()]
    parsed = parse_reports(given, vocabulary, reports.min_words, reports.vocabulary_words)
    if any(report for *_, report in given):  # else the records are for tests on labels
        for row in parsed.quarantine.to_pylist():
            left_out.setdefault(row["record_id"], row["reason"])
    texts = [row for row in parsed.texts.to_pylist() if row["count"]]
    languages = {name: language_of(" ".join(report)) for _, name, report in given if report}
    by_language: dict[str, list[int]] = {}
    kinds = {row["text_id"]: row["kind"] for row in parsed.texts.to_pylist()}
    for row in parsed.reports.to_pylist():
        unread_and_all = by_language.setdefault(languages[row["record_id"]], [0, 0])
        for number in row["text_ids"]:
            unread_and_all[0] += kinds[number] == "unknown"
            unread_and_all[1] += 1
    unread = [
        {"text": row["text"], "count": row["count"], "nearest": _nearest(row["text"], vocabulary)}
        for row in texts
        if row["kind"] == "unknown"
    ]
    return {
        "records": len(rows),
        "usable": usable,
        "patients": rows["patient_id"].n_unique(),
        "left_out": left_out,
        "splits": dict(sorted(manifest["split"].value_counts().iter_rows())),
        "languages": dict(Counter(languages.values()).most_common()),
        **{name: dict(counter.most_common()) for name, counter in counts.items()},
        "statements": sum(row["count"] for row in texts if row["kind"] != "unknown"),
        "unread": unread,
        "unread_by_language": by_language,
    }


def _nearest(text: str, vocabulary: Vocabulary) -> str | None:
    return next(iter(get_close_matches(text.lower(), vocabulary.phrases, n=1)), None)


def _lines(found: Mapping[str, Any]) -> list[str]:
    lines = [
        f"{found['records']:,} records of {found['patients']:,} patients, {found['usable']:,} with a usable signal",
        *(
            f"{name.replace('_', ' ')}: {_counted(found[name])}"
            for name in ("leads", "sampling_rates", "seconds", "splits")
        ),
        *(f"remark: {remark} ({count:,})" for remark, count in list(found["remarks"].items())[:SHOWN]),
        f"statements: {found['statements']:,} read, {sum(row['count'] for row in found['unread']):,} unread",
    ]
    for language, reports in found["languages"].items():
        unread, given = found["unread_by_language"].get(language, (0, 0))
        lines.append(f"  {language}: {reports:,} reports, {unread:,} of {given:,} statements unread")
    for row in found["unread"][:SHOWN]:
        near = f"; nearest: {row['nearest']}" if row["nearest"] else ""
        lines.append(f"  unread, {row['count']:,} times: {row['text']}{near}")
    lines += [f"left out: {name}: {reason}" for name, reason in found["left_out"].items()]
    return lines


def _counted(counts: Mapping[str, int]) -> str:
    shown = "; ".join(f"{value} ({count:,})" for value, count in list(counts.items())[:SHOWN])
    return shown + (f"; and {len(counts) - SHOWN:,} more" if len(counts) > SHOWN else "")
