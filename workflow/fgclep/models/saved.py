"""Checks of a saved model before it answers anything: all of its weights, its own tokenizer, and nothing unknown."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from safetensors import safe_open
from torch import Tensor, nn

from fgclep.config.pretraining import EcgEncoderSection
from fgclep.config.section import Section
from fgclep.config.signal import SignalSection
from fgclep.errors import UserError
from fgclep.models.tokenizer import TextTokenizer

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
BUILT_IN_ATTENTION = (None, "eager", "sdpa")  # any other one is code that has to be had from elsewhere
_ATTENTION = ("attn_implementation", "_attn_implementation", "_attn_implementation_internal")
# what has transformers read other files or run other code than a model of this package is made of
_FOREIGN = (
    "quantization_config", "compression_config", "fusion_config", "kernel_config", "transformers_weights",
    "per_layer_config", "experts_implementation", "_experts_implementation",
)  # fmt: skip
_ENCODER = {"chunk_size_feed_forward": 0, "return_dict": True, "is_decoder": False}  # what an encoder is read with
_FLOATS = {"F64", "F32", "F16", "BF16"}  # types of safetensors that hold weights as they are
_SHORTEST = 8  # tokens of the longest text: the least that the config takes
_MOST, _MOST_LAYERS = 2**20, 200  # of any size and of layers: far above those of any encoder of text
_USED_ROWS = 0.9  # of a table that is filled up to a round number (ModernBERT: 50,280 of 50,368); here all are used
_Scale = Annotated[float, Field(gt=0, le=1e6)]


def _all_of(section: type[Section]) -> BeforeValidator:
    """Refuse values that lack a key of a section: its default need not be what the model was trained with."""

    def check(values: Any) -> Any:
        if isinstance(values, Mapping) and (lacking := [name for name in section.model_fields if name not in values]):
            raise ValueError(f"{lacking[0]} is missing")
        return values

    return BeforeValidator(check)


class _Config(BaseModel):
    """Keys and values of ``config.json``; those that transformers writes beside them change nothing.

    What the answers depend on has no default: ``save_pretrained`` writes all of it.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, populate_by_name=True, protected_namespaces=())

    model_type: Literal["fgclep"]
    ecg_encoder: Annotated[EcgEncoderSection, _all_of(EcgEncoderSection)]
    text_config: dict[str, Any]
    projection: int = Field(ge=1, le=65_536)
    alignment: Literal["global", "attention"]
    signal: Annotated[SignalSection, _all_of(SignalSection)]
    initial_temperature: _Scale
    initial_bias: float
    max_temperature: _Scale
    lead_masking: float = Field(0.0, ge=0, le=1)  # decides which ECGs are taken, and no answer
    # of transformers
    architectures: list[str] | None = None
    dtype: Literal["float32", "float16", "bfloat16", None] = None
    torch_dtype: Literal["float32", "float16", "bfloat16", None] = None
    attn_implementation: str | None = Field(None, alias="_attn_implementation")
    name_or_path: str | None = Field(None, alias="_name_or_path")
    transformers_version: str | None = None
    chunk_size_feed_forward: int = 0
    id2label: dict | None = None
    label2id: dict | None = None
    is_encoder_decoder: bool = False
    output_attentions: bool | None = None
    output_hidden_states: bool | None = None
    problem_type: str | None = None
    return_dict: bool | None = None


@contextmanager
def usable(folder: str | Path) -> Iterator[None]:
    """Turn whatever goes wrong in reading a model into a ``UserError`` of one line that names the folder."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), "")
        raise unusable(folder, f"{type(error).__name__}: {reason}") from error


def unusable(folder: str | Path, why: str) -> UserError:
    """Return the error about a model that must not answer."""
    return UserError(f"the model in {folder} cannot be loaded: {why}; take another one, or get this one whole")


def check_config(values: Mapping[str, Any], folder: str | Path) -> None:
    """Check the content of a model's ``config.json``.

    Raises
    ------
    UserError
        For an unknown key, a value out of range, or one that asks for code or files from elsewhere.
    """
    if (kind := values.get("model_type")) != "fgclep":
        raise UserError(f"{folder} holds a model of type {kind!r}, not 'fgclep'; give one of this package")
    check_parts(values, folder)
    try:
        _Config.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"])) or "signal"
        given = "" if isinstance(first["input"], dict) else f" is {first['input']!r}"
        raise unusable(folder, f"config.json: {name}{given} ({first['msg']})") from error


def check_parts(values: Mapping[str, Any], folder: str | Path) -> None:
    """Check what any configuration of transformers, and those within it, may ask for; raises as ``check_config``."""
    for place, name, value in _all_values(values):
        if name in _ATTENTION and any(each not in BUILT_IN_ATTENTION for each in _each(value)):
            raise unusable(folder, f"config.json: {place} is {value!r}; built in are eager and sdpa")
        if name in _FOREIGN and value is not None:
            raise unusable(folder, f"config.json: {place} is {value!r}, which no model here has")
        if name in _ENCODER and value not in (None, _ENCODER[name]):
            raise unusable(folder, f"config.json: {place} is {value!r}; an encoder has {_ENCODER[name]!r}")
        if isinstance(value, int | float) and not isinstance(value, bool):
            most = _MOST_LAYERS if "layer" in name and isinstance(value, int) else _MOST
            if not (math.isfinite(value) and abs(value) <= (1e30 if name == "model_max_length" else most)):
                raise unusable(folder, f"config.json: {place} is {value!r}; the most is {most:,}")


def _each(value: object) -> Iterable[object]:
    return value.values() if isinstance(value, dict) else [value]


def _all_values(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yield place, name and value of every entry of a configuration and of those within it."""
    for name, value in values.items():
        yield f"{above}{name}", str(name), value
        if isinstance(value, Mapping):
            yield from _all_values(value, f"{above}{name}.")


def local_folder(folder: str | Path, **options: Any) -> Path:
    """Return a folder itself, or download what a model is read from, by its Hugging Face name.

    ``options`` are those of ``huggingface_hub.snapshot_download``.
    """
    if Path(folder).is_dir():
        return Path(folder)
    from huggingface_hub import snapshot_download  # takes longer than reading a model

    # the user names the model, and may give its revision; what is read of it is JSON and safetensors
    found = snapshot_download(str(folder), allow_patterns=["*.json", "*.safetensors"], **options)  # nosec B615
    return Path(found)


def read_config(files: Path, folder: str | Path) -> dict[str, Any]:
    """Return the content of ``config.json``; raises ``UserError`` if it is no mapping."""
    values = json.loads((files / "config.json").read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        raise unusable(folder, f"config.json holds {values!r}, which is no configuration")
    return values


def check_shapes(expected: nn.Module, folder: str | Path) -> list[Path]:
    """Compare names, shapes and types in the files of weights with those of a model, before memory is taken for it.

    Parameters
    ----------
    expected
        The model as its configuration describes it, which may be on the device ``meta``.
    folder
        Of the model.

    Returns
    -------
    list of Path
        The files of weights.

    Raises
    ------
    UserError
        If any is missing, unexpected, of another shape or of a type that no weights are saved in, or lies elsewhere.
    """
    expected_weights, found = expected.state_dict(), {}
    files = _weight_files(Path(folder))
    for file in files:
        with safe_open(file, "pt") as weights:
            for name in weights.keys():  # noqa: SIM118 # is no dict
                part = weights.get_slice(name)
                found[name] = list(part.get_shape()), part.get_dtype()
    check_names(set(expected_weights) - set(found), set(found) - set(expected_weights), folder)
    for name, made in expected_weights.items():
        if found[name][0] != (shape := list(made.shape)):
            raise unusable(folder, f"{WEIGHTS}: {name} has the shape {found[name][0]}, and by config.json {shape}")
        if made.is_floating_point() and found[name][1] not in _FLOATS:
            raise unusable(folder, f"{WEIGHTS}: {name} is of the type {found[name][1]}; weights are of F32")
    return files


def _weight_files(folder: Path) -> list[Path]:
    """Files of a model's weights, one or those that an index names, which must lie in the same folder."""
    index = folder / INDEX
    if (folder / WEIGHTS).is_file() or not index.is_file():
        return [folder / WEIGHTS]
    names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    if outside := [name for name in names if Path(name).name != name]:
        raise unusable(folder, f"{INDEX} names {outside[0]!r}, which is no file in the folder itself")
    return [folder / name for name in names]


def check_names(missing: Iterable[str], unexpected: Iterable[str], folder: str | Path) -> None:
    """Raise ``UserError`` if weights are missing, which would be made up, or are of another model."""
    for what, names in (("lacks", sorted(missing)), ("has unknown", sorted(unexpected))):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise unusable(folder, f"the file of weights {what} {', '.join(names[:3])}{more}")


def check_finite(weights: Mapping[str, Tensor], folder: str | Path) -> None:
    """Raise ``UserError`` if any weight is not finite."""
    for name, values in weights.items():
        if values.is_floating_point() and not bool(torch.isfinite(values).all()):
            raise unusable(folder, f"weights of {name} are not finite")


def check_tokenizer(tokenizer: TextTokenizer, encoder: Any, whole_words: bool, folder: str | Path) -> None:
    """Check that a tokenizer is that of a text encoder.

    Parameters
    ----------
    tokenizer
        As loaded.
    encoder
        With its table of embeddings, a row for each word.
    whole_words
        Whether the tokenizer is one of this package, which has a word for every row.
    folder
        Of the model.

    Raises
    ------
    UserError
        If it has more words than the table has rows, or fewer than belong to it, or cannot fill up short texts.
    """
    table = encoder.get_input_embeddings()
    assert isinstance(table, nn.Embedding)
    rows = table.num_embeddings
    longest = getattr(encoder.config, "max_position_embeddings", None)
    numbers = tokenizer.get_vocab().values()
    words, last = min(len(tokenizer), len(set(numbers))), max(numbers, default=-1)
    if last >= rows or len(tokenizer) > rows or words < (rows if whole_words else _USED_ROWS * rows):
        raise unusable(
            folder, f"its tokenizer has {words:,} words, with numbers up to {last:,}, and its table {rows:,} rows"
        )
    if tokenizer.pad_token_id is None or not 0 <= tokenizer.pad_token_id < rows:
        raise unusable(folder, "its tokenizer has no token that fills up short texts (pad_token)")
    takes = tokenizer.model_max_length
    if takes < _SHORTEST or (longest is not None and takes > longest):
        shown = "any number of" if longest is None else f"{longest:,}"
        raise unusable(folder, f"its tokenizer takes up to {takes:,} tokens, its encoder {shown}")
