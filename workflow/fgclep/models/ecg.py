"""ECG encoders: one-dimensional residual networks, a spatio-temporal vision transformer, and state spaces.

All turn signals into patches, vectors of one stretch of time (a transformer's also of one lead), and pool these into
the features of the whole tracing.
"""

import torch
from torch import Tensor, nn

from fgclep.models.state_space import StateSpaceEncoder

RESNET_LAYERS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3)}
VIT_SIZES = {"vit_tiny": (192, 12, 3), "vit_small": (384, 12, 6), "vit_base": (768, 12, 12)}  # width, depth, heads


def _convolution(inputs: int, outputs: int, width: int, stride: int = 1) -> nn.Sequential:
    """Convolution over time and batch normalization.

    Written as a two-dimensional convolution of height 1, because only those run in channels-last memory, which is
    1.4 times as fast on CPUs.
    """
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, (1, width), (1, stride), (0, width // 2), bias=False), nn.BatchNorm2d(outputs)
    )


class ResidualBlock(nn.Module):
    """A residual block over time (He et al. 2016).

    ``basic``: two convolutions of width 3. ``bottleneck``: widths 1, 3, 1, with four times the channels at the end.
    """

    def __init__(self, kind: str, inputs: int, width: int, stride: int):
        super().__init__()
        if kind == "basic":
            outputs = width
            self.body = nn.Sequential(
                _convolution(inputs, width, 3, stride), nn.ReLU(inplace=True), _convolution(width, outputs, 3)
            )
        else:
            outputs = 4 * width
            self.body = nn.Sequential(
                _convolution(inputs, width, 1),
                nn.ReLU(inplace=True),
                _convolution(width, width, 3, stride),
                nn.ReLU(inplace=True),
                _convolution(width, outputs, 1),
            )
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else _convolution(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, 1, samples) to the block's output."""
        return torch.relu(self.body(x) + self.shortcut(x))


class ResNet1d(nn.Module):
    """ResNet over time with the twelve leads as input channels; a missing lead is a flat one, zero throughout.

    The patches are the time steps of the last feature map, one per 32 samples. Pooling joins their mean (what the
    whole tracing looks like) with their maximum (a single premature beat).

    Parameters
    ----------
    kind
        ``resnet18`` or ``resnet50``.
    width
        Channels of the first stage (64 in the original; 32 keeps a CPU busy for minutes instead of hours).
    """

    needs_all_leads = True

    def __init__(self, kind: str, width: int):
        super().__init__()
        block = "bottleneck" if kind == "resnet50" else "basic"
        expansion = 4 if kind == "resnet50" else 1
        layers: list[nn.Module] = [
            _convolution(12, width, 15, 2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d((1, 3), (1, 2), (0, 1)),
        ]
        channels = width
        for stage, depth in enumerate(RESNET_LAYERS[kind]):
            for position in range(depth):
                layers.append(ResidualBlock(block, channels, width * 2**stage, 2 if stage and not position else 1))
                channels = width * 2**stage * expansion
        # In torch 2.13 the backward pass of narrower networks corrupts memory in this layout.
        self.layout = torch.channels_last if width >= 16 else torch.contiguous_format
        self.layers = nn.Sequential(*layers)
        self.layers.to(memory_format=self.layout)  # type: ignore[call-overload]
        self.patch_size = channels
        self.output_size = 2 * channels

    def forward(self, signals: Tensor, present: Tensor | None = None) -> tuple[Tensor, None]:
        """Map signals to patches, see ``build_ecg_encoder``; every patch sees all leads."""
        if present is not None:
            signals = signals.masked_fill(~present[..., None], 0)
        x = self.layers(signals.unsqueeze(2).contiguous(memory_format=self.layout))
        return x.squeeze(2).transpose(1, 2), None

    def pool(self, patches: Tensor, present: Tensor | None = None) -> Tensor:
        """Mean and maximum over time, (batch, ``output_size``)."""
        return torch.cat([patches.mean(1), patches.amax(1)], dim=1)


class SpatioTemporalViT(nn.Module):
    """Transformer over patches of one lead and one time window, with learned lead and time embeddings.

    The patches of a missing lead are attended to by none and left out of the pooling, as if they had never been cut.

    Parameters
    ----------
    kind
        ``vit_tiny``, ``vit_small`` or ``vit_base``: width, depth and heads of the ViT of that name.
    samples
        Length of the input signals.
    patch
        Samples per patch; ``samples`` must be a multiple of it.
    """

    needs_all_leads = False

    def __init__(self, kind: str, samples: int, patch: int):
        super().__init__()
        if samples % patch:
            raise ValueError(f"signals of {samples} samples cannot be cut into patches of {patch}")
        width, depth, heads = VIT_SIZES[kind]
        self.patch = patch
        self.embed = nn.Linear(patch, width)
        self.lead_embedding = nn.Parameter(torch.randn(12, 1, width) * 0.02)
        self.time_embedding = nn.Parameter(torch.randn(1, samples // patch, width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, depth, nn.LayerNorm(width), enable_nested_tensor=False)
        self.patch_size = self.output_size = width

    def forward(self, signals: Tensor, present: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Map signals to patches, lead after lead, see ``build_ecg_encoder``."""
        if present is not None:
            signals = signals.masked_fill(~present[..., None], 0)  # NaN would spread through a weight of 0
        patches = self.embed(signals.unflatten(-1, (-1, self.patch)))  # batch, lead, time, width
        tokens = (patches + self.lead_embedding + self.time_embedding).flatten(1, 2)
        if present is None:
            return self.layers(tokens), None
        here = present.repeat_interleave(self.time_embedding.shape[1], dim=1)
        return self.layers(tokens, src_key_padding_mask=~here), here

    def pool(self, patches: Tensor, present: Tensor | None = None) -> Tensor:
        """Mean over the patches that are there, (batch, ``output_size``)."""
        if present is None:
            return patches.mean(1)
        return (patches * present[..., None]).sum(1) / present.sum(1, keepdim=True)


def build_ecg_encoder(
    kind: str, width: int, samples: int, sampling_rate: int
) -> ResNet1d | SpatioTemporalViT | StateSpaceEncoder:
    """Return the encoder named ``kind``.

    ``encoder(signals, present)`` maps signals (batch, 12, samples) in mV, and which leads are there (batch, 12;
    ``None``: all), to patches (batch, patches, ``patch_size``) and which of them are there (batch, patches; ``None``:
    all). ``encoder.pool`` maps these two to features (batch, ``output_size``).

    Raises ``ValueError`` for an unknown kind.
    """
    if kind in RESNET_LAYERS:
        return ResNet1d(kind, width)
    if kind in VIT_SIZES:
        return SpatioTemporalViT(kind, samples, patch=sampling_rate)
    if kind == "s4d":
        return StateSpaceEncoder(width)
    raise ValueError(f"unknown ECG encoder {kind!r}; known are {', '.join([*RESNET_LAYERS, *VIT_SIZES, 's4d'])}")
