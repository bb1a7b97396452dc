"""Contrastive pre-training."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from fgclep.config.augmentation import AugmentationSection
from fgclep.config.named_models import made_by_this_run
from fgclep.config.section import MACHINE, SPEED, Section, Seeded
from fgclep.config.signal import SignalSection

Device = Literal["auto", "cpu", "cuda"]


class EcgEncoderSection(Section):
    """The encoder of the waveform."""

    kind: Literal["resnet18", "resnet50", "vit_tiny", "vit_small", "vit_base", "s4d"] = Field(
        "resnet18",
        description="resnet18, resnet50: one-dimensional residual networks. vit_tiny, vit_small, vit_base: "
        "transformers over patches of one lead and one second. s4d: state spaces, recurrences over time.",
    )
    width: int = Field(
        16,
        ge=4,
        le=4096,
        description="Channels of the first stage of a ResNet (the original has 64), or of all layers of s4d, which "
        "takes longer with 64 than a ResNet18 with 32. A ViT ignores it.",
    )


class TextEncoderSection(Section):
    """The encoder of the statements."""

    name: str = Field(
        "scratch",
        min_length=1,
        description="scratch: a small BERT and its tokenizer, trained here and offline. Else a Hugging Face name such "
        "as emilyalsentzer/Bio_ClinicalBERT, or a folder.",
    )
    hidden_size: int = Field(128, ge=8, le=65_536, description="Width of an encoder from scratch.")
    layers: int = Field(1, ge=1, le=200, description="Transformer layers of an encoder from scratch.")
    heads: int = Field(4, ge=1, description="Attention heads of an encoder from scratch; a divisor of hidden_size.")
    max_tokens: int = Field(64, ge=8, le=512, description="Tokens of the longest text; what is longer is cut.")
    trained_layers: Literal["all"] | Annotated[int, Field(ge=0)] = Field(
        "all",
        description="all, or how many of the last layers are trained; 0 freezes the encoder. The frozen ones run once "
        "per distinct text.",
    )
    cache_mb: int = Field(
        1000,
        ge=0,
        description="Megabytes, of the GPU if there is one, for what frozen layers make of the texts; rarer texts that "
        "do not fit take the frozen layers in every step. Without use if all layers are trained.",
    )

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.hidden_size % self.heads:
            raise ValueError(f"hidden_size {self.hidden_size} is no multiple of heads {self.heads}")
        return self


class PretrainingSection(Section):
    """Contrastive pre-training, coarse and then fine."""

    device: Device = Field(
        "auto", description="auto: a CUDA device if there is one, else the CPU.", json_schema_extra=MACHINE
    )
    threads: int = Field(
        1,
        ge=1,
        le=1024,
        description="Threads of PyTorch on the CPU, per process. With 1, jobs share the cores best; other numbers "
        "change the last digits of the results.",
        json_schema_extra=MACHINE,
    )
    processes: int = Field(
        1,
        ge=1,
        le=1024,
        description="Processes that train one model together, each with a GPU of its own if device is cuda. They share "
        "each batch of batch_size ECGs.",
    )
    start_from: str | None = Field(
        None,
        min_length=1,
        description="Model that the coarse stage goes on from: shipped (that of the package, of simulated ECGs), "
        "a folder such as another/results/models/fine, or a Hugging Face name. Its ECG encoder, projection and "
        "alignment must be those of the config; its text encoder is taken as it is and learns the words that are new. "
        "null: a new model.",
    )
    ecg_encoder: EcgEncoderSection = EcgEncoderSection()
    text_encoder: TextEncoderSection = TextEncoderSection()
    projection: int = Field(128, ge=2, le=65_536, description="Dimensions of the space shared by ECGs and texts.")
    alignment: Literal["global", "attention"] = Field(
        "global",
        description="global: one embedding per ECG. attention: each text attends to the patches of the ECG, one lead "
        "and second of a transformer, one stretch of time of the others.",
    )
    text_unit: Literal["statement", "report"] = Field(
        "statement",
        description="What an ECG is paired with. statement: several single statements. report: all as one text.",
    )
    statements_per_ecg: int = Field(
        4, ge=1, description="Statements drawn per ECG and batch; text_unit report ignores it."
    )
    features_per_ecg: int = Field(
        4,
        ge=0,
        description="Waveform features drawn per ECG and batch, beside the statements; text_unit report ignores it.",
    )
    augmentation: AugmentationSection = AugmentationSection()
    loss: Literal["balanced_clip", "balanced", "fg_clep", "siglip", "clip", "soft_sigmoid"] = Field(
        "balanced_clip",
        description="balanced_clip: balanced and clip together. balanced: pairwise sigmoid in which every text counts "
        "the same. fg_clep: siglip and mitigation of false negatives, as published. siglip: pairwise sigmoid. clip: "
        "softmax over the batch. soft_sigmoid: sigmoid with the similarity as target.",
    )
    mitigation: float = Field(
        0.05,
        ge=0,
        description="Weight lambda of the false-negative mitigation in the loss fg_clep; 0.5 in the paper, where "
        "an ECG has the label of one report only.",
    )
    temperature: float = Field(
        10.0, gt=0, le=1e6, description="Initial factor t of the cosine in the logit t * cosine + bias; learned."
    )
    max_temperature: float = Field(100.0, gt=0, le=1e6, description="Upper limit of the learned factor t.")
    bias: float | None = Field(
        None,
        ge=-1e6,
        le=1e6,
        description="Initial bias of the logit; learned. null: 0 with a balanced loss, else -log(batch_size - 1), "
        "which fits the batch.",
    )
    batch_size: int = Field(64, ge=2, description="ECGs per batch, over all processes; more need more memory.")
    accumulate: int = Field(
        1,
        ge=1,
        description="Batches whose mean gradient makes one step of the optimizer. ECGs are compared with the texts of "
        "their own batch only, so this does not replace a larger batch_size.",
    )
    learning_rate: float = Field(2e-3, gt=0, description="Peak learning rate of the ECG encoder and what follows it.")
    text_learning_rate: float = Field(
        1e-3, gt=0, description="Peak learning rate of the text encoder and its projection."
    )
    weight_decay: float = Field(1e-4, ge=0, description="Weight decay of AdamW.")
    warmup: float = Field(
        0.1, ge=0, lt=1, description="Share of the training during which the learning rate rises, 0 to 1."
    )
    gradient_clip: float = Field(1.0, gt=0, description="Largest norm of the gradient.")
    coarse_epochs: int = Field(
        4,
        ge=0,
        description="Epochs of the coarse stage, on the statements as written. 0, with start_from only: the fine stage "
        "goes on from that model itself.",
    )
    fine_epochs: int = Field(4, ge=1, description="Epochs of the fine stage, with the accepted features added.")
    select_by: Literal["loss", "retrieval", "auroc", "last"] = Field(
        "loss",
        description="Which epoch's weights are kept, judged on the held-out patients (split val) of the training "
        "sources. loss: that of the lowest loss. retrieval: of the highest recall of reports by ECGs and of ECGs by "
        "reports. auroc: of the highest mean AUROC of the texts. last: the last, as published.",
    )
    retrieval_records: int = Field(
        2000,
        ge=0,
        description="Held-out ECGs that, after every epoch, look for their reports among each other's, and the reports "
        "for their ECGs, and of which the texts' AUROC is taken; 0: none.",
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto",
        description="Arithmetic of the encoders. auto: bf16 on a CPU or GPU that has instructions for it, else fp32; "
        "the weights then depend on the kind of processor. bf16: any CPU takes it, but only such a one gains by it. "
        "fp16: with a scaled loss, for older GPUs.",
    )
    compile: bool = Field(
        False,
        description="Whether torch.compile translates the ECG encoder, which takes a minute and then runs faster; "
        "on the CPU it needs a C++ compiler.",
    )
    memory_mb: int = Field(
        2000,
        ge=50,
        description="Megabytes of prepared signals held in memory; if they do not all fit, shards are read in turn.",
        json_schema_extra=MACHINE,
    )
    workers: int = Field(
        1,
        ge=1,
        le=1024,
        description="Threads that read and prepare ECGs beside the training; changes the speed only.",
        json_schema_extra=SPEED,
    )
    checkpoint_seconds: float = Field(
        300,
        gt=0,
        description="Seconds between checkpoints, from which an interrupted training continues.",
        json_schema_extra=SPEED,
    )
    log_every: int = Field(
        10,
        ge=1,
        description="Steps of the optimizer between two rows of results/logs/training/<name>/steps.csv.",
        json_schema_extra=SPEED,
    )
    tensorboard: bool = Field(
        True,
        description="Whether the metrics are written for TensorBoard, too: tensorboard --logdir results/logs/training.",
        json_schema_extra=SPEED,
    )

    @model_validator(mode="after")
    def _temperature_below_limit(self) -> Self:
        if self.temperature > self.max_temperature:
            raise ValueError(f"temperature {self.temperature} is above max_temperature {self.max_temperature}")
        return self

    @model_validator(mode="after")
    def _layers_are_there(self) -> Self:
        made, trained = self.text_encoder, self.text_encoder.trained_layers
        if made.name == "scratch" and not self.start_from and trained != "all" and trained > made.layers:
            raise ValueError(f"text_encoder: trained_layers {trained} is above layers {made.layers}")
        return self

    @model_validator(mode="after")
    def _start_is_from_another_run(self) -> Self:
        if self.start_from and made_by_this_run(self.start_from):
            raise ValueError(
                f"start_from {self.start_from} is made by this run itself. Copy the model of another run to a folder "
                "of its own, and write\n\n    pretraining:\n      start_from: models/start"
            )
        return self

    @model_validator(mode="after")
    def _something_to_go_on_from(self) -> Self:
        if not self.coarse_epochs and not self.start_from:
            raise ValueError("coarse_epochs is 0, and start_from names no model for the fine stage to go on from")
        return self

    @model_validator(mode="after")
    def _processes_share_a_batch(self) -> Self:
        if self.batch_size % self.processes:
            raise ValueError(f"batch_size {self.batch_size} is no multiple of processes {self.processes}")
        return self

    @model_validator(mode="after")
    def _something_to_select_by(self) -> Self:
        if self.select_by in ("retrieval", "auroc") and not self.retrieval_records:
            raise ValueError(f"select_by {self.select_by} needs retrieval_records above 0")
        return self


class TrainingSettings(PretrainingSection, Seeded):
    """What ``pretrain`` takes of the config; ``epochs`` are those of its stage, ``folds`` 1 if no fold is held out."""

    epochs: int = Field(ge=0)
    folds: int = Field(1, ge=1)
    signal: SignalSection

    def idle(self) -> set[str]:
        """See ``Section``: the epochs of the other stage do not count, nor what is off or only another loss has."""
        idle = {"coarse_epochs", "fine_epochs"} | ({"folds"} if self.folds == 1 else set())
        idle |= {"augmentation"} if self.augmentation.is_off else set()
        return idle if self.loss == "fg_clep" else idle | {"mitigation"}
