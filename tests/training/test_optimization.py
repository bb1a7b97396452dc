"""The optimizer takes PyTorch's steps, without PyTorch's compiler."""

import sys

import torch
from torch import nn

from fgclep.training.optimization import AdamW


def weights_after(kind: type[torch.optim.AdamW], steps: int) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    weights = [nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((3, 4), (4,))]
    optimizer = kind([{"params": [weights[0]], "weight_decay": 0.1}, {"params": [weights[1]]}], lr=0.1, fused=True)
    for _ in range(steps):
        optimizer.zero_grad()
        sum((weight**3).sum() for weight in weights).backward()
        optimizer.step()
        optimizer.load_state_dict(optimizer.state_dict())
    return weights


def test_steps_are_those_of_pytorch_without_its_compiler(monkeypatch):
    expected = weights_after(torch.optim.AdamW, 4)
    monkeypatch.setitem(sys.modules, "torch._dynamo", None)  # importing it is an error
    for found, wanted in zip(weights_after(AdamW, 4), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=0)
