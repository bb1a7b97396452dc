"""A model folder that is not whole, or not what it says, gives one line that names it, and never a probability."""

import json
import math

import pytest
import torch
from safetensors.torch import load_file, save_file
from training_data import TEXTS, made_model
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from fgclep import FGCLEP
from fgclep.commands.model import load_model
from fgclep.config.named_models import SHIPPED_MODEL
from fgclep.config.pretraining import TextEncoderSection
from fgclep.errors import UserError
from fgclep.models.build import open_model
from fgclep.models.text import knows_no_word, load_encoder, new_text_tower, train_tokenizer


@pytest.fixture
def folder(tmp_path):
    made_model().save_pretrained(tmp_path / "m")
    return tmp_path / "m"


def changed(folder, file, change):
    path = folder / file
    if file.endswith(".json"):
        values = json.loads(path.read_text())
        change(values)
        path.write_text(json.dumps(values))
    else:
        weights = load_file(path)
        change(weights)
        save_file(weights, path, {"format": "pt"})


def refused(folder, match):
    for load in (load_model, FGCLEP.from_pretrained):
        with pytest.raises(UserError, match=match) as error:
            load(str(folder))
        assert str(folder) in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(UserError, match=r"(?s)pretraining:\n      start_from: shipped"):
        open_model(str(folder), "pretraining.start_from")


def without(weights):
    del weights["ecg_projection.weight"], weights["ecg_projection.bias"]


def renamed(weights):
    for name in list(weights):
        weights[f"model.{name}"] = weights.pop(name)


def of_another_shape(weights):
    weights["ecg_projection.weight"] = torch.zeros(8, weights["ecg_projection.weight"].shape[1])


def in_whole_numbers(weights):
    weights["ecg_projection.weight"] = weights["ecg_projection.weight"].to(torch.int8)


def with_variances_below_zero(weights):
    for name in weights:
        if name.endswith("running_var"):
            weights[name] -= 1e6


def with_(name, value):
    def change(weights):
        weights[name].view(-1)[0] = value

    return change


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (without, r"lacks ecg_projection\.bias, ecg_projection\.weight"),
        (renamed, r"lacks .* and \d+ more"),
        (lambda weights: weights.update(head=torch.zeros(3)), "has unknown head"),
        (of_another_shape, r"ecg_projection\.weight has the shape \[8, "),
        (with_("ecg_projection.weight", math.nan), r"weights of ecg_projection\.weight are not finite"),
        (with_("bias", math.inf), "weights of bias are not finite"),
        (with_("ecg_encoder.0.1.running_var", math.nan), "running_var are not finite"),
        (in_whole_numbers, r"ecg_projection\.weight is of the type I8"),
        (with_variances_below_zero, "gives scores that are not finite"),
    ],
)
def test_weights_that_are_not_there_are_not_made_up(folder, change, match):
    names = load_file(folder / "model.safetensors")
    if match.startswith("running_var"):
        name = next(name for name in names if name.endswith("running_var"))
        change = with_(name, math.nan)
    changed(folder, "model.safetensors", change)
    refused(folder, match)


def test_the_same_holds_where_the_weights_are_in_several_files(folder):
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    files = {name: f"model-0000{1 + number % 2}-of-00002.safetensors" for number, name in enumerate(weights)}
    for file in set(files.values()):
        save_file({name: value for name, value in weights.items() if files[name] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": files}))
    assert FGCLEP.from_pretrained(folder).tokenizer
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    other = {**index, "weight_map": {name: f"../{folder.name}/{file}" for name, file in index["weight_map"].items()}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(other))
    with pytest.raises(UserError, match=r"index\.json names '\.\./m/model-00001.* no file in the folder itself"):
        FGCLEP.from_pretrained(folder)
    changed(
        folder, index["weight_map"].pop("ecg_projection.weight"), lambda weights: weights.pop("ecg_projection.weight")
    )
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match=r"lacks ecg_projection\.weight"):
        FGCLEP.from_pretrained(folder)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"projection": 10**9}, "config.json: projection is 1000000000"),
        ({"projection": 0}, "projection is 0"),
        ({"projection": "many"}, "projection is 'many'"),
        ({"projection": 24}, "has the shape"),
        ({"max_temperature": -1}, "max_temperature is -1"),
        ({"lead_masking": 2}, "lead_masking is 2"),
        ({"initial_temperature": 0}, "initial_temperature is 0"),
        ({"initial_bias": math.nan}, "initial_bias is nan"),
        ({"max_temperature": math.inf}, "max_temperature is inf"),
        ({"alignment": "best"}, "alignment is 'best'"),
        ({"ecg_encoder": {"kind": "resnet18", "width": 10**9}}, r"ecg_encoder\.width is 1000000000"),
        ({"ecg_encoder": {"kind": "resnet99", "width": 4}}, r"ecg_encoder\.kind is 'resnet99'"),
        ({"ecg_encoder": {"kind": "resnet18", "width": 4, "depth": 3}}, r"ecg_encoder\.depth"),
        ({"ecg_encoder": "resnet18"}, "ecg_encoder is 'resnet18'"),
        ({"colour": "red"}, "colour is 'red' .Extra inputs"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "quantization_config is"),
        ({"transformers_weights": "../other.safetensors"}, "transformers_weights is"),
        ({"attn_implementation": "kernels-community/flash-attn"}, "attn_implementation is .* built in are eager"),
        ({"_attn_implementation": "flash_attention_2"}, "_attn_implementation is 'flash_attention_2'"),
        ({"attn_implementation": {"text_config": "flash_attention_3"}}, "attn_implementation is"),
        ({"dtype": "int8"}, "dtype is 'int8'"),
        ({"signal": {"sampling_rate": 100}}, "signal .*duration is missing"),
        ({"ecg_encoder": {"kind": "resnet18"}}, "ecg_encoder .*width is missing"),
        ({"chunk_size_feed_forward": 3}, "chunk_size_feed_forward is 3; an encoder has 0"),
    ],
)
def test_a_value_of_the_configuration_that_no_model_has_is_named(folder, values, match):
    changed(folder, "config.json", lambda config: config.update(values))
    refused(folder, match)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"sampling_rate": 0}, r"signal\.sampling_rate is 0"),
        ({"duration": 1e9}, r"signal\.duration is 1000000000\.0"),
        ({"lowpass": 400}, "highpass .* must hold"),
        ({"gain": 2}, r"signal\.gain is 2"),
    ],
)
def test_a_signal_that_no_model_takes_is_named(folder, values, match):
    changed(folder, "config.json", lambda config: config["signal"].update(values))
    refused(folder, match)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"vocab_size": 10**9}, r"text_config\.vocab_size is 1000000000"),
        ({"num_hidden_layers": 10**6}, r"text_config\.num_hidden_layers is 1000000"),
        ({"num_hidden_layers": 2}, "lacks text_encoder"),
        ({"hidden_size": 48}, "has the shape"),
        ({"hidden_size": 17}, "multiple of the number of attention heads"),
        ({"model_type": "none"}, "none"),
        ({"_attn_implementation": "flex_attention"}, r"text_config\._attn_implementation is 'flex_attention'"),
        ({"quantization_config": {"quant_method": "gptq"}}, r"text_config\.quantization_config is"),
        ({"is_decoder": True}, r"text_config\.is_decoder is True; an encoder has False"),
    ],
)
def test_a_text_encoder_that_no_model_has_is_named(folder, values, match):
    changed(folder, "config.json", lambda config: config["text_config"].update(values))
    refused(folder, match)


@pytest.mark.parametrize("content", ["[]", "3", "", '{"model_type": "fgclep", "signal": 7}', '{"model_type": "bert"}'])
def test_a_configuration_that_is_none_is_refused(folder, content):
    (folder / "config.json").write_text(content)
    for load in (load_model, FGCLEP.from_pretrained):
        with pytest.raises(UserError) as error:
            load(str(folder))
        assert str(folder) in str(error.value) and "\n" not in str(error.value)


def refused_once(folder, match):
    with pytest.raises(UserError, match=match) as error:
        FGCLEP.from_pretrained(folder)
    assert str(folder) in str(error.value) and "\n" not in str(error.value)


def test_what_the_configuration_lacks_is_not_made_up(folder):
    whole = (folder / "config.json").read_text()
    for name in ("signal", "ecg_encoder", "text_config", "projection", "alignment", "max_temperature"):
        (folder / "config.json").write_text(whole)
        changed(folder, "config.json", lambda config, name=name: config.pop(name))
        refused_once(folder, f"config.json: {name} .*(Field required|is missing)")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_weights_and_towers_in_half_precision_are_read_as_whole_ones(folder, dtype):
    before = FGCLEP.from_pretrained(folder).embed_texts(TEXTS)
    changed(
        folder,
        "config.json",
        lambda config: config.update(dtype=dtype, text_config=config["text_config"] | {"dtype": dtype}),
    )
    torch.testing.assert_close(FGCLEP.from_pretrained(folder).embed_texts(TEXTS), before, rtol=0, atol=0)
    tower = folder.parent / "tower"
    model = made_model()
    model.text_encoder.to(getattr(torch, dtype)).save_pretrained(tower)
    model.tokenizer.save_pretrained(tower)
    _, encoder = load_encoder(str(tower), 16, "x.y")
    assert {weights.dtype for weights in encoder.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    "values",
    [
        {"_attn_implementation": "sdpa"},
        {"attn_implementation": None},
        {"dtype": "bfloat16"},
        {"torch_dtype": "float32"},
    ],
)
def test_what_transformers_writes_beside_them_is_accepted(folder, values):
    changed(folder, "config.json", lambda config: config.update(values))
    assert FGCLEP.from_pretrained(folder).config.projection == 16


def small_tokenizer(words):
    """A tokenizer that is none of this package: parts of words are no characters."""
    vocabulary = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words])}
    given = json.loads(train_tokenizer(TEXTS, 16).backend_tokenizer.to_str())
    given["model"]["vocab"] = vocabulary
    given["post_processor"]["special_tokens"]["[CLS]"]["ids"] = [2]
    given["post_processor"]["special_tokens"]["[SEP]"]["ids"] = [3]
    given["added_tokens"] = []
    return given


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ([], "its tokenizer has 4 words"),
        (["fast", "slow"], "its tokenizer has 6 words"),
        ([f"word{number}" for number in range(5000)], "its tokenizer has 5,004 words, with numbers up to 5,003"),
    ],
)
def test_another_models_tokenizer_is_refused(folder, words, match):
    (folder / "tokenizer.json").write_text(json.dumps(small_tokenizer(words)))
    refused(folder, match)


def test_a_tokenizer_that_knows_one_word_more_or_takes_longer_texts_is_refused(folder):
    made = train_tokenizer([*TEXTS, "another"], 16)
    made.save_pretrained(folder)
    refused(folder, "its tokenizer has")
    train_tokenizer(TEXTS, 600).save_pretrained(folder)
    refused(folder, "its tokenizer takes up to 600 tokens, its encoder 16")


def in_another_order(tokenizer):
    *words, last = tokenizer["model"]["vocab"]
    tokenizer["model"]["vocab"] = {word: number for number, word in enumerate([last, *words])}


def all_one_number(tokenizer):
    tokenizer["model"]["vocab"].update(dict.fromkeys(list(tokenizer["model"]["vocab"])[100:], 10))


def test_a_tokenizer_of_the_same_size_that_splits_texts_otherwise_is_refused(folder):
    whole = (folder / "tokenizer.json").read_text()
    for change, match in (
        (in_another_order, "splits texts otherwise"),
        (all_one_number, "its tokenizer has"),
        (lambda tokenizer: tokenizer.update(post_processor=None), "splits texts otherwise"),
        (lambda tokenizer: tokenizer["model"].update(max_input_chars_per_word=1), "splits texts otherwise"),
    ):
        (folder / "tokenizer.json").write_text(whole)
        changed(folder, "tokenizer.json", change)
        refused_once(folder, match)


def test_a_tokenizer_that_leaves_little_of_a_text_is_refused(folder):
    for longest in (-1, 5):
        changed(folder, "tokenizer_config.json", lambda config, most=longest: config.update(model_max_length=most))
        refused_once(folder, f"its tokenizer takes up to {longest} tokens, its encoder 16")


def test_texts_are_filled_up_as_in_training_whatever_a_tokenizer_says(folder):
    before = FGCLEP.from_pretrained(folder).embed_texts(TEXTS)
    changed(folder, "tokenizer_config.json", lambda config: config.update(padding_side="left"))
    torch.testing.assert_close(FGCLEP.from_pretrained(folder).embed_texts(TEXTS), before, rtol=0, atol=0)


def test_scores_that_are_not_finite_are_no_probabilities(folder):
    model = FGCLEP.from_pretrained(folder)
    with torch.no_grad():
        model.bias.fill_(math.nan)
    ecgs = torch.nn.functional.normalize(torch.ones(2, 16), dim=1)
    with pytest.raises(UserError, match="gives scores that are not finite") as error:
        model.logits(ecgs, ecgs)
    assert str(folder) in str(error.value)


def test_a_text_encoder_by_name_is_not_made_up_either(tmp_path):
    model = made_model()
    model.tokenizer.save_pretrained(tmp_path)
    model.text_encoder.save_pretrained(tmp_path)
    for asked, taken in (
        (8, 8),
        (256, 16),
    ):  # fewer tokens than the encoder takes are no fault; of more, it takes its own
        assert load_encoder(str(tmp_path), asked, "x.y")[0].model_max_length == taken
    with pytest.raises(UserError, match=r"max_tokens is 64, and .* takes up to 16(?s:.*)        max_tokens: 16"):
        new_text_tower(TextEncoderSection(name=str(tmp_path)), TEXTS)
    weights = load_file(tmp_path / "model.safetensors")
    pooled = {name: value for name, value in weights.items() if not name.startswith("pooler.")}
    save_file(pooled | {"cls.head": torch.zeros(2)}, tmp_path / "model.safetensors", {"format": "pt"})
    load_encoder(str(tmp_path), 16, "x.y")  # without BERT's own pooling, which nobody uses, and with a head
    layer = {name: value for name, value in weights.items() if "attention.self.query" not in name}
    save_file(layer, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"lacks encoder\.layer\.0\.attention\.self\.query\.bias"):
        load_encoder(str(tmp_path), 16, "x.y")
    broken = {name: torch.full_like(value, math.nan) for name, value in weights.items()}
    save_file(broken, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match="are not finite"):
        load_encoder(str(tmp_path), 16, "x.y")
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    changed(tmp_path, "config.json", lambda config: config.update(_attn_implementation="kernels-community/x"))
    with pytest.raises(UserError, match="_attn_implementation is 'kernels-community/x'"):
        load_encoder(str(tmp_path), 16, "x.y")


def test_a_table_that_is_filled_up_to_a_round_number_is_one_of_a_tower_that_is_no_fault(tmp_path):
    words = [f"word{number}" for number in range(1000)]
    (tmp_path / "tokenizer.json").write_text(json.dumps(small_tokenizer(words)))
    PreTrainedTokenizerFast(
        tokenizer_file=str(tmp_path / "tokenizer.json"), pad_token="[PAD]", unk_token="[UNK]"
    ).save_pretrained(tmp_path)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    BertModel(BertConfig(vocab_size=1024, **sizes)).save_pretrained(tmp_path)
    load_encoder(str(tmp_path), 16, "x.y")


def test_the_model_that_is_shipped_is_whole():
    assert len(FGCLEP.from_pretrained(SHIPPED_MODEL).tokenizer) > 100


@pytest.mark.parametrize(
    ("text", "is_unknown"),
    [
        ("fast waves", False),
        ("Fast!", False),
        ("xyzzy", True),
        ("x y z", True),
        ("Ärger ₿", True),
        ("...", True),
        ("", True),
    ],
)
def test_a_text_without_a_known_word_is_seen(text, is_unknown):
    assert knows_no_word(made_model().tokenizer, text) == is_unknown
