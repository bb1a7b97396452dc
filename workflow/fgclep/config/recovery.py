"""Recovery of the waveform features that a report leaves out."""

from typing import Literal

from pydantic import Field

from fgclep.config.section import Section


class RecoverySection(Section):
    """Recovery of the waveform features that a report leaves out."""

    backend: Literal["knowledge", "ollama"] = Field(
        "knowledge",
        description="knowledge: the table in resources/vocabulary/diagnoses.yaml, needs no server. ollama: a language "
        "model on an Ollama server, with the settings below.",
    )
    model: str = Field("llama3:8b", min_length=1, description="Name of the model on the Ollama server.")
    host: str = Field(
        "http://localhost:11434",
        pattern=r"^https?://[^/]+",
        description="Address of the Ollama server, with http:// and port.",
    )
    samples: int = Field(
        1, ge=1, le=32, description="Answers asked for per statement; with more than 1, give a temperature above 0."
    )
    temperature: float = Field(
        0.0, ge=0, le=2, description="Randomness of the answers; 0 always takes the likeliest word."
    )
    concurrency: int = Field(
        1, ge=1, description="Questions asked at the same time; OLLAMA_NUM_PARALLEL of the server is the useful limit."
    )
    max_tokens: int = Field(512, ge=16, description="Tokens of the longest answer.")
    context_tokens: int = Field(4096, ge=256, description="Tokens of the model's context; must hold prompt and answer.")
    timeout_seconds: float = Field(
        180, gt=0, description="Seconds without an answer after which a question is repeated."
    )
    cache: str = Field(
        "resources/llm_cache",
        min_length=1,
        description="Folder of the answers got so far; they are never asked for again.",
    )
