"""The whole config."""

from pydantic import Field

from fgclep.config.data import DataSection
from fgclep.config.evaluation import EvaluationSection
from fgclep.config.measurement import MeasurementSection
from fgclep.config.pretraining import PretrainingSection
from fgclep.config.quality import QualitySection
from fgclep.config.recovery import RecoverySection
from fgclep.config.report import ReportSection
from fgclep.config.reports import ReportsSection
from fgclep.config.section import Section
from fgclep.config.signal import SignalSection
from fgclep.config.similarity import SimilaritySection
from fgclep.config.simulation import SimulationSection
from fgclep.config.verification import VerificationSection


class Config(Section):
    """Every setting of the workflow."""

    seed: int = Field(0, ge=0, description="Seed of all random numbers; the same config gives the same files.")
    data: DataSection = DataSection()
    simulation: SimulationSection = SimulationSection()
    quality: QualitySection = QualitySection()
    signal: SignalSection = SignalSection()
    measurement: MeasurementSection = MeasurementSection()
    reports: ReportsSection = ReportsSection()
    recovery: RecoverySection = RecoverySection()
    verification: VerificationSection = VerificationSection()
    similarity: SimilaritySection = SimilaritySection()
    pretraining: PretrainingSection = PretrainingSection()
    evaluation: EvaluationSection = EvaluationSection()
    report: ReportSection = ReportSection()
