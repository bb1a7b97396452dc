"""Ten-second ECGs at 500 Hz to measure with: those of a folder, or simulated ones."""

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow"))

SAMPLES = 5000


def parser(description: str | None) -> argparse.ArgumentParser:
    """Command line that all benchmarks share."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    made.add_argument("--ecgs", type=Path, help="folder of WFDB records to measure with; without it they are simulated")
    return made


def ecgs(folder: Path | None, work: Path, count: int) -> list[Path]:
    """Paths (without extension) of up to ``count`` records of 12 leads and 5000 samples."""
    if folder is None:
        folder = work / "simulated"
        settings = {
            "records": {"ptb-xl": count}, "broken_records": 0, "feature_mention_rate": 0.5, "prevalence": "flat",
            "workers": 2, "seed": 0,
        }  # fmt: skip
        command = [
            sys.executable, "-m", "fgclep.stages.simulate_physionet", "--source", "ptb-xl",
            "--vocabulary", str(ROOT / "resources/vocabulary"), "--settings", json.dumps(settings),
            "--output", str(folder), "--truth", str(work / "truth.parquet"),
        ]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
        subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)  # nosec B603
    paths = []
    for header in sorted(folder.rglob("*.hea")):
        words = header.read_text(encoding="utf-8").split("\n", 1)[0].split()
        if words[1] == "12" and words[3] == str(SAMPLES):
            paths.append(header.with_suffix(""))
        if len(paths) == count:
            break
    if not paths:
        sys.exit(f"{folder} holds no record of 12 leads and {SAMPLES} samples")
    return paths


def machine() -> str:
    """Processor, cores in use and memory, for the tables in docs/performance.md."""
    processor = platform.processor() or platform.machine()
    if (cpuinfo := Path("/proc/cpuinfo")).exists():
        names = [line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        processor = names[0] if names else processor
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{processor}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB"
