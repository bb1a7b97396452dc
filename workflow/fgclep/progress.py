"""Progress bars of long work."""

from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(items: Iterable[T], total: int | None = None, description: str = "", unit: str = "it") -> Iterable[T]:
    """Wrap an iterable in a progress bar that is silent when standard error is not a terminal."""
    return tqdm(items, total=total, desc=description, unit=unit, disable=None, mininterval=0.5)
