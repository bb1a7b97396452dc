"""What labels of a few hundred ECGs give: a head on the package's model, and what there is without that model.

Of the folds of PTB-XL before the one that judges, patients are drawn with ``--records`` ECGs in all. Fitted to their
labels are a head as by ``fgclep fit`` on the embeddings of the package's model, the same on those of its encoder with
random weights, and an encoder with a linear layer that is trained on them from scratch (binary cross-entropy, AdamW
with one cycle of the learning rate, the last epoch whatever it is). Asked zero-shot, the package's model
needs none. Printed is the macro AUROC in percent over the classes that five of the drawn patients have, on the records
of the fold that have a class of the task: mean over the draws, and their range.

    python benchmarks/fit.py --ecgs <folder with a copy of PTB-XL>

Without ``--ecgs`` the ECGs are simulated, which says nothing about patients.
"""

import json
import sys
import tempfile
from pathlib import Path

from ecgs import ROOT, ecgs, machine, parser  # isort: skip (puts the package on the path)

import numpy as np
import polars as pl
import torch
from leads import BATCH, TASKS, embedded, listed, prepared, scored
from torch import Tensor, nn

from fgclep.config.evaluation import EvaluationSection
from fgclep.config.named_models import SHIPPED_MODEL
from fgclep.evaluation.head import FOLDS, fit_head
from fgclep.evaluation.metrics import macro_auroc, patients_of
from fgclep.evaluation.tasks import load_task
from fgclep.evaluation.text_scores import scoring
from fgclep.leads import LEADS
from fgclep.models.ecg import build_ecg_encoder
from fgclep.models.fgclep import FGCLEP
from fgclep.sources.ptb_xl import DATABASE

ZERO_SHOT, HEAD, RANDOM, SCRATCH = STARTS = (
    "the package's model, zero-shot", "a head on it", "a head on random weights", "trained from scratch",
)  # fmt: skip


def drawn(rows: pl.DataFrame, count: int, seed: int) -> np.ndarray:
    """Row numbers of about ``count`` records: of patients in random order, all that they have."""
    names, place = np.unique(rows["patient_id"].to_numpy().astype(str), return_inverse=True)
    rank = np.random.default_rng(seed).permutation(len(names))[place]
    return np.flatnonzero(rank <= np.sort(rank)[min(count, len(rank)) - 1])


def trained(signals: Tensor, labels: np.ndarray, width: int, rate: float, epochs: int, seed: int) -> nn.Module:
    """Train an encoder with a linear layer for all classes from scratch."""
    torch.manual_seed(seed)
    encoder = build_ecg_encoder(kind="resnet18", width=width, samples=signals.shape[2], sampling_rate=rate)
    model = Classifier(encoder, labels.shape[1])
    targets = torch.from_numpy(labels.astype(np.float32))
    steps = epochs * max(1, len(signals) // 32)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
    for _ in range(epochs):
        order = torch.randperm(len(signals))
        for rows in order[: len(order) // 32 * 32 or None].split(32):
            optimizer.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(model(signals[rows]), targets[rows]).backward()
            optimizer.step()
            cycle.step()
    return model.eval()


class Classifier(nn.Module):
    """An encoder with a linear layer on what a linear probe would take."""

    def __init__(self, encoder: nn.Module, classes: int):
        super().__init__()
        self.encoder, self.layer = encoder, nn.Linear(encoder.output_size, classes)

    def forward(self, signals: Tensor) -> Tensor:
        """Logits (n, classes)."""
        return self.layer(self.encoder.pool(*self.encoder(signals, None)))


@torch.inference_mode()
def logits(model: nn.Module, signals: Tensor) -> np.ndarray:
    """Logits of many signals, some at a time."""
    return torch.cat([model(part) for part in signals.split(BATCH)]).numpy()


def main() -> None:
    """Print a table, and a line of JSON with what the head lacks to 100 over what a training from scratch lacks."""
    options = parser(__doc__)
    options.add_argument("--fold", type=int, default=9, choices=(9, 10), help="of PTB-XL, that judges")
    options.add_argument("--records", type=int, default=400, help="ECGs with labels")
    options.add_argument("--simulated", type=int, default=600, help="ECGs that are simulated")
    options.add_argument("--draws", type=int, default=3)
    options.add_argument("--tasks", nargs="+", default=TASKS)
    options.add_argument("--width", type=int, default=16, help="of the encoder that is trained from scratch")
    options.add_argument("--epochs", type=int, default=40, help="of that training")
    args = options.parse_args()
    torch.set_num_threads(1)
    model = FGCLEP.from_pretrained(SHIPPED_MODEL)
    tasks = [load_task(ROOT / f"resources/tasks/{name}.yaml") for name in args.tasks]
    with tempfile.TemporaryDirectory() as work:
        if args.ecgs is None:
            ecgs(None, Path(work), args.simulated)
        database = next(iter(sorted((args.ecgs or Path(work)).rglob(DATABASE))), None)
        if database is None:
            sys.exit(f"{args.ecgs} holds no {DATABASE}; give the folder of a copy of PTB-XL")
        folder = database.parent
        source, judges = listed(folder, args.fold)
        others = source.records(folder, set()).sort("record_id").filter(pl.col("split").is_in(["train", "val"]))
        draws = [prepared(model, folder, source, others[drawn(others, args.records, k)])[:2] for k in range(args.draws)]
        signals, judges, _ = prepared(model, folder, source, judges)
    zero_shot = scored(scoring(model), embedded(model, signals, LEADS), judges, tasks, "both")
    test = judges["codes"].to_list()
    values: dict[tuple[str, str], list[float]] = {}
    for seed, (own, rows) in enumerate(draws):
        torch.manual_seed(seed)
        untrained = FGCLEP(model.config).eval()
        for task in tasks:
            labels, true = task.labels(rows["codes"].to_list()), task.labels(test)
            mine, theirs = labels.any(axis=1), true.any(axis=1)
            labels, patients = labels[mine], rows["patient_id"].to_numpy()[mine]
            known = (patients_of(labels, patients) >= FOLDS).all(axis=0)
            names = [name for name, some in zip(task.class_names, known, strict=True) if some]
            labels, true = labels[:, known], true[theirs][:, known]
            zero = zero_shot[task.name, task.label_set, "zero_shot", "both"].scores[:, known]
            found = {ZERO_SHOT: zero}
            for start, of in ((HEAD, model), (RANDOM, untrained)):
                vectors = embedded(of, own[mine], LEADS)
                facts = start, "", "", f"{len(labels)} records"
                head = fit_head(vectors, labels, patients, names, EvaluationSection().regularization, facts, 0, seed)
                found[start] = head.probabilities(embedded(of, signals[theirs], LEADS))
                if start == HEAD:
                    values.setdefault((task.name, "expected of the head by cross-validation"), []).append(head.macro[0])
            scratch = trained(own[mine], labels, args.width, model.signal.sampling_rate, args.epochs, seed)
            found[SCRATCH] = logits(scratch, signals[theirs])
            for start, scores in found.items():
                values.setdefault((task.name, start), []).append(macro_auroc(scores, true))
            print(f"draw {seed}, {task.name}: {len(labels)} records, {len(names)} classes", file=sys.stderr, flush=True)
    print(f"{machine()}; {len(judges)} ECGs judge, {args.draws} draws of about {args.records}\n")
    print(f"| | {' | '.join(task.name.removeprefix('ptbxl_') for task in tasks)} | mean |")
    print(f"|---|{'---|' * (len(tasks) + 1)}")
    means: dict[str, float] = {}
    for start in (*STARTS, "expected of the head by cross-validation"):
        rows_ = 100 * np.array([values[task.name, start] for task in tasks])
        rows_ = np.vstack([rows_, rows_.mean(axis=0)])
        means[start] = round(float(rows_[-1].mean()), 2)
        print(
            f"| {start} | "
            + " | ".join(f"{row.mean():.1f} ({row.min():.1f} to {row.max():.1f})" for row in rows_)
            + " |"
        )
    ratio = (100 - means[HEAD]) / (100 - means[SCRATCH])
    print(json.dumps({"name": "fit", "ratio": round(ratio, 4), "mean": means}))


if __name__ == "__main__":
    main()
