"""State of a training in files that are always whole."""

from pathlib import Path

import torch

from fgclep.errors import UserError
from fgclep.files import whole_file


class Checkpoints:
    """The files of one training: its state, from which it continues, and the weights of the best epoch so far.

    They hold tensors, numbers, texts, and lists and dicts of them, and are read without unpickling anything else.

    Parameters
    ----------
    path
        File of the state, ``<name>.pt``; the weights lie beside it in ``<name>.epoch<number>.pt``.
    """

    def __init__(self, path: Path):
        self.path = path

    def save(self, state: dict) -> None:
        """Replace the state."""
        _write(state, self.path)

    def load(self) -> dict | None:
        """Return the state, on the CPU; ``None`` if there is none."""
        return torch.load(self.path, map_location="cpu", weights_only=True) if self.path.exists() else None

    def save_weights(self, weights: dict, epoch: int, identity: str) -> None:
        """Write the weights of an epoch beside those of others, with the training's identity."""
        _write({"identity": identity, "model": weights}, self._weights(epoch))

    def load_weights(self, epoch: int, identity: str) -> dict:
        """Return the weights of an epoch, on the CPU.

        Raises
        ------
        UserError
            If there are none of this training: one with other settings has written there, and was killed before it
            wrote its own state.
        """
        path = self._weights(epoch)
        found = torch.load(path, map_location="cpu", weights_only=True) if path.exists() else {}
        if found.get("identity") != identity:
            raise UserError(
                f"{path} is missing, or of a training with other data, settings or code; delete {self.path} and run "
                "snakemake again: the training starts anew"
            )
        return found["model"]

    def keep_only(self, epoch: int) -> None:
        """Delete the weights of all other epochs."""
        for file in self._all_weights():
            if file != self._weights(epoch):
                file.unlink()

    def remove(self) -> None:
        """Delete all files."""
        for file in [self.path, *self._all_weights()]:
            file.unlink(missing_ok=True)

    def _weights(self, epoch: int) -> Path:
        return self.path.with_name(f"{self.path.stem}.epoch{epoch}.pt")

    def _all_weights(self) -> list[Path]:
        return list(self.path.parent.glob(f"{self.path.stem}.epoch*.pt"))


def _write(content: dict, path: Path) -> None:
    with whole_file(path) as partial, partial.open("wb") as file:
        torch.save(content, file)
