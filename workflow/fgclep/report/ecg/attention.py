"""Where a model with ``alignment: attention`` looks: the patches of an ECG that a text attends to, in words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

HALF = 0.5  # "mostly": the fewest patches that have half of the attention
FOCUSED = 0.25  # share of the patches that these may be; beyond it the attention is spread out
NAMED = 3  # places that are named
SHADES = (1.5, 3, 6, 12)  # times the even share from which on a patch is darker


@dataclass(frozen=True)
class Patch:
    """A lead (or ``all leads``) between two times of the recording, in seconds, and the attention to it (0 to 1)."""

    lead: str
    start: float
    end: float
    weight: float


@dataclass(frozen=True)
class Look:
    """A text and the patches, which share an attention of 1."""

    text: str
    patches: Sequence[Patch]

    @property
    def words(self) -> str:
        """Say where the model looks.

        >>> patches = [Patch(lead, start, start + 1.0, 0.01) for lead in ("II", "V1") for start in range(10)]
        >>> patches[12:14] = [Patch("V1", 2.0, 3.0, 0.4), Patch("V1", 3.0, 4.0, 0.42)]
        >>> Look("st elevation", patches).words
        'mostly at V1, 2.0–4.0 s (82 %)'
        """
        most = _most(self.patches)
        places = sorted(_joined(most), key=lambda place: (-place.weight, place.lead, place.start))
        if len(most) > FOCUSED * len(self.patches):
            share = f"half of the attention is on {len(most)} of {len(self.patches)} patches"
            return f"spread out: {share}, most at {_place(most[0])}"
        named = "; ".join(map(_place, places[:NAMED]))
        more = len(places) - NAMED
        return f"mostly at {named}" + (f" and {more} {'place' if more == 1 else 'places'} more" if more > 0 else "")

    def levels(self) -> list[tuple[Patch, int]]:
        """Patches with more than their even share, and their shades: 1 to 4, see ``SHADES``."""
        shades = [(patch, sum(patch.weight * len(self.patches) >= times for times in SHADES)) for patch in self.patches]
        return [(patch, shade) for patch, shade in shades if shade]


def _place(patch: Patch) -> str:
    return f"{patch.lead}, {patch.start:.1f}–{patch.end:.1f} s ({100 * patch.weight:.0f} %)"


def _most(patches: Iterable[Patch]) -> list[Patch]:
    """Return the fewest patches that have half of the attention."""
    chosen: list[Patch] = []
    for patch in sorted(patches, key=lambda patch: (-patch.weight, patch.lead, patch.start)):
        if sum(one.weight for one in chosen) >= HALF - 1e-6:
            break
        chosen.append(patch)
    return chosen


def _joined(patches: Iterable[Patch]) -> list[Patch]:
    """Join patches of a lead that follow one another."""
    joined: list[Patch] = []
    for patch in sorted(patches, key=lambda patch: (patch.lead, patch.start)):
        last = joined[-1] if joined else None
        if last and last.lead == patch.lead and patch.start <= last.end + 1e-6:
            joined[-1] = replace(last, end=max(last.end, patch.end), weight=last.weight + patch.weight)
        else:
            joined.append(patch)
    return joined
