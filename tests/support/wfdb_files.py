"""Small WFDB databases made for tests."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import wfdb

from fgclep.leads import LEADS

RATE = 500


def heart(seconds: float = 10.0, rr: float = 0.8, seed: int = 0) -> np.ndarray:
    """Twelve leads with P, R, S and T waves of known size and a little noise, in mV: (12, samples).

    P 0.15, R 1.0, S 0.3, T 0.3 mV times the lead's factor; R peaks at 0.5 s + n * rr.
    """
    time = np.arange(round(seconds * RATE)) / RATE
    wave = np.zeros_like(time)
    for beat in np.arange(0.5, seconds + 1, rr):
        for size, center, width in ((0.15, -0.16, 0.020), (1.0, 0.0, 0.010), (-0.3, 0.03, 0.008), (0.3, 0.28, 0.045)):
            wave += size * np.exp(-0.5 * ((time - beat - center) / width) ** 2)
    lead_i, lead_ii = 0.6 * wave, wave
    limbs = [lead_i, lead_ii, lead_ii - lead_i, -(lead_i + lead_ii) / 2, lead_i - lead_ii / 2, lead_ii - lead_i / 2]
    signal = np.stack([*limbs, *(factor * wave for factor in (-0.4, 0.3, 0.6, 1.2, 1.0, 0.8))])
    return signal + 0.003 * np.random.default_rng(seed).standard_normal(signal.shape)


def write_record(
    folder: Path,
    name: str,
    mv: np.ndarray,
    leads: Sequence[str] = LEADS,
    comments: Sequence[str] = (),
    gain: float = 200,
    rate: int = RATE,
) -> None:
    """Write a record of format 16."""
    folder.mkdir(parents=True, exist_ok=True)
    wfdb.wrsamp(
        name,
        fs=rate,
        units=["mV"] * len(leads),
        sig_name=list(leads),
        d_signal=np.round(mv.T * gain).astype(np.int16),
        fmt=["16"] * len(leads),
        adc_gain=[gain] * len(leads),
        baseline=[0] * len(leads),
        comments=list(comments),
        write_dir=str(folder),
    )


def write_lists(database: Path) -> None:
    """Write RECORDS and SHA256SUMS.txt of all files of a database."""
    headers = sorted(file.relative_to(database).with_suffix("") for file in database.rglob("*.hea"))
    (database / "RECORDS").write_text("".join(f"{header}\n" for header in headers))
    files = sorted(file for file in database.rglob("*") if file.is_file() and file.name != "SHA256SUMS.txt")
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()} {file.relative_to(database)}\n" for file in files]
    (database / "SHA256SUMS.txt").write_text("".join(lines))
