"""Recovery of the waveform features that a report leaves out."""

from typing import Literal, Self

from pydantic import Field, model_validator

from fgclep.config.address import Address
from fgclep.config.section import SPEED, Section


class RecoverySection(Section):
    """Recovery of the waveform features that a report leaves out."""

    backend: Literal["knowledge", "everything", "ollama", "openai"] = Field(
        "knowledge",
        description="knowledge: the table in resources/vocabulary/diagnoses.yaml, needs no server. everything: every "
        "feature that can be measured, for every record, and the checks decide; needs no server. ollama: a language "
        "model on an Ollama server. openai: one on any server with OpenAI's API, such as vLLM or llama.cpp; a key, if "
        "it needs one, comes from the environment variable FGCLEP_API_KEY. Both use the settings below.",
    )
    ask: Literal["unmeasured", "all"] = Field(
        "unmeasured",
        description="What a language model is asked about. unmeasured: features that no measurement decides; those "
        "that one decides are proposed for every record, as by everything. all: every feature of the vocabulary.",
    )
    question: Literal["list", "likelihood"] = Field(
        "list",
        description="list: which features of a list go with the statement. likelihood: for each feature by itself, how "
        "likely yes is against no, by the probabilities of the first word, less the same for other statements; the "
        "server must tell them (llama.cpp and vLLM do, Ollama from 0.12.11).",
    )
    shortlist: int | None = Field(
        16,
        ge=2,
        description="Features that a question is about at most: those of the statement's diagnoses, of related ones "
        "and of its place, by the vocabulary, in another order for each sample. null: all, in the vocabulary's order.",
    )
    items: int = Field(4, ge=1, le=24, description="Features that an answer may name, and that are proposed, at most.")
    min_auroc: float | None = Field(
        0.6,
        ge=0,
        le=1,
        description="Before its first question a model is asked what the vocabulary knows, and must tell the features "
        "of 12 diagnoses from others with this AUROC (0.5 is chance), or the run ends. 0: it goes on in any case. "
        "null: none of it is asked.",
        json_schema_extra=SPEED,
    )
    model: str = Field("llama3:8b", min_length=1, description="Name of the model on the server.")
    host: Address = Field(
        "http://localhost:11434",
        pattern=r"^https?://[^/]+",
        description="Address of the server, with http:// and port.",
        json_schema_extra=SPEED,
    )
    think: bool | None = Field(
        False,
        description="Whether a model on an Ollama server thinks before it answers. null: as the model does by itself, "
        "for those that keep to no schema where they are told not to think.",
    )
    samples: int = Field(
        1, ge=1, le=32, description="Answers asked for per statement; more than 1 needs a temperature above 0."
    )
    temperature: float = Field(
        0.0, ge=0, le=2, description="Randomness of the answers; 0 always takes the likeliest word."
    )
    max_tokens: int = Field(512, ge=16, description="Tokens of the longest answer.")
    context_tokens: int = Field(
        4096,
        ge=256,
        description="Tokens of the model's context, which must hold prompt and answer. With openai it is set where the "
        "server is started.",
    )
    concurrency: int = Field(
        1,
        ge=1,
        le=256,
        description="Calls at the same time; as many as the server takes (OLLAMA_NUM_PARALLEL, or --parallel).",
        json_schema_extra=SPEED,
    )
    timeout_seconds: float = Field(
        900,
        gt=0,
        description="Seconds after which a call without an answer is repeated. A model on a CPU needs minutes for its "
        "first.",
        json_schema_extra=SPEED,
    )
    patience_seconds: float = Field(
        120,
        ge=0,
        description="Seconds for which calls are repeated when the server is away, before the run ends.",
        json_schema_extra=SPEED,
    )
    deadline_hours: float | None = Field(
        None,
        gt=0,
        description="Hours after which the run ends; answers got so far are kept, and the next run goes on from there. "
        "null: no limit.",
        json_schema_extra=SPEED,
    )
    cache: str = Field(
        "resources/llm_cache",
        min_length=1,
        description="Folder of the answers got so far; they are never asked for again.",
        json_schema_extra=SPEED,
    )

    @property
    def asks(self) -> bool:
        """Whether a language model is asked."""
        return self.backend in {"ollama", "openai"}

    @model_validator(mode="after")
    def _samples_differ(self) -> Self:
        if not self.asks or self.samples == 1:
            return self
        if self.question == "likelihood":
            raise ValueError(
                f"{self.samples} samples of a likelihood are all the same. Write\n\n    recovery:\n      samples: 1\n"
            )
        if self.temperature == 0 and self.shortlist is None:
            raise ValueError(
                f"{self.samples} samples at temperature 0 are all the same. Write\n\n"
                "    recovery:\n      temperature: 0.7\n"
            )
        return self

    @model_validator(mode="after")
    def _answer_fits(self) -> Self:
        if self.backend == "ollama" and self.max_tokens >= self.context_tokens:
            raise ValueError(
                f"an answer of {self.max_tokens} tokens leaves no room for the prompt in a context of "
                f"{self.context_tokens} tokens. Write\n\n"
                f"    recovery:\n      context_tokens: {self.max_tokens + 4096}\n"
            )
        return self

    def idle(self) -> set[str]:
        """See ``Section``: without a language model there is nothing to set."""
        if not self.asks:
            return set(type(self).model_fields) - {"backend"}
        idle = {"think"} if self.think is False or self.backend == "openai" else set()
        return idle | ({"temperature", "max_tokens"} if self.question == "likelihood" else set())
