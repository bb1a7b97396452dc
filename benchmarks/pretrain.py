"""Pre-training in ECGs per second: this package beside a training loop as published systems write it.

Both have the same encoders, a text tower of BERT-base's size with random weights, reports drawn with the frequencies of
real statements, ten-second ECGs at 500 Hz, AdamW, and as many threads as there are cores.

baseline  wfdb reads one record per item in a DataLoader; convolutions over time in PyTorch's own layout; the whole text
          tower runs for the report of every ECG in every step, padded to 256 tokens
ours      fgclep.training.trainer.Trainer with the package's default, statements in place of whole reports
          (--text-unit): streamed shards, each distinct text once per step among texts of like length, frozen text
          layers once per training

vit_tiny  ViT-tiny, the last 3 of 12 text layers trained
resnet18  ResNet18 of width 64, the text tower frozen

Each runs in a process of its own, in turns, a step of the baseline and some steps of ours, so that a machine that is
busy otherwise slows both. The frozen layers' work, once per distinct text, is added to ours as its share of the 10
epochs of the published schedule; with --text-unit report as if every report of the training set were different. With
--device cuda, this package alone is measured, with ViT-tiny and ResNet50 in bf16 at several batch sizes.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

from ecgs import ROOT, SAMPLES, ecgs, machine, parser  # isort: skip (puts the package on the path)

import numpy as np
import torch
from loader import OneByOne, write_files, write_shards
from torch import nn
from torch.nn import functional as F
from transformers import BertConfig, BertModel
from transformers import logging as transformers_logging

from fgclep.config.pretraining import PretrainingSection, TrainingSettings
from fgclep.config.signal import SignalSection
from fgclep.models.build import new_model
from fgclep.models.ecg import ResNet1d
from fgclep.models.text import mean_over_tokens, padded, train_tokenizer
from fgclep.signals.loader import SignalStore
from fgclep.training.prefetch import Prefetched
from fgclep.training.text_batches import TextBank
from fgclep.training.trainer import Trainer

STATEMENTS = ROOT.parent / "shared/tables/mimic_iv_ecg/report_phrase_counts.csv"
SIGNAL = SignalSection(sampling_rate=500, duration=10.0, highpass=0.5, lowpass=40.0)
PUBLISHED_PAIRS, COARSE_EPOCHS, FINE_EPOCHS = 773_268, 10, 3
STATEMENTS_PER_REPORT = 3.35  # 2.68 million lines in 800,035 reports of MIMIC-IV-ECG
ENCODERS = {
    "vit_tiny": {"ecg_encoder": {"kind": "vit_tiny", "width": 64}, "trained_layers": 3},
    "resnet18": {"ecg_encoder": {"kind": "resnet18", "width": 64}, "trained_layers": 0},
}
VARIANTS = {
    "float32, time-last layout": (torch.contiguous_format, torch.float32, False),
    "float32, channels-last (ours)": (torch.channels_last, torch.float32, False),
    "float32, channels-last, compiled": (torch.channels_last, torch.float32, True),
    "bf16, channels-last": (torch.channels_last, torch.bfloat16, False),
    "bf16, channels-last, compiled": (torch.channels_last, torch.bfloat16, True),
}


def statements(path: Path | None) -> tuple[list[str], np.ndarray]:
    """Statements and their frequencies: of a table (statement, count, ...), else Zipf's law on the vocabulary."""
    if path is not None and path.exists():
        lines = [line.split(",") for line in path.read_text(encoding="utf-8-sig").splitlines()[1:]]
        found = {line[0]: float(line[1]) for line in lines if len(line) == 6}
        texts, counts = list(found), np.array(list(found.values()))
    else:
        from fgclep.language.vocabulary import load_vocabulary

        vocabulary = load_vocabulary(ROOT / "resources/vocabulary")
        texts = [finding.text for finding in [*vocabulary.diagnoses.values(), *vocabulary.features.values()]]
        counts = 1 / np.arange(1, len(texts) + 1)
    return texts, counts / counts.sum()


def draw_reports(frequencies: np.ndarray, records: int) -> list[list[int]]:
    """Statement ids of each report, drawn without repetition within a report."""
    rng = np.random.default_rng(0)
    sizes = 1 + rng.poisson(STATEMENTS_PER_REPORT - 1, records)
    return [rng.choice(len(frequencies), size, replace=False, p=frequencies).tolist() for size in sizes]


def write_tower(folder: Path, corpus: list[str], width: int) -> None:
    """Write a BERT of 12 layers with random weights and a tokenizer for the corpus; width 768 is BERT-base."""
    torch.manual_seed(0)
    tokenizer = train_tokenizer(corpus, 256)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=width, intermediate_size=4 * width,
        num_attention_heads=max(1, width // 64), pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def settings_of(tower: Path, batch: int, device: str, **changes: Any) -> TrainingSettings:
    """What the stage takes of the config."""
    section = PretrainingSection().model_dump(mode="json")
    text = {**section["text_encoder"], "name": str(tower), "max_tokens": 256}
    text["trained_layers"] = changes.pop("trained_layers", 0)
    values = {
        **section, "device": device, "threads": len(os.sched_getaffinity(0)), "text_encoder": text, "projection": 512,
        "mitigation": 0.5, "batch_size": batch, "tensorboard": False, "epochs": COARSE_EPOCHS,
        "signal": SIGNAL, "seed": 0, **changes,
    }  # fmt: skip
    return TrainingSettings.model_validate(values)


def over_time(module: nn.Module) -> nn.Module:
    """Copy a network of height-1 images to one over time, with the same weights: Conv1d, BatchNorm1d, MaxPool1d."""
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d):
            size, stride, padding = child.kernel_size[1], child.stride[1], child.padding[1]
            new: nn.Module = nn.Conv1d(child.in_channels, child.out_channels, size, stride, padding, bias=False)
            new.weight.data.copy_(child.weight.data.squeeze(2))
        elif isinstance(child, nn.BatchNorm2d):
            new = nn.BatchNorm1d(child.num_features)
        elif isinstance(child, nn.MaxPool2d):
            new = nn.MaxPool1d(child.kernel_size[1], child.stride[1], child.padding[1])
        else:
            new = over_time(child)
        setattr(module, name, new)
    return module


class Baseline:
    """A training loop as published systems write it."""

    def __init__(self, work: dict, settings: TrainingSettings):
        torch.manual_seed(0)
        torch.set_num_threads(settings.threads)
        self.device, self.settings = torch.device(settings.device), settings
        model = new_model(settings, settings.signal, work["statements"])
        if settings.ecg_encoder.kind.startswith("resnet"):
            model.ecg_encoder.layers = over_time(model.ecg_encoder.layers)
            forward = model.ecg_encoder.layers.forward
            model.ecg_encoder.forward = lambda signals, present: (forward(signals).transpose(1, 2), None)
        layers = model.text_encoder.encoder.layer
        model.text_encoder.requires_grad_(False)
        for layer in layers[len(layers) - settings.text_encoder.trained_layers :]:
            layer.requires_grad_(True)
        self.model = model.to(self.device).train()
        self.optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], settings.learning_rate)
        reports = [". ".join(work["statements"][text] for text in report) for report in work["reports"]]
        data = list(zip(work["files"], reports[: len(work["files"])], strict=True))
        self.reports = dict(enumerate(report for _, report in data))
        dataset = WithPlace([path for path, _ in data])
        self.batches = iter(
            torch.utils.data.DataLoader(
                dataset, settings.batch_size, sampler=torch.utils.data.RandomSampler(dataset, True, 10**6),
                num_workers=settings.threads,
            )
        )  # fmt: skip

    def steps(self, count: int) -> dict[str, float]:
        """Run some steps; return their seconds, ECGs, and the seconds of waiting for data."""
        start, cpu, waited, ecgs_done = time.perf_counter(), time.process_time(), 0.0, 0
        for _ in range(count):
            asked = time.perf_counter()
            signals, places = next(self.batches)
            waited += time.perf_counter() - asked
            reports = [self.reports[place] for place in places.tolist()]
            rows = self.model.tokenizer.ids(reports)
            ids, mask = (
                F.pad(part, (0, 256 - part.shape[1])).to(self.device) for part in padded(rows, self.model.tokenizer)
            )
            hidden = self.model.text_encoder(input_ids=ids, attention_mask=mask).last_hidden_state
            texts = F.normalize(self.model.text_projection(mean_over_tokens(hidden, mask)), dim=-1)
            cosine = self.model.encode_ecg(signals.to(self.device)) @ texts.T
            logits = self.model.temperature * cosine + self.model.bias
            signs = 2 * torch.eye(len(signals), device=self.device) - 1
            similarity = (texts @ texts.T).detach()
            loss = -F.logsigmoid(signs * logits).sum() / len(signals)
            loss = loss + 0.5 * (cosine - similarity).abs().sum() / len(signals)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            loss.item()
            ecgs_done += len(signals)
        return {
            "seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu, "waited": waited,
            "ecgs": ecgs_done,
        }  # fmt: skip


class WithPlace(OneByOne):
    """One record and its place per item."""

    def __getitem__(self, item: int) -> tuple[torch.Tensor, int]:  # type: ignore[override]
        return super().__getitem__(item), item


class Ours:
    """The training of this package, some steps at a time."""

    def __init__(self, work: dict, settings: TrainingSettings):
        torch.manual_seed(0)
        store = SignalStore(work["shards"], SIGNAL, settings.memory_mb, workers=1, pin_memory=settings.device == "cuda")
        no_validation = SignalStore(work["shards"][:1], SIGNAL, 1, lambda keys: np.zeros(len(keys), dtype=bool))
        similarity = np.eye(len(work["statements"]), dtype=np.float16)
        findings: list[list[str]] = [[] for _ in work["statements"]]
        bank = TextBank(work["statements"], findings, work["reports"], similarity)
        nothing = TextBank(work["statements"], findings, [], similarity)
        model = new_model(settings, settings.signal, work["statements"])
        self.trainer = Trainer(model, store, bank, no_validation, nothing, settings, work["folder"] / "unused.pt")
        self.trainer.wrapped.train()
        self.device, self.fill_s = self.trainer.device, 0.0
        if (cache := self.trainer.pairs.cache) is not None:
            start = time.perf_counter()
            with self.trainer.accelerator.autocast():
                cache.frozen(list(cache.texts))
            seconds = (time.perf_counter() - start) / len(cache.texts)
            by_report = settings.text_unit == "report"
            self.fill_s = seconds / COARSE_EPOCHS * (1 if by_report else len(work["statements"]) / PUBLISHED_PAIRS)
        self.batches = self._endless()
        self.waited = 0.0

    def _endless(self) -> Any:
        while True:
            self.prefetched = Prefetched(self.trainer.batches())
            yield from self.prefetched
            self.waited += self.prefetched.waited
            self.trainer.position.epoch = (self.trainer.position.epoch + 1) % COARSE_EPOCHS
            self.trainer.position.batches = 0

    def _waited(self) -> float:
        return self.waited + self.prefetched.waited

    def steps(self, count: int) -> dict[str, float]:
        """Run some steps; return their seconds, ECGs, and the seconds of waiting for data."""
        first = next(self.batches) if not hasattr(self, "prefetched") else None
        start, cpu, waited, ecgs_done = time.perf_counter(), time.process_time(), self._waited(), 0
        batches = self.batches if first is None else iter([first, *islice(self.batches, count - 1)])
        for batch in islice(batches, count):
            self.trainer.step([batch])
            ecgs_done += len(batch.places)
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return {
            "seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu,
            "waited": self._waited() - waited, "ecgs": ecgs_done, "fill_s": self.fill_s,
        }  # fmt: skip


class Encoder:
    """Forward and backward pass of ResNet18 alone."""

    def __init__(self, batch: int, layout: torch.memory_format, dtype: torch.dtype, compiled: bool):
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        torch.manual_seed(0)
        self.signals, self.dtype = torch.randn(batch, 12, SAMPLES), dtype
        self.encoder = ResNet1d("resnet18", 64)
        self.encoder.layout = layout
        self.encoder.layers.to(memory_format=layout)
        if compiled:
            self.encoder.compile()

    def steps(self, count: int) -> dict[str, float]:
        """Run some passes; return their seconds and ECGs."""
        start = time.perf_counter()
        for _ in range(count):
            with torch.autocast("cpu", self.dtype, enabled=self.dtype != torch.float32):
                patches, _ = self.encoder(self.signals)
            patches.float().square().mean().backward()
        return {"seconds": time.perf_counter() - start, "ecgs": count * len(self.signals)}


class Worker:
    """A ``Baseline``, ``Ours`` or ``Encoder`` in a process of its own."""

    def __init__(self, kind: type, *arguments: Any):
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, kind, arguments))
        self.process.start()

    def steps(self, count: int) -> dict[str, float]:
        """Run some steps there; raises ``MemoryError`` where they do not fit."""
        self.connection.send(count)
        answer = self.connection.recv()
        if isinstance(answer, str):
            raise MemoryError(answer)
        return answer

    def close(self) -> None:
        """End the process."""
        self.connection.send(0)
        self.process.join()


def _serve(connection: Any, kind: type, arguments: tuple) -> None:
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    sys.stdout = sys.stderr
    made = None
    while count := connection.recv():
        try:
            made = made or kind(*arguments)
            connection.send(made.steps(count))
        except torch.OutOfMemoryError as error:
            connection.send(str(error).splitlines()[0])


def rate(runs: list[dict[str, float]], fill: bool) -> float:
    """ECGs per second, the median of the runs, with the frozen layers' share."""
    return statistics.median(
        run["ecgs"] / (run["seconds"] + (run["ecgs"] * run["fill_s"] if fill else 0)) for run in runs
    )


def compare(work: dict, tower: Path, args: Any) -> dict[str, float]:
    """Print this package beside the baseline."""
    figures: dict[str, float] = {}
    print(
        "| | baseline, ECG/s | ours, ECG/s | ratio | by processor time | waiting for data |\n|---|---|---|---|---|---|"
    )
    for name, changes in ENCODERS.items():
        more = {"memory_mb": args.memory_mb, "text_unit": args.text_unit}
        settings = settings_of(tower, args.batch, "cpu", **more, **changes)
        baseline, ours = Worker(Baseline, work, settings), Worker(Ours, work, settings)
        ours.steps(2)
        runs: dict[str, list[dict[str, float]]] = {"baseline": [], "ours": []}
        if args.warm_baseline:
            baseline.steps(1)
        for _ in range(args.rounds):
            runs["baseline"].append(baseline.steps(1))
            runs["ours"].append(ours.steps(args.steps))
        baseline.close()
        ours.close()
        theirs, mine = rate(runs["baseline"], False), rate(runs["ours"], True)
        cpu = [statistics.median(run["cpu"] / run["ecgs"] for run in runs[which]) for which in ("baseline", "ours")]
        waiting = sum(run["waited"] for run in runs["ours"]) / sum(run["seconds"] for run in runs["ours"])
        ratios = f"{mine / theirs:.1f} | {cpu[0] / cpu[1]:.1f}"
        print(f"| {name} | {theirs:.2f} | {mine:.1f} | {ratios} | {100 * waiting:.1f} % |")
        figures |= {
            f"ratio_{name}": mine / theirs, f"ecg_per_s_{name}": mine, f"baseline_{name}": theirs,
            f"waiting_{name}": waiting,
        }  # fmt: skip
    return figures


def variants(args: Any) -> None:
    """Print what layout, precision and compilation do to ResNet18, measured in turns."""
    labels = [label for label, (_, _, compiled) in VARIANTS.items() if args.compiled or not compiled]
    workers = {label: Worker(Encoder, min(args.batch, 16), *VARIANTS[label]) for label in labels}
    for worker in workers.values():
        worker.steps(1)
    runs: dict[str, list[dict[str, float]]] = {label: [] for label in labels}
    for _ in range(args.rounds):
        for label, worker in workers.items():
            runs[label].append(worker.steps(args.steps))
    print("\n| ResNet18, width 64, forward and backward | ECG/s | ratio |\n|---|---|---|")
    first = rate(runs[labels[0]], False)
    for label in labels:
        workers[label].close()
        found = rate(runs[label], False)
        print(f"| {label} | {found:.1f} | {found / first:.2f} |")


def on_cuda(work: dict, tower: Path, args: Any) -> dict[str, float]:
    """Print rates on a GPU, and the time that the published schedule would take."""
    print(f"{torch.cuda.get_device_name()}, bf16, last 3 text layers trained\n")
    print("| encoder | batch | ECG/s | waiting for data | published schedule |\n|---|---|---|---|---|")
    figures: dict[str, float] = {}
    for kind in ("vit_tiny", "resnet50"):
        for batch in args.cuda_batches:
            encoder = {"kind": kind, "width": 64}
            settings = settings_of(
                tower, batch, "cuda", ecg_encoder=encoder, trained_layers=3, precision="bf16", memory_mb=args.memory_mb,
                text_unit=args.text_unit,
                workers=len(os.sched_getaffinity(0)), threads=1, compile=args.compiled,
            )  # fmt: skip
            worker = Worker(Ours, work, settings)
            try:
                worker.steps(3)
                runs = [worker.steps(args.steps) for _ in range(args.rounds)]
            except MemoryError as error:
                print(f"| {kind} | {batch:,} | {error} | | |")
                continue
            finally:
                worker.close()
            found, waiting = rate(runs, True), sum(run["waited"] for run in runs) / sum(run["seconds"] for run in runs)
            hours = PUBLISHED_PAIRS * (COARSE_EPOCHS + FINE_EPOCHS) / found / 3600
            print(f"| {kind} | {batch:,} | {found:,.0f} | {100 * waiting:.1f} % | {hours:.1f} h |")
            figures |= {f"{kind}_{batch}": found, f"waiting_{kind}_{batch}": waiting, f"hours_{kind}_{batch}": hours}
    return figures


def main() -> None:
    """Print tables, and a line of JSON with the ratios of ours to the baseline."""
    options = parser(__doc__)
    options.add_argument(
        "--statements", type=Path, default=STATEMENTS, help="table of real statements with their counts"
    )
    options.add_argument("--text-unit", choices=("statement", "report"), default="statement", help="of ours")
    options.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options.add_argument("--batch", type=int, default=64, help="ECGs per step on the CPU")
    options.add_argument("--records", type=int, default=384, help="ECGs in shards")
    options.add_argument("--width", type=int, default=768, help="width of the text tower of 12 layers")
    options.add_argument("--steps", type=int, default=4, help="our steps per round")
    options.add_argument("--rounds", type=int, default=3, help="the median of so many counts")
    options.add_argument("--memory-mb", type=int, default=100, help="limit of the signals that our loader holds")
    options.add_argument(
        "--warm-baseline", action=argparse.BooleanOptionalAction, default=True, help="a step of it before measuring"
    )
    options.add_argument(
        "--variants", action=argparse.BooleanOptionalAction, default=True, help="measure layout and precision, too"
    )
    options.add_argument(
        "--compiled", action=argparse.BooleanOptionalAction, default=True, help="measure torch.compile, too"
    )
    options.add_argument("--cuda-batches", type=int, nargs="+", default=[100, 1024, 8192])
    args = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        texts, frequencies = statements(args.statements)
        sources = ecgs(args.ecgs, Path(folder), 200)
        records = max(args.records, 4 * max(args.cuda_batches)) if args.device == "cuda" else args.records
        work = {
            "folder": Path(folder), "statements": texts, "reports": draw_reports(frequencies, records),
            "files": write_files(Path(folder), sources, min(records, 500)),
            "shards": write_shards(Path(folder), sources, records),
        }  # fmt: skip
        tower = Path(folder) / "tower"
        write_tower(tower, texts, args.width)
        distinct = len({tuple(report) for report in work["reports"]})
        print(f"{machine()}; {records} ECGs of {SAMPLES} samples with {distinct} distinct reports\n")
        if args.device == "cuda":
            figures = on_cuda(work, tower, args)
            print(json.dumps({"name": "pretrain", "device": torch.cuda.get_device_name(), **figures}))
            return
        figures = compare(work, tower, args)
        if args.variants:
            variants(args)
    ratio = min(figures["ratio_vit_tiny"], figures["ratio_resnet18"])
    print(json.dumps({"name": "pretrain", "ratio": ratio, **figures}))


if __name__ == "__main__":
    main()
