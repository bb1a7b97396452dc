"""What stages that use a trained model take of the config."""

from pydantic import Field

from fgclep.config.pretraining import Device, EcgEncoderSection
from fgclep.config.section import MACHINE, SPEED, Section
from fgclep.config.signal import SignalSection


class ReaderSettings(Section):
    """How a reader is used, which knows its own architecture and signal; such jobs are many, so each has one thread."""

    device: Device = Field(json_schema_extra=MACHINE)
    batch_size: int = Field(ge=1)
    threads: int = Field(1, ge=1, json_schema_extra=MACHINE)
    workers: int = Field(1, ge=1, json_schema_extra=SPEED)


class InferenceSettings(ReaderSettings):
    """How a trained model is used on signals as the config has them."""

    signal: SignalSection


class ExamSettings(ReaderSettings):
    """An exam of the reader."""

    target_fdr: float = Field(gt=0, lt=1)


class EmbeddingSettings(InferenceSettings):
    """An embedding, of the ECG encoder with random weights if ``random``: then it depends on its architecture, too."""

    random: bool
    ecg_encoder: EcgEncoderSection
    projection: int
    temperature: float
    max_temperature: float
    bias: float | None
    seed: int

    def idle(self) -> set[str]:
        """See ``Section``."""
        own = {"ecg_encoder", "projection", "temperature", "max_temperature", "bias", "seed"}
        return set() if self.random else own
