"""Ask a backend which waveform features go with each distinct statement."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from fgclep.config.recovery import RecoverySection
from fgclep.files import write_text
from fgclep.language.statements import Statement, read_statements
from fgclep.language.vocabulary import Vocabulary, load_vocabulary
from fgclep.recovery.backend import Backend, is_asked
from fgclep.recovery.knowledge import KnowledgeBackend
from fgclep.schemas.candidates import CANDIDATES
from fgclep.schemas.reports import TEXTS
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import read_table, write_table

if TYPE_CHECKING:
    from fgclep.recovery.language_model import LanguageModel
    from fgclep.recovery.server import Server


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, RecoverySection)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--prompt", type=Path, required=True, help="template of the question to a language model")
    parser.add_argument("--output", required=True)
    parser.add_argument("--cost", type=Path, required=True, help="JSON file for the calls, tokens and seconds")
    return parser


def make_backend(settings: RecoverySection, prompt: Path, vocabulary: Vocabulary) -> Backend:
    """Return the backend that the config names."""
    if settings.backend == "knowledge":
        return KnowledgeBackend(vocabulary)
    return make_language_model(settings, prompt, vocabulary)


def make_language_model(settings: RecoverySection, prompt: Path, vocabulary: Vocabulary) -> "LanguageModel":
    """Return the language model on the kind of server that the config names."""
    from fgclep.recovery.language_model import LanguageModel

    server: Server
    if settings.backend == "openai":
        from fgclep.recovery.openai import OpenAIServer

        server = OpenAIServer(settings)
    else:
        from fgclep.recovery.ollama import OllamaServer

        server = OllamaServer(settings)
    return LanguageModel(server, settings, prompt, vocabulary)


def statements_to_ask(texts: str | Path, vocabulary: Vocabulary) -> list[tuple[int, Statement]]:
    """Return the id and the statement of each text (schema ``TEXTS``) that a backend is asked about.

    Texts of the vocabulary that no report has as a statement are left out.
    """
    counts = read_table(texts, TEXTS, ["count"])["count"].to_numpy()
    statements = enumerate(read_statements(texts, vocabulary))
    return [(i, statement) for i, statement in statements if counts[i] and is_asked(statement, vocabulary)]


def main(args: argparse.Namespace) -> None:
    """Write candidates per statement (schema ``CANDIDATES``), rejected answers with their reason included; the cost."""
    vocabulary = load_vocabulary(args.vocabulary)
    asked = statements_to_ask(args.texts, vocabulary)
    backend = make_backend(args.settings, args.prompt, vocabulary)
    proposals = backend.propose([statement for _, statement in asked])
    origin = {"backend": backend.name, "model_digest": backend.model_digest, "prompt_hash": backend.prompt_hash}
    rows = [
        {"text_id": text_id, "statement": statement.text, **vars(candidate), **origin}
        for (text_id, statement), candidates in zip(asked, proposals, strict=True)
        for candidate in candidates
    ]
    write_table(rows, args.output, CANDIDATES)
    write_text(args.cost, json.dumps(backend.cost(), indent=1) + "\n")


if __name__ == "__main__":
    run_stage(main, arguments())
