#!/usr/bin/env bash
# torch 2.13.0, CPU, float32: the VALUE of binary_cross_entropy_with_logits is no more exact than its logit.
#
# Guessed before: the function is written for logits so that it is exact for large ones; log(1 + exp(-10)) = 4.5399e-5
#   should come out with float32's seven digits, as softplus and logsigmoid give it.
# Seen: it is computed as x minus something nearly equal, so that what is left has the rounding of x. At logit -10 (the
#   bias that SigLIP and FG-CLEP start from) the loss of a negative is 0.8 % off, at -12 7 %, and from -16 on it is 0.
#   Its gradient, sigmoid(x) - y, is exact.
#
#       logit    float64      softplus     bce_with_logits   relative error
#         -10    4.5399e-05   4.5399e-05   4.5776e-05        8.3e-03
#         -12    6.1442e-06   6.1442e-06   5.7220e-06        6.9e-02
#         -16    1.1254e-07   1.1254e-07   0.0000e+00        1.0e+00
#
# Who is hurt: whoever trains with a sigmoid loss over all pairs of a batch and a negative bias, and compares logged
#   losses, selects an epoch by the held-out loss, or tests one implementation against another: nearly all pairs are easy
#   negatives, and their part of the loss is rounding. Weights are not hurt.
# Exits with another status than 0 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import torch
from torch.nn import functional as F

print("torch", torch.__version__)
print(f"{'logit':>6}  {'float64':>11}  {'softplus':>11}  {'with_logits':>11}  relative error")
errors = []
for logit in (-10.0, -12.0, -16.0):
    x, y = torch.tensor(logit, requires_grad=True), torch.tensor(0.0)
    loss = F.binary_cross_entropy_with_logits(x, y)
    loss.backward()
    exact = F.softplus(torch.tensor(logit, dtype=torch.float64)).item()
    softplus = F.softplus(x).item()
    errors.append(abs(loss.item() - exact) / exact)
    print(f"{logit:6.0f}  {exact:11.4e}  {softplus:11.4e}  {loss.item():11.4e}  {errors[-1]:.1e}")
    assert abs(softplus - exact) / exact < 1e-6, "softplus is exact no more"
    slope = torch.sigmoid(torch.tensor(logit, dtype=torch.float64)).item()
    assert abs(x.grad.item() - slope) / slope < 1e-6, "the gradient is exact no more"
assert errors[0] > 1e-3 and errors[1] > 1e-2 and errors[2] == 1.0, "changed: the value is exact, or more nearly so"
PYTHON
