"""Ask a backend which waveform features go with each distinct statement, or with every record."""

import argparse
import json
from pathlib import Path
from typing import Any

from fgclep.config.recovery import RecoverySection
from fgclep.files import write_text
from fgclep.language.statements import Statement, read_statements
from fgclep.language.vocabulary import Vocabulary, load_vocabulary
from fgclep.recovery.backend import Backend, Candidate, is_asked
from fgclep.recovery.everything import EverythingBackend
from fgclep.recovery.knowledge import KnowledgeBackend
from fgclep.recovery.language_model import LanguageModel
from fgclep.recovery.probe import require
from fgclep.recovery.server import Server
from fgclep.schemas.candidates import CANDIDATES
from fgclep.schemas.reports import TEXTS
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import read_table, write_table


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, RecoverySection)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--prompts", type=Path, required=True, help="folder of the templates of questions")
    parser.add_argument("--output", required=True)
    parser.add_argument("--cost", type=Path, required=True, help="JSON file for the calls, tokens and seconds")
    return parser


def make_language_model(settings: RecoverySection, prompts: Path, vocabulary: Vocabulary) -> LanguageModel:
    """Return the language model on the kind of server that the config names."""
    server: Server
    if settings.backend == "openai":
        from fgclep.recovery.openai import OpenAIServer

        server = OpenAIServer(settings)
    else:
        from fgclep.recovery.ollama import OllamaServer

        server = OllamaServer(settings)
    return LanguageModel(server, settings, prompts, vocabulary)


def statements_to_ask(texts: str | Path, vocabulary: Vocabulary) -> list[tuple[int, Statement]]:
    """Return the id and the statement of each text (schema ``TEXTS``) that a backend is asked about.

    Texts of the vocabulary that no report has as a statement are left out.
    """
    counts = read_table(texts, TEXTS, ["count"])["count"].to_numpy()
    statements = enumerate(read_statements(texts, vocabulary))
    return [(i, statement) for i, statement in statements if counts[i] and is_asked(statement, vocabulary)]


def main(args: argparse.Namespace) -> None:
    """Write candidates (schema ``CANDIDATES``), rejected answers with their reason included, and the cost.

    A language model must pass the probe before it is asked.
    """
    settings: RecoverySection = args.settings
    vocabulary = load_vocabulary(args.vocabulary)
    asked = statements_to_ask(args.texts, vocabulary)
    backends: list[Backend] = []
    probe = {}
    if settings.backend == "knowledge":
        backends.append(KnowledgeBackend(vocabulary))
    elif settings.backend == "everything" or settings.ask == "unmeasured":
        backends.append(EverythingBackend(vocabulary, settings.samples if settings.asks else 1))
    if settings.asks:
        model = make_language_model(settings, args.prompts, vocabulary)
        if found := require(model, settings, vocabulary):
            probe = {"probe": found.as_json()}
        backends.append(model)
    rows: list[dict[str, Any]] = []
    for backend in backends:
        origin = {"backend": backend.name, "model_digest": backend.model_digest, "prompt_hash": backend.prompt_hash}
        given: list[tuple[int | None, str, list[Candidate]]] = [(None, "", backend.for_every_record())]
        proposals = backend.propose([statement for _, statement in asked])
        given += [(number, s.text, some) for (number, s), some in zip(asked, proposals, strict=True)]
        rows += [
            {"text_id": number, "statement": text, **vars(candidate), **origin}
            for number, text, candidates in given
            for candidate in candidates
        ]
    write_table(rows, args.output, CANDIDATES)
    write_text(args.cost, json.dumps({**backends[-1].cost(), **probe}, indent=1) + "\n")


if __name__ == "__main__":
    run_stage(main, arguments())
