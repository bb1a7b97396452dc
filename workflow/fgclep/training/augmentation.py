"""Random changes of the ECGs that are trained on: as they might have been recorded as well.

Each leaves the report true, as far as its limit in the config allows: fewer leads, another stretch of time, a slightly
other time scale or amplitude, noise at the electrodes. Einthoven's and Goldberger's equations hold for what comes out.
"""

import numpy as np
import torch
from torch import Tensor

from fgclep.config.augmentation import AugmentationSection
from fgclep.leads import CHEST_LEADS, INDEX, LEADS, LIMB_LEADS

# Leads (12) from the potentials of the electrodes RA, LA, LL, V1 to V6 (9), these against Wilson's terminal
_LIMBS = np.array([[-1, 1, 0], [-1, 0, 1], [0, -1, 1], [1, -0.5, -0.5], [-0.5, 1, -0.5], [-0.5, -0.5, 1]])
LEADS_OF_ELECTRODES = np.block([[_LIMBS, np.zeros((6, 6))], [np.full((6, 3), -1 / 3), np.eye(6)]])
_TAPS = 4  # samples on either side that a sample between them is interpolated from
_BIPOLAR = [INDEX[lead] for lead in ("I", "II", "III")]
_LIMB, _CHEST = ([INDEX[lead] for lead in leads] for leads in (LIMB_LEADS, CHEST_LEADS))


def augmented(signals: Tensor, settings: AugmentationSection, rng: np.random.Generator) -> tuple[Tensor, Tensor | None]:
    """Change a batch of ECGs, each in its own way; what is drawn for one kind of change does not depend on the others.

    Parameters
    ----------
    signals
        Millivolts, float32 (batch, 12, samples), which are not changed themselves.
    settings
        The config's section ``pretraining.augmentation``.
    rng
        All that is drawn comes from it.

    Returns
    -------
    Tensor, Tensor or None
        Signals of the same shape, and which leads are kept, bool (batch, 12); ``None``: all, as no lead is masked. What
        stands in a masked lead is to be ignored (``FGCLEP.encode_ecg``).
    """
    batch, _, samples = signals.shape
    of_time, of_amplitude, of_noise, of_leads = rng.spawn(4)
    if settings.crop or settings.time_scale:
        signals = stretch(signals, *draw_stretch(batch, samples, settings.crop, settings.time_scale, of_time))
    if settings.amplitude:
        factor = 1 + settings.amplitude * of_amplitude.uniform(-1, 1, batch)
        signals = signals * torch.from_numpy(factor.astype(np.float32))[:, None, None]
    if settings.noise:
        level = settings.noise * of_noise.random(batch)
        signals = signals + electrode_noise(level, samples, of_noise)
    if not settings.lead_masking:
        return signals, None
    return signals, torch.from_numpy(draw_leads(batch, settings.lead_masking, of_leads))


def draw_stretch(
    batch: int, samples: int, crop: float, time_scale: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw what ``stretch`` makes of ECGs.

    Returns
    -------
    scale, first, length
        Shape (batch,): the factor by which durations change, 1 - ``time_scale`` to 1 + ``time_scale``; then, in samples
        at that scale, the beginning of what is kept, and how much is: at least 1 - ``crop`` of what there is.
    """
    scale = 1 + time_scale * rng.uniform(-1, 1, batch)
    there = np.floor((samples - 1) * scale).astype(np.int64) + 1
    length = np.minimum(samples, there)
    length -= np.floor(crop * rng.random(batch) * length).astype(np.int64)
    first = np.floor(rng.random(batch) * (there - length + 1)).astype(np.int64)
    return scale, first, length


def stretch(signals: Tensor, scale: np.ndarray, first: np.ndarray, length: np.ndarray) -> Tensor:
    r"""Change durations by a factor and keep a stretch, which is repeated to the whole length.

    .. math:: y_t = x((f + t \bmod l) / s)

    with the scale :math:`s`, the first sample :math:`f` and the length :math:`l` of ``draw_stretch``. Between samples
    :math:`x` is interpolated by Lanczos's kernel of four lobes (Duchon 1979, J Appl Meteorol 18:1016-1022), whose
    weights are made to sum to 1, and which leaves samples as they are.

    Parameters
    ----------
    signals
        Shape (batch, leads, samples).
    scale, first, length
        Shape (batch,).

    Returns
    -------
    Tensor
        Of the same shape and type.
    """
    samples = signals.shape[-1]
    kept = first[:, None] + np.arange(samples) % length[:, None]
    place = torch.from_numpy(kept / scale[:, None])
    before = place.floor()
    beyond = place - before
    if not bool(beyond.any()):
        return _taken(signals, before)
    offsets = range(1 - _TAPS, _TAPS + 1)
    weights = torch.stack([torch.sinc(beyond - k) * torch.sinc((beyond - k) / _TAPS) for k in offsets])
    weights = (weights / weights.sum(0)).to(signals.dtype)
    result = torch.zeros_like(signals)
    for weight, k in zip(weights, offsets, strict=True):
        result.addcmul_(weight[:, None], _taken(signals, before + k))
    return result


def _taken(signals: Tensor, places: Tensor) -> Tensor:
    """Samples (batch, leads, n) at whole places (batch, n); beyond the ends the first and the last."""
    index = places.long().clamp(0, signals.shape[-1] - 1)
    return signals.gather(2, index[:, None].expand(-1, signals.shape[1], -1))


def electrode_noise(level: np.ndarray, samples: int, rng: np.random.Generator) -> Tensor:
    """White noise of the electrodes as it comes out in the leads, float32 (batch, 12, samples).

    ``level`` (batch,) is its root mean square at each electrode in mV; lead I, of two electrodes, has 1.4 times that.
    """
    electrodes = rng.standard_normal((len(level), LEADS_OF_ELECTRODES.shape[1], samples), dtype=np.float32)
    electrodes *= level.astype(np.float32)[:, None, None]
    return torch.from_numpy(LEADS_OF_ELECTRODES.astype(np.float32)) @ torch.from_numpy(electrodes)


def draw_leads(batch: int, probability: float, rng: np.random.Generator) -> np.ndarray:
    """Draw which leads ECGs keep: all, or with ``probability`` those of a recorder with fewer; bool (batch, 12).

    Such a recorder has with equal chance two or three electrodes at the limbs (six limb leads), one at the chest as
    well (a monitor's five electrodes; I, II and V2 of the PhysioNet Challenge 2021), lead I alone (a watch), lead II
    alone, or any leads, of which there are 1 to 11 with equal chance. Limb leads that follow from two of I, II and III
    are kept with these, since they are computed before a model sees them (``signals.repair.with_all_limb_leads``):
    eight leads, I, II and V1 to V6, are all twelve, and I and II are all limb leads.
    """
    present = np.ones((batch, len(LEADS)), dtype=bool)
    for number in np.flatnonzero(rng.random(batch) < probability):
        kept = (
            _LIMB,
            [*_LIMB, rng.choice(_CHEST)],
            [INDEX["I"]],
            [INDEX["II"]],
            rng.permutation(len(LEADS))[: rng.integers(1, len(LEADS))],
        )[rng.integers(5)]
        present[number] = False
        present[number, kept] = True
        if present[number, _BIPOLAR].sum() > 1:
            present[number, _LIMB] = True
    return present
