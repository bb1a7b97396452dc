"""``fgclep retrieve --ecgs``: the recordings of one's own that fit a text best."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fgclep.commands.embed import embedded
from fgclep.commands.model import find_vocabulary, load_model, model_name
from fgclep.commands.output import Output, printable, say
from fgclep.commands.reading import Recording, Teller
from fgclep.commands.retrieve import write_found
from fgclep.config.named_models import model_digest
from fgclep.errors import UserError
from fgclep.files import write_text
from fgclep.inference.embedded import Embedded, stamp_of
from fgclep.inference.search import best_of
from fgclep.inference.wording import remarks_on
from fgclep.leads import LEADS
from fgclep.models.fgclep import FGCLEP
from fgclep.recordings.read import read_recording

COLUMNS = ("query", "rank", "record", "probability", "model")


def run(args: argparse.Namespace, named: Sequence[tuple[str, str]], options: dict) -> None:
    """Write what is found for each query; recordings that cannot be used end the program with status 1.

    ``named`` and ``options`` as for ``commands.embed.run``.
    """
    queries = list(dict.fromkeys(args.queries))
    output = Output(args.output, args.format, COLUMNS)
    kept = Embedded.read(args.embeddings) if args.embeddings and args.embeddings.exists() else None
    model = load_model(args.model)
    for remark in remarks_on(queries, model.tokenizer, find_vocabulary()):
        say(remark)
    recordings = [Recording(name, error=error) for name, error in dict(named).items()]
    vectors, teller = _vectors(args, recordings, model, options, kept)
    if vectors:
        for query in queries:
            say(model.calibration.remark(query))
        found = best_of(model, queries, list(vectors), np.stack(list(vectors.values())), args.top)
        for query, best in zip(queries, found, strict=True):
            rows = [
                {"query": query, "rank": rank, "record": name, "probability": probability, "model": model_name(model)}
                for rank, (name, probability) in enumerate(best, start=1)
            ]
            write_found(output, query, rows, _cells)
        output.close()
        if args.html is not None:
            searched = f"{len(vectors):,} recordings"
            write_text(args.html, _page(dict(zip(queries, found, strict=True)), model, options, searched))
            say(f"wrote {args.html}")
    teller.end()


def _vectors(
    args: argparse.Namespace, recordings: Sequence[Recording], model: FGCLEP, options: dict, kept: Embedded | None
) -> tuple[dict[str, np.ndarray], Teller]:
    """Embeddings by recording, those of the file where they still hold; the file has them all in the end."""
    digest = model_digest(model.folder)
    if kept is not None and kept.digest != digest:
        raise UserError(
            f"{args.embeddings} has embeddings by another model, {kept.model} ({kept.digest}), and this is "
            f"{model_name(model)} ({digest}); give --embeddings another file, or delete it"
        )
    stored = {} if kept is None else dict(zip(kept.keys, zip(kept.stamps, kept.embeddings, strict=True), strict=True))
    asked = [some.name for some in recordings if not some.error]
    still = {name for name in asked if name in stored and stored[name][0] == (stamp_of(name, options) or None)}
    teller = Teller(recordings, used=len(still))
    new = embedded([some for some in recordings if some.name not in still], model, options, args.batch_size, teller)
    if args.embeddings is not None:
        say(f"{len(still):,} embeddings of {args.embeddings} were used again, {len(new.keys):,} were computed")
    vectors = {name: stored[name][1] for name in still}
    made = dict(zip(new.keys, zip(new.stamps, new.embeddings, strict=True), strict=True))
    vectors |= {name: vector for name, (_, vector) in made.items()}
    if args.embeddings is not None and made:
        whole = stored | made
        stamps, rows = zip(*whole.values(), strict=True)
        Embedded(new.model, digest, list(whole), list(stamps), np.stack(rows)).write(args.embeddings)
    return {name: vectors[name] for name in asked if name in vectors}, teller


def _cells(row: Mapping) -> tuple[str, ...]:
    return (printable(row["record"]),)


def _page(found: Mapping[str, Sequence[tuple[str, float]]], model: FGCLEP, options: dict, searched: str) -> str:
    from fgclep.report.search_page import Shown, render_retrieved  # loaded on demand: few draw the ECGs

    records = {}
    for name in {name for best in found.values() for name, _ in best}:
        try:
            records[name] = read_recording(name, **options)
        except ValueError as error:
            raise UserError(f"{name} was embedded, and cannot be drawn: {error}; has it changed?") from error

    def shown(name: str, probability: float) -> Shown:
        record = records[name]
        rate, samples = record.sampling_rate, record.digital.shape[1]
        signal = np.full((len(LEADS), samples), np.nan)
        signal[[LEADS.index(lead) for lead in record.leads]] = record.millivolts()
        start = max(0, (samples - round(model.signal.duration * rate)) // 2)  # the middle, as the model sees it
        told = (f"{samples / rate:.3g} s",) + (() if len(record.leads) == 12 else (f"leads {', '.join(record.leads)}",))
        return Shown(Path(name).as_posix(), probability, signal[:, start:], rate, told, remarks=list(record.remarks))

    pages = {query: [shown(*one) for one in best] for query, best in found.items()}
    return render_retrieved(pages, model_name(model), searched)
