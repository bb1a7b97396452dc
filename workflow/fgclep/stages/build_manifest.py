"""List the recordings of one database: patient, split, chunk, report and codes of each."""

import argparse
import logging
from pathlib import Path

import polars as pl

from fgclep.config.data import ManifestSettings
from fgclep.errors import UserError
from fgclep.fetch.manifest import build_manifest
from fgclep.schemas.manifest import MANIFEST
from fgclep.schemas.quarantine import QUARANTINE
from fgclep.sources import get_source
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import write_table

LOG = logging.getLogger(__name__)


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, ManifestSettings)
    parser.add_argument("--source", required=True, help="key of the database")
    parser.add_argument("--metadata", type=Path, required=True, help="folder that fetch_metadata wrote")
    parser.add_argument("--chunks", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--quarantine", type=Path, required=True)
    return parser


def main(args: argparse.Namespace) -> None:
    """Write the manifest and the records that cannot be used."""
    settings: ManifestSettings = args.settings
    source = get_source(args.source).at(settings.sampling_rate, settings.test_fold)
    manifest, quarantine = build_manifest(source, args.metadata, args.chunks, settings.limit)
    if manifest.is_empty():
        shown = "".join(
            f"\n    {name}: {why}" for name, why in quarantine.select("record_id", "reason").head(20).rows()
        )
        more = f"\n    and {len(quarantine) - 20:,} more" if len(quarantine) > 20 else ""
        raise UserError(
            f"{args.metadata} lists no usable record of {args.source} ({len(quarantine)} unusable); is data.base right?"
            f"{shown}{more}"
        )
    if source.is_own_folder:
        for name, why in quarantine.select("record_id", "reason").iter_rows():
            LOG.warning("%s: %s", name, why)
    # oldest: Arrow's string views are not what the schemas say
    level = pl.CompatLevel.oldest()
    write_table(manifest.to_arrow(compat_level=level), args.output, MANIFEST)
    write_table(quarantine.to_arrow(compat_level=level), args.quarantine, QUARANTINE)
    LOG.info("%s: %d recordings, %d cannot be used", args.source, len(manifest), len(quarantine))


if __name__ == "__main__":
    run_stage(main, arguments())
