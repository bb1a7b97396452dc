#!/usr/bin/env bash
# torch 2.13.0 on a CPU: linear layers in bfloat16 take more memory with every number of rows that they have not had.
#
# Guessed before: a linear layer under autocast("cpu", torch.bfloat16) takes half of the memory of float32; batches whose
#   sizes vary, as those of texts do, cost no more than the largest of them.
# Seen: for each new number of rows a kernel is made and kept, up to a thousand and more per layer. Memory grows with the
#   number of different shapes, not with their size; in float32 it does not.
#
#       float32      4 MiB more after 998 further numbers of rows (one layer of 128 by 512)
#       bfloat16   652 MiB more
#
# Who is hurt: whoever trains or runs a text encoder in bfloat16 on a CPU by batches padded to their longest text: memory
#   that looks like a leak, and time that goes into making kernels. (Pad to a few lengths, or keep the text side in float32.)
# Exits with another status than 0 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy
cat > "$folder/linear.py" <<'PYTHON'
import sys
from pathlib import Path

import torch


def resident_mib() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


torch.manual_seed(0)
torch.set_num_threads(1)
layer = torch.nn.Linear(128, 512)
rows = torch.randn(1200, 128)
with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=sys.argv[1] == "bfloat16"):
    for size in (1200, 1):  # the largest and the smallest come first
        layer(rows[:size])
    first = resident_mib()
    for size in range(2, 1000):
        layer(rows[:size])
    print(f"{resident_mib() - first:.0f}")
PYTHON
declare -A grown
for kind in float32 bfloat16; do
  grown[$kind]=$("$folder/venv/bin/python" "$folder/linear.py" "$kind")
  echo "$kind: ${grown[$kind]} MiB more after 998 further numbers of rows"
done
grep --quiet avx512_bf16 /proc/cpuinfo || { echo "this processor has no instructions for bfloat16: nothing to be seen"; exit 0; }
[ "${grown[float32]}" -lt 50 ] || { echo "changed: float32 grows, too"; exit 1; }
[ "${grown[bfloat16]}" -gt 100 ] || { echo "changed: bfloat16 keeps less"; exit 1; }
