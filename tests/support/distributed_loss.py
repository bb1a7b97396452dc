"""One of several processes: losses and gradients of its part of a batch, for ``test_distributed``.

``python distributed_loss.py FOLDER PROCESS PROCESSES`` writes ``FOLDER/<processes>-<process>.json``.
"""

import itertools
import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import distributed as dist
from training_data import SIGNAL, made_model

from fgclep.models.text import tokenize
from fgclep.training.distributed import gather_rows, process_number, share_of, union_of_texts
from fgclep.training.losses import LOSSES, Logits, Objective, contrastive_loss
from fgclep.training.text_batches import TextBank

PARTS = ([0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10], [11])  # ECGs of each process; the last batch of an epoch is uneven
TEXTS = ["sinus rhythm", "normal ecg", "lbbb", "left bundle branch block", "wide qrs", "afib", "absent p", "remark"]
FINDINGS = [["sinus"], ["normal"], ["lbbb"], ["lbbb"], ["wide"], ["afib"], ["absent_p"], []]
FEATURES = [[], [], [], [], [0], [], [1], []]
REPORTS = [[0, 1], [0], [2, 4], [5], [5, 6], [3], [0, 1], [7, 0], [5, 6, 4], [0, 1], [6], [0, 1, 7]]
DRAWN = ([0, 1, 2], [3, 5, 6], [0, 4, 5, 6, 7], [0])  # statements of each process: other numbers, some the same
CASES = [
    (*case, alignment)
    for alignment in ("global", "attention")
    for case in itertools.product(LOSSES, ("statement", "report"), ("all", "labelled"))
    if case[1:] != ("report", "labelled")
]


def bank(known: str) -> TextBank:
    s = np.random.default_rng(0).random((len(TEXTS), len(TEXTS)))
    s = (s + s.T) / 2
    np.fill_diagonal(s, 1)
    absent = np.random.default_rng(1).random((len(REPORTS), 2)) < 0.4
    return TextBank(TEXTS, FINDINGS, REPORTS, s, FEATURES, absent if known == "labelled" else None)


def loss_and_gradients(name: str, unit: str, known: str, alignment: str, part: int | None) -> dict:
    """Of one process's part of the batch, or of the whole batch."""
    torch.manual_seed(0)
    model = made_model(TEXTS, alignment=alignment, bias=-2.0).double().eval()
    signals = torch.randn(len(REPORTS), 12, 4 * SIGNAL.sampling_rate, dtype=torch.float64)
    parts = range(len(PARTS)) if part is None else [part]
    places = np.concatenate([PARTS[number] for number in parts])
    batch = bank(known).batch(unit, places, 1, 1, np.random.default_rng(0))
    if unit == "statement":
        batch = batch.with_keys({(text,) for number in parts for text in DRAWN[number]})
    batch = union_of_texts(batch, torch.device("cpu"))
    tokens = tokenize(model.tokenizer, [batch.texts[i] for i in share_of(len(batch))])
    ecgs, texts = model(signals[places], **tokens)
    texts = gather_rows(texts)[: len(batch)]
    logits = Logits(model.align, model.temperature, model.bias)
    loss = contrastive_loss(Objective(name, 0.5, block=30), ecgs, texts, batch, logits)
    loss.backward()
    gradients = {}
    for parameter, weights in model.named_parameters():
        gradient = weights.grad if weights.grad is not None else torch.zeros_like(weights)
        if part is not None:
            dist.all_reduce(gradient)
            gradient /= len(PARTS)
        gradients[parameter] = gradient.flatten()[:: max(1, gradient.numel() // 20)].tolist()
    return {"loss": loss.item(), "texts": batch.texts, "gradients": gradients}


if __name__ == "__main__":
    folder, process, processes = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    if processes > 1:
        dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=process, world_size=processes)
    part = process_number() if processes > 1 else None
    results = [loss_and_gradients(*case, part) for case in CASES]
    (folder / f"{processes}-{process}.json").write_text(json.dumps(results))
    if processes > 1:
        dist.destroy_process_group()
