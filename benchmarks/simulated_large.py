"""The shipped model: simulate, train on what is true of each ECG, and write the model's folder.

The steps of ``workflow/config/simulated-large.yaml`` with the stages of the workflow, in its order, but without
Snakemake: for a machine that has PyTorch, transformers and pyarrow, and neither Snakemake nor a network. A step whose
output is there is not repeated; a training that was interrupted continues.

    python benchmarks/simulated_large.py --install --ecgs <folder with a copy of PTB-XL>    # the package's model

``--set coarse_epochs=0`` leaves the coarse stage out.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ecgs import ROOT  # isort: skip (puts the package on the path)

import yaml
from calibrate import RECORDS as CALIBRATED_ON
from calibrate import SIMULATED, calibrate, database_in, load_tasks, move

from fgclep.files import whole_folder
from fgclep.models.calibration import Calibration
from fgclep.models.fgclep import FGCLEP
from fgclep.sources.simulated import numbers_of

VOCABULARY = ROOT / "resources/vocabulary"
SHIPPED = ROOT / "workflow/fgclep/pretrained"
LARGEST = 8_000_000  # bytes of a model that comes with the package
OVERLAY = ROOT / "workflow/config/simulated-large.yaml"
CALIBRATED = """
## Calibration

`calibration.json` holds a curve for each class of a task, for the features, and for the wordings of diagnoses. A
probability assumes the prevalence beside it, of {population}.
The curves were fitted on simulated ECGs{moved}.

## How it was made

```bash
{command}
```
"""
BY_PATIENTS = """; 2,000 ECGs of PTB-XL's folds 1 to 8 gave one
factor for all slopes and, with the shares of the classes in these folds, the offsets of the classes of its tasks. No
weight was trained on a patient's ECG"""
MODEL_FILES = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "training.csv",
    "calibration.json",
    "README.md",
)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--work", type=Path, default=Path("results/simulated-large"), help="folder for all that is made"
    )
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--output", type=Path, help="folder that the model's files are copied to")
    target.add_argument(
        "--install", action="store_const", dest="output", const=SHIPPED, help="put the model into the package"
    )
    parser.add_argument("--records", type=int, help="ECGs to simulate; default: as the config says")
    parser.add_argument(
        "--ecgs", type=Path, help="folder with a copy of PTB-XL, whose patients the calibration is moved to"
    )
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument(
        "--configfile", type=Path, nargs="*", default=[], help="more overlays over simulated-large.yaml"
    )
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="settings of pretraining, as YAML")
    return parser.parse_args()


def merged(below: dict, above: dict) -> dict:
    """Mappings are merged key by key, all else is replaced, as by Snakemake."""
    result = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def settings(args: argparse.Namespace) -> dict[str, Any]:
    """config.yaml, which holds every default, with the overlays."""
    config: dict[str, Any] = {}
    for path in (ROOT / "config.yaml", OVERLAY, *args.configfile):
        config = merged(config, yaml.safe_load(path.read_text(encoding="utf-8")))
    for pair in args.set:
        key, _, value = pair.partition("=")
        config["pretraining"][key] = yaml.safe_load(value)
    if args.records:
        config["simulation"]["records"]["simulated"] = args.records
    return config


def claim(work: Path, config: dict[str, Any], by_patients: bool) -> None:
    """Note in ``work`` what it is made with; exit if it holds what other settings made."""
    tracked = {name: config[name] for name in ("seed", "simulation", "reports", "similarity", "pretraining", "signal")}
    tracked["ecgs"] = by_patients  # to whom the calibration is moved
    noted, text = work / "settings.json", json.dumps(tracked, indent=1, sort_keys=True)
    if noted.exists() and noted.read_text(encoding="utf-8") != text:
        sys.exit(f"{work} was made with other settings, see {noted}; give another --work, or delete it")
    work.mkdir(parents=True, exist_ok=True)
    noted.write_text(text, encoding="utf-8")


def run(stage: str, *options: Any) -> None:
    """Run a stage of the workflow; its log goes to standard error."""
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    path = os.pathsep.join([str(ROOT / "workflow"), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, **single, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", f"fgclep.stages.{stage}", *map(str, options)]
    done = subprocess.run(command, env=environment)  # nosec B603
    if done.returncode:
        sys.exit(f"{stage} failed with status {done.returncode}")


def steps(config: dict[str, Any], work: Path, cores: int) -> Iterator[str]:
    """Do one step after the other, and yield its name when it is done."""
    seed, chunks = config["seed"], config["data"]["sources"]["simulated"]["chunks"]
    simulation = config["simulation"]
    records = simulation["records"]["simulated"]
    told = {name: simulation[name] for name in ("feature_mention_rate", "prevalence")}
    simulated = json.dumps({**told, "seed": seed})
    parts = {
        name: [work / folder / f"{chunk}.parquet" for chunk in range(chunks)]
        for name, folder in (("shard", "shards"), ("manifest", "manifest"), ("truth", "truth"))
    }

    def simulate(chunk: int) -> None:
        if not all(paths[chunk].exists() for paths in parts.values()):
            places = [word for name, paths in parts.items() for word in (f"--{name}", paths[chunk])]
            numbers = numbers_of(chunk, chunks, records)
            run(
                "simulate_chunk", "--chunk", chunk, "--first", numbers.start, "--stop", numbers.stop,
                "--vocabulary", VOCABULARY, "--settings", simulated, *places,
            )  # fmt: skip

    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(simulate, range(chunks)))
    yield "simulate"

    texts, reports = work / "texts.parquet", work / "reports.parquet"
    manifest = work / "manifest.parquet"
    run("merge_tables", "--schema", "manifest", "--inputs", *parts["manifest"], "--output", manifest)
    run(
        "parse_reports", "--manifests", manifest, "--vocabulary", VOCABULARY,
        "--settings", json.dumps(config["reports"]), "--texts", texts, "--reports", reports,
        "--quarantine", work / "quarantine.parquet",
    )  # fmt: skip
    augmented = work / "augmented.parquet"
    run(
        "augment_with_truth", "--truths", *parts["truth"], "--texts", texts, "--reports", reports,
        "--vocabulary", VOCABULARY, "--output", augmented,
    )  # fmt: skip
    yield "reports"

    similarity = json.dumps({**config["similarity"], "seed": seed})
    run(
        "build_similarity", "--texts", texts, "--reports", reports, "--vocabulary", VOCABULARY,
        "--settings", similarity, "--output", work / "similarity", "--summary", work / "similarity.json",
    )  # fmt: skip
    yield "similarity"

    coarse = config["pretraining"]["coarse_epochs"] > 0
    for name, paired, start in (
        *([("coarse", reports, ())] if coarse else []),
        ("fine", augmented, ("--start-from", work / "models/coarse") if coarse else ()),
    ):
        model = work / "models" / name
        section = {**config["pretraining"], "epochs": config["pretraining"][f"{name}_epochs"]}
        if not model.exists():
            run(
                "pretrain", "--name", name, "--shards", *parts["shard"], "--texts", texts, "--reports", paired,
                "--similarity", work / "similarity", *start, "--output", model, "--metrics", work / "logs" / name,
                "--settings", json.dumps({**section, "signal": config["signal"], "seed": seed}, sort_keys=True),
            )  # fmt: skip
        yield f"train {name}"


def finish(trained: Path, output: Path, records: int, ecgs: Path | None) -> None:
    """Write a model as it is shipped: calibrated, and with weights in half precision, which take half the bytes."""
    model = FGCLEP.from_pretrained(trained)
    fitted = calibrate(model, records)
    model.calibration = Calibration(SIMULATED, fitted.curves)
    if ecgs:
        model.calibration, factor = move(model, fitted, load_tasks(), database_in(ecgs))
        print(f"slopes of the calibration by {factor:.2f}")
    with whole_folder(output) as partial:
        model.half().save_pretrained(partial)
        for file in ("training.csv", "README.md"):
            shutil.copyfile(trained / file, partial / file)


def copy_model(model: Path, output: Path, size: int, options: list[str]) -> None:
    """Copy the files that a model is used with, and say in its card which options made them."""
    if output == SHIPPED and size > LARGEST:
        sys.exit(f"{model} has {size:,} bytes, a model that comes with the package {LARGEST:,} at most")
    output.mkdir(parents=True, exist_ok=True)
    for file in MODEL_FILES:
        shutil.copyfile(model / file, output / file)
    command = shlex.join(["python", "benchmarks/simulated_large.py", "--install", *options])
    with (output / "README.md").open("a", encoding="utf-8") as card:
        population = Calibration.read(model).population
        moved = BY_PATIENTS if population != SIMULATED else ""
        card.write(CALIBRATED.format(population=population, moved=moved, command=command))


def main() -> None:
    args = arguments()
    config = settings(args)
    records = config["simulation"]["records"]["simulated"]
    print(f"{records:,} records, {args.cores} cores; pretraining: {config['pretraining']}", flush=True)
    claim(args.work, config, bool(args.ecgs))
    begin = time.perf_counter()
    seconds: dict[str, float] = {}
    for name in steps(config, args.work, args.cores):
        seconds[name] = round(time.perf_counter() - begin - sum(seconds.values()), 1)
        print(f"{name}: {seconds[name]:.1f} s", flush=True)
    model = args.work / "models/shipped"
    if not model.exists():
        finish(args.work / "models/fine", model, min(CALIBRATED_ON, records), args.ecgs)
        seconds["calibrate"] = round(time.perf_counter() - begin - sum(seconds.values()), 1)
    size = sum((model / file).stat().st_size for file in MODEL_FILES)
    if args.output:
        options = ["--records", str(records), *(["--set", *args.set] if args.set else [])]
        options += ["--ecgs", "FOLDER_OF_PTB_XL"] if args.ecgs else []  # no path of this machine
        copy_model(model, args.output, size, options)
    print(
        json.dumps(
            {
                "name": "simulated_large",
                "ratio": round(LARGEST / size, 2),
                "records": records,
                "seconds": seconds,
                "model_bytes": size,
            }
        )
    )


if __name__ == "__main__":
    main()
