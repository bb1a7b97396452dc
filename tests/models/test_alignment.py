"""Alignment of texts with the whole ECG or with its patches, and ECGs of fewer than twelve leads."""

import argparse

import numpy as np
import pytest
import torch
from training_data import SIGNAL, TEXTS, made_model, training_settings, write_shards

from fgclep import FGCLEP
from fgclep.config.inference import EmbeddingSettings, InferenceSettings, ReaderSettings
from fgclep.errors import UserError
from fgclep.language.vocabulary import load_vocabulary
from fgclep.leads import LEADS
from fgclep.models.ecg import build_ecg_encoder
from fgclep.models.fgclep import FGCLEPConfig
from fgclep.schemas.embeddings import EMBEDDINGS
from fgclep.schemas.scores import SCORES
from fgclep.schemas.shards import SHARD
from fgclep.signals.encoding import decode_waveform, to_millivolts
from fgclep.signals.loader import SignalStore
from fgclep.signals.preparation import prepare_signal
from fgclep.stages import embed_ecgs, score_candidates
from fgclep.tables import read_table

VIT = {"kind": "vit_tiny", "width": 8}
RESNET = {"kind": "resnet18", "width": 4}
INFERENCE = InferenceSettings.of(training_settings())


def embedding(random: bool) -> EmbeddingSettings:
    return EmbeddingSettings.of(training_settings(), random=random)


def made(alignment: str, encoder: dict) -> FGCLEP:
    torch.manual_seed(0)
    return made_model(alignment=alignment, ecg_encoder=encoder).eval()


@pytest.fixture(scope="module")
def signal():
    sizes = np.linspace(0.2, 0.4, 12)[:, None]  # of leads, which differ in hearts
    return (sizes * np.random.default_rng(0).normal(size=(12, 400))).astype(np.float32)


def test_attention_equals_plain_loops():
    model = made("attention", RESNET).double()
    rng = np.random.default_rng(0)
    ecgs, texts = rng.normal(size=(2, 3, 16)), rng.normal(size=(4, 16))
    ecgs[1, 2] = 0  # a patch that is not there
    cosines = model.align(torch.tensor(ecgs), torch.tensor(texts)).detach().numpy()
    for i, patches in enumerate((ecgs[0], ecgs[1, :2])):
        for j, text in enumerate(texts):
            scores = [np.exp(10 * float(patch @ text)) for patch in patches]
            pooled = sum(score * patch for score, patch in zip(scores, patches, strict=True)) / sum(scores)
            expected = pooled @ text / np.linalg.norm(pooled) / np.linalg.norm(text)
            assert cosines[i, j] == pytest.approx(expected, abs=1e-6)


def test_with_one_embedding_the_cosine_is_their_product():
    model = made("global", RESNET)
    ecgs, texts = torch.randn(2, 16), torch.randn(3, 16)
    torch.testing.assert_close(model.align(ecgs, texts), ecgs @ texts.T)


@pytest.mark.parametrize(("encoder", "patches"), [(RESNET, 7), (VIT, 48)])
def test_every_patch_has_an_embedding_of_length_one(encoder, patches):
    embedded = made("attention", encoder).encode_ecg(torch.randn(2, 12, 200))
    assert embedded.shape == (2, patches, 16)
    torch.testing.assert_close(embedded.norm(dim=-1), torch.ones(2, patches))


def test_an_unknown_alignment_is_refused():
    with pytest.raises(ValueError, match="unknown alignment 'local'; known are global, attention"):
        FGCLEP(FGCLEPConfig(alignment="local"))


def test_a_transformer_without_a_lead_is_as_if_its_patches_had_never_been_cut():
    torch.manual_seed(0)
    encoder = build_ecg_encoder("vit_tiny", 8, 200, 50).eval()
    signals = torch.randn(2, 12, 200)
    present = torch.ones(2, 12, dtype=torch.bool)
    present[0, 3:] = False
    signals[0, 3:] = torch.nan
    with torch.no_grad():
        patches, here = encoder(signals, present)
        kept = encoder.embed(signals[:1, :3].unflatten(-1, (4, 50)))
        tokens = (kept + encoder.lead_embedding[:3] + encoder.time_embedding).flatten(1, 2)
        expected = encoder.layers(tokens)
        whole = encoder(signals[1:])[0]
    assert here[0].tolist() == [True] * 12 + [False] * 36 and here[1].all()
    torch.testing.assert_close(patches[:1, :12], expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(encoder.pool(patches, here)[0], expected[0].mean(0), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(encoder.pool(patches, here)[1], whole[0].mean(0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("alignment", ["global", "attention"])
def test_what_a_missing_lead_holds_does_not_matter(alignment):
    present = torch.ones(2, 12, dtype=torch.bool)
    present[:, [2, 7]] = False
    signals = torch.randn(2, 12, 200)
    for encoder in (VIT, RESNET):
        model = made(alignment, encoder)
        flat, broken = signals.clone(), signals.clone()
        flat[:, [2, 7]], broken[:, [2, 7]] = 0, torch.nan
        texts = model.embed_texts(TEXTS)
        cosines = model.align(model.encode_ecg(broken, present), texts)
        torch.testing.assert_close(cosines, model.align(model.encode_ecg(signals, present), texts))
        assert cosines.isfinite().all()
        as_flat = model.align(model.encode_ecg(flat), texts)
        assert torch.allclose(cosines, as_flat) == (encoder is RESNET)  # a ResNet takes a missing lead as a flat one


@pytest.mark.parametrize("alignment", ["global", "attention"])
def test_a_transformer_predicts_from_the_leads_that_there_are(signal, alignment, recwarn):
    model = made(alignment, VIT)
    few = model.predict(signal[[6, 1]], 100, TEXTS, ["V1", "II"])
    np.testing.assert_array_equal(model.predict(signal[[1, 6]], 100, TEXTS, ["ii", "v1"]), few)
    assert few.shape == (2,) and np.isfinite(few).all()
    assert not np.allclose(model.predict(signal[[1]], 100, TEXTS, ["II"]), few, atol=1e-4)
    assert not recwarn.list


@pytest.mark.parametrize("alignment", ["global", "attention"])
def test_a_resnet_trained_with_masked_leads_reads_missing_ones_as_flat(signal, alignment, tmp_path):
    model = made(alignment, RESNET)
    model.config.lead_masking = 0.5
    model.save_pretrained(tmp_path)
    again = FGCLEP.from_pretrained(tmp_path)
    assert not again.needs_all_leads and again.config.lead_masking == 0.5
    flat = np.zeros((12, 400), np.float32)
    flat[[1, 6]] = signal[[1, 6]]
    prepared = torch.from_numpy(prepare_signal(flat, 100, model.signal))[None]
    with torch.no_grad():
        expected = torch.sigmoid(model.logits(model.encode_ecg(prepared), model.embed_texts(TEXTS)))[0]
    np.testing.assert_allclose(again.predict(signal[[6, 1]], 100, TEXTS, ["V1", "II"]), expected, atol=1e-6)
    with pytest.raises(ValueError, match="a resnet18 needs at least one"):
        again.prepare(signal[:0], 100, [])


@pytest.mark.parametrize(("encoder", "kind"), [(RESNET, "resnet18"), (VIT, "vit_tiny")])
def test_an_ecg_without_the_leads_that_are_needed_is_refused(signal, encoder, kind):
    model = made("global", encoder)
    if encoder is RESNET:
        with pytest.raises(ValueError, match=r"leads \['V6'\] are missing in .*; a resnet18 needs all twelve"):
            model.predict(signal[:11], 100, TEXTS, LEADS[:11])
    with pytest.raises(ValueError, match="a lead is given twice"):
        model.predict(signal[:2], 100, TEXTS, ["I", "i"])
    with pytest.raises(ValueError, match=f"a {kind} needs {'all twelve' if encoder is RESNET else 'at least one'}"):
        model.predict(signal[:0], 100, TEXTS, [])


def test_the_attention_to_patches_is_given_by_lead_and_time(signal):
    model = made("attention", VIT)
    weights = model.attention(signal[6:9], 100, TEXTS, LEADS[6:9])
    assert weights.shape == (2, 12, 4) and weights.dtype == np.float32
    np.testing.assert_allclose(weights.sum((1, 2)), 1, atol=1e-5)
    assert (weights[:, 6:9] > 0).all() and (np.delete(weights, np.s_[6:9], axis=1) == 0).all()
    assert made("attention", RESNET).attention(signal, 100, TEXTS).shape == (2, 1, 7)
    with pytest.raises(ValueError, match="alignment: global has no attention"):
        made("global", VIT).attention(signal, 100, TEXTS)


def test_a_text_attends_to_the_patch_that_is_like_it(signal):
    model = made("attention", VIT)
    text = model.embed_texts(TEXTS[:1])[0]
    ecgs = torch.nn.functional.normalize(torch.randn(1, 48, 16), dim=-1)
    ecgs[0, 17] = text
    assert model.align.weights(ecgs, text[None])[0, 0].argmax() == 17


def arguments(stage, settings, *options) -> argparse.Namespace:
    given = ["--settings", settings.model_dump_json(), *options]
    return stage.arguments().parse_args([str(option) for option in given])


@pytest.mark.parametrize("alignment", ["global", "attention"])
@pytest.mark.parametrize("encoder", [VIT, RESNET], ids=["vit", "resnet"])
def test_training_verification_zero_shot_and_predict_give_the_same_logits(tmp_path, alignment, encoder):
    model = made(alignment, encoder)
    model.save_pretrained(tmp_path / "model")
    shards = write_shards(tmp_path, (5,))
    store = SignalStore(shards, SIGNAL, 100)
    places, signals = next(store.in_order(5))
    vocabulary = load_vocabulary("resources/vocabulary")
    prompts = [feature.text for feature in vocabulary.features.values()]
    with torch.no_grad():
        ecgs, texts = model.encode_ecg(signals), model.embed_texts(prompts)
        expected = (model.temperature * model.align(ecgs, texts) + model.bias).numpy()

    options = ["--fold", 0, "--folds", 1, "--shards", *shards, "--vocabulary", "resources/vocabulary"]
    score_candidates.main(
        arguments(
            score_candidates,
            ReaderSettings.of(INFERENCE),
            "--model",
            tmp_path / "model",
            *options,
            "--output",
            tmp_path / "scores.parquet",
        )
    )
    scores = np.array(read_table(tmp_path / "scores.parquet", SCORES)["scores"].to_pylist())
    np.testing.assert_allclose(scores, expected, atol=1e-5)

    options = ["--model", tmp_path / "model", "--shards", *shards]
    output = tmp_path / "embeddings" / f"{shards[0].parent.name}.parquet"
    embed_ecgs.main(arguments(embed_ecgs, embedding(random=False), *options, "--outputs", output))
    table = read_table(output, EMBEDDINGS)
    assert table["record_id"].to_pylist() == [store.names(places)[i].split("/")[1] for i in range(5)]
    column, other = ("embedding", "patches") if alignment == "global" else ("patches", "embedding")
    assert table[other].null_count == 5
    stored = table[column].combine_chunks().flatten().to_numpy().reshape(5, -1)
    assert stored.dtype == (np.float32 if alignment == "global" else np.float16)
    again = FGCLEP.from_pretrained(tmp_path / "model")
    np.testing.assert_allclose(again.score(stored, prompts), expected, atol=1e-5 if alignment == "global" else 0.02)

    for row, place in enumerate(places):
        record = read_table(shards[0], SHARD).slice(int(place), 1).to_pylist()[0]
        raw = to_millivolts(decode_waveform(record["waveform"], 400), record["gain"], record["baseline"])
        probabilities = again.predict(raw, 100, prompts)
        np.testing.assert_allclose(probabilities, 1 / (1 + np.exp(-expected[row])), atol=1e-4)


def shards_of_two_sources(folder):
    for source in ("b", "a"):
        (folder / source).mkdir()
    return write_shards(folder / "b", (3, 2)), write_shards(folder / "a", (4,))


def test_the_untrained_control_has_features_and_one_embedding_per_ecg(tmp_path):
    (first, second), (other,) = shards_of_two_sources(tmp_path)
    outputs = {name: tmp_path / "random" / f"{name}.parquet" for name in ("a", "b")}
    options = ["--shards", first, other, second, "--outputs", *outputs.values()]
    embed_ecgs.main(arguments(embed_ecgs, embedding(random=True), *options))
    tables = {name: read_table(path, EMBEDDINGS) for name, path in outputs.items()}
    ids = {name: table["record_id"].to_pylist() for name, table in tables.items()}
    assert ids == {"a": ["000", "001", "002", "003"], "b": ["000", "001", "002", "003", "004"]}
    for table in tables.values():
        assert {len(row) for row in table["features"].to_pylist()} == {64}
        assert {len(row) for row in table["embedding"].to_pylist()} == {16}
        assert table["patches"].null_count == len(table)


def test_each_source_has_its_output(tmp_path):
    (first, second), (other,) = shards_of_two_sources(tmp_path)
    options = ["--shards", first, other, second, "--outputs", tmp_path / "random" / "a.parquet"]
    with pytest.raises(UserError, match=r"--outputs names the sources \['a'\] and --shards \['a', 'b'\]"):
        embed_ecgs.main(arguments(embed_ecgs, embedding(random=True), *options))
    assert not (tmp_path / "random").exists()


def test_an_embedding_needs_a_model_or_random_weights(tmp_path):
    options = ["--shards", tmp_path / "a" / "0.parquet", "--outputs", tmp_path / "a.parquet"]
    with pytest.raises(UserError, match="--model is missing"):
        embed_ecgs.main(arguments(embed_ecgs, embedding(random=False), *options))
