"""Zero-shot AUROC where a class is scored by its largest prompt, by their mean, or by any of them (``any_of``).

``averaged`` is the mean of the embeddings of all texts of a class, brought to length 1, as CLIP joins its prompts.

Records of PTB-XL that have a class of the task: simulated ones of a finished run, whose codes are known, and with
``--base`` patients of one fold at 100 Hz. Macro AUROC in percent over all classes that occur, and their mean
calibration error.

    python benchmarks/any_prompt.py --model workflow/fgclep/pretrained --shards results/shards/ptb-xl/*.parquet
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ecgs import ROOT  # isort: skip (puts the package on the path)

import numpy as np
import pyarrow as pa
import torch
from real_ecgs import PTB_XL, Ecgs

from fgclep.config.inference import InferenceSettings
from fgclep.config.pretraining import PretrainingSection
from fgclep.evaluation.embedding import embed_records
from fgclep.evaluation.metrics import calibration_errors, macro_aurocs
from fgclep.evaluation.prompts import Prompt, PromptSets
from fgclep.evaluation.tasks import load_task
from fgclep.evaluation.zero_shot import added, any_of
from fgclep.language.vocabulary import load_vocabulary
from fgclep.models.fgclep import FGCLEP
from fgclep.sources import get_source

WAYS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "largest": lambda logits: logits.max(axis=1),
    "mean": lambda logits: logits.mean(axis=1),
    "any": any_of,
}
AVERAGED = "averaged"


@torch.inference_mode()
def of_shards(model: FGCLEP, paths: Sequence[str]) -> tuple[np.ndarray, list[list[str]]]:
    """Embeddings and codes of the records of a run."""
    settings = InferenceSettings.of(PretrainingSection(), threads=1, workers=1, signal=model.signal)
    table = pa.concat_tables(embed_records(model, paths, settings, torch.device("cpu"), "ECGs"))
    return np.array(table["embedding"].to_pylist(), dtype=np.float32), table["codes"].to_pylist()


def scored(
    model: FGCLEP, vectors: np.ndarray, classes: Sequence[Sequence[Prompt]], way: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Score of each ECG for each class, shape (n, classes)."""

    def logits(prompts: Sequence[Prompt]) -> Iterator[np.ndarray]:
        for prompt in prompts:
            yield model.score(vectors, list(prompt)).mean(axis=1)

    return np.stack([way(np.stack(list(logits(prompts)), axis=1)) for prompts in classes], axis=1)


def averaged(model: FGCLEP, vectors: np.ndarray, classes: Sequence[Sequence[Prompt]]) -> np.ndarray:
    """Score of each ECG for the mean embedding of the texts of each class, shape (n, classes)."""
    means = [model.embed_texts([text for prompt in prompts for text in prompt]).mean(dim=0) for prompts in classes]
    return model.score(vectors, torch.nn.functional.normalize(torch.stack(means), dim=1))


def joined(model: FGCLEP, vectors: np.ndarray, classes: Sequence[Sequence[Prompt]], way: str) -> np.ndarray:
    """Score of each ECG for each class, shape (n, classes), by one of ``WAYS`` or ``AVERAGED``."""
    if way == AVERAGED:
        return averaged(model, vectors, classes)
    return scored(model, vectors, classes, WAYS[way])


@torch.inference_mode()
def table(model: FGCLEP, vectors: np.ndarray, codes: Sequence[Sequence[str]]) -> dict[str, list[float]]:
    """Print and return for each way the means over the tasks: by synonyms, features, both, and calibration error."""
    sets = PromptSets(load_vocabulary(ROOT / "resources/vocabulary"))
    found: dict[str, list[list[float]]] = {way: [] for way in (*WAYS, AVERAGED)}
    for name in PTB_XL:
        task = load_task(ROOT / f"resources/tasks/{name}.yaml")
        labels = task.labels(codes)
        own = labels.any(axis=1)
        labels, occur = labels[own], labels.any(axis=0)
        for way in found:
            parts = [joined(model, vectors[own], sets.of(task, kind), way) for kind in ("synonyms", "features")]
            ones = np.ones((len(labels), 1))
            aurocs = [
                100 * macro_aurocs(scores[:, occur], labels[:, occur], ones)[0]
                for scores in (*parts, added(parts, parts))
            ]
            probabilities = 1 / (1 + np.exp(-parts[0][:, occur].astype(np.float64)))
            error = 100 * calibration_errors(probabilities, labels[:, occur], ones).mean()
            found[way].append([*map(float, aurocs), float(error)])
    print(f"\n{len(codes)} records\n\n| | synonyms | features | both | calibration error |\n|---|---|---|---|---|")
    means = {way: np.mean(rows, axis=0).round(2).tolist() for way, rows in found.items()}
    for way, row in means.items():
        print(f"| {way} | " + " | ".join(f"{value:.2f}" for value in row) + " |")
    print(f"\n| any | {' | '.join(PTB_XL)} |\n" + "|---" * (1 + len(PTB_XL)) + "|")
    for number, kind in enumerate(("synonyms", "features", "both")):
        print(f"| {kind} | " + " | ".join(f"{row[number]:.1f}" for row in found["any"]) + " |")
    return means


def main() -> None:
    """Print tables, and a line of JSON whose ratio is that of what is missing to 1 by both kinds, largest over any."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="folder of the model")
    parser.add_argument("--shards", nargs="+", required=True, help="of simulated records of PTB-XL")
    parser.add_argument("--base", type=Path, help="folder in PhysioNet's layout with PTB-XL's files of 100 Hz")
    parser.add_argument("--test-fold", type=int, default=9)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = FGCLEP.from_pretrained(args.model)
    figures = {"simulated": table(model, *of_shards(model, args.shards))}
    if args.base:
        ecgs = Ecgs(model, args.base, [get_source("ptb-xl").at(100, args.test_fold)], test_only=True)
        figures["patients"] = table(model, ecgs.vectors, ecgs.codes)
    largest, some = (100 - figures["simulated"][way][2] for way in ("largest", "any"))
    print(json.dumps({"name": "any_prompt", "ratio": largest / some, "figures": figures}))


if __name__ == "__main__":
    main()
