"""From a simulated database to shards: processor time of each stage, with the code of before and today's in turns.

A database in MIMIC-IV-ECG's layout is simulated, and of the one that today's code has made ``fetch_records`` checks and
archives the files, and ``build_shards`` reads, checks and packs them, each as Snakemake runs it: a process of its own.
What it takes to start Python and import is part of that.
"""

import argparse
import json
import tempfile
from pathlib import Path

from before import ROOT, in_turns, take

SOURCE, SLUG, VERSION = "mimic-iv-ecg", "mimic-iv-ecg", "1.0"


def words(stage: str, settings: dict, **options: object) -> list[str]:
    """Command of a stage."""
    pairs = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return ["python", "-m", f"fgclep.stages.{stage}", "--settings", json.dumps(settings), *pairs]


def main() -> None:
    """Print seconds of processor time of each stage; the ratio in the last line is that of all three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    simulated = {
        "records": {SOURCE: args.records}, "broken_records": 3, "feature_mention_rate": 0.45, "prevalence": "flat",
        "workers": 1, "seed": 0,
    }  # fmt: skip
    transfer = {"parallel": 4, "timeout_seconds": 60.0, "retries": 0}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        database, vocabulary = work / "files" / SLUG / VERSION, ROOT / "resources/vocabulary"
        made = {"source": SOURCE, "base": work / "files", "version": VERSION, "metadata": work / "metadata"}

        def simulate(output: Path) -> list[str]:
            places = {"vocabulary": vocabulary, "output": output, "truth": work / "truth.parquet"}
            return words("simulate_physionet", simulated, source=SOURCE, **places)

        def fetch(archive: Path) -> list[str]:
            places = {"output": archive, "quarantine": work / "fetch.parquet"}
            return words("fetch_records", transfer, **made, chunk=0, chunks=1, **places)

        listed = {"source": SOURCE, "base": work / "files", "version": VERSION, "output": work / "metadata"}
        manifest = {"output": work / "manifest.parquet", "quarantine": work / "manifest-quarantine.parquet"}
        for command in (
            simulate(database),
            words("fetch_metadata", transfer, **listed),
            words("build_manifest", {}, source=SOURCE, metadata=work / "metadata", chunks=1, **manifest),
            fetch(work / "0.tar"),
        ):
            take(ROOT, command)
        convert = words(
            "build_shards", {}, source=SOURCE, manifest=work / "manifest.parquet", archive=work / "0.tar", chunk=0,
            unavailable=work / "fetch.parquet", output=work / "0.parquet", quarantine=work / "shard.parquet",
        )  # fmt: skip
        stages = {"simulate_physionet": simulate(work / "again"), "fetch_records": fetch(work / "again.tar")}
        best = in_turns(args.rounds, **stages, build_shards=convert)
    figures: dict[str, float] = {}
    for stage, (before, now) in best.items():
        print(
            f"{stage}: {before.cpu:.2f} s of processor time before, {now.cpu:.2f} s now, "
            f"{before.cpu / now.cpu:.2f} times; {now.peak_mb:.0f} MB"
        )
        figures |= {f"{stage}_before_s": before.cpu, f"{stage}_s": now.cpu, f"{stage}_mb": round(now.peak_mb)}
    total = [sum(pair[i].cpu for pair in best.values()) for i in (0, 1)]
    print(json.dumps({"name": "preparing", "ratio": total[0] / total[1], "records": args.records, **figures}))


if __name__ == "__main__":
    main()
