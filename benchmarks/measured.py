"""What the code on the path measures of ECGs, and in how much processor time: a command of measuring.py."""

import argparse
import time
from pathlib import Path

import numpy as np

from fgclep.measurement.measure import measure
from fgclep.schemas.measurements import LEAD_MEASURES, MEASURES


def main() -> None:
    """Print the seconds that measuring took, and write the values."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ecgs", type=Path, help="npz with mv, float32 (records, 12, samples), and fs, their rate in Hz")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    with np.load(args.ecgs) as file:
        ecgs, fs = file["mv"], float(file["fs"])
    measure(ecgs[0], fs)
    start = time.process_time()
    found = [measure(mv, fs) for mv in ecgs]
    seconds = time.process_time() - start
    scalars = np.full((len(ecgs), len(MEASURES)), np.nan)
    leads = np.full((len(ecgs), len(LEAD_MEASURES), 12), np.nan, np.float32)
    for number, measures in enumerate(found):
        if measures is not None:
            scalars[number] = [measures.scalars[name] for name in MEASURES]
            leads[number] = [measures.leads[name] for name in LEAD_MEASURES]
    np.savez(args.output, scalars=scalars, leads=leads)
    print(seconds)


if __name__ == "__main__":
    main()
