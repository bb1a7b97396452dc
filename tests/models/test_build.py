"""Going on from a model: its words keep their weights, new ones are added, another one than described is refused."""

import pytest
import torch
from similarity_data import small_bert
from training_data import SIGNAL, made_model, training_settings

from fgclep.config.pretraining import TextEncoderSection
from fgclep.errors import UserError
from fgclep.models.build import model_to_continue
from fgclep.models.text import knows_whole_words, new_text_tower, tokenize

OLD, NEW = ["wide qrs", "slow waves"], ["breiter qrs komplex", "slow waves"]


@pytest.fixture
def folder(tmp_path):
    made_model(OLD).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def continued(folder, **changes):
    settings = training_settings(**changes)
    return model_to_continue(str(folder), settings, settings.signal, NEW)


def test_the_text_encoder_learns_the_words_that_are_new_and_keeps_the_others(folder, tmp_path):
    before, after = made_model(OLD), continued(folder)
    assert "breiter" not in before.tokenizer.get_vocab()
    vocabulary = after.tokenizer.get_vocab()
    assert {word: vocabulary[word] for word in before.tokenizer.get_vocab()} == before.tokenizer.get_vocab()
    assert after.tokenizer.words("breiter qrs komplex") == [(0, "breiter"), (1, "qrs"), (2, "komplex")]
    assert after.text_encoder.get_input_embeddings().num_embeddings == len(vocabulary) == max(vocabulary.values()) + 1
    # a text of known words is what it was
    first = type(after).from_pretrained(folder)
    assert torch.equal(first.embed_texts(OLD), after.embed_texts(OLD))
    # and the model that is saved is whole
    after.save_pretrained(tmp_path / "again")
    again = type(after).from_pretrained(tmp_path / "again")
    assert torch.equal(again.embed_texts(NEW), after.embed_texts(NEW))
    assert again.tokenizer.model_max_length == first.tokenizer.model_max_length


def test_a_tokenizer_with_parts_of_words_stays_as_it_is():
    assert knows_whole_words(made_model(OLD).tokenizer.get_vocab())
    assert not knows_whole_words({"[UNK]": 0, "qrs": 1, "##itis": 2})
    assert not knows_whole_words({"<unk>": 0, "qrs": 1})  # no parts of words: one of another kind
    assert tokenize(made_model(OLD).tokenizer, ["wide"])["input_ids"].shape == (1, 3)


def test_another_model_than_the_config_describes_is_refused_with_the_yaml_to_write(folder):
    with pytest.raises(UserError) as error:
        continued(folder, ecg_encoder={"kind": "resnet18", "width": 8}, signal={**SIGNAL.model_dump(), "lowpass": 15.0})
    assert str(error.value).endswith(
        "Write\n\n    pretraining:\n      ecg_encoder:\n        kind: resnet18\n        width: 4\n"
        "    signal:\n      lowpass: 20.0"
    )


def test_a_text_encoder_that_takes_fewer_tokens_is_refused_with_the_yaml_to_write(tmp_path):
    small_bert(tmp_path, OLD, positions=16)
    with pytest.raises(UserError, match=r"(?s)takes up to 16.*\n        max_tokens: 16"):
        new_text_tower(TextEncoderSection(name=str(tmp_path), max_tokens=32), OLD)


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"(?s)nothing cannot be loaded: .*start_from: shipped"):
        continued(tmp_path / "nothing")
