"""The card of a model: what every one has at its head, and the card of a model that came without one."""

from pathlib import Path
from typing import Any

FILE = "README.md"
HEAD = """\
---
language: en
library_name: fgclep
license: other
license_name: see-section-licence
pipeline_tag: zero-shot-classification
tags:
- ecg
- contrastive-learning
- electrocardiography
---

# FG-CLEP: {name}

Embeds twelve-lead ECGs and short English texts in one space and gives the probability that a text fits an ECG, without
training on labels (FG-CLEP, fine-grained contrastive language-ECG pre-training).{origin}

```python
from fgclep import FGCLEP

model = FGCLEP.from_pretrained("{name}")  # this folder
# mV, shape (12, samples): I, II, III, aVR, aVL, aVF, V1 to V6
model.predict(signal, fs=500, prompts=["atrial fibrillation"])
```

A model with a transformer (`vit_*`) takes any of the twelve leads, one with a ResNet needs all. This one is a
`{kind}`{masked}.
"""
OTHER = """
It sees {seconds:g} s of signal at {rate:g} Hz between {low:g} and {high:g} Hz, in millivolts.

## Figures

None were measured of these weights.{before}

## Intended use and limits

For research only: not a medical device, not for diagnosis.
"""


def head(name: str, kind: str, lead_masking: bool, origin: str = "") -> str:
    """Return the head of a card: what the model is, and how it is used."""
    masked = ", trained with masked leads: it takes any, too" if lead_masking else ""
    return HEAD.format(name=name, kind=kind, masked=masked, origin=origin)


def other_card(name: str, config: Any, loaded_from: str) -> str:
    """Return the card of weights that no card speaks of: new ones, or changed since they were loaded.

    Parameters
    ----------
    name
        Of the folder.
    config
        An ``FGCLEPConfig``.
    loaded_from
        Folder or name of the model from which they were changed; empty: none.
    """
    signal = config.signal
    origin = (
        f" The weights were changed after those of `{Path(loaded_from).name}` had been loaded." if loaded_from else ""
    )
    before = " Those in the card of the model that they were made from are of before." if loaded_from else ""
    return head(name, config.ecg_encoder["kind"], bool(config.lead_masking), origin) + OTHER.format(
        seconds=signal["duration"],
        rate=signal["sampling_rate"],
        low=signal["highpass"],
        high=signal["lowpass"],
        before=before,
    )
