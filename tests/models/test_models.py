"""The joint model: shapes, saving and loading, and what predict refuses."""

import numpy as np
import pytest
import torch

from fgclep import FGCLEP
from fgclep.config.pretraining import PretrainingSection
from fgclep.config.signal import SignalSection
from fgclep.errors import UserError
from fgclep.leads import LEADS
from fgclep.models.build import new_model
from fgclep.models.ecg import build_ecg_encoder
from fgclep.models.text import freeze_text_layers, train_tokenizer

SETTINGS: dict = {
    "ecg_encoder": {"kind": "resnet18", "width": 4},
    "text_encoder": {
        "name": "scratch", "hidden_size": 16, "layers": 2, "heads": 2, "max_tokens": 16, "trained_layers": "all",
    },
    "projection": 8,
    "alignment": "global",
    "temperature": 10.0,
    "max_temperature": 20.0,
    "bias": None,
    "batch_size": 101,
}  # fmt: skip
CORPUS = ["atrial fibrillation", "sinus rhythm", "left bundle branch block", "absent p waves"]


def made_model(**changes) -> FGCLEP:
    return new_model(PretrainingSection.model_validate(SETTINGS | changes), SignalSection(), CORPUS)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return made_model().eval()


@pytest.fixture(scope="module")
def signal():
    sizes = np.linspace(0.2, 0.4, 12)[:, None]  # of leads, which differ in hearts
    return (sizes * np.random.default_rng(0).normal(size=(12, 5000))).astype(np.float32)


@pytest.mark.parametrize(
    ("kind", "features"), [("resnet18", 2 * 8 * 8), ("resnet50", 2 * 4 * 8 * 8), ("vit_tiny", 192), ("s4d", 2 * 8)]
)
def test_every_encoder_maps_a_batch_to_its_number_of_features(kind, features):
    encoder = build_ecg_encoder(kind, 8, 1000, 100).eval()
    assert encoder.output_size == features
    patches, present = encoder(torch.randn(2, 12, 1000))
    assert patches.shape[2] == encoder.patch_size
    assert encoder.pool(patches, present).shape == (2, features)


def test_the_memory_layout_changes_no_gradient():
    torch.manual_seed(0)
    fast = build_ecg_encoder("resnet18", 16, 200, 50)
    plain = build_ecg_encoder("resnet18", 16, 200, 50).to(memory_format=torch.contiguous_format).double()
    plain.load_state_dict(fast.state_dict())
    plain.layout = torch.contiguous_format
    x = torch.randn(9, 12, 200)
    fast.pool(*fast(x)).square().mean().backward()
    plain.pool(*plain(x.double())).square().mean().backward()
    for (name, a), b in zip(fast.named_parameters(), plain.parameters(), strict=True):
        assert (a.grad - b.grad).norm() < 1e-3 * b.grad.norm(), name


def test_resnet50_of_the_paper_has_the_size_of_a_resnet50():
    encoder = build_ecg_encoder("resnet50", 64, 5000, 500)
    assert 15e6 < sum(p.numel() for p in encoder.parameters()) < 17e6  # 23.5 M with 3x3 instead of 1x3 kernels


def test_an_unknown_encoder_is_refused():
    with pytest.raises(ValueError, match="unknown ECG encoder 'resnet19'; known are resnet18"):
        build_ecg_encoder("resnet19", 8, 1000, 100)


def test_the_bias_fits_the_loss_and_the_batch_when_none_is_given(model):
    assert model.bias.item() == 0  # that of a balanced loss
    published = made_model(loss="fg_clep", batch_size=101)
    assert published.bias.item() == pytest.approx(-np.log(100), abs=1e-5)


def test_the_temperature_is_clamped(model):
    before = model.log_temperature.data.clone()
    model.log_temperature.data.fill_(9.0)
    assert model.temperature.item() == pytest.approx(20.0, rel=1e-5)
    model.log_temperature.data.copy_(before)


@pytest.mark.parametrize(("value", "expected"), [(np.inf, 20.0), (1e30, 20.0), (np.nan, 10.0), (-np.inf, 10.0)])
def test_no_temperature_is_out_of_range_or_not_finite(value, expected):
    model = made_model()
    model.log_temperature.data.fill_(value)
    assert model.temperature.item() == pytest.approx(expected, rel=1e-5)
    model.clamp_temperature()
    assert model.log_temperature.item() == pytest.approx(np.log(expected), rel=1e-5)


def test_a_temperature_put_back_in_range_learns_again():
    model = made_model()
    model.log_temperature.data.fill_(9.0)
    model.clamp_temperature()
    model.temperature.backward()
    assert model.log_temperature.grad.item() == pytest.approx(20, rel=1e-5)


def test_a_text_tower_without_safetensors_is_refused(tmp_path):
    tower = made_model()
    tower.text_encoder.save_pretrained(tmp_path)
    tower.tokenizer.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(tower.text_encoder.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"text_encoder.name is .*, of which no .* weights in safetensors can be read"):
        made_model(text_encoder={"name": str(tmp_path), "max_tokens": 16})


@pytest.mark.parametrize("alignment", ["global", "attention"])
def test_a_saved_model_predicts_the_same_after_loading(alignment, signal, tmp_path):
    torch.manual_seed(0)
    model = made_model(alignment=alignment).eval()
    model.save_pretrained(tmp_path)
    again = FGCLEP.from_pretrained(tmp_path)
    prompts = ["atrial fibrillation", "a word never seen: torsades"]
    expected = model.predict(signal, fs=500, prompts=prompts)
    assert expected.shape == (2,)
    np.testing.assert_array_equal(again.predict(signal, fs=500, prompts=prompts), expected)
    assert sorted(p.suffix for p in tmp_path.iterdir() if p.suffix in {".safetensors", ".bin", ".pt"}) == [
        ".safetensors"
    ]


def test_leads_are_taken_by_name(model, signal):
    order = [0, 1, 2, 3, 5, 4, 6, 7, 8, 9, 10, 11]  # MIMIC-IV-ECG: aVF before aVL
    expected = model.predict(signal, fs=500, prompts=CORPUS)
    names = [LEADS[i].upper() for i in order]
    np.testing.assert_array_equal(model.predict(signal[order], fs=500, prompts=CORPUS, leads=names), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: (s[:11], LEADS), r"shape \(11, 5000\), expected \(12, samples\)"),
        (lambda s: (s[:11], LEADS[:11]), r"leads \['V6'\] are missing"),
        (lambda s: (s, (*LEADS[:11], "V7")), "unknown lead 'V7'"),
        (lambda s: (np.where(s > 1, np.nan, s), LEADS), "NaN|finite"),
    ],
)
def test_a_signal_that_cannot_be_read_is_refused(model, signal, change, message):
    broken, leads = change(signal)
    with pytest.raises(ValueError, match=message):
        model.predict(broken, fs=500, prompts=CORPUS, leads=leads)


def test_the_tokenizer_depends_on_the_corpus_only():
    first, second = (train_tokenizer(corpus, 16) for corpus in (CORPUS, CORPUS[::-1]))
    assert first.get_vocab() == second.get_vocab()


def test_only_the_last_text_layers_are_trained():
    torch.manual_seed(0)
    encoder = made_model().text_encoder
    freeze_text_layers(encoder, 1)
    trained = {name for name, p in encoder.named_parameters() if p.requires_grad}
    assert trained and all(name.startswith("encoder.layer.1.") for name in trained)
    with pytest.raises(UserError, match="trained_layers is 3, and the text encoder has 2"):
        freeze_text_layers(encoder, 3)


def test_the_tokenizer_spells_words_it_does_not_know():
    tokenizer = train_tokenizer(CORPUS, 16)
    assert tokenizer.words("Sinus QX") == [(0, "sinus"), (1, "q"), (1, "##x")]


def test_pickled_weights_are_not_read(tmp_path):
    model = made_model()
    model.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"model\.safetensors"):
        FGCLEP.from_pretrained(tmp_path)
