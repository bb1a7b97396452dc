"""Compute the frozen similarity between all distinct texts."""

import argparse
import json
import os
from pathlib import Path

import numpy as np

from fgclep.schemas import TEXTS, read_table
from fgclep.similarity import similarity_of, summarize
from fgclep.stage import run_stage, stage_parser
from fgclep.statements import parse_statements
from fgclep.vocabulary import load_vocabulary


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--output", type=Path, required=True, help="similarity.npy: float16, row and column = text id")
    parser.add_argument("--summary", type=Path, required=True, help="summary.json: how the values are distributed")
    return parser


def main(args: argparse.Namespace) -> None:
    """Write S as float16 of shape (texts, texts), and its summary."""
    vocabulary = load_vocabulary(args.vocabulary)
    statements = parse_statements(read_table(args.texts, TEXTS, ["text"])["text"].to_pylist(), vocabulary)
    source = args.settings["source"]
    similarity = similarity_of(statements, vocabulary, source, args.settings["related"])
    for path in (args.output, args.summary):
        path.parent.mkdir(parents=True, exist_ok=True)
    args.summary.write_text(json.dumps(summarize(similarity, statements, source), indent=1) + "\n", encoding="utf-8")
    partial = args.output.with_name(f".{args.output.name}.part")
    with partial.open("wb") as file:
        np.save(file, similarity.astype(np.float16), allow_pickle=False)
    os.replace(partial, args.output)


if __name__ == "__main__":
    run_stage(main, arguments())
