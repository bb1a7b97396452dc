"""``fgclep embed``: embeddings of recordings, for a classifier of one's own."""

import argparse
from collections.abc import Sequence

import numpy as np

from fgclep.commands.model import load_model, model_name
from fgclep.commands.output import say
from fgclep.commands.reading import Recording, Teller, embed_batch, in_batches
from fgclep.config.named_models import model_digest
from fgclep.inference.embedded import Embedded, stamp_of
from fgclep.models.fgclep import FGCLEP


def run(args: argparse.Namespace, named: Sequence[tuple[str, str]], options: dict) -> None:
    """Write the embeddings of all recordings; those that cannot be used end the program with status 1.

    ``named`` are the recordings, and why one cannot be read, which has been said (``fgclep.commands.named``);
    ``options`` those of ``read_recording``.
    """
    recordings = [Recording(name, error=error) for name, error in dict(named).items()]
    model, teller = load_model(args.model), Teller(recordings)
    found = embedded(recordings, model, options, args.batch_size, teller)
    if found.keys:
        found.write(args.output)
        say(f"wrote {args.output}: {len(found.keys):,} embeddings by the model {found.model}")
    teller.end()


def embedded(
    recordings: Sequence[Recording], model: FGCLEP, options: dict, batch_size: int, teller: Teller
) -> Embedded:
    """Embed the recordings that can be used, in their order; ``teller`` tells of them and of the others."""
    keys: list[str] = []
    stamps: list[str] = []
    parts: list[np.ndarray] = []
    for batch in in_batches(recordings, model, options, batch_size, "embed"):
        for recording in batch:
            teller.tell(recording)
        usable, vectors = embed_batch(batch, model)
        if usable:
            keys += [recording.name for recording in usable]
            stamps += [stamp_of(recording.name, options) for recording in usable]
            parts.append(vectors)
    embeddings = np.concatenate(parts) if parts else np.empty((0, 0), np.float32)
    return Embedded(model_name(model), model_digest(model.folder), keys, stamps, embeddings)
