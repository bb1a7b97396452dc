"""A state-space ECG encoder: S4D, linear recurrences over time whose states do not mix.

A layer's channel u (samples) is the input of a system x' = A x + u, y = 2 Re(C x) with a diagonal complex A (Gu, Gupta,
Goel and Re 2022, "On the parameterization and initialization of diagonal state space models", S4D-Lin), held over steps
of a learned length. Such a recurrence is a convolution with a kernel as long as the signal, and is computed as one.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LAYERS = 4  # as in Mehari and Strodthoff 2022 (arXiv:2211.07579), where S4 reads PTB-XL
STATES = 16  # of each channel; with 32 of them some would begin above the Nyquist rate
SHORTEST_STEP, LONGEST_STEP = 1e-3, 1e-1  # of the system's own time per time step, at first; as published
STRIDE, PATCH = 4, 32  # samples per time step and per patch, those of the residual networks


class CircularConvolution(torch.autograd.Function):
    """Convolve signals (batch, width, time) with kernels (width, size), as if either repeated after ``size`` samples.

    All transforms are of real numbers, also those of the gradient: of ``torch.fft.rfft`` it is one of complex numbers.
    """

    @staticmethod
    def forward(ctx: Any, signal: Tensor, kernel: Tensor) -> Tensor:
        """Return the first samples, as many as the signals have."""
        size = kernel.shape[-1]
        spectrum, response = torch.fft.rfft(signal, size), torch.fft.rfft(kernel)
        ctx.save_for_backward(spectrum, response)
        ctx.size = size
        return torch.fft.irfft(spectrum * response, size)[..., : signal.shape[-1]]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients of signals and kernels: correlations with the other one."""
        spectrum, response = ctx.saved_tensors
        of_output = torch.fft.rfft(gradient, ctx.size)
        of_signal = torch.fft.irfft(of_output * response.conj(), ctx.size)[..., : gradient.shape[-1]]
        return of_signal, torch.fft.irfft((of_output * spectrum.conj()).sum(0), ctx.size)


class DiagonalStateSpace(nn.Module):
    """Convolution of every channel with two kernels of state spaces, one into the past and one into the future.

    As in S4, both directions have the same A and step, and a C of their own. With the longest step, 0.1 at first, the
    fastest of 16 states makes 0.35 turns per time step; above 0.5, half the sampling rate, it would be aliased.

    Parameters
    ----------
    width
        Channels.
    states
        N of the paper, even: states of each channel, of which conjugates are kept as one.
    """

    def __init__(self, width: int, states: int = STATES):
        super().__init__()
        pairs = states // 2
        shortest, longest = math.log(SHORTEST_STEP), math.log(LONGEST_STEP)
        self.log_step = nn.Parameter(torch.empty(width).uniform_(shortest, longest))
        self.log_decay = nn.Parameter(torch.full((width, pairs), math.log(0.5)))  # of -Re A
        self.frequency = nn.Parameter(math.pi * torch.arange(float(pairs)).repeat(width, 1))  # Im A
        self.readout = nn.Parameter(torch.randn(width, 2, pairs, 2))  # C: past and future, real and imaginary part
        self.skip = nn.Parameter(torch.randn(width))

    def dynamics(self) -> list[nn.Parameter]:
        """A and the step, which as published learn slowly and do not decay."""
        return [self.log_step, self.log_decay, self.frequency]

    def kernels(self, length: int) -> Tensor:
        """Impulse responses (width, 2, ``length``), discretized by zero-order hold (B = 1), of past and future."""
        step = self.log_step.exp()[:, None]
        a = torch.complex(-self.log_decay.exp(), self.frequency)
        weights = torch.view_as_complex(self.readout) * (torch.expm1(a * step) / a)[:, None]
        time = step[..., None] * torch.arange(length, device=step.device)
        size, phase = torch.exp(a.real[..., None] * time), a.imag[..., None] * time
        powers = torch.cat([size * phase.cos(), -size * phase.sin()], dim=1)  # of exp(a step), real and imaginary part
        return 2 * torch.cat([weights.real, weights.imag], dim=-1) @ powers

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, width, time) to the same; computed in the weights' precision, also below autocast."""
        length = x.shape[-1]
        size = 1 << (2 * length - 1).bit_length()  # so that past and future do not meet where the transform wraps
        with torch.autocast(x.device.type, enabled=False):
            signal = x.to(self.skip.dtype)
            past, future = self.kernels(length).unbind(1)  # lags 0, 1, ... and -1, -2, ...
            kernel = torch.cat([F.pad(past, (0, size - 2 * length)), future.flip(-1)], dim=-1)
            convolved: Tensor = CircularConvolution.apply(signal, kernel)
            return (convolved + self.skip[:, None] * signal).to(x.dtype)


class StateSpaceBlock(nn.Module):
    """A residual block of S4D: normalization, state spaces, GELU, and channels mixed and gated at each time."""

    def __init__(self, width: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm1d(width), DiagonalStateSpace(width), nn.GELU(), nn.Conv1d(width, 2 * width, 1), nn.GLU(dim=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, width, time) to the same."""
        return x + self.body(x)


class StateSpaceEncoder(nn.Module):
    """S4D with the twelve leads as input channels; a missing lead is a flat one, zero throughout.

    A convolution makes one time step of four samples, and of the layers' output each 32 samples are averaged to a
    patch. Pooling joins the patches' mean with their maximum, as in the residual networks.

    Parameters
    ----------
    width
        Channels of all layers: 512 in Mehari and Strodthoff 2022. With 64 a CPU takes longer than for a ResNet18 of
        width 32.
    """

    needs_all_leads = True

    def __init__(self, width: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(12, width, 15, STRIDE, 7, bias=False),
            *(StateSpaceBlock(width) for _ in range(LAYERS)),
            nn.BatchNorm1d(width),
        )
        self.patch_size = width
        self.output_size = 2 * width

    def forward(self, signals: Tensor, present: Tensor | None = None) -> tuple[Tensor, None]:
        """Map signals to patches, see ``build_ecg_encoder``; every patch sees all leads."""
        if present is not None:
            signals = signals.masked_fill(~present[..., None], 0)
        steps, size = self.layers(signals).transpose(1, 2), PATCH // STRIDE
        count = steps.shape[1]
        # not AvgPool1d with ceil_mode: compiled by torch 2.13, it has another gradient in a last patch that is shorter
        sizes = (count - torch.arange(0.0, count, size, device=steps.device)).clamp(max=size)
        parts = F.pad(steps, (0, 0, 0, -count % size)).unflatten(1, (-1, size))
        return (parts / sizes[:, None, None]).sum(2), None

    def pool(self, patches: Tensor, present: Tensor | None = None) -> Tensor:
        """Mean and maximum over time, (batch, ``output_size``)."""
        return torch.cat([patches.mean(1), patches.amax(1)], dim=1)
