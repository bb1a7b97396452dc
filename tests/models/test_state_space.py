"""The state-space encoder: its convolution is the recurrence of the paper, in both directions, at any length."""

import cmath

import numpy as np
import pytest
import torch
from training_data import TEXTS, made_model

from fgclep import FGCLEP
from fgclep.models.ecg import build_ecg_encoder
from fgclep.models.state_space import DiagonalStateSpace

S4D = {"kind": "s4d", "width": 8}


def recurrence(layer: DiagonalStateSpace, u: np.ndarray) -> np.ndarray:
    """Loops over channels, states and time: x_t = exp(A step) x_(t-1) + (exp(A step) - 1) / A u_t, y = 2 Re(C x)."""
    values = {name: parameter.detach().numpy() for name, parameter in layer.named_parameters()}
    width, length = u.shape
    y = values["skip"][:, None] * u
    for channel in range(width):
        step = np.exp(values["log_step"][channel])
        for n, frequency in enumerate(values["frequency"][channel]):
            a = complex(-np.exp(values["log_decay"][channel, n]), frequency)
            keep, take = cmath.exp(a * step), (cmath.exp(a * step) - 1) / a
            past, future = (complex(*values["readout"][channel, way, n]) for way in (0, 1))
            state = 0j
            for t in range(length):
                state = keep * state + take * u[channel, t]
                y[channel, t] += 2 * (past * state).real
            state = 0j
            for t in reversed(range(length)):  # of what is still to come
                y[channel, t] += 2 * (future * state).real
                state = keep * state + take * u[channel, t]
    return y


@pytest.mark.parametrize("length", [1, 2, 7, 16, 33])
def test_the_convolution_equals_the_recurrence_in_both_directions(length):
    torch.manual_seed(0)
    layer = DiagonalStateSpace(3, states=6).double()
    with torch.no_grad():
        layer.log_decay += 0.3 * torch.randn_like(layer.log_decay)
        layer.frequency += torch.randn_like(layer.frequency)
    u = np.random.default_rng(0).normal(size=(2, 3, length))
    y = layer(torch.from_numpy(u)).detach().numpy()
    np.testing.assert_allclose(y, [recurrence(layer, each) for each in u], rtol=1e-9, atol=1e-9)


def test_the_states_begin_as_published_and_below_the_nyquist_rate():
    torch.manual_seed(0)
    layer = DiagonalStateSpace(200)
    np.testing.assert_allclose(layer.frequency[3].detach(), np.pi * np.arange(8), rtol=1e-6)  # S4D-Lin
    np.testing.assert_allclose(layer.log_decay.exp().detach(), 0.5, rtol=1e-6)
    steps = layer.log_step.exp().detach().numpy()
    assert 1e-3 <= steps.min() < 1.2e-3 and 0.08 < steps.max() <= 0.1
    turns = steps[:, None] * layer.frequency.detach().numpy() / (2 * np.pi)
    assert turns.max() < 0.5


def test_in_single_precision_a_long_kernel_is_that_of_double_precision():
    torch.manual_seed(0)
    layer = DiagonalStateSpace(16)
    kernels = layer.kernels(5000).detach()
    exact = layer.double().kernels(5000).detach()
    assert kernels.dtype == torch.float32
    assert (kernels - exact).norm() < 1e-4 * exact.norm()


def test_below_autocast_the_transform_stays_in_single_precision():
    torch.manual_seed(0)
    layer, x = DiagonalStateSpace(4), torch.randn(2, 4, 50).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y, layer(x.float()).bfloat16(), rtol=0, atol=0)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_every_gradient_is_finite_and_not_zero(precision):
    torch.manual_seed(0)
    encoder = build_ecg_encoder("s4d", 8, 200, 50)
    with torch.autocast("cpu", precision, enabled=precision != torch.float32):
        features = encoder.pool(*encoder(torch.randn(4, 12, 200)))
    (features.float() * torch.randn(4, 16)).sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad.isfinite().all() and parameter.grad.any(), name


@pytest.mark.parametrize("samples", [1, 32, 33, 200, 1000, 2500])
def test_at_any_length_there_are_as_many_patches_as_of_a_resnet(samples):
    signals = torch.randn(2, 12, samples)
    patches, present = build_ecg_encoder("s4d", 8, samples, 100).eval()(signals)
    assert present is None and patches.shape == (2, -(-samples // 32), 8)
    assert build_ecg_encoder("resnet18", 4, samples, 100).eval()(signals)[0].shape[1] == patches.shape[1]


def test_a_patch_is_the_mean_of_its_time_steps_also_the_last_one():
    encoder = build_ecg_encoder("s4d", 12, 1000, 100)
    encoder.layers = torch.nn.Identity()
    steps = torch.randn(2, 12, 18)
    patches = encoder(steps)[0]
    for place, part in enumerate((steps[..., :8], steps[..., 8:16], steps[..., 16:])):
        torch.testing.assert_close(patches[:, place], part.mean(-1))


def test_each_patch_sees_what_was_and_what_will_be():
    torch.manual_seed(0)
    encoder = build_ecg_encoder("s4d", 8, 1000, 100).eval()
    signals = torch.randn(1, 12, 1000, requires_grad=True)
    encoder(signals)[0][0, 15].sum().backward()
    reach = signals.grad.abs().sum((0, 1))
    assert (reach[:10] > 0).any() and (reach[-10:] > 0).any()


def test_a_missing_lead_is_a_flat_one_whatever_it_holds():
    encoder = build_ecg_encoder("s4d", 8, 200, 50).eval()
    present = torch.ones(1, 12, dtype=torch.bool)
    present[:, [2, 7]] = False
    signals = torch.randn(1, 12, 200)
    flat, broken = signals.clone(), signals.clone()
    flat[:, [2, 7]], broken[:, [2, 7]] = 0, torch.nan
    torch.testing.assert_close(encoder(broken, present)[0], encoder(flat)[0], rtol=0, atol=0)


@pytest.mark.parametrize("alignment", ["global", "attention"])
def test_a_saved_model_answers_the_same_after_loading(alignment, tmp_path):
    torch.manual_seed(0)
    model = made_model(alignment=alignment, ecg_encoder=S4D).eval()
    model.save_pretrained(tmp_path)
    again = FGCLEP.from_pretrained(tmp_path)
    sizes = np.linspace(0.2, 0.4, 12)[:, None]  # of leads, which differ in hearts
    signal = (sizes * np.random.default_rng(0).normal(size=(12, 400))).astype(np.float32)
    assert again.config.ecg_encoder == S4D
    np.testing.assert_array_equal(again.predict(signal, 100, TEXTS), model.predict(signal, 100, TEXTS))
    if alignment == "attention":
        assert again.attention(signal, 100, TEXTS).shape == (2, 1, 7)
