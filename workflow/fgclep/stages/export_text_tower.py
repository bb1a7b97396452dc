"""Write the text encoder of a model as a model of its own, for a similarity by its embeddings."""

import argparse
from pathlib import Path

from fgclep.files import whole_folder
from fgclep.models.fgclep import FGCLEP
from fgclep.stage import run_stage, stage_parser


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--model", required=True, help="folder of the model")
    parser.add_argument("--output", type=Path, required=True, help="folder in Hugging Face format")
    return parser


def main(args: argparse.Namespace) -> None:
    """Write encoder and tokenizer; the folder appears when it is complete."""
    model = FGCLEP.from_pretrained(args.model)
    assert model.tokenizer is not None
    with whole_folder(args.output) as partial:
        model.text_encoder.save_pretrained(partial)
        model.tokenizer.save_pretrained(partial)


if __name__ == "__main__":
    run_stage(main, arguments())
