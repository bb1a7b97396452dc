"""The figures of the tiny run are those of tiny_results.csv, so that a change of results is seen, and meant.

They mean nothing else: the models see each ECG once. Who meant the change writes the table anew and commits it:
``FGCLEP_ACCEPT=1 pytest tests/workflow/test_tiny_results.py``. Counts must agree, other figures within 0.001 or a
thousandth. A processor of another kind than the table's rounds otherwise, of which training makes more: there the
figures of models agree within 0.06 or 15 %.
"""

import csv
import math
import os
import platform
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import torch

KEPT = Path(__file__).with_name("tiny_results.csv")
TOLERANCE = 1e-3
PROCESSOR = "processor"  # the row of the table that names the one it was made on
OF_ANOTHER_PROCESSOR = {"rel_tol": 0.15, "abs_tol": 0.06}

pytestmark = pytest.mark.slow


def processor() -> str:
    """Maker and instructions, by which sums are rounded."""
    maker = re.search(r"^vendor_id\s*: (\S+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    return f"{maker[1] if maker else platform.machine()} {torch.backends.cpu.get_cpu_capability()}"


def figures(results: Path) -> Iterator[tuple[str, int | float]]:
    """Yield names and values, in the order of the road."""
    for path in sorted(results.glob("manifest/*.parquet")):
        yield f"{path.stem} records", rows(path)
    yield from counted(results / "quarantine.parquet", "quarantined", "source", "stage")
    for folder in sorted((results / "shards").iterdir()):
        yield f"{folder.name} records in shards", sum(map(rows, folder.glob("*.parquet")))
    for name in ("reports/reports", "reports/texts", "recovery/candidates"):
        yield f"{name} rows", rows(results / f"{name}.parquet")
    for path in sorted(results.glob("measurements/*.parquet")):
        measured = pl.read_parquet(path)
        for name in ("heart_rate", "pr_ms", "qrs_ms", "qt_ms", "qrs_axis"):
            yield f"{path.stem} mean {name}", measured[name].mean()
    yield from counted(results / "simulation/truth.parquet", "truth", "source")
    yield from counted(results / "recovery/audit.parquet", "audit", "measurement", "accepted")
    for path in sorted(results.glob("models/*/training.csv")):
        last = pl.read_csv(path)[-1]
        for name in ("train_loss", "validation_loss", "validation_recall"):
            yield f"{path.parent.name} {name}", last[name].item()
    metrics = pl.read_csv(results / "evaluation/metrics.csv", schema_overrides={"setting": pl.String})
    yield "metrics rows", metrics.height
    means = metrics.filter(pl.col("class").is_in(["macro", "all"])).group_by("protocol", "model", "metric")
    for *names, value in means.agg(pl.col("value").mean()).sort(pl.all()).iter_rows():
        yield " ".join(["mean", *names]), value


def rows(path: Path) -> int:
    return pl.scan_parquet(path).select(pl.len()).collect().item()


def counted(path: Path, name: str, *columns: str) -> Iterator[tuple[str, int]]:
    for values, count in sorted(Counter(pl.read_parquet(path, columns=columns).select(columns).iter_rows()).items()):
        yield " ".join([name, *(f"{column} {value}" for column, value in zip(columns, values, strict=True))]), count


def kept() -> dict[str, str]:
    with KEPT.open(newline="", encoding="utf-8") as file:
        return {row["figure"]: row["value"] for row in csv.DictReader(file)}


def moved(name: str, old: str | None, new: str | None, same_processor: bool) -> bool:
    if old is None or new is None or "." not in old or "." not in new:
        return old != new
    of_a_model = name.startswith("mean ") or name.endswith(("_loss", "_recall"))
    loose = of_a_model and not same_processor
    tolerance = OF_ANOTHER_PROCESSOR if loose else {"rel_tol": TOLERANCE, "abs_tol": TOLERANCE}
    return not math.isclose(float(old), float(new), **tolerance)


def test_no_figure_of_the_tiny_run_has_moved(finished):
    found = figures(finished.checkout.folder / "results")
    now = {name: f"{value:.4f}" if isinstance(value, float) else str(value) for name, value in found}
    before = kept()
    made_on, now[PROCESSOR] = before.get(PROCESSOR), processor()
    changes = [
        f"{name}: {before.get(name, 'nothing')} -> {now.get(name, 'nothing')}"
        for name in {**before, **now}
        if name != PROCESSOR and moved(name, before.get(name), now.get(name), made_on == now[PROCESSOR])
    ]
    if os.environ.get("FGCLEP_ACCEPT"):
        with KEPT.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([("figure", "value"), *now.items()])
    elif changes:
        accept = "FGCLEP_ACCEPT=1 pytest tests/workflow/test_tiny_results.py"
        pytest.fail(
            "\n".join([f"{len(changes)} figures have moved; if you mean it, {accept}", *changes]), pytrace=False
        )
