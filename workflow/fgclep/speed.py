"""How fast a training runs."""

import time

# Settings of the section pretraining that change the speed, and what is logged, but not the outcome.
SPEED_ONLY = ("workers", "checkpoint_seconds", "log_every", "tensorboard")


class Speed:
    """ECGs per second and the share of the time spent waiting for data, since the last look and in all."""

    def __init__(self) -> None:
        self._begin = self._last = (time.perf_counter(), 0, 0.0)
        self._ecgs, self._waited = 0, 0.0

    def count(self, ecgs: int, waited: float) -> None:
        """Add some ECGs; ``waited`` is the time in seconds that was waited so far, in all."""
        self._ecgs, self._waited = self._ecgs + ecgs, waited

    def since_last(self) -> dict[str, float]:
        """``ecg_per_s`` and ``waiting_share`` (0 to 1) since the last call."""
        found = self._since(self._last)
        self._last = (time.perf_counter(), self._ecgs, self._waited)
        return found

    def in_all(self) -> dict[str, float]:
        """``ecg_per_s`` and ``waiting_share`` (0 to 1) since the beginning."""
        return self._since(self._begin)

    def _since(self, begin: tuple[float, int, float]) -> dict[str, float]:
        seconds = max(time.perf_counter() - begin[0], 1e-9)
        return {
            "ecg_per_s": round((self._ecgs - begin[1]) / seconds, 1),
            "waiting_share": round((self._waited - begin[2]) / seconds, 4),
        }
