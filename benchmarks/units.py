"""How often an ECG in another unit, standardized or rescaled is taken as one in mV, by each way into the model.

Every record is scaled in each way and given as an array without a unit, as ``fgclep predict a.npy --fs 500`` reads it,
and as the millivolts that ``FGCLEP.predict`` takes. What is right must be accepted, and give the same millivolts; all
else refused.

    python benchmarks/units.py --ecgs <folder of ptb-xl>
"""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from ecgs import ecgs, parser  # isort: skip (puts the package on the path)

import numpy as np

from fgclep.leads import LEADS
from fgclep.recordings.arrays import usable_array
from fgclep.recordings.read import read_recording
from fgclep.recordings.wfdb_file import read_record

EIGHT = [LEADS.index(lead) for lead in ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")]
Scaling = Callable[[np.ndarray], np.ndarray]


def counts(per_mv: float) -> Scaling:
    """Numbers of a converter."""
    return lambda mv: np.round(mv * per_mv).astype(np.int32)


def each(scale: Scaling) -> Scaling:
    """Scale each lead for itself."""
    return lambda mv: np.stack([scale(row) for row in mv])


def standardized(mv: np.ndarray) -> np.ndarray:
    return (mv - mv.mean()) / mv.std()


def robust(mv: np.ndarray) -> np.ndarray:
    low, middle, high = np.percentile(mv, (25, 50, 75))
    return (mv - middle) / (high - low)


def from_0_to_1(mv: np.ndarray) -> np.ndarray:
    return (mv - mv.min()) / (mv.max() - mv.min())


def by_maximum(mv: np.ndarray) -> np.ndarray:
    return mv / np.abs(mv).max()


RIGHT: dict[str, Scaling] = {"mV": lambda mv: mv, "uV": lambda mv: mv * 1000, "V": lambda mv: mv / 1000}
WRONG: dict[str, Scaling] = {
    "z-scores of each of 8 leads": lambda mv: each(standardized)(mv[EIGHT]),
    "z-scores of all leads": standardized,
    "0 to 1, all leads": from_0_to_1,
    "-1 to 1, all leads": lambda mv: 2 * from_0_to_1(mv) - 1,
    "by the largest of all": by_maximum,
    "200 per mV": counts(200),
    "4.88 uV (MUSE)": counts(1000 / 4.88),
    "400 per mV": counts(400),
    "500 per mV": counts(500),
    "800 per mV": counts(800),
    "4880 per mV": counts(4880),
    "5000 per mV": counts(5000),
}
MORE: dict[str, Scaling] = {
    "z-scores of each lead": each(standardized),
    "0 to 1, each of 8 leads": lambda mv: each(from_0_to_1)(mv[EIGHT]),
    "by the largest of each of 8 leads": lambda mv: each(by_maximum)(mv[EIGHT]),
    "by median and quartiles, each of 8 leads": lambda mv: each(robust)(mv[EIGHT]),
    "by median and quartiles, all leads": robust,
    "by the 99th percentile of all": lambda mv: mv / np.percentile(np.abs(mv), 99),
    "z-scores of lead II alone": lambda mv: standardized(mv[1:2]),
    "0 to 1, lead II alone": lambda mv: from_0_to_1(mv[1:2]),
    "200 per mV, without mean, in decimals": lambda mv: np.round(mv * 200) - np.round(mv * 200).mean(axis=1)[:, None],
    "500 per mV, in decimals": lambda mv: np.round(mv * 500),
    "1000 per mV, integers": counts(1000),
}


def leads_of(values: np.ndarray) -> list[str]:
    return {12: list(LEADS), 8: [LEADS[row] for row in EIGHT], 1: ["II"]}[len(values)]


def accepted(values: np.ndarray, rate: float, expected: np.ndarray | None, path: Path) -> tuple[bool, bool]:
    """Whether a file without a unit, and an array said to be in mV, are taken; with other values than expected: no."""
    np.save(path, values)
    leads = leads_of(values)
    taken = []
    for read in (
        lambda: read_recording(path, fs=rate, leads=leads).millivolts(),
        lambda: usable_array(values, rate, leads)[0],
    ):
        try:
            mv = read()
        except ValueError:
            taken.append(False)
            continue
        taken.append(expected is None or bool(np.abs(mv - np.median(mv - expected) - expected).max() < 0.003))
    return taken[0], taken[1]


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--records", type=int, default=427)
    args = options.parse_args()
    with tempfile.TemporaryDirectory() as work:
        paths = ecgs(args.ecgs, Path(work), args.records)
        records = [read_record(path) for path in paths]
        table = {}
        for kind, scalings in (("right", RIGHT), ("wrong", WRONG), ("also wrong", MORE)):
            for name, scale in scalings.items():
                found = []
                for record in records:
                    mv = np.round(record.millivolts().astype(np.float64), 6)
                    expected = mv if kind == "right" else None
                    found.append(accepted(scale(mv), record.sampling_rate, expected, Path(work) / "a.npy"))
                table[kind, name] = np.array(found).sum(axis=0)
    print(f"{len(records)} records\n\n| scaling | | file without unit: taken | array in mV: taken |\n|---|---|---|---|")
    for (kind, name), (files, arrays) in table.items():
        print(f"| {name} | {kind} | {files} | {arrays} |")

    def share(kind: str) -> list[float]:
        """Of records taken, by each way."""
        rows = np.array([row for (of, _), row in table.items() if of == kind])
        return [round(float(value), 5) for value in rows.mean(axis=0) / len(records)]

    refused = [len(records) - int(min(table["right", name][0] for name in RIGHT))]
    refused.append(len(records) - int(table["right", "mV"][1]))
    figures = {
        "name": "units",
        "records": len(records),
        "right_refused": refused,
        "wrong_accepted": share("wrong"),
        "also_wrong_accepted": share("also wrong"),
        "ratio": round(1 - max(share("wrong")), 5),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
