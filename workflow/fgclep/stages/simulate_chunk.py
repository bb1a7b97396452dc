"""Simulate one chunk of recordings straight into its shard, with reports and truth; no files in between."""

import argparse
import logging
from pathlib import Path

from fgclep.config.simulation import RecordingSettings
from fgclep.language.vocabulary import load_vocabulary
from fgclep.progress import progress
from fgclep.schemas.manifest import MANIFEST
from fgclep.schemas.shards import SHARD
from fgclep.schemas.truth import TRUTH
from fgclep.simulation.databases.stream import SOURCE, stream
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import table_writer

LOG = logging.getLogger(__name__)
ROWS_PER_GROUP = 256  # recordings in memory at a time, here and in whoever reads the shard


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, RecordingSettings)
    parser.add_argument("--chunk", type=int, required=True)
    parser.add_argument("--first", type=int, required=True, help="number of its first recording")
    parser.add_argument("--stop", type=int, required=True, help="number behind that of its last recording")
    parser.add_argument("--vocabulary", required=True, help="folder of the vocabulary")
    parser.add_argument("--shard", required=True, type=Path)
    parser.add_argument("--manifest", required=True, type=Path, help="the chunk's part of the manifest")
    parser.add_argument("--truth", required=True, type=Path, help="table of the features that are present")
    return parser


def main(args: argparse.Namespace) -> None:
    """Write shard, manifest and truth of the chunk (schemas ``SHARD``, ``MANIFEST`` and ``TRUTH``), by number."""
    settings: RecordingSettings = args.settings
    vocabulary = load_vocabulary(args.vocabulary)
    numbers = range(args.first, args.stop)
    rate, prevalence = settings.feature_mention_rate, settings.prevalence
    made = stream(numbers, args.chunk, settings.seed, rate, vocabulary, prevalence)
    total = len(numbers)
    with (
        table_writer(args.shard, SHARD) as write_shard,
        table_writer(args.manifest, MANIFEST) as write_manifest,
        table_writer(args.truth, TRUTH) as write_truth,
    ):
        shard: list[dict] = []
        manifest: list[dict] = []
        truth: list[dict] = []
        for number, recording in enumerate(progress(made, total, f"{SOURCE} {args.chunk}", "ECG"), start=1):
            shard.append(recording.shard)
            manifest.append(recording.manifest)
            key = {"source": SOURCE, "record_id": recording.shard["record_id"]}
            truth += [{**key, "feature": name} for name in recording.features]
            if number % ROWS_PER_GROUP == 0 or number == total:
                write_shard(shard)
                write_manifest(manifest)
                write_truth(truth)
                shard, manifest, truth = [], [], []
    LOG.info("chunk %d: %d recordings", args.chunk, total)


if __name__ == "__main__":
    run_stage(main, arguments())
