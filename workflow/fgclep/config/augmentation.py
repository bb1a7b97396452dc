"""Random changes of the ECGs that are trained on."""

from pydantic import Field

from fgclep.config.section import Section


class AugmentationSection(Section):
    """Random changes of the ECGs that are trained on, drawn anew in every batch; 0: none.

    Their limits are there to keep the reports true.
    """

    lead_masking: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Probability that an ECG keeps only some of its leads: the six limb leads, these and one chest "
        "lead, I, II, or any; a limb lead that follows from two others counts as kept. Above 0, a ResNet reads ECGs "
        "with fewer than twelve leads.",
    )
    crop: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="Largest share that is cut off at the ends; what is left is repeated, as a short recording is. "
        "A finding of a single beat may be cut off.",
    )
    time_scale: float = Field(
        0.0,
        ge=0,
        le=0.05,
        description="Largest relative change of all durations. With 0.05 a PR interval of 200 ms is up to 10 ms longer "
        "or shorter and a QT interval of 400 ms 20 ms, half of a small square of ECG paper at most; beyond, rates and "
        "intervals would not be those of the report.",
    )
    noise: float = Field(
        0.0, ge=0, le=0.5, description="Largest root mean square, in mV, of white noise at each electrode."
    )
    amplitude: float = Field(
        0.0,
        ge=0,
        le=0.2,
        description="Largest relative change of the amplitude, of all leads alike. From one week to the next the "
        "voltages of a patient vary by some 10 %; reports of high and low voltage allow no more than twice that.",
    )

    @property
    def is_off(self) -> bool:
        """Whether ECGs are trained on as they are."""
        return not any(value for _, value in self)
