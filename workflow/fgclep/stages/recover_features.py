"""Ask a backend which waveform features go with each distinct statement."""

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fgclep.recovery.backend import Backend
from fgclep.recovery.knowledge import KnowledgeBackend
from fgclep.schemas import CANDIDATES, TEXTS, read_table, write_table
from fgclep.stage import progress, run_stage, stage_parser
from fgclep.statements import Statement, parse_statements
from fgclep.vocabulary import Vocabulary, load_vocabulary


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--prompt", type=Path, required=True, help="template of the question to a language model")
    parser.add_argument("--output", required=True)
    return parser


def make_backend(settings: dict, prompt: Path, vocabulary: Vocabulary) -> Backend:
    """Return the backend that the config names."""
    if settings["backend"] == "knowledge":
        return KnowledgeBackend(vocabulary)
    from fgclep.recovery.ollama import OllamaBackend

    return OllamaBackend(settings, prompt.read_text(encoding="utf-8"), vocabulary)


def is_asked(statement: Statement, vocabulary: Vocabulary) -> bool:
    """Whether features are to be recovered from a statement.

    Administrative statements never are, nor verdicts such as "abnormal ecg", which say nothing about the waveform, nor
    statements that name features only: they leave nothing out.
    """
    if statement.kind == "unknown":
        return True
    return any(vocabulary.diagnoses[name].group != "summary" for name in statement.diagnoses)


def main(args: argparse.Namespace) -> None:
    """Write candidates per statement (schema ``CANDIDATES``), rejected answers with their reason included."""
    vocabulary = load_vocabulary(args.vocabulary)
    texts = read_table(args.texts, TEXTS, ["text_id", "text"]).to_pylist()
    statements = parse_statements([row["text"] for row in texts], vocabulary)
    asked = [(row["text_id"], s) for row, s in zip(texts, statements, strict=True) if is_asked(s, vocabulary)]
    backend = make_backend(args.settings, args.prompt, vocabulary)
    rows = []
    with ThreadPoolExecutor(args.settings["concurrency"]) as pool:
        proposals = pool.map(backend.propose, [statement for _, statement in asked])
        try:
            for (text_id, statement), candidates in zip(
                asked, progress(proposals, len(asked), "recovery", "statement"), strict=True
            ):
                for candidate in candidates:
                    rows.append(
                        {
                            "text_id": text_id,
                            "statement": statement.text,
                            **vars(candidate),
                            "backend": backend.name,
                            "model_digest": backend.model_digest,
                            "prompt_hash": backend.prompt_hash,
                        }
                    )
        except BaseException:
            pool.shutdown(cancel_futures=True)  # else every waiting statement is still asked
            raise
    write_table(rows, args.output, CANDIDATES)


if __name__ == "__main__":
    run_stage(main, arguments())
