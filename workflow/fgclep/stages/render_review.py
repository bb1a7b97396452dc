"""Write the review sheet: decisions of the filter drawn at random, on their ECGs, for a clinician to judge."""

import argparse
from pathlib import Path

from fgclep.config.report import ReviewSettings
from fgclep.files import write_text
from fgclep.language.vocabulary import load_vocabulary
from fgclep.report.results.read import rows_of, scan
from fgclep.review.sample import draw
from fgclep.review.sheet import Ecg, render_review
from fgclep.schemas.audit import AUDIT
from fgclep.schemas.manifest import MANIFEST
from fgclep.schemas.measurements import MEASUREMENTS
from fgclep.schemas.shards import SHARD
from fgclep.stage import run_stage, stage_parser


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, ReviewSettings)
    parser.add_argument("--audit", type=Path, required=True)
    parser.add_argument("--manifests", type=Path, nargs="+", required=True)
    parser.add_argument("--shards", type=Path, nargs="+", required=True)
    parser.add_argument("--measurements", type=Path, nargs="+", required=True)
    parser.add_argument("--vocabulary", type=Path, required=True)
    parser.add_argument("--simulated", nargs="*", default=[], help="sources whose ECGs are simulated")
    parser.add_argument("--output", type=Path, required=True)
    return parser


def main(args: argparse.Namespace) -> None:
    """Write the review sheet, atomically."""
    settings: ReviewSettings = args.settings
    shards = scan(args.shards, SHARD)
    sample = draw(scan([args.audit], AUDIT), shards, settings.review, settings.seed)
    keys = list(dict.fromkeys((decision.source, decision.record_id) for decision in sample.decisions))
    tables = (shards, scan(args.manifests, MANIFEST), scan(args.measurements, MEASUREMENTS))
    waveforms, written, measured = (rows_of(table, keys) for table in tables)
    ecgs = {key: Ecg(waveforms[key][0], written[key][0]["report"], (measured[key] or [{}])[0]) for key in keys}
    html = render_review(sample, ecgs, load_vocabulary(args.vocabulary), args.simulated)
    write_text(args.output, html)


if __name__ == "__main__":
    run_stage(main, arguments())
