"""Embed the ECGs of some sources with a trained model, or with a randomly initialized one as the control."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from fgclep.config.inference import EmbeddingSettings
from fgclep.config.pretraining import PretrainingSection, TextEncoderSection
from fgclep.device import choose_device
from fgclep.errors import UserError
from fgclep.evaluation.embedding import embed_records
from fgclep.models.build import new_model
from fgclep.models.fgclep import FGCLEP
from fgclep.schemas.embeddings import EMBEDDINGS
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import table_writer


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, EmbeddingSettings)
    parser.add_argument("--model", help="folder of a trained model, unless the settings ask for random weights")
    parser.add_argument(
        "--shards", nargs="+", required=True, help="Parquet files, each in a folder named by its source"
    )
    parser.add_argument("--outputs", nargs="+", required=True, help="for each source a Parquet file of its name")
    return parser


def random_model(settings: EmbeddingSettings) -> FGCLEP:
    """Return the ECG encoder of ``settings`` with random weights, of which only the pooled features are used."""
    torch.manual_seed(settings.seed)
    text = TextEncoderSection(name="scratch", hidden_size=8, layers=1, heads=1, max_tokens=8)
    return new_model(PretrainingSection.of(settings, text_encoder=text), settings.signal, ["ecg"]).eval()


def shards_by_source(shards: Sequence[str], outputs: Sequence[str]) -> dict[str, list[str]]:
    """Return for each of the outputs, in their order, the shards of its source.

    Raises ``UserError`` if an output has no shards, or shards no output.
    """
    by_source: dict[str, list[str]] = {}
    for shard in shards:
        by_source.setdefault(Path(shard).parent.name, []).append(shard)
    sources = {output: Path(output).stem for output in outputs}
    if sorted(sources.values()) != sorted(by_source):
        raise UserError(f"--outputs names the sources {sorted(sources.values())} and --shards {sorted(by_source)}")
    return {output: by_source[source] for output, source in sources.items()}


@torch.inference_mode()
def main(args: argparse.Namespace) -> None:
    """Write pooled features and embeddings of every record (schema ``EMBEDDINGS``)."""
    settings: EmbeddingSettings = args.settings
    if args.model is None and not settings.random:
        raise UserError("--model is missing; give the folder of a trained model, or --settings with random: true")
    torch.set_num_threads(settings.threads)
    device = choose_device(settings.device)
    model = random_model(settings) if settings.random else FGCLEP.from_pretrained(args.model)
    model.to(device)
    for output, shards in shards_by_source(args.shards, args.outputs).items():
        with table_writer(output, EMBEDDINGS) as write:
            for table in embed_records(model, shards, settings, device, Path(output).stem):
                write(table)


if __name__ == "__main__":
    run_stage(main, arguments())
