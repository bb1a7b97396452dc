"""GPU memory of pre-training by a config: measured on a GPU, without one counted from what a step keeps.

The model of the config is made with random weights, with a BERT of the base size where a text encoder is named (as
Bio_ClinicalBERT is), so nothing is downloaded. On a GPU it takes some steps on random ECGs and reports of the longest
length, in the precision that ``auto`` chooses, and the peak that PyTorch allocated is printed. Without one nothing is
computed: parameters, gradients, the two moments of AdamW and the tensors that autograd would keep for the backward pass
are counted on PyTorch's device ``meta``, in float32; with bf16 what is kept is about half of that. The count knows
neither the workspaces of cuDNN nor what the allocator holds in reserve: an estimate, and no measurement.

    python benchmarks/gpu_memory.py --configfile workflow/config/paper.yaml
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from ecgs import ROOT, machine  # isort: skip (puts the package on the path)

import torch
from torch import Tensor

from fgclep.config.load import load
from fgclep.config.root import Config
from fgclep.models.bert import BertConfig
from fgclep.models.fgclep import FGCLEP, FGCLEPConfig

GIB = 2**30
STEPS = 3
GPUS = (16, 24, 40, 80)  # GiB of usual ones


def model_config(config: Config, words: int) -> FGCLEPConfig:
    """The model of a config, its text encoder of new weights and as large as the one that is named."""
    training, text = config.pretraining, config.pretraining.text_encoder
    sizes = {} if text.name != "scratch" else {
        "vocab_size": words, "hidden_size": text.hidden_size, "num_hidden_layers": text.layers,
        "num_attention_heads": text.heads, "intermediate_size": 4 * text.hidden_size,
    }  # fmt: skip
    return FGCLEPConfig(
        ecg_encoder=training.ecg_encoder.model_dump(),
        text_config=BertConfig.from_dict({**sizes, "max_position_embeddings": max(512, text.max_tokens)}).to_dict(),
        projection=training.projection,
        alignment=training.alignment,
        signal=config.signal.model_dump(),
    )


def step(model: FGCLEP, batch: int, tokens: int) -> Tensor:
    """The forward pass of a step on random ECGs and texts, with a contrastive loss."""
    device = model.device
    signals = torch.randn(batch, 12, model.samples, device=device)
    ids = torch.ones(batch, tokens, dtype=torch.long, device=device)
    ecgs, texts = model(signals, ids, torch.ones_like(ids))
    logits = model.temperature * model.align(ecgs, texts) + model.bias
    return torch.nn.functional.softplus(logits).mean()


def counted(made: FGCLEPConfig, batch: int, tokens: int) -> dict[str, float]:
    """Bytes of weights with gradients and moments, and of what a step keeps in float32, without computing it."""
    with torch.device("meta"):
        model = FGCLEP(made).train()
    weights = sum(value.numel() for value in model.parameters())
    own = {value.untyped_storage()._cdata for value in model.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}  # views of one tensor share its memory

    def keep(value: Tensor) -> Tensor:
        storage = value.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value), torch.device("meta"):
        step(model, batch, tokens)
    return {"weights": 16.0 * weights, "kept": float(sum(storage.nbytes() for storage in kept.values()))}


def measured(made: FGCLEPConfig, batch: int, tokens: int) -> float:
    """Peak of the memory that PyTorch allocated on the GPU in some steps, bytes."""
    model = FGCLEP(made).cuda().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    torch.cuda.reset_peak_memory_stats()
    for _ in range(STEPS):
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype):
            loss = step(model, batch, tokens)
        loss.backward()
        optimizer.step()
    return float(torch.cuda.max_memory_allocated())


def main(options: Sequence[str] | None = None) -> None:
    """Print what a step takes, and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configfile", type=Path, nargs="*", default=[], help="over config.yaml, as with snakemake")
    parser.add_argument("--batch", type=int, help="ECGs of a step; default: as the config says")
    args = parser.parse_args(options)
    config = load(ROOT / "config.yaml", *args.configfile)
    training = config.pretraining
    batch = args.batch or training.batch_size
    tokens = training.text_encoder.max_tokens
    made = model_config(config, words=2000)
    what = (
        f"{training.ecg_encoder.kind} at {config.signal.sampling_rate:g} Hz, {batch} ECGs and texts of {tokens} tokens"
    )
    found = counted(made, batch, tokens)
    low, high = ((found["weights"] + share * found["kept"]) / GIB for share in (0.5, 1.0))
    print(f"{machine()}; {what}")
    weights, kept = (found[name] / GIB for name in ("weights", "kept"))
    print(
        f"counted: weights, gradients and moments {weights:.2f} GiB, kept for the backward pass {kept:.1f} in float32"
    )
    print(f"together about {low:.1f} GiB in bf16, {high:.1f} in float32")
    figures = {"counted_bf16": low, "counted_fp32": high}
    need = low
    if torch.cuda.is_available():
        figures["measured"] = need = measured(made, batch, tokens) / GIB
        print(f"measured on {torch.cuda.get_device_name()}: {need:.1f} GiB")
    else:
        print("no GPU here: this is a count, and was not measured")
    fitting = [size for size in GPUS if size > 1.15 * need]
    print(f"with 15 % in reserve: a GPU of {fitting[0]} GiB" if fitting else "more than 80 GiB: lower batch_size")
    print(json.dumps({"name": "gpu_memory", "ratio": round(low / high, 3), **figures}))


if __name__ == "__main__":
    main()
