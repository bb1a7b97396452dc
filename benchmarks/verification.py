"""Time and memory of verify_features over the number of records, on made-up tables of its real form.

Reports are drawn from the vocabulary's own wordings, with the features that it knows of them as candidates; measured
values and scores are random. Memory is what the process cannot give back (anonymous memory, sampled); its two large
tables are scratch files, which the system may page out, and are counted with the tables.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ecgs import ROOT, machine, parser  # isort: skip (puts the package on the path)

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fgclep.config.verification import ChecksSection
from fgclep.language.parser import parse_statements
from fgclep.language.reports import parse_reports
from fgclep.language.vocabulary import load_vocabulary
from fgclep.recovery.knowledge import KnowledgeBackend
from fgclep.schemas.candidates import CANDIDATES
from fgclep.schemas.manifest import MANIFEST
from fgclep.schemas.measurements import LEAD_MEASURES, MEASUREMENTS, MEASURES
from fgclep.schemas.reports import REPORTS, TEXTS
from fgclep.schemas.scores import SCORES
from fgclep.tables import write_table

COUNTS = (100_000, 200_000, 400_000, 800_000)
PART = 20_000
FOLDS = 2


def write_parts(path: Path, schema: pa.Schema, count: int, rows: Callable[[int, int], dict]) -> None:
    """Write a table in parts; ``rows(start, stop)`` makes the columns of a part, the keys left out."""
    with pq.ParquetWriter(path, schema, compression="lz4") as writer:
        for start in range(0, count, PART):
            stop = min(start + PART, count)
            keys = {"source": ["m"] * (stop - start), "record_id": [f"4{i:07d}" for i in range(start, stop)]}
            columns = rows(start, stop) | keys
            writer.write_table(pa.table([pa.array(columns[f.name], type=f.type) for f in schema], schema=schema))


def lists(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    """Rows of a matrix as an Arrow list column."""
    flat = pa.array(values.ravel(), type=pa.float32())
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    return pa.ListArray.from_arrays(np.arange(len(values) + 1, dtype=np.int32) * values.shape[1], flat)


def write_tables(folder: Path, count: int) -> None:
    """Write every input of the stage for ``count`` records."""
    vocabulary = load_vocabulary(ROOT / "resources/vocabulary")
    wordings = [[name] for d in vocabulary.diagnoses.values() for name in (d.text, *d.synonyms)]
    parsed = parse_reports([("m", str(i), [*w, "abnormal ecg"]) for i, w in enumerate(wordings)], vocabulary, 1)
    write_table(parsed.texts, folder / "texts.parquet", TEXTS)
    statements = parse_statements(parsed.texts["text"].to_pylist(), vocabulary)
    backend = KnowledgeBackend(vocabulary)
    origin = {"backend": "knowledge", "model_digest": backend.model_digest, "prompt_hash": ""}
    rows = [
        {"text_id": i, "statement": s.text, **vars(candidate), **origin}
        for i, (s, found) in enumerate(zip(statements, backend.propose(statements), strict=True))
        for candidate in found
    ]
    write_table(rows, folder / "candidates.parquet", CANDIDATES)

    rng = np.random.default_rng(0)
    used = np.array([ids[0] for ids in parsed.reports["text_ids"].to_pylist()])

    def report(start: int, stop: int) -> dict:
        return {"text_ids": rng.choice(used, (stop - start, 2)).tolist()}

    def manifest(start: int, stop: int) -> dict:
        n = stop - start
        row = {name: [None] * n for name in MANIFEST.names}
        row |= {"patient_id": [str(i) for i in range(start, stop)], "path": ["x"] * n, "chunk": [0] * n}
        return row | {"split": ["train"] * n, "report": [[]] * n} | {}

    def measured(start: int, stop: int) -> dict:
        n = stop - start
        row: dict = {name: rng.normal(100, 60, n).astype(np.float32) for name in MEASURES}
        kind = MEASUREMENTS.field(LEAD_MEASURES[0]).type
        row |= {name: lists(rng.normal(0.2, 0.4, (n, 12)), kind) for name in LEAD_MEASURES}
        return row | {"intervals_from": ["database"] * n, "problem": [None] * n}

    def scored(start: int, stop: int) -> dict:
        n = stop - start
        values = rng.normal(-3, 2, (n, len(vocabulary.features)))
        return {"fold": np.arange(start, stop) % FOLDS, "scores": lists(values, SCORES.field("scores").type)}

    for name, schema, make in (
        ("reports", REPORTS, report), ("manifests", MANIFEST, manifest), ("measurements", MEASUREMENTS, measured),
        ("scores", SCORES, scored),
    ):  # fmt: skip
        write_parts(folder / f"{name}.parquet", schema, count, make)


def run(folder: Path) -> tuple[float, float]:
    """Return seconds and the largest anonymous memory (MiB) of the stage on the tables of ``folder``."""
    settings = ChecksSection(folds=FOLDS, reader="coarse").model_dump(mode="json")
    command = [
        sys.executable,
        "-m",
        "fgclep.stages.verify_features",
        "--vocabulary",
        str(ROOT / "resources/vocabulary"),
    ]
    command += ["--settings", json.dumps(settings), "--output", str(folder / "audit.parquet")]
    for name in ("candidates", "texts", "reports", "measurements", "manifests", "scores"):
        command += [f"--{name}", str(folder / f"{name}.parquet")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow"), "OMP_NUM_THREADS": "1"}
    begun, peak = time.monotonic(), 0
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)  # nosec B603
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        peak = max([peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon"))])
        time.sleep(0.05)
    if process.returncode:
        sys.exit(f"verify_features ended with {process.returncode}")
    return time.monotonic() - begun, peak / 1024


def main() -> None:
    """Print a table, and a line of JSON whose ratio is the speed per record of the largest over the smallest run."""
    options = parser(__doc__)
    options.add_argument("--records", type=int, nargs="+", default=list(COUNTS))
    args = options.parse_args()
    print(f"{machine()}\n\n| records | candidates | s | records/s | MiB | tables, GB |\n|---|---|---|---|---|---|")
    found = []
    vocabulary = load_vocabulary(ROOT / "resources/vocabulary")
    for count in args.records:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            write_tables(folder, count)
            seconds, mib = run(folder)
            scratch = 5 * count * len(vocabulary.features)
            disk = (scratch + sum(path.stat().st_size for path in folder.iterdir())) / 1e9
            candidates = pq.read_metadata(folder / "audit.parquet").num_rows
        cells = (
            f"{count:,}",
            f"{candidates:,}",
            f"{seconds:.1f}",
            f"{count / seconds:,.0f}",
            f"{mib:,.0f}",
            f"{disk:.2f}",
        )
        print(f"| {' | '.join(cells)} |", flush=True)
        found.append({"records": count, "seconds": seconds, "mib": mib})
    first, last = found[0], found[-1]
    ratio = (last["records"] / last["seconds"]) / (first["records"] / first["seconds"])
    print(json.dumps({"name": "verification", "ratio": ratio, "runs": found}))


if __name__ == "__main__":
    main()
