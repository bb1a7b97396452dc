"""The similarity between texts: what its sources say, and seconds and memory of writing it.

The texts are the statements of a CSV file with the columns ``diagnosis`` and ``count``, such as the counts of report
lines of MIMIC-IV-ECG, or else the wordings of the vocabulary. The first table compares the sources on them; those of a
sentence encoder need ``--encoder``. Batches are drawn from made-up reports of four statements each, drawn by their
counts. The second writes the default source, dense and sparse, for more and more texts:
the statements and random combinations of two or three of them. Beside it stands the plain way, which holds the
whole matrix in memory as float32. Every run is a process of its own; peak memory is its resident set, from which the
libraries and the texts, which are there before, can be told apart.
"""

import argparse
import csv
import json
import multiprocessing
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from ecgs import ROOT, machine  # isort: skip (puts the package on the path)

import numpy as np
import pyarrow as pa

from fgclep.language.parser import StatementParser
from fgclep.language.statements import Statement, clean_statement
from fgclep.language.vocabulary import load_vocabulary
from fgclep.similarity.batches import in_batches
from fgclep.similarity.build import IdentitySimilarity, Source, write_similarity
from fgclep.similarity.concepts import OTHER_CERTAINTY, ConceptSimilarity, relatedness
from fgclep.similarity.findings import text_findings
from fgclep.similarity.matrix import SimilarityMatrix
from fgclep.similarity.summary import Summary

RELATED = 0.5
WAYS = {"distinct": "distinct", "statements": "in a batch, statements", "reports": "in a batch, reports"}
VOCABULARY = load_vocabulary(ROOT / "resources/vocabulary")
PAIRS = (
    ("left bundle branch block", "right bundle branch block"),
    ("sinus bradycardia", "sinus tachycardia"),
    ("atrial fibrillation", "no atrial fibrillation"),
    ("possible inferior infarct", "inferior infarct"),
    ("afib", "atrial fibrillation"),
    ("rbbb", "right bundle branch block"),
    ("atrial fibrillation", "absent p waves"),
)


def counted_statements(path: Path | None) -> Counter[str]:
    """Clean statements, the most frequent first, and how many reports have them."""
    counts: Counter[str] = Counter()
    if path is None:
        counts.update(clean_statement(phrase) for phrase in VOCABULARY.phrases)
    else:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                counts[clean_statement(row["diagnosis"])] += int(row["count"])
    return Counter(dict(counts.most_common()))


def combined(statements: list[str], texts: int) -> list[str]:
    """Distinct texts: the statements, and random combinations of two or three."""
    found = dict.fromkeys(statements[:texts])
    rng = np.random.default_rng(0)
    while len(found) < texts:
        found[", ".join(statements[i] for i in rng.integers(0, len(statements), rng.integers(2, 4)))] = None
    return list(found)


def sources(texts: list[str], concepts: ConceptSimilarity, encoder: str | None) -> dict[str, Source]:
    found: dict[str, Source] = {"concepts": concepts}
    if encoder:
        from fgclep.similarity.encoder import EncoderSimilarity, RawSimilarity, embed

        embeddings = embed(texts, encoder)
        found |= {"encoder": EncoderSimilarity(embeddings, concepts, 0), "raw": RawSimilarity(embeddings)}
    return {**found, "identity": IdentitySimilarity()}


def made_up_reports(counts: Counter[str], texts: list[str], usable: np.ndarray) -> pa.ListArray:
    """Text ids of reports of four statements, which are drawn by their counts and are no administrative remarks."""
    weights = np.array([counts[text] for text in texts]) * usable
    drawn = np.random.default_rng(0).choice(len(texts), (20_000, 4), p=weights / weights.sum())
    return pa.array([list(dict.fromkeys(row)) for row in drawn.tolist()], type=pa.list_(pa.int32()))


def compare_sources(counts: Counter[str], encoder: str | None, work: Path) -> None:
    """Print what each source says of the statements, and of a few telling pairs (which have no weight)."""
    texts = list(dict.fromkeys([*counts, *(text for pair in PAIRS for text in pair)]))
    parser = StatementParser(VOCABULARY)
    findings = text_findings(map(parser.parse, texts), VOCABULARY)
    reports = made_up_reports(counts, texts, findings.usable)
    rows: dict[str, list[str]] = {}
    for name, source in sources(texts, ConceptSimilarity(findings, VOCABULARY, RELATED), encoder).items():
        summary = Summary(findings)
        write_similarity(source, len(texts), work / name, None, summary)
        matrix = SimilarityMatrix.open(work / name)
        result = {**summary.result(), **in_batches(matrix, findings, reports, 0)}
        cells = [f"{result['texts']:,}"]
        for way in WAYS:
            known = result[way]
            cells += [f"{known['mean']:.3f}", f"{known['p10']:.2f}, {known['p50']:.2f}, {known['p95']:.2f}"]
            cells += [f"{100 * known[key]:.1f} %" for key in ("share_above_half", "negatives_above_half")]
            cells.append(f"{known['mean_without_shared_finding']:.4f}")
        cells += [f"{matrix.block([texts.index(one)], [texts.index(other)])[0, 0]:.2f}" for one, other in PAIRS]
        rows[name] = cells
    stated = ("mean", "10th, 50th, 95th percentile", "above 0.5", "negatives above 0.5", "mean without shared finding")
    labels = ["texts", *(f"{way}: {label}" for way in WAYS.values() for label in stated)]
    labels += [f"{one} / {other}" for one, other in PAIRS]
    print("| | " + " | ".join(rows) + " |\n|---" + "|---" * len(rows) + "|")
    for number, label in enumerate(labels):
        print(f"| {label} | " + " | ".join(cells[number] for cells in rows.values()) + " |")


def plain(statements: list[Statement]) -> None:
    """S and its distribution in whole matrices."""
    names, between = relatedness(VOCABULARY, RELATED)
    known, place = len(names), {name: i for i, name in enumerate(names)}
    both = np.eye(2 * known, dtype=np.float32)
    both[:known, :known] = between
    sets = [
        sorted({place[f] for f in (*s.diagnoses, *s.features)} | {known + place[f] for f in s.negated})
        for s in statements
    ]
    member = np.zeros((len(sets), 2 * known), dtype=np.float32)
    best = np.zeros((2 * known, len(sets)), dtype=np.float32)
    for i, findings in enumerate(sets):
        member[i, findings] = 1
        if findings:
            best[:, i] = both[:, findings].max(axis=1)
    one_way = member @ best
    total = member.sum(axis=1)[:, None] + member.sum(axis=1)[None, :]
    similarity = np.divide(one_way + one_way.T, total, out=np.zeros_like(one_way), where=total > 0)
    certainty = np.array([s.certainty for s in statements])
    similarity[certainty[:, None] != certainty[None, :]] *= OTHER_CERTAINTY
    np.fill_diagonal(similarity, 1)
    upper = np.triu(np.ones(similarity.shape, dtype=bool), k=1)
    values = similarity[upper]
    np.histogram(values, np.linspace(0, 1, 21))
    values[(member @ member.T)[upper] == 0].mean()


def status(field: str) -> float:
    """Memory of this process in MiB, from /proc: VmRSS now, VmHWM the largest so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def run(sender: Any, path: Path, way: str, neighbors: int, output: Path) -> None:
    """Do one run and send its figures."""
    texts = path.read_text(encoding="utf-8").split("\n")
    parser = StatementParser(VOCABULARY)
    start, cpu = time.perf_counter(), time.process_time()
    if way == "plain":
        statements = [parser.parse(text) for text in texts]
        parsed, busy, before = time.perf_counter(), time.process_time(), status("VmRSS")
        plain(statements)
    else:
        findings = text_findings(map(parser.parse, texts), VOCABULARY)
        parsed, busy, before = time.perf_counter(), time.process_time(), status("VmRSS")
        summary = Summary(findings)
        source = ConceptSimilarity(findings, VOCABULARY, RELATED)
        write_similarity(source, len(texts), output, None if way == "dense" else neighbors, summary)
    sender.send(
        {
            "parse_cpu_s": busy - cpu,
            "parse_s": parsed - start,
            "cpu_s": time.process_time() - busy,
            "seconds": time.perf_counter() - parsed,
            "before_mib": before,
            "peak_mib": status("VmHWM"),
        }
    )


def measure(path: Path, way: str, neighbors: int, output: Path) -> dict[str, float]:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=run, args=(sender, path, way, neighbors, output))
    process.start()
    result = receiver.recv()
    process.join()
    return {**result, "size_mb": sum(file.stat().st_size for file in output.glob("*.npy")) / 1e6}


def main() -> None:
    """Print both tables and a line of JSON; ``ratio`` is the speed over the plain way, in CPU seconds."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    options.add_argument("--statements", type=Path, help="CSV file with the columns diagnosis and count")
    options.add_argument("--encoder", help="folder or Hugging Face name of a sentence encoder")
    options.add_argument("--texts", type=int, nargs="+", default=[5_000, 10_000, 20_000])
    options.add_argument("--plain-texts", type=int, default=5_000, help="texts of the plain way, which needs memory")
    options.add_argument("--neighbors", type=int, default=1_000, help="nearest texts that a sparse matrix keeps")
    args = options.parse_args()
    counts = counted_statements(args.statements)
    runs = [*((texts, way) for texts in args.texts for way in ("dense", "sparse"))]
    runs += [(args.plain_texts, way) for way in ("plain", "dense") if (args.plain_texts, way) not in runs]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        print(f"{machine()}\n")
        compare_sources(counts, args.encoder, work)
        results = {}
        for texts, way in runs:
            path = work / f"{texts}.txt"
            path.write_text("\n".join(combined(list(counts), texts)), encoding="utf-8")
            results[texts, way] = measure(path, way, args.neighbors, work / f"{texts}-{way}")
    print("\n| texts | form | parse | of that CPU | write S | of that CPU | memory before | peak memory | on disk |")
    print("|---" * 9 + "|")
    for (texts, way), found in results.items():
        times = [f"{found[key]:.1f} s" for key in ("parse_s", "parse_cpu_s", "seconds", "cpu_s")]
        memory = [f"{found[key]:,.0f} MiB" for key in ("before_mib", "peak_mib")]
        print("| " + " | ".join([f"{texts:,}", way, *times, *memory, f"{found['size_mb']:,.0f} MB"]) + " |")
    largest = max(args.texts)
    dense, sparse = results[largest, "dense"], results[largest, "sparse"]
    ratio = results[args.plain_texts, "plain"]["cpu_s"] / results[args.plain_texts, "dense"]["cpu_s"]
    growth = dense["peak_mib"] - results[min(args.texts), "dense"]["peak_mib"]
    print(
        json.dumps(
            {
                "name": "similarity",
                "ratio": ratio,
                "texts": largest,
                "seconds": dense["seconds"],
                "sparse_seconds": sparse["seconds"],
                "parse_seconds": dense["parse_s"],
                "peak_mib": dense["peak_mib"],
                "sparse_peak_mib": sparse["peak_mib"],
                "peak_growth_mib": growth,
            }
        )
    )


if __name__ == "__main__":
    main()
