"""Metrics of a training while it runs: a CSV file and TensorBoard events, continued where a run was interrupted."""

import csv
import io
import time
from pathlib import Path
from typing import Any

from fgclep.errors import UserError
from fgclep.files import whole_file

STEP_COLUMNS = (
    "step", "epoch", "loss", "gradient_norm", "ecg_learning_rate", "text_learning_rate", "temperature", "bias",
    "ecg_per_s", "waiting_share",
)  # fmt: skip


class TrainingLog:
    """Writes ``steps.csv`` and TensorBoard events to a folder.

    Parameters
    ----------
    folder
        Made if absent; ``None``: nothing is written.
    step
        Optimizer steps done before; what the folder holds of later ones, which are repeated, is dropped.
    tensorboard
        Whether to write events beside the CSV file.

    Raises
    ------
    UserError
        If events are asked for and tensorboardX is not installed.
    """

    def __init__(self, folder: Path | None, step: int, tensorboard: bool):
        self._file: io.TextIOWrapper | None = None
        self._events: Any = None
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        if step == 0:
            for old in folder.glob("events.*"):
                old.unlink()
        if tensorboard:
            try:
                from tensorboardX import SummaryWriter
            except ModuleNotFoundError:
                raise UserError(
                    "pretraining.tensorboard needs tensorboardX, which is not installed: pip install tensorboardX, or "
                    "set pretraining: {tensorboard: false}"
                ) from None
            self._events = SummaryWriter(str(folder), purge_step=step + 1 if step else None)
        self._file = _continued(folder / "steps.csv", step)
        self._rows = csv.DictWriter(self._file, STEP_COLUMNS)

    def step(self, row: dict) -> None:
        """Write one row of ``STEP_COLUMNS``."""
        if self._file is not None:
            self._rows.writerow(row)
            self._file.flush()
        self._add(row, "train", row["step"])

    def epoch(self, row: dict, step: int) -> None:
        """Add an epoch's results to the events, at the optimizer step that they came after."""
        self._add(row, "epoch", step)

    def _add(self, row: dict, group: str, step: int) -> None:
        if self._events is not None:
            for name, value in row.items():
                if isinstance(value, int | float) and name not in {"step", "epoch"}:
                    self._events.add_scalar(f"{group}/{name}", value, step)

    def close(self) -> None:
        """Close the files."""
        if self._file is not None:
            self._file.close()
        if self._events is not None:
            self._events.close()


def _continued(path: Path, step: int) -> io.TextIOWrapper:
    """Open a CSV file behind the row of ``step``, without the rows after it."""
    rows: list[dict] = []
    if step and path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if None not in row.values() and int(row["step"]) <= step]
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, STEP_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path.open("a", newline="", encoding="utf-8")


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
