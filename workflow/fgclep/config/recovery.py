"""Recovery of the waveform features that a report leaves out."""

from typing import Literal, Self

from pydantic import Field, model_validator

from fgclep.config.address import Address
from fgclep.config.section import SPEED, Section


class RecoverySection(Section):
    """Recovery of the waveform features that a report leaves out."""

    backend: Literal["knowledge", "ollama", "openai"] = Field(
        "knowledge",
        description="knowledge: the table in resources/vocabulary/diagnoses.yaml, needs no server. ollama: a language "
        "model on an Ollama server. openai: one on any server with OpenAI's API, such as vLLM or llama.cpp; a key, if "
        "it needs one, comes from the environment variable FGCLEP_API_KEY. Both use the settings below.",
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
        180, gt=0, description="Seconds after which a call without an answer is repeated.", json_schema_extra=SPEED
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

    @model_validator(mode="after")
    def _samples_differ(self) -> Self:
        if self.backend != "knowledge" and self.samples > 1 and self.temperature == 0:
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
        """See ``Section``: the table of the vocabulary knows neither model nor samples."""
        if self.backend == "knowledge":
            return set(type(self).model_fields) - {"backend"}
        return {"think"} if self.think is False or self.backend == "openai" else set()
