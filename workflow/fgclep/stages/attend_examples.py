"""Find where a model with ``alignment: attention`` looks in the ECGs that the report shows."""

import argparse
from pathlib import Path

import numpy as np
import polars as pl
import torch

from fgclep.config.report import AttentionSettings
from fgclep.leads import LEADS
from fgclep.models.fgclep import FGCLEP
from fgclep.report.ecg.paper import ALL_LEADS
from fgclep.report.results import audit_summary
from fgclep.report.results.read import millivolts, rows_of, scan
from fgclep.schemas.attention import ATTENTION
from fgclep.schemas.audit import AUDIT
from fgclep.schemas.reports import REPORTS, TEXTS
from fgclep.schemas.shards import SHARD
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import read_table, write_table


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, AttentionSettings)
    parser.add_argument("--model-dir", type=Path, required=True, help="folder of the model")
    parser.add_argument("--audit", type=Path, required=True)
    parser.add_argument("--shards", type=Path, nargs="+", required=True)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--reports", type=Path, required=True, help="text ids per record with accepted features")
    parser.add_argument("--output", type=Path, required=True)
    return parser


def main(args: argparse.Namespace) -> None:
    """Write the attention of every text of the chosen records, accepted features included (schema ``ATTENTION``)."""
    settings: AttentionSettings = args.settings
    torch.set_num_threads(1)  # few and short inputs; the last digits must not depend on the number of cores
    shards = scan(args.shards, SHARD)
    audit = audit_summary.with_outcome(scan([args.audit], AUDIT))
    keys = audit_summary.choose_records(audit, shards, settings.strips)
    texts = pl.DataFrame(read_table(args.texts, TEXTS, ["text"]))["text"].to_list()
    waveforms, reports = rows_of(shards, keys), rows_of(scan([args.reports], REPORTS), keys)
    model = FGCLEP.from_pretrained(args.model_dir)
    rows = []
    for key in keys:
        row = waveforms[key][0]
        prompts = [texts[number] for report in reports[key] for number in report["text_ids"]]
        if not prompts:
            continue
        # checked with the config's quality when the shard was made
        signal, present = model.prepare(millivolts(row), row["sampling_rate"])
        with torch.inference_mode():
            weights = model.attention_of(model.encode_prepared(signal[None], present[None]), prompts)
        seconds = row["n_samples"] / row["sampling_rate"]
        bounds = window_bounds(seconds, model.signal.duration, weights.shape[2])
        leads = LEADS if weights.shape[1] > 1 else (ALL_LEADS,)
        rows += [
            {"source": key[0], "record_id": key[1], "text": text, "lead": lead, "start": start, "end": end}
            | {"weight": float(weight)}
            for text, of_text in zip(prompts, weights, strict=True)
            for lead, of_lead in zip(leads, of_text, strict=True)
            for (start, end), weight in zip(bounds, of_lead, strict=True)
        ]
    write_table(rows, args.output, ATTENTION)


def window_bounds(seconds: float, duration: float, windows: int) -> list[tuple[float, float]]:
    """Where the model's windows lie in a recording.

    Parameters
    ----------
    seconds
        Length of the recording, of which the model takes the center, or which it repeats (see ``prepare_signal``).
    duration
        Length of the model's input in seconds.
    windows
        Number of windows that it is divided into.

    Returns
    -------
    list of (float, float)
        Seconds from and to; where the recording is repeated, again from its beginning.
    """
    starts = np.arange(windows) * duration / windows
    starts = starts + (seconds - duration) / 2 if seconds >= duration else starts % seconds
    ends = np.minimum(starts + duration / windows, seconds)
    return [(float(start), float(end)) for start, end in zip(starts.round(4), ends.round(4), strict=True)]


if __name__ == "__main__":
    run_stage(main, arguments())
