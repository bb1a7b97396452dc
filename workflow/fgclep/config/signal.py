"""How a waveform is prepared for the model."""

from typing import Self

from pydantic import Field, model_validator

from fgclep.config.section import Section


class SignalSection(Section):
    """How a waveform is prepared for the model; the stored shards keep the original."""

    sampling_rate: int = Field(100, ge=50, le=1000, description="Samples per second (Hz) of the model's input.")
    duration: float = Field(
        10.0, gt=0, le=60, description="Seconds of the model's input; longer records are cropped, shorter ones tiled."
    )
    highpass: float = Field(0.5, gt=0, description="Lower edge of the band-pass filter in Hz; removes baseline wander.")
    lowpass: float = Field(
        40.0, gt=0, description="Upper edge of the band-pass filter in Hz; removes muscle and mains noise."
    )

    @model_validator(mode="after")
    def _band_fits(self) -> Self:
        if not self.highpass < self.lowpass < self.sampling_rate / 2:
            raise ValueError(
                f"highpass {self.highpass} < lowpass {self.lowpass} < half of sampling_rate {self.sampling_rate} "
                "must hold"
            )
        return self
