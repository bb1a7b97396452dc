"""The model card: what a model was trained on and how, how well it fits, and what it is not for."""

import json
from collections.abc import Mapping, Sequence

import pyarrow as pa

from fgclep.config.pretraining import TrainingSettings
from fgclep.config.section import MACHINE
from fgclep.models.card import head

CARD = """
## Data

{data}

Sources have the names of the workflow's configuration. Patients of the validation split were not trained on. The
reports were split into statements; {texts} distinct ones were at hand.

## Settings

```json
{settings}
```

## Metrics

{metrics}

These are losses of training, and on patients held out of it. Zero-shot, linear-probe and retrieval figures, with
confidence intervals, are computed after the training: `results/evaluation/metrics.csv` and `results/report.html` of the
run of the workflow that this model belongs to.

## Intended use and limits

For research only: not a medical device, not for diagnosis. Without a `calibration.json` beside it its probabilities are
its own: compare them within a prompt rather than between prompts. The model knows what its reports say, machine
reports included, with their errors and their populations; findings that were rare in them are scored poorly, and it
has seen {seconds} s of signal at {rate} Hz between {low} and {high} Hz only, in millivolts. Trained on simulated
sources, a model shows that the workflow works, and nothing about patients.

## Licence

The code is under the MIT licence. The weights are derived from the sources above, each of which has its own terms
(MIMIC-IV-ECG: Open Database License 1.0; PTB-XL, CPSC2018 and CSN: CC BY 4.0), and from the text encoder where one was
taken by name (here: `{text_encoder}`). Look at these terms before you pass the weights on.
"""


def model_card(
    name: str,
    records: Mapping[str, pa.Table],
    texts: int,
    settings: TrainingSettings,
    history: Sequence[Mapping],
    start: str | None = None,
) -> str:
    """Return the text of ``README.md``; the same run gives the same text.

    Parameters
    ----------
    name
        Of the model.
    records
        For the splits ``train`` and ``val`` the records' keys: columns ``source`` and ``patient_id``.
    texts
        Number of distinct texts.
    settings
        What the stage takes of the config; those that say where it was trained are left out.
    history
        One row per epoch, its columns become those of a table.
    start
        Name of the model from which the training continued.
    """
    signal = settings.signal
    method = {name: v for name, v in settings.dependencies().items() if name not in settings.marked(MACHINE)}
    origin = f" Training continued from the model `{start}`." if start else ""
    masked = bool(settings.augmentation.lead_masking)
    return head(name, settings.ecg_encoder.kind, masked, origin) + CARD.format(
        data=_table(_counts(records)),
        texts=f"{texts:,}",
        settings=json.dumps(method, indent=1, sort_keys=True),
        metrics=_table(history),
        seconds=signal.duration,
        rate=signal.sampling_rate,
        low=signal.highpass,
        high=signal.lowpass,
        text_encoder=settings.text_encoder.name,
    )


def _counts(records: Mapping[str, pa.Table]) -> list[dict]:
    """Records and patients by source and split."""
    rows = []
    for split, keys in records.items():
        counted = keys.group_by("source").aggregate([("patient_id", "count"), ("patient_id", "count_distinct")])
        for row in counted.sort_by("source").to_pylist():
            numbers = {"records": f"{row['patient_id_count']:,}", "patients": f"{row['patient_id_count_distinct']:,}"}
            rows.append({"source": row["source"], "split": split, **numbers})
    return rows


def _table(rows: Sequence[Mapping]) -> str:
    """Rows as a Markdown table; numbers with four digits, nothing for what is missing."""

    def cell(value: object) -> str:
        return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)

    if not rows:
        return "None."
    lines = ["| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
    return "\n".join(lines + ["| " + " | ".join(map(cell, row.values())) + " |" for row in rows])
