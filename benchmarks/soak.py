"""Memory over time while many short records go through the stages of data, verification and similarity.

Made up are records of five seconds in MIMIC-IV-ECG's layout: waveforms from a pool of simulated ones, each with noise
of its own, and with reports and intervals of its own drawn by the simulator. They take the real stages with the default
config, each stage a process as in the workflow, chunks one after another. The coarse models are narrow and have random
weights. The statements' features come from the vocabulary, not from a language model.

Sampled is the resident memory of a stage's process and its children, of which the part that the system cannot take
back (anonymous memory) is given as well; the rest is files that are mapped. A stage's growth is what its largest value
in the second half of its time exceeds that of the first half by.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ecgs import ROOT, machine  # isort: skip (puts the package on the path)

import matplotlib as mpl
import numpy as np
import psutil
from matplotlib.figure import Figure

from fgclep.config.load import validate_config
from fgclep.config.pretraining import EcgEncoderSection, PretrainingSection
from fgclep.config.signal import SignalSection
from fgclep.config.simulation import RecordingSettings, SimulationSection
from fgclep.config.verification import ChecksSection
from fgclep.language.vocabulary import load_vocabulary
from fgclep.report.charts.print_plots import COLORS, METADATA, STYLE
from fgclep.simulation.databases import mimic_iv_ecg
from fgclep.simulation.databases.databases import SOURCE_NUMBERS, plan_database, write_files, write_lists
from fgclep.simulation.databases.wfdb_files import digitize
from fgclep.simulation.heart.condition import draw_condition
from fgclep.simulation.heart.patient import draw_patient
from fgclep.simulation.recorder.recording import simulate
from fgclep.simulation.truth.truth import find_truth

SOURCE = "mimic-iv-ecg"
SECONDS = 5.0
NOISE_MV = 0.01
LIMIT_MIB = 4 * 953.7  # 4 GB
EVERY = 0.2  # seconds between samples
FOLDS = 2
PLACES = 500  # of the plot along time
SIGNAL = validate_config({}).signal.model_dump() | {"duration": SECONDS}
VOCABULARY = ROOT / "resources/vocabulary"
CONFIG = validate_config({}).model_dump(mode="json")


@dataclass
class Run:
    """A stage: all its processes one after another; samples of (seconds, resident MiB, anonymous MiB)."""

    name: str
    samples: list[tuple[float, float, float]] = field(default_factory=list)

    def column(self, number: int) -> np.ndarray:
        """One of the three values of every sample."""
        return np.array([sample[number] for sample in self.samples])

    @property
    def seconds(self) -> float:
        """Time from the first sample to the last."""
        return self.samples[-1][0] - self.samples[0][0]

    def growth(self, number: int) -> float:
        """MiB that the second half of the time has more than the first at most."""
        values, late = self.column(number), self.column(0) > (self.samples[0][0] + self.samples[-1][0]) / 2
        return max(0.0, float(values[late].max(initial=0) - values[~late].max(initial=0)))


def write_database(folder: Path, records: int, pool: int) -> None:
    """Write the database and its lists."""
    vocabulary = load_vocabulary(VOCABULARY)
    settings = RecordingSettings.of(SimulationSection(), seed=0)
    waveforms = []
    for number in range(pool):
        rng = np.random.default_rng([0, number])
        patient = draw_patient(rng)
        recording = simulate(patient, draw_condition(rng, patient), rng, SECONDS)
        waveforms.append((recording.signal, find_truth(recording, vocabulary)))
    rows, paths, checksums = [], [], []
    for plan in plan_database(SOURCE, 0, records, 0, "flat"):
        rng = np.random.default_rng([1, SOURCE_NUMBERS[SOURCE], plan.number])
        signal, truth = waveforms[rng.integers(pool)]
        noisy = signal + NOISE_MV * rng.standard_normal(signal.shape, dtype=np.float32)
        digital = digitize(noisy, mimic_iv_ecg.GAIN)
        made = mimic_iv_ecg.write_up(plan, digital, truth, rng, vocabulary, settings)
        checksums += write_files(folder, made)
        rows.append(made.row)
        paths.append(made.path)
    write_lists(folder, sorted(paths), checksums, mimic_iv_ecg.tables(rows))


def write_models(work: Path, texts: Path) -> None:
    """Write a coarse model per fold, with random weights and a vocabulary from the texts."""
    import torch

    from fgclep.models.build import new_model
    from fgclep.schemas.reports import TEXTS
    from fgclep.tables import read_table

    torch.manual_seed(0)
    corpus = read_table(texts, TEXTS, ["text"])["text"].to_pylist()
    narrow = PretrainingSection(ecg_encoder=EcgEncoderSection(width=4))
    model = new_model(narrow, SignalSection(duration=SECONDS), corpus)
    for fold in range(FOLDS):
        model.save_pretrained(work / f"model{fold}")


def commands(work: Path, chunks: int) -> Iterator[tuple[str, list[str]]]:
    """Yield stage and options of every process, with the settings that the workflow's rules give them."""
    made = {name: str(work / f"{name}.parquet") for name in ("manifest", "measurements", "texts", "reports", "audit")}
    candidates, vocabulary = str(work / "candidates.parquet"), ["--vocabulary", str(VOCABULARY)]
    source, version = ["--source", SOURCE], ["--version", "1.0"]
    base = ["--base", str(work / "files")]
    shards = [str(work / f"shard{chunk}.parquet") for chunk in range(chunks)]
    scores = [str(work / f"scores{fold}.parquet") for fold in range(FOLDS)]
    metadata = str(work / "metadata")

    def settings(section: dict, *names: str) -> list[str]:
        return ["--settings", json.dumps({name: section[name] for name in names} if names else section)]

    def quarantine(name: str) -> list[str]:
        return ["--quarantine", str(work / f"quarantine-{name}.parquet")]

    transfer = settings(CONFIG["data"]["transfer"])
    yield "fetch_metadata", [*source, *base, *version, *transfer, "--output", metadata]
    options = ["--metadata", metadata, "--chunks", str(chunks), "--settings", "{}", "--output", made["manifest"]]
    yield "build_manifest", [*source, *options, *quarantine("manifest")]
    for chunk in range(chunks):
        options = ["--metadata", metadata, "--chunk", str(chunk), "--chunks", str(chunks)]
        options += ["--output", str(work / f"{chunk}.tar"), *quarantine(f"fetch-{chunk}")]
        yield "fetch_records", [*source, *base, *version, *transfer, *options]
    for chunk in range(chunks):
        options = ["--manifest", made["manifest"], "--archive", str(work / f"{chunk}.tar"), "--chunk", str(chunk)]
        options += ["--unavailable", quarantine(f"fetch-{chunk}")[1], "--output", shards[chunk]]
        options += [*quarantine(f"shards-{chunk}"), *settings(CONFIG["quality"])]
        yield "build_shards", [*source, *options]
    workers = settings({**CONFIG["measurement"], "workers": 2})
    options = ["--metadata", metadata, "--shards", *shards, *workers, "--output", made["measurements"]]
    yield "measure_waveforms", [*source, *options]
    options = ["--manifests", made["manifest"], *vocabulary, *settings(CONFIG["reports"])]
    options += ["--texts", made["texts"], "--reports", made["reports"], *quarantine("reports")]
    yield "parse_reports", options
    options = ["--texts", made["texts"], *vocabulary, "--prompts", str(ROOT / "resources/prompts")]
    options += [*settings(CONFIG["recovery"]), "--output", candidates, "--cost", str(work / "cost.json")]
    yield "recover_features", options
    inference = {name: CONFIG["pretraining"][name] for name in ("device", "batch_size")}
    inference |= {"threads": 1, "workers": 1}
    for fold in range(FOLDS):
        options = ["--model", str(work / f"model{fold}"), "--fold", str(fold), "--folds", str(FOLDS)]
        options += ["--shards", *shards, *vocabulary, *settings(inference), "--output", scores[fold]]
        yield "score_candidates", options
    options = ["--candidates", candidates, "--texts", made["texts"], "--reports", made["reports"], *vocabulary]
    options += ["--measurements", made["measurements"], "--manifests", made["manifest"], "--scores", *scores]
    checks = ChecksSection(folds=FOLDS, reader="coarse").model_dump(mode="json")
    yield "verify_features", [*options, *settings(checks), "--output", made["audit"]]
    options = ["--features", "filtered", "--audit", made["audit"], "--texts", made["texts"], *vocabulary]
    options += ["--reports", made["reports"], *settings(CONFIG, "seed"), "--output", str(work / "filtered.parquet")]
    yield "augment_reports", options
    similarity = {name: CONFIG["similarity"][name] for name in ("source", "dense_texts", "neighbors", "related")}
    options = ["--texts", made["texts"], "--reports", made["reports"], *vocabulary]
    options += [*settings({**similarity, "seed": 0}), "--output", str(work / "similarity")]
    yield "build_similarity", [*options, "--summary", str(work / "summary.json")]


def resident(process: psutil.Process) -> tuple[float, float]:
    """Resident and anonymous memory of a process and its children, MiB."""
    total = anonymous = 0
    for one in (process, *process.children(recursive=True)):
        try:
            memory = one.memory_info()
        except psutil.NoSuchProcess:
            continue
        total, anonymous = total + memory.rss, anonymous + memory.rss - memory.shared
    return total / 2**20, anonymous / 2**20


def sample(stage: str, options: list[str], log: Path, begun: float) -> list[tuple[float, float, float]]:
    """Run a stage and return its samples."""
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment = {**os.environ, **single, "PYTHONPATH": str(ROOT / "workflow")}
    found = []
    with log.open("ab") as output:
        command = [sys.executable, "-m", f"fgclep.stages.{stage}", *options]
        with psutil.Popen(command, env=environment, stdout=output, stderr=output, cwd=ROOT) as process:
            while process.poll() is None:
                try:
                    found.append((time.monotonic() - begun, *resident(process)))
                except psutil.NoSuchProcess:
                    break
                time.sleep(EVERY)
    if process.returncode:
        sys.exit(f"{stage} ended with {process.returncode}:\n{log.read_text(encoding='utf-8')[-3000:]}")
    return [*found, (time.monotonic() - begun, *found[-1][1:])]


def soak(work: Path, records: int, pool: int, per_chunk: int) -> list[Run]:
    """Take records through all stages, and return what each took."""
    write_database(work / "files/mimic-iv-ecg/1.0", records, pool)
    runs: list[Run] = []
    begun = time.monotonic()
    for stage, options in commands(work, max(1, records // per_chunk)):
        if stage == "score_candidates" and not (work / "model0").exists():
            paused = time.monotonic()
            write_models(work, work / "texts.parquet")
            begun += time.monotonic() - paused
        if not runs or runs[-1].name != stage:
            runs.append(Run(stage))
        runs[-1].samples += sample(stage, options, work / "log.txt", begun)
    return runs


def draw(runs: list[Run], records: int, path: Path) -> None:
    """Draw memory over time, the stages beside one another."""
    edges = np.linspace(0, runs[-1].samples[-1][0], PLACES + 1)
    with mpl.rc_context(STYLE):
        page = Figure(figsize=(7.5, 3.4), layout="constrained")
        axes = page.add_subplot()
        for number, (label, color) in enumerate(zip(("resident", "anonymous"), COLORS, strict=False), start=1):
            place, values = (np.concatenate([run.column(column) for run in runs]) for column in (0, number))
            of_bin = np.digitize(place, edges[1:-1])
            bins = np.unique(of_bin)
            axes.plot(edges[bins], [values[of_bin == one].max() for one in bins], color=color, label=label, linewidth=1)
        top, last = max(float(run.column(1).max()) for run in runs), 0.0
        for number, run in enumerate(runs):
            start, stop = run.samples[0][0], run.samples[-1][0]
            axes.axvspan(start, stop, color="#888888", alpha=0.14 * (number % 2), linewidth=0)
            last = max((start + stop) / 2, last + 0.022 * edges[-1])  # short stages would stand on one another
            axes.text(last, 1.03 * top, run.name, rotation=60, ha="left", va="bottom", rotation_mode="anchor")
        axes.set(
            xlim=(0, edges[-1]), ylim=(0, 1.02 * top), xlabel=f"seconds ({records:,} records)", ylabel="memory, MiB"
        )
        axes.legend(loc="upper right", ncols=2)
        page.savefig(path, format="svg", metadata=METADATA["svg"])


def main() -> None:
    """Print a table, and a line of JSON whose ratio is 4 GB over the largest memory of any stage."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    options.add_argument("--records", type=int, nargs="+", default=[10_000, 100_000])
    options.add_argument("--pool", type=int, default=500, help="simulated waveforms that the records are drawn from")
    options.add_argument("--per-chunk", type=int, default=5000, help="records per chunk")
    options.add_argument("--folder", type=Path, help="where 0.2 MB per record are needed; default: the system's")
    options.add_argument("--plot", type=Path, help="SVG of the last run's memory over time")
    args = options.parse_args()
    found: dict[int, list[Run]] = {}
    for records in args.records:
        with tempfile.TemporaryDirectory(dir=args.folder) as work:
            found[records] = soak(Path(work), records, args.pool, args.per_chunk)
    last = found[args.records[-1]]
    if args.plot:
        draw(last, args.records[-1], args.plot)

    print(f"{machine()}\n")
    peaks = [f"peak MiB, {records:,}" for records in args.records]
    print(f"| stage | seconds | {' | '.join(peaks)} | anonymous | growth | of it anonymous |")
    print("|---" * (len(peaks) + 5) + "|")
    for number, run in enumerate(last):
        cells = [run.name, f"{run.seconds:,.0f}"]
        cells += [f"{runs[number].column(1).max():,.0f}" for runs in found.values()]
        cells += [f"{value:,.0f}" for value in (run.column(2).max(), run.growth(1), run.growth(2))]
        print(f"| {' | '.join(cells)} |")
    peak = max(float(run.column(1).max()) for run in last)
    stages = {run.name: {"mib": float(run.column(1).max()), "seconds": run.seconds} for run in last}
    print(json.dumps({"name": "soak", "ratio": LIMIT_MIB / peak, "records": args.records[-1], "stages": stages}))


if __name__ == "__main__":
    main()
