#!/usr/bin/env bash
# torch 2.13.0, torch.compile: average pooling with ceil_mode=True has a wrong gradient where the last window is shorter.
#
# Guessed before: a compiled layer gives the gradients of the layer. With ceil_mode=True the last window is the mean of the
#   samples that are there, so that of two samples each gets half of the gradient.
# Seen: the value is right, compiled or not. Compiled by the default backend, the gradient divides by the whole kernel:
#   10 samples in windows of 8, gradient of the last window's value:
#
#       as it is   [0, 0, 0, 0, 0, 0, 0, 0, 0.5, 0.5]
#       compiled   [0, 0, 0, 0, 0, 0, 0, 0, 0.125, 0.125]
#
#   Without a warning; the backends that only trace (aot_eager) are right.
#
# Who is hurt: whoever trains an encoder of ECGs compiled whose lengths are no multiple of its pooling: the end of every
#   recording counts for less, and the training runs as if nothing were wrong. (Pad to whole windows, and divide by what
#   is there.)
# Needs a C++ compiler, as torch.compile does. Exits with another status than 0 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy
cat > "$folder/pooling.py" <<'PYTHON'
import torch

pool = torch.nn.AvgPool1d(8, ceil_mode=True)


def last_window(function):
    samples = torch.arange(10.0).reshape(1, 1, 10).requires_grad_()
    value = function(samples)[..., -1].sum()
    value.backward()
    return value.item(), [round(number, 4) for number in samples.grad.flatten().tolist()]


for name, function in (("as it is", pool), ("compiled", torch.compile(pool))):
    value, gradient = last_window(function)
    print(f"{name}: value {value}, gradient {gradient}")
PYTHON
found=$("$folder/venv/bin/python" "$folder/pooling.py")
echo "$found"
grep --quiet 'as it is: value 8.5, gradient .*0.5, 0.5\]' <<< "$found" || { echo "changed: the layer itself"; exit 1; }
grep --quiet 'compiled: value 8.5, gradient .*0.125, 0.125\]' <<< "$found" || { echo "changed: compiled is other"; exit 1; }
