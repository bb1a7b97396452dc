"""Compute the frozen similarity between all distinct texts."""

import argparse
import json
from pathlib import Path

from fgclep.config.similarity import SimilaritySettings
from fgclep.files import write_text
from fgclep.language.statements import read_statements
from fgclep.language.vocabulary import Vocabulary, load_vocabulary
from fgclep.schemas.reports import REPORTS, TEXTS
from fgclep.similarity.batches import in_batches
from fgclep.similarity.build import IdentitySimilarity, Source, write_similarity
from fgclep.similarity.concepts import ConceptSimilarity
from fgclep.similarity.findings import TextFindings, text_findings
from fgclep.similarity.matrix import SimilarityMatrix
from fgclep.similarity.summary import Summary
from fgclep.stage import run_stage, stage_parser
from fgclep.tables import read_table


def arguments() -> argparse.ArgumentParser:
    """Command line of the stage."""
    parser = stage_parser(__doc__, SimilaritySettings)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--reports", required=True, help="text ids per record, for the summary")
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--output", type=Path, required=True, help="folder of S: row and column = text id")
    parser.add_argument("--summary", type=Path, required=True, help="summary.json: how the values are distributed")
    return parser


def source_of(settings: SimilaritySettings, texts: list[str], findings: TextFindings, vocabulary: Vocabulary) -> Source:
    """Return where S comes from, by the config's ``similarity.source``."""
    source = settings.source
    if source == "identity":
        return IdentitySimilarity()
    if source == "concepts":
        return ConceptSimilarity(findings, vocabulary, settings.related)
    from fgclep.similarity import encoder  # with torch, which the other sources do without

    embeddings = encoder.embed(texts, settings.encoder)
    if source == "raw":
        return encoder.RawSimilarity(embeddings)
    concepts = ConceptSimilarity(findings, vocabulary, settings.related)
    return encoder.EncoderSimilarity(embeddings, concepts, settings.seed)


def main(args: argparse.Namespace) -> None:
    """Write S, dense up to ``dense_texts`` and else sparse, and its summary."""
    settings: SimilaritySettings = args.settings
    vocabulary = load_vocabulary(args.vocabulary)
    texts = read_table(args.texts, TEXTS, ["text"])["text"].to_pylist()
    findings = text_findings(read_statements(args.texts, vocabulary), vocabulary)
    source = source_of(settings, texts, findings, vocabulary)
    summary = Summary(findings)
    neighbors = None if len(texts) <= settings.dense_texts else settings.neighbors
    write_similarity(source, len(texts), args.output, neighbors, summary)
    reports = read_table(args.reports, REPORTS, ["text_ids"])["text_ids"].combine_chunks()
    drawn = in_batches(SimilarityMatrix.open(args.output), findings, reports, settings.seed)
    described = {"source": settings.source, "neighbors": neighbors, **summary.result(), **drawn}
    write_text(args.summary, json.dumps(described, indent=1) + "\n")


if __name__ == "__main__":
    run_stage(main, arguments())
