"""One ECG as integers with gain and baseline, leads in canonical order."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fgclep.leads import LEADS
from fgclep.signals.encoding import to_millivolts

MISSING = -32768  # a missing sample in ``Record.digital``
LONGEST_SECONDS = 60.0  # that are used of a record, from its middle
_LOWEST_RATE = 100.0  # Hz: at a rate that no ECG has, and that is refused, enough is left for the other checks


@dataclass(frozen=True)
class Record:
    """An ECG as stored.

    Attributes
    ----------
    digital
        int16 (leads, samples) in ADC units; ``MISSING`` for no value.
    gain
        float64 (leads,), ADC units per mV.
    baseline
        int32 (leads,), the ADC value of 0 mV.
    sampling_rate
        Hz.
    leads
        Canonical names of the leads, in the order of ``fgclep.leads.LEADS``; all twelve unless the file lacks some.
    age, sex, codes
        From the header's comments: years, ``F`` or ``M``, ``#Dx`` codes; ``None`` or empty where it has none.
    remarks
        What was noticed or repaired since reading.
    """

    digital: np.ndarray
    gain: np.ndarray
    baseline: np.ndarray
    sampling_rate: float
    leads: tuple[str, ...] = LEADS
    age: float | None = None
    sex: str | None = None
    codes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def millivolts(self) -> np.ndarray:
        """Return the signal in mV, float32 (leads, samples), NaN where a sample is missing."""
        return self.mv.copy()

    @cached_property
    def mv(self) -> np.ndarray:
        """What ``millivolts`` copies: worked out once, and not to be written to."""
        signal = to_millivolts(self.digital, self.gain, self.baseline)
        missing = self.digital == MISSING
        if missing.any():
            signal[missing] = np.nan
        signal.flags.writeable = False
        return signal


def middle_part(samples: int, rate: float, longest: float | None = LONGEST_SECONDS) -> tuple[slice, list[str]]:
    """Which samples are used of a record, and a remark if these are not all: the middle ``longest`` seconds."""
    if longest is None or samples <= longest * max(rate, _LOWEST_RATE):
        return slice(0, samples), []
    kept = round(longest * max(rate, _LOWEST_RATE))
    start = (samples - kept) // 2
    return slice(start, start + kept), [f"{samples / rate:,.0f} s long, of which the middle {longest:g} s are read"]
