"""``fgclep fit``: a linear head for labels of one's own, which ``fgclep predict --task`` asks."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from fgclep.commands.model import load_model, model_name
from fgclep.commands.output import say, show
from fgclep.commands.reading import Recording, Teller, embed_batch, in_batches
from fgclep.config.evaluation import EvaluationSection
from fgclep.documents import printable
from fgclep.errors import UserError
from fgclep.evaluation.head import FOLDS, auroc_text, fit_head
from fgclep.evaluation.metrics import patients_of
from fgclep.models.calibration import weights_digest
from fgclep.sources.local import TABLE, read_records, why_not_there


def labelled(folder: Path, found: Sequence[Path]) -> tuple[list[Recording], dict[str, Mapping]]:
    """Rows of ``records.csv`` as recordings of a folder.

    Parameters
    ----------
    folder
        With the table.
    found
        Recordings in it, as ``find_recordings`` returns them.

    Returns
    -------
    recordings
        A recording for each row, in their order, with what is wrong if it is not there.
    rows
        Those of ``read_records``, by the name of the recording.

    Raises
    ------
    UserError
        As ``read_records``, and for two rows with the same recording.
    """
    places = [(path.with_suffix("") if path.suffix.lower() == ".hea" else path, path) for path in found]
    paths = {named.relative_to(folder).as_posix(): path for named, path in places}
    table = read_records(folder, set(paths))
    if twice := table.filter(pl.col("path").is_duplicated())["record_id"].to_list():
        raise UserError(
            f"{folder / TABLE}: the records {', '.join(twice[:5])} have the same recording; keep one of them"
        )
    recordings: list[Recording] = []
    rows: dict[str, Mapping] = {}
    for row in table.iter_rows(named=True):
        place = paths.get(row["path"])
        name = str(place or folder / row["path"])
        recordings.append(Recording(name, error="" if place else why_not_there(row["path"], paths)))
        rows[name] = row
    return recordings, rows


def run(args: argparse.Namespace, found: Sequence[Path]) -> None:
    """Fit, print and write the head; recordings that cannot be used are left out and end the program with status 1.

    ``found`` are the recordings of the folder.
    """
    recordings, rows = labelled(args.folder, found)
    model, teller = load_model(args.model), Teller([Recording(some.name) for some in recordings])
    digest = weights_digest(model.folder)
    if digest is None:
        raise UserError(f"the weights in {model.folder} are in several files; save the model by save_pretrained first")
    parts, codes, patients = [], [], []
    for batch in in_batches(recordings, model, {}, args.batch_size, "embed"):
        for recording in batch:
            teller.tell(recording)
        usable, vectors = embed_batch(batch, model)
        for recording in usable:
            assert recording.record is not None
            row = rows[recording.name]
            codes.append(recording.record.codes if row["codes"] is None else row["codes"])
            patients.append(row["patient_id"])
        if usable:
            parts.append(vectors)
    names, labels = _classes(codes, np.array(patients), args.folder)
    count = f"{len(labels):,} records of {len(set(patients)):,} patients in {args.folder.resolve().name}/{TABLE}"
    facts = args.output.stem, model_name(model), digest, count
    candidates = EvaluationSection().regularization
    head = fit_head(np.concatenate(parts), labels, np.array(patients), names, candidates, facts)
    head.write(args.output)
    width = max(len(printable(name)) for name in names)
    for item, positives in zip(head.told, labels.sum(axis=0), strict=True):
        show(f"{printable(item.name):<{width}}  {positives:>6,} of {len(labels):,}  {auroc_text(item.auroc)}")
    show(f"{'mean':<{width}}  {auroc_text(head.macro)}")
    say(f"wrote {args.output}: ask it by fgclep predict RECORD --task {args.output}; it was fitted to {count}")
    teller.end()


def _classes(codes: Sequence[Sequence[str]], patients: np.ndarray, folder: Path) -> tuple[list[str], np.ndarray]:
    """Return the codes that ``FOLDS`` patients have and lack, by name, and who has them, bool (n, classes).

    Others are left out, which is said; ``UserError`` if none is left.
    """
    names = np.array(sorted({code for some in codes for code in some}), dtype=object)
    labels = np.array([[name in some for name in names] for some in codes], dtype=bool).reshape(len(codes), len(names))
    few = (patients_of(labels, patients) < FOLDS).any(axis=0)
    rare = ", ".join(f"{name} ({count})" for name, count in zip(names[few], labels[:, few].sum(axis=0), strict=True))
    needed = f"that fewer than {FOLDS} patients have, or all but fewer than {FOLDS}"
    if few.all():
        raise UserError(
            f"{folder / TABLE}: the column codes of {len(codes):,} usable records has no class but those {needed} "
            f"({rare or 'none at all'}), one in each fold of the cross-validation; add records"
        )
    if rare:
        say(f"left out are codes {needed}: {rare}")
    if empty := int((~labels[:, ~few].any(axis=1)).sum()):
        say(f"{empty:,} of {len(codes):,} records have no code of these: they count as having none of the classes")
    return names[~few].tolist(), labels[:, ~few]
