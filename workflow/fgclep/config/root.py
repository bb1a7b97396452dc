"""The whole config."""

from typing import Any, Literal, NamedTuple, Self, TypeVar

from pydantic import Field, ValidationError, model_validator

from fgclep.config.ablation import COARSE, REFERENCE, AblationSection
from fgclep.config.address import LARGEST_SEED, check_values
from fgclep.config.data import DataSection
from fgclep.config.evaluation import EvaluationSection
from fgclep.config.measurement import MeasurementSection
from fgclep.config.pretraining import PretrainingSection
from fgclep.config.quality import QualitySection
from fgclep.config.recovery import RecoverySection
from fgclep.config.report import ReportSection
from fgclep.config.reports import ReportsSection
from fgclep.config.section import Section, over_defaults
from fgclep.config.signal import SignalSection
from fgclep.config.similarity import SimilaritySection
from fgclep.config.simulation import SimulationSection
from fgclep.config.verification import VerificationSection

S = TypeVar("S", bound=Section)


class Variant(NamedTuple):
    """The sections that a variant of ``ablation`` may change, as they are for its fine stage.

    With ``throughout`` pretraining and similarity are so for its coarse stage as well.
    """

    pretraining: PretrainingSection
    similarity: SimilaritySection
    verification: VerificationSection
    throughout: bool


class Config(Section):
    """Every setting of the workflow."""

    seed: int = Field(
        0, ge=0, le=LARGEST_SEED, description="Seed of all random numbers; the same config gives the same files."
    )
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
    ablation: AblationSection = AblationSection()

    @model_validator(mode="before")
    @classmethod
    def _values_can_be_used(cls, values: Any) -> Any:
        check_values(values)
        return values

    @model_validator(mode="after")
    def _variants_are_valid(self) -> Self:
        for name in self.ablation.variants:
            self.variant(name)
        return self

    @model_validator(mode="after")
    def _votes_can_be_had(self) -> Self:
        answers = self.recovery.samples if self.recovery.asks else 1
        if self.verification.min_votes > answers:
            raise ValueError(
                f"verification.min_votes is {self.verification.min_votes}, and recovery gives {answers} answer(s) to a "
                "statement, so that every feature would be dropped. Write\n\n"
                f"    verification:\n      min_votes: {answers}\n\nor more recovery.samples of a language model"
            )
        return self

    @model_validator(mode="after")
    def _truth_is_known(self) -> Self:
        variants = [self.variant(name).verification.features for name in self.ablation.variants]
        if "truth" not in (self.verification.features, *variants):
            return self
        if any(map(self.data.is_simulated, self.data.pretraining_sources())):
            return self
        raise ValueError(
            "verification.features is truth, and none of the sources with the role pretrain is simulated. Write\n\n"
            "    data:\n      sources:\n        simulated:\n          role: pretrain"
        )

    @model_validator(mode="after")
    def _no_training_record_is_judged(self) -> Self:
        both = [key for key, source in self.data.sources.items() if source.role == "both"]
        if both and self.evaluation.zero_shot_split == "all":
            raise ValueError(
                f"evaluation.zero_shot_split is all, and {both[0]} has the role both: models are trained on some of "
                "its records. Write\n\n    evaluation:\n      zero_shot_split: test"
            )
        return self

    def variant(self, name: str) -> Variant:
        """Return the sections of a variant of ``ablation``; of a name that is none, those of the config.

        Raises
        ------
        ValueError
            If the variant changes what it cannot, or has a name that is taken.
        """
        changes = self.ablation.variants.get(name) or {}
        if name in self.ablation.variants and name in (COARSE, REFERENCE):
            raise ValueError(f"ablation.variants: the name {name} is taken; choose another one")
        if set(changes.get("verification", {})) - {"features"}:
            raise ValueError(f"ablation.variants.{name}: of the section verification only features can be changed")
        throughout = changes.get("throughout", False)
        if "coarse_epochs" in changes.get("pretraining", {}) and not throughout:
            raise ValueError(
                f"ablation.variants.{name}: coarse_epochs is no setting of the fine stage; add throughout: true"
            )

        def changed(section: Literal["pretraining", "similarity", "verification"], own: S) -> S:
            values = over_defaults(own.model_dump(mode="json"), changes.get(section, {}))
            try:
                return type(own).model_validate(values)
            except ValidationError as error:
                first = error.errors()[0]
                place = ".".join(map(str, ("ablation.variants", name, section, *first["loc"])))
                raise ValueError(f"{place}: {first['msg']}") from None

        return Variant(
            changed("pretraining", self.pretraining),
            changed("similarity", self.similarity),
            changed("verification", self.verification),
            throughout,
        )
