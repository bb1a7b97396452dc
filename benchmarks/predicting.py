"""``fgclep predict`` with today's code and that of before, in turns: one file, a folder, and mistakes.

Each is a process of its own from start to end, as at the command line. ``one`` asks about one file, ``folder`` about
many: what an ECG more takes is the difference of the two, over the others of the folder. ``help`` prints the commands,
``wrong_path`` names a file that is not there, ``wrong_task`` a task, ``wrong_shards`` a folder of ``fgclep retrieve``.

The answers of both are compared: probabilities are printed with four decimals, beside what was measured.
"""

import json
import shutil
import tempfile
from pathlib import Path

from before import Took, in_turns
from ecgs import ecgs, machine, parser

ASKED = {
    "one": 'predict "$ONE" --model {checkout}/workflow/fgclep/pretrained --format json',
    "folder": 'predict "$MANY" --model {checkout}/workflow/fgclep/pretrained --format json',
    "help": "--help",
    "wrong_path": "predict nothing-there.hea",
    "wrong_task": 'predict "$ONE" --task nothing-there',
    "wrong_shards": "retrieve x --shards nothing-there",
}


def command(asked: str, one: Path | None, many: Path | None) -> list[str]:
    """Return the command, whose messages are left out, as is that it may fail: mistakes do."""
    line = f"ONE='{one}' MANY='{many}'; python -m fgclep.cli {ASKED[asked]}"
    return ["bash", "-c", f"{line} 2>{'/dev/null || true' if asked.startswith('wrong') else '/dev/null'}"]


def differing(pair: tuple[Took, Took]) -> dict[str, float]:
    """Count the recordings whose answers are not the same, and the largest difference of a probability."""
    before, after = ([json.loads(line) for line in took.output.splitlines()] for took in pair)
    away = 0.0
    for one, other in zip(before, after, strict=True):
        known = {found["feature"]: found["probability"] for found in other.get("features", [])}
        away = max([away, *(abs(found["probability"] - known.get(found["feature"], found["probability"]))
                            for found in one.get("features", []))])  # fmt: skip
    return {"answers": len(before), "other": sum(a != b for a, b in zip(before, after, strict=True)), "most": away}


def main() -> None:
    """Print a row for each of what is asked, and what is the same."""
    options = parser(__doc__)
    options.add_argument("--records", type=int, default=1000, help="ECGs in the folder")
    options.add_argument("--rounds", type=int, default=3, help="runs of each, of which the fastest counts")
    options.add_argument("--asked", nargs="+", choices=ASKED, default=list(ASKED), help="what is measured")
    args = options.parse_args()
    with tempfile.TemporaryDirectory() as work:
        one, many = None, None
        if {"one", "folder", "wrong_task"} & set(args.asked):
            many = Path(work) / "many"
            many.mkdir()
            records = ecgs(args.ecgs, Path(work), args.records if "folder" in args.asked else 1)
            for number, record in enumerate(records):
                for file in record.parent.glob(f"{record.name}.*"):
                    (many / str(number)).mkdir(exist_ok=True)
                    shutil.copy(file, many / str(number) / file.name)
            one = many / "0" / records[0].name
        took = in_turns(args.rounds, **{asked: command(asked, one, many) for asked in args.asked})
    print(machine())
    print("\n| | before, s | of it processor | MiB | today, s | of it processor | MiB | ratio |\n" + "|---" * 8 + "|")
    for asked, pair in took.items():
        cells = [f"{run.wall:.2f} | {run.cpu:.2f} | {run.peak_mb:,.0f}" for run in pair]
        print(f"| `{asked}` | {' | '.join(cells)} | {pair[0].cpu / pair[1].cpu:.1f} |")
    figures: dict = {
        asked: {name: [round(getattr(run, name), 3) for run in pair] for name in ("wall", "cpu", "peak_mb")}
        for asked, pair in took.items()
    }
    if {"one", "folder"} <= set(took):
        more = len(records) - 1
        each = [(run.cpu - alone.cpu) / more for run, alone in zip(took["folder"], took["one"], strict=True)]
        print(f"\nan ECG more of {len(records):,}: {1000 * each[0]:.2f} and {1000 * each[1]:.2f} ms of processor time")
        figures |= {"ms_per_ecg": [round(1000 * some, 3) for some in each], "per_ecg": round(each[0] / each[1], 2)}
    for asked in {"one", "folder"} & set(took):
        figures[asked] |= differing(took[asked])
        print(f"`{asked}`: {figures[asked]['other']} of {figures[asked]['answers']} answers are not the same")
    first = took[args.asked[0]]
    print(json.dumps({"name": "predicting", "ratio": round(first[0].cpu / first[1].cpu, 2), **figures}))


if __name__ == "__main__":
    main()
