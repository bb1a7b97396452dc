"""What belongs to the run whose results lie in a folder: files of earlier configs stay there, and are not read."""

import json
from collections.abc import Iterable
from pathlib import Path

from fgclep.commands.output import say
from fgclep.errors import damaged
from fgclep.files import RUN_RECORD


def run_of(results: Path) -> dict | None:
    """Return what the last run in a folder of results said of itself; ``None``: one of an earlier version.

    It has ``shards``, as paths below ``shards/``; ``truth``, whether it simulates what it trains on; and ``config``.
    """
    path = results / RUN_RECORD
    if not path.is_file():
        return None
    try:
        run = dict(json.loads(path.read_text(encoding="utf-8")))
        if not isinstance(run.get("shards"), list):
            raise TypeError("it names no shards")
        return {"truth": True, **run}
    except (ValueError, TypeError) as error:
        raise damaged(path, error) from error


def of_the_run(shards: Iterable[Path]) -> list[Path]:
    """Leave out those of ``<results>/shards/<source>/<chunk>.parquet`` that the run in ``<results>`` does not use.

    What is left out is said. Of a folder whose run has not said what it uses, nothing is left out.
    """
    shards = list(shards)
    left = [path for path in shards if not _belongs(path)]
    if left:
        shown = ", ".join(map(str, left[:3])) + (", ..." if len(left) > 3 else "")
        say(f"left out {len(left):,} shards of earlier runs, which this one does not use ({shown})")
    return [path for path in shards if path not in left]


def _belongs(path: Path) -> bool:
    source, results = path.resolve().parent, path.resolve().parents[2]
    run = run_of(results) if source.parent.name == "shards" else None
    return run is None or f"{source.name}/{path.name}" in run["shards"]
