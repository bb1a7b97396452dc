"""ECGs of a program or in files as the input of a model, with the checks of the command line."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fgclep.config.signal import SignalSection
from fgclep.leads import LEADS, lead_positions
from fgclep.models import saved
from fgclep.models.ecg import build_ecg_encoder
from fgclep.recordings.labels import MILLIVOLTS
from fgclep.signals.preparation import prepare_signal

Recording = np.ndarray | Tensor | str | Path
UNITS = ("mV", "uV", "V")


class FGCLEPProcessor:
    """Checks ECGs, repairs or refuses them as ``fgclep predict`` does, and makes the input of a model.

    Its settings stand in the model's ``config.json``; ``FGCLEP.processor`` is the one of a loaded model.

    Parameters
    ----------
    signal
        Rate, length and band of the model's input.
    encoder
        Kind of the ECG encoder, for errors.
    needs_all_leads
        Whether an ECG must have twelve leads.

    >>> model.encode_prepared(**model.processor(["r1.hea", "r2.edf"]))                     # doctest: +SKIP
    """

    def __init__(self, signal: SignalSection, encoder: str, needs_all_leads: bool):
        self.signal, self.encoder, self.needs_all_leads = signal, encoder, needs_all_leads

    @classmethod
    def from_pretrained(cls, folder: str | Path, **options: Any) -> "FGCLEPProcessor":
        """Make the processor of a model by its folder, or its name on the Hugging Face hub, without its weights.

        Errors and ``options`` are those of ``FGCLEP.from_pretrained``.
        """
        with saved.usable(folder):
            values = saved.read_config(saved.local_folder(folder, **options), folder)
            saved.check_config(values, folder)
            signal, encoder = SignalSection.model_validate(values["signal"]), values["ecg_encoder"]
            rate = signal.sampling_rate
            with torch.device("meta"):
                made = build_ecg_encoder(samples=round(rate * signal.duration), sampling_rate=rate, **encoder)
        return cls(signal, encoder["kind"], made.needs_all_leads and not values.get("lead_masking", 0.0))

    def __call__(
        self,
        recordings: Recording | Sequence[Recording],
        fs: float | None = None,
        leads: Sequence[str] | None = None,
        units: str | None = None,
    ) -> dict[str, Tensor]:
        """Make the input of one recording or many.

        Parameters
        ----------
        recordings
            One or many: arrays of shape (leads, samples), an array (ECGs, leads, samples), or paths of files that
            ``fgclep predict`` reads.
        fs
            Sampling rate in Hz of arrays, and of files that say none.
        leads
            Names of the rows of arrays, in any order (default: the usual twelve), and of files that name none.
        units
            mV, uV or V. Arrays without it are floating-point millivolts; of files it is what ``--units`` is.

        Returns
        -------
        dict
            ``signals``, float32 (ECGs, 12, samples), 0 where a lead is missing, and ``present``, bool (ECGs, 12).

        Raises
        ------
        ValueError
            Naming the file or the number of the ECG, where the command line refuses it: dead leads, missing samples,
            amplitudes of no heart, numbers that are no millivolts, or a lead that is missing and needed.
        """
        inputs = [self.one(recording, fs, leads, units) for recording in each(recordings)]
        signals, present = map(torch.stack, zip(*inputs, strict=True))
        return {"signals": signals, "present": present}

    def one(
        self, recording: Recording, fs: float | None, leads: Sequence[str] | None, units: str | None
    ) -> tuple[Tensor, Tensor]:
        """Signal (12, samples) and which leads are there (12,) of one recording; see ``__call__``.

        What was repaired, such as limb leads computed from I and II, is told as a warning.
        """
        if isinstance(recording, str | Path):
            from fgclep.recordings.read import read_recording  # of no use where ECGs come from shards

            try:
                record = read_recording(recording, fs, leads, units)
                for remark in record.remarks:
                    warnings.warn(f"{recording}: {remark}", stacklevel=3)
                return self.prepare(record.millivolts(), record.sampling_rate, record.leads)
            except ValueError as error:
                raise ValueError(f"{recording}: {error}") from error
        from fgclep.recordings.arrays import usable_array

        usable, names = usable_array(_millivolts(recording, units), fs, LEADS if leads is None else leads)
        return self.prepare(usable, fs, names)

    def prepare(self, signal: np.ndarray, fs: float | None, leads: Sequence[str] = LEADS) -> tuple[Tensor, Tensor]:
        """Make the model's input of one ECG that has been checked: nothing is repaired here, or refused as odd.

        Parameters
        ----------
        signal
            Millivolts, shape (leads, samples).
        fs
            Sampling rate in Hz.
        leads
            Names of the rows.

        Returns
        -------
        Tensor, Tensor
            Signal float32 (12, samples), 0 where a lead is missing, and which leads are there, bool (12,).

        Raises
        ------
        ValueError
            For another number of rows than lead names, a lead that is missing and needed, or samples that are not
            finite.
        """
        signal = np.asarray(signal, dtype=np.float32)
        if signal.ndim != 2 or len(signal) != len(leads):
            raise ValueError(
                f"signal has shape {signal.shape}, expected ({len(leads)}, samples) for leads {list(leads)}"
            )
        assert fs is not None
        positions = lead_positions(leads)
        missing = [name for number, name in enumerate(LEADS) if number not in positions]
        if len(missing) > (0 if self.needs_all_leads else len(LEADS) - 1):
            needed = "all twelve" if self.needs_all_leads else "at least one"
            raise ValueError(f"leads {missing} are missing in {list(leads)}; a {self.encoder} needs {needed}")
        prepared = prepare_signal(signal, fs, self.signal)
        signals = torch.zeros(len(LEADS), prepared.shape[1])
        signals[positions] = torch.from_numpy(prepared)
        present = torch.zeros(len(LEADS), dtype=torch.bool)
        present[positions] = True
        return signals, present


def is_one(recordings: Recording | Sequence[Recording]) -> bool:
    """Whether this is one recording: a path, or an array of two dimensions."""
    return isinstance(recordings, str | Path) or (isinstance(recordings, np.ndarray | Tensor) and recordings.ndim != 3)


def each(recordings: Recording | Sequence[Recording]) -> list[Recording]:
    """Return recordings as a list; raises ``ValueError`` if there is none."""
    some: list[Recording] = [recordings] if is_one(recordings) else list(recordings)  # type: ignore[list-item, arg-type]
    if not some:
        raise ValueError("there is no recording; give arrays of shape (leads, samples), or paths of files")
    return some


def _millivolts(signal: Recording, units: str | None) -> np.ndarray:
    values = signal.detach().cpu().numpy() if isinstance(signal, Tensor) else signal
    if units is None:
        return values  # type: ignore[return-value]
    if units not in UNITS:
        raise ValueError(f"units is {units!r}; give mV, uV or V")
    if np.ma.is_masked(values):
        return values  # type: ignore[return-value]  # is refused
    return np.asarray(values, dtype=np.float64) * MILLIVOLTS[units.lower()]
