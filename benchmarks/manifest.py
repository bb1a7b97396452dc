"""The lists of MIMIC-IV-ECG at their full size (800,035 made-up records): seconds and memory of build_manifest.

Also the size of the plan: how long ``snakemake -n`` takes with the 200 chunks of workflow/config/paper.yaml.
"""

import argparse
import hashlib
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ecgs import ROOT, machine  # isort: skip (puts the package on the path)

import numpy as np

from fgclep.stages import build_manifest

STATEMENTS = ("Sinus rhythm", "Normal ECG", "Atrial fibrillation", "Left axis deviation", "Possible inferior infarct")


def write_metadata(folder: Path, records: int) -> None:
    """Write RECORDS, SHA256SUMS.txt and the two CSV files as the database has them, with made-up contents."""
    rng = np.random.default_rng(0)
    patients = 10_000_000 + np.sort(rng.integers(0, records // 5, records))
    studies = 40_000_000 + rng.permutation(records)
    paths = [
        f"files/p{patient // 10_000}/p{patient}/s{study}/{study}"
        for patient, study in zip(patients, studies, strict=True)
    ]
    folder.mkdir(parents=True)
    (folder / "RECORDS").write_text("\n".join(paths) + "\n", encoding="utf-8")
    digest = hashlib.sha256(b"").hexdigest()
    with (folder / "SHA256SUMS.txt").open("w", encoding="utf-8") as file:
        file.writelines(f"{digest} {path}.hea\n{digest} {path}.dat\n" for path in paths)
    with (folder / "record_list.csv").open("w", encoding="utf-8") as file:
        file.write("subject_id,study_id,file_name,ecg_time,path\n")
        file.writelines(
            f"{patient},{study},{study},2180-07-23 08:44:00,{path}\n"
            for patient, study, path in zip(patients, studies, paths, strict=True)
        )
    reports = ",".join(f"report_{number}" for number in range(18))
    chosen = rng.integers(0, len(STATEMENTS), (records, 4))
    with (folder / "machine_measurements.csv").open("w", encoding="utf-8") as file:
        file.write(f"subject_id,study_id,cart_id,ecg_time,{reports},bandwidth,filtering,rr_interval,p_onset,p_end,")
        file.write("qrs_onset,qrs_end,t_end,p_axis,qrs_axis,t_axis\n")
        for row in rng.permutation(records):
            words = ",".join(STATEMENTS[number] for number in chosen[row]) + "," * 14
            file.write(f"{patients[row]},{studies[row]},6848296,2180-07-23 08:44:00,{words},0.005-150 Hz,60 Hz notch,")
            file.write("659,40,128,170,258,518,81,77,75\n")


def run(sender: Any, work: Path) -> None:
    """Run the stage and send its seconds and peak memory in MiB."""
    start = time.perf_counter()
    arguments = [
        "--source", "mimic-iv-ecg", "--metadata", str(work / "metadata"), "--chunks", "200", "--settings", "{}",
        "--output", str(work / "manifest.parquet"), "--quarantine", str(work / "quarantine.parquet"),
    ]  # fmt: skip
    build_manifest.main(build_manifest.arguments().parse_args(arguments))
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    sender.send((time.perf_counter() - start, peak))


def main() -> None:
    """Print the figures and a line of JSON; ``ratio`` is the records per second over 100,000."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    options.add_argument("--records", type=int, default=800_035)
    args = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        write_metadata(work / "metadata", args.records)
        context = multiprocessing.get_context("spawn")
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=run, args=(sender, work))
        process.start()
        seconds, peak = receiver.recv()
        process.join()
        size = (work / "manifest.parquet").stat().st_size
    start = time.perf_counter()
    command = [Path(sys.executable).with_name("snakemake"), "-n", "--quiet", "--cores", "all"]
    command += ["--configfile", "workflow/config/paper.yaml"]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)  # nosec B603
    plan = time.perf_counter() - start
    print(f"{machine()}\n")
    print(f"build_manifest of {args.records:,} records: {seconds:.0f} s, {peak:,.0f} MiB, {size / 1e6:.0f} MB written")
    print(f"snakemake -n with workflow/config/paper.yaml: {plan:.0f} s")
    result = {"name": "manifest", "ratio": args.records / seconds / 1e5, "seconds": seconds, "peak_mib": peak}
    print(json.dumps({**result, "plan_seconds": plan}))


if __name__ == "__main__":
    main()
