"""Peak memory and time of the loss and its gradients as the batch grows, in blocks (ours) and as one dense matrix.

Every ECG has a report of its own, drawn from 3,642 statements as frequent as 1/rank, so that a batch of B has B x B
pairs; targets and similarity are looked up as in training (text_unit: report). The embeddings, of 128 dimensions, are
random. Each point is measured in a process of its own: its largest resident memory above that before the batch was
made. One thread.
"""

import argparse
import json
import math
import multiprocessing
import time
from pathlib import Path
from typing import Any

from ecgs import machine  # isort: skip (puts the package on the path)

import numpy as np
import torch

from fgclep.models.alignment import GlobalAlignment
from fgclep.training.losses import BLOCK, Logits, Objective, contrastive_loss
from fgclep.training.text_batches import TextBank

STATEMENTS = 3642  # distinct report lines of MIMIC-IV-ECG
DIMENSIONS = 128


def memory(field: str) -> float:
    """Resident memory of this process in MiB: VmRSS now, VmHWM the largest so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def make_bank(ecgs: int) -> TextBank:
    """Reports of three to eight statements, and a similarity of all statements."""
    rng = np.random.default_rng(0)
    frequency = 1 / np.arange(1, STATEMENTS + 1)
    reports = [
        rng.choice(STATEMENTS, size=rng.integers(3, 9), replace=False, p=frequency / frequency.sum()).tolist()
        for _ in range(ecgs)
    ]
    similarity = rng.random((STATEMENTS, STATEMENTS), dtype=np.float32)
    similarity = np.maximum(similarity, similarity.T)
    np.fill_diagonal(similarity, 1)
    names = [str(number) for number in range(STATEMENTS)]
    return TextBank(names, [[] for _ in names], reports, similarity.astype(np.float16))


def loss_of_batch(name: str, bank: TextBank, ecgs: int, block: int) -> None:
    """Loss and gradients of one batch."""
    batch = bank.batch("report", np.arange(ecgs), 0, 0, np.random.default_rng(0))
    torch.manual_seed(0)
    embedded = [
        torch.nn.functional.normalize(torch.randn(rows, DIMENSIONS), dim=1).requires_grad_()
        for rows in (ecgs, len(batch))
    ]
    scale, bias = torch.tensor(10.0, requires_grad=True), torch.tensor(-math.log(ecgs - 1), requires_grad=True)
    logits = Logits(GlobalAlignment(), scale, bias)
    contrastive_loss(Objective(name, block=block), *embedded, batch, logits).backward()


def _run(sender: Any, name: str, ecgs: int, block: int) -> None:
    torch.set_num_threads(1)
    bank = make_bank(ecgs)
    loss_of_batch(name, bank, 8, block)
    before, start = memory("VmRSS"), time.perf_counter()
    loss_of_batch(name, bank, ecgs, block)
    sender.send({"mib": memory("VmHWM") - before, "seconds": time.perf_counter() - start})


def measure(name: str, ecgs: int, block: int) -> dict[str, float]:
    """Peak memory and seconds of one batch, in a new process."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(sender, name, ecgs, block))
    process.start()
    sender.close()  # so that a process that dies ends the wait
    result = receiver.recv()
    process.join()
    return result


def main() -> None:
    """Print a table, and a line of JSON with the ratio of dense to ours at the largest batch that both had."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    options.add_argument("--batches", type=int, nargs="+", default=[2048, 4096, 8192, 16384])
    options.add_argument("--dense", type=int, default=8192, help="largest batch of the dense form")
    options.add_argument("--losses", nargs="+", default=["fg_clep", "clip"])
    args = options.parse_args()
    print(f"Loss and gradients, {machine()}\n")
    print("| loss | batch | blocks (ours) | | dense | |\n|---|---|---|---|---|---|")
    figures: dict[str, Any] = {"name": "loss_memory", "ratio": math.inf, "exponent": 0.0, "mib": {}, "seconds": {}}
    for name in args.losses:
        ours = {ecgs: measure(name, ecgs, BLOCK) for ecgs in args.batches}
        dense = {ecgs: measure(name, ecgs, ecgs**2) for ecgs in args.batches if ecgs <= args.dense}
        for ecgs in args.batches:
            cells = [f"{some[ecgs]['mib']:,.0f} MiB | {some[ecgs]['seconds']:.1f} s" if ecgs in some else "|"
                     for some in (ours, dense)]  # fmt: skip
            print(f"| `{name}` | {ecgs:,} | {' | '.join(cells)} |")
        figures["mib"][name] = {ecgs: round(found["mib"]) for ecgs, found in ours.items()}
        figures["seconds"][name] = {ecgs: round(found["seconds"], 1) for ecgs, found in ours.items()}
        figures["ratio"] = min(figures["ratio"], dense[max(dense)]["mib"] / ours[max(dense)]["mib"])
        last, largest = sorted(args.batches)[-2:]
        growth = math.log(ours[largest]["mib"] / ours[last]["mib"]) / math.log(largest / last)
        figures["exponent"] = max(figures["exponent"], growth)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
