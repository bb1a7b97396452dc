"""Measuring ECGs before and today: how many a second of one core, and which verdicts of features differ.

The code of before and today's run in turns (``measured.py``), at the rate of the recordings, and with those of 500 Hz
brought to 100 Hz. Each verdict on a record and a feature that differs is printed with the values that its rule looks
at. With ``--neurokit``, NeuroKit2 delineates some of the same recordings beside it: lead II, and each of the 12 leads.
"""

import importlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ecgs import ROOT, ecgs, parser  # isort: skip (puts the package on the path)

import numpy as np
import polars as pl
from before import checkout, take
from measurements import looks_at

from fgclep.language.vocabulary import load_vocabulary
from fgclep.leads import INDEX, LEADS
from fgclep.measurement.rules import VERDICTS, RuleTable
from fgclep.recordings.wfdb_file import read_record
from fgclep.schemas.measurements import LEAD_MEASURES, MEASURES
from fgclep.signals.preparation import resample
from fgclep.signals.repair import with_documented_gain
from fgclep.sources import get_source

Values = dict[str, np.ndarray]


def recordings(folder: Path, fold: int | None) -> list[Path]:
    """Headers in a folder; of a fold of PTB-XL, those of its table that are there."""
    if fold is None:
        return sorted(folder.rglob("*.hea"))
    table = pl.read_csv(folder / "ptbxl_database.csv").filter(pl.col("strat_fold") == fold)
    names = (folder / f"{name}.hea" for column in ("filename_lr", "filename_hr") for name in table[column])
    return [path for path in names if path.exists()]


def read(paths: Sequence[Path], source: str) -> tuple[list[str], float, np.ndarray]:
    """Names, rate and mV, float32 (records, 12, samples), of those that are like the first and have all leads."""
    names: list[str] = []
    signals: list[np.ndarray] = []
    rate = 0.0
    for path in paths:
        record = with_documented_gain(read_record(path), get_source(source).gain)
        rate, mv = rate or record.sampling_rate, record.millivolts()
        if record.leads == LEADS and record.sampling_rate == rate and mv.shape == (signals or [mv])[0].shape:
            names.append(path.stem)
            signals.append(mv)
    return names, rate, np.stack(signals).astype(np.float32)


def in_turns(signals: np.ndarray, rate: float, rounds: int, work: Path) -> list[tuple[float, Values]]:
    """Seconds of processor time, and measured values, of the code of before and of today's."""
    np.savez(work / "ecgs.npz", mv=signals, fs=rate)
    seconds, values = [np.inf, np.inf], []
    with checkout() as earlier:
        for _ in range(rounds):
            for number, code in enumerate((earlier, ROOT)):
                command = [
                    "python",
                    ROOT / "benchmarks/measured.py",
                    work / "ecgs.npz",
                    "--output",
                    work / f"{number}.npz",
                ]
                took = take(code, command, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
                seconds[number] = min(seconds[number], float(took.output))
    for number in range(2):
        with np.load(work / f"{number}.npz") as found:
            scalars = dict(zip(MEASURES, found["scalars"].T, strict=True))
            values.append(scalars | dict(zip(LEAD_MEASURES, found["leads"].transpose(1, 0, 2), strict=True)))
    return list(zip(seconds, values, strict=True))


def shown(name: str, record: int, before: Values, now: Values) -> Iterator[str]:
    """What a record's values of a measure were and are, where they differ by more than rounding."""
    pair = np.atleast_1d(before[name][record]), np.atleast_1d(now[name][record])
    for place in np.flatnonzero(~np.isclose(*pair, rtol=1e-4, atol=1e-4, equal_nan=True)):
        lead = f" {LEADS[place]}" if len(pair[0]) > 1 else ""
        yield f"{name}{lead} {pair[0][place]:.4g} -> {pair[1][place]:.4g}"


def neurokit(signals: np.ndarray, rate: float) -> dict[str, float]:
    """ECGs a second that NeuroKit2 delineates, by lead II and by each lead; and of how many leads in a hundred."""
    try:
        library = importlib.import_module("neurokit2")
    except ImportError as error:
        sys.exit(f"--neurokit compares with NeuroKit2, which is not here ({error}): pip install neurokit2")
    figures: dict[str, float] = {}
    for name, leads in (("lead_ii", [INDEX["II"]]), ("leads_12", range(12))):
        start, failed = time.process_time(), 0
        for mv in signals:
            for lead in leads:
                try:
                    library.ecg_process(mv[lead].astype(float), sampling_rate=round(rate))
                except (ValueError, IndexError, ZeroDivisionError, TypeError):  # of what it cannot delineate
                    failed += 1
        figures[f"neurokit_{name}"] = len(signals) / (time.process_time() - start)
        figures[f"neurokit_{name}_failed"] = failed / (len(signals) * len(leads))
    return figures


def main() -> None:
    """Print rates and differences, and a line of JSON whose ratio is that of the rates at the recordings' own."""
    options = parser(__doc__)
    options.add_argument("--source", default="ptb-xl", help="key of their database, which may document their gain")
    options.add_argument("--fold", type=int, help="only this fold of PTB-XL: --ecgs is its folder with the table")
    options.add_argument("--records", type=int, default=400, help="at most")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--neurokit", type=int, default=0, help="ECGs that NeuroKit2 delineates as well")
    args = options.parse_args()
    features = load_vocabulary(ROOT / "resources/vocabulary").features
    rules = {name: feature.rule for name, feature in features.items() if feature.rule is not None}
    table, figures = RuleTable(list(rules.values())), {}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        paths = ecgs(None, work, args.records) if args.ecgs is None else recordings(args.ecgs, args.fold)
        names, rate, signals = read(paths[: args.records], args.source)
        sets = {f"{rate:g}": (rate, signals)}
        if rate == 500:
            sets["100"] = (100, resample(signals, rate, 100))
        print("| rate, Hz | ECGs | before, ECG/s | today, ECG/s | ratio | verdicts | differ |\n" + 7 * "|---" + "|")
        differing = []
        for key, (at, resampled) in sets.items():
            (slow, before), (fast, now) = in_turns(resampled, at, args.rounds, work)
            verdicts = [table.verdicts(values, len(names)) for values in (before, now)]
            differ = verdicts[0] != verdicts[1]
            for record, feature in np.argwhere(differ).tolist():
                name = list(rules)[feature]
                said = " -> ".join(VERDICTS[int(found[record, feature])] for found in verdicts)
                looked = [
                    text for measure in sorted(looks_at(rules[name])) for text in shown(measure, record, before, now)
                ]
                differing.append(f"{key} Hz, {names[record]}, {name}: {said} ({', '.join(looked)})")
            rates = len(names) / slow, len(names) / fast
            print(
                f"| {key} | {len(names)} | {rates[0]:.0f} | {rates[1]:.0f} | {slow / fast:.1f} | {differ.size} "
                f"| {differ.sum()} ({differ.mean():.4%}) |"
            )
            figures |= {f"before_{key}": rates[0], f"today_{key}": rates[1], f"differ_{key}": float(differ.mean())}
        print("", *differing, sep="\n")
        if args.neurokit:
            figures |= neurokit(signals[: args.neurokit], rate)
            by_one, by_all = figures["neurokit_lead_ii"], figures["neurokit_leads_12"]
            print(f"NeuroKit2: {by_one:.1f} ECG/s by lead II, {by_all:.1f} by 12 leads")
    ratio = figures[f"today_{rate:g}"] / figures[f"before_{rate:g}"]
    print(json.dumps({"name": "measuring", "ratio": ratio, "records": len(names), **figures}))


if __name__ == "__main__":
    main()
