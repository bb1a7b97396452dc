"""Contrastive pre-training."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from fgclep.config.section import Section


class EcgEncoderSection(Section):
    """The encoder of the waveform."""

    kind: Literal["resnet18", "resnet50", "vit_tiny", "vit_small", "vit_base"] = Field(
        "resnet18",
        description="resnet18, resnet50: one-dimensional residual networks. vit_tiny, vit_small, vit_base: "
        "transformers over patches of one lead and one second.",
    )
    width: int = Field(
        16, ge=4, description="Channels of the first stage of a ResNet (the original has 64); a ViT ignores it."
    )


class TextEncoderSection(Section):
    """The encoder of the statements."""

    name: str = Field(
        "scratch",
        min_length=1,
        description="scratch: a small BERT and its tokenizer, trained here and offline. Else a Hugging Face name such "
        "as emilyalsentzer/Bio_ClinicalBERT, or a folder.",
    )
    hidden_size: int = Field(128, ge=8, description="Width of an encoder from scratch.")
    layers: int = Field(1, ge=1, description="Transformer layers of an encoder from scratch.")
    heads: int = Field(4, ge=1, description="Attention heads of an encoder from scratch; a divisor of hidden_size.")
    max_tokens: int = Field(64, ge=8, le=512, description="Tokens of the longest text; what is longer is cut.")
    trained_layers: Literal["all"] | Annotated[int, Field(ge=0)] = Field(
        "all", description="all, or how many of the last layers are trained; 0 freezes the encoder."
    )

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.hidden_size % self.heads:
            raise ValueError(f"hidden_size {self.hidden_size} is no multiple of heads {self.heads}")
        return self


class PretrainingSection(Section):
    """Contrastive pre-training, coarse and then fine."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto: a CUDA device if there is one, else the CPU."
    )
    threads: int = Field(
        1,
        ge=1,
        description="Threads of PyTorch on the CPU. With 1, jobs share the cores best; other numbers "
        "change the last digits of the results.",
    )
    ecg_encoder: EcgEncoderSection = EcgEncoderSection()
    text_encoder: TextEncoderSection = TextEncoderSection()
    projection: int = Field(128, ge=2, description="Dimensions of the space shared by ECGs and texts.")
    alignment: Literal["global", "attention"] = Field(
        "global",
        description="global: one embedding per ECG. attention: each text attends to the patches of the ECG, one lead "
        "and second of a transformer, one stretch of time of a ResNet.",
    )
    text_unit: Literal["statement", "report"] = Field(
        "statement",
        description="What an ECG is paired with. statement: several single statements. report: all as one text.",
    )
    texts_per_ecg: int = Field(4, ge=1, description="Statements drawn per ECG and batch; text_unit report ignores it.")
    loss: Literal["fg_clep", "siglip", "clip", "soft_sigmoid"] = Field(
        "fg_clep",
        description="fg_clep: siglip and mitigation of false negatives. siglip: pairwise sigmoid. clip: softmax over "
        "the batch. soft_sigmoid: sigmoid with the similarity as target.",
    )
    mitigation: float = Field(
        0.05,
        ge=0,
        description="Weight lambda of the false-negative mitigation in the loss fg_clep; 0.5 in the paper, where "
        "an ECG has the label of one report only.",
    )
    mask_above: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Likely false negatives are left out of the loss: texts that do not belong to an ECG, yet whose "
        "similarity to its report is above this. null: none is left out.",
    )
    temperature: float = Field(
        10.0, gt=0, description="Initial factor t of the cosine in the logit t * cosine + bias; learned."
    )
    max_temperature: float = Field(100.0, gt=0, description="Upper limit of the learned factor t.")
    bias: float | None = Field(
        None, description="Initial bias of the logit; learned. null: -log(batch_size - 1), which fits the batch."
    )
    batch_size: int = Field(128, ge=2, description="ECGs per batch; more need more memory.")
    learning_rate: float = Field(2e-3, gt=0, description="Peak learning rate of the ECG encoder and the projections.")
    text_learning_rate: float = Field(1e-3, gt=0, description="Peak learning rate of the text encoder.")
    weight_decay: float = Field(1e-4, ge=0, description="Weight decay of AdamW.")
    warmup: float = Field(
        0.1, ge=0, lt=1, description="Share of the training during which the learning rate rises, 0 to 1."
    )
    gradient_clip: float = Field(1.0, gt=0, description="Largest norm of the gradient.")
    coarse_epochs: int = Field(4, ge=1, description="Epochs of the coarse stage, on the statements as written.")
    fine_epochs: int = Field(4, ge=1, description="Epochs of the fine stage, with the accepted features added.")
    precision: Literal["fp32", "bf16"] = Field(
        "fp32", description="Arithmetic of the training; bf16 is for GPUs that have it."
    )
    memory_mb: int = Field(
        2000,
        ge=50,
        description="Megabytes of prepared signals held in memory; if they do not all fit, shards are read in turn.",
    )
    workers: int = Field(
        1, ge=1, description="Threads that read and prepare ECGs beside the training; changes the speed only."
    )
    checkpoint_seconds: float = Field(
        300, gt=0, description="Seconds between checkpoints, from which an interrupted training continues."
    )

    @model_validator(mode="after")
    def _temperature_below_limit(self) -> Self:
        if self.temperature > self.max_temperature:
            raise ValueError(f"temperature {self.temperature} is above max_temperature {self.max_temperature}")
        return self
