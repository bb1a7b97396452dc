"""Where a score comes from: how much it falls when a lead, or a part of the time, is taken away from the model.

Zeiler and Fergus 2014 (ECCV, 818-833), of leads and seconds in place of image patches. It works for every encoder. It
says what a model needs, and not why: what stands twice in an ECG is not missed, and a model that was not trained with
missing leads has not met what it is given.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fgclep.evaluation.zero_shot import any_of
from fgclep.leads import LEADS
from fgclep.models.fgclep import FGCLEP

WINDOWS = 20  # parts of the time


@dataclass(frozen=True)
class Occlusion:
    """How much the logit of each question falls, float64: ``leads`` (questions, 12), ``time`` (questions, WINDOWS).

    A negative number is a rise. 0 for leads that are not there.
    """

    leads: np.ndarray
    time: np.ndarray


@torch.inference_mode()
def occlude(model: FGCLEP, signal: Tensor, present: Tensor, questions: Sequence[Sequence[str]]) -> Occlusion:
    """Take away each lead, and each of ``WINDOWS`` parts of the time, and score the rest.

    Parameters
    ----------
    model
        A trained model.
    signal, present
        Its input for one ECG: mV, float32 (12, samples), and which leads are there, bool (12,).
    questions
        Texts; the score of a question is the logit that any of its texts fits.

    Returns
    -------
    Occlusion
        A lead is taken away as one that is not there, where the model can do without, else as a flat one; a part of the
        time is flat in all leads.
    """
    samples = signal.shape[1]
    signals = signal.repeat(1 + len(LEADS) + WINDOWS, 1, 1)
    given = present.repeat(len(signals), 1)
    edges = np.linspace(0, samples, WINDOWS + 1).round().astype(int)
    for lead in range(len(LEADS)):
        signals[1 + lead, lead] = 0.0
        if not model.needs_all_leads and present.sum() > 1:
            given[1 + lead, lead] = False
    for window in range(WINDOWS):
        signals[1 + len(LEADS) + window, :, edges[window] : edges[window + 1]] = 0.0
    embeddings = model.encode_prepared(signals, given).flatten(1).float().cpu().numpy()
    texts = list(dict.fromkeys(text for some in questions for text in some))
    logits = model.score(embeddings, texts)
    scores = np.stack([any_of(logits[:, [texts.index(text) for text in some]]) for some in questions], axis=1)
    falls = (scores[:1] - scores[1:]).T.astype(np.float64)
    falls[:, : len(LEADS)][:, ~present.numpy()] = 0.0
    return Occlusion(falls[:, : len(LEADS)], falls[:, len(LEADS) :])
