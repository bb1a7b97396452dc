"""Checkpoints are whole, hold no code, and leave nothing behind."""

import pickle

import pytest
import torch

from fgclep.errors import UserError
from fgclep.training.checkpoint import Checkpoints


def test_a_state_comes_back_and_a_failed_write_leaves_the_one_before(tmp_path):
    checkpoints = Checkpoints(tmp_path / "new" / "coarse.pt")
    assert checkpoints.load() is None
    checkpoints.save({"weights": torch.arange(3.0), "epoch": 2, "rows": [{"loss": 0.5, "validation": None}]})
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        checkpoints.save({"weights": lambda: None})
    state = checkpoints.load()
    assert state.pop("weights").tolist() == [0.0, 1.0, 2.0]
    assert state == {"epoch": 2, "rows": [{"loss": 0.5, "validation": None}]}
    assert [path.name for path in checkpoints.path.parent.iterdir()] == ["coarse.pt"]


def test_a_checkpoint_with_code_in_it_is_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return print, ("run",)

    torch.save({"state": Bomb()}, tmp_path / "coarse.pt")
    with pytest.raises(pickle.UnpicklingError):
        Checkpoints(tmp_path / "coarse.pt").load()


def test_weights_of_one_epoch_are_kept_and_other_trainings_left_alone(tmp_path):
    coarse, fold = Checkpoints(tmp_path / "coarse.pt"), Checkpoints(tmp_path / "coarse-fold0.pt")
    for epoch in (1, 2, 12):
        coarse.save_weights({"w": torch.tensor(float(epoch))}, epoch, "a")
        fold.save_weights({"w": torch.tensor(-float(epoch))}, epoch, "b")
    coarse.keep_only(12)
    assert coarse.load_weights(12, "a")["w"] == 12 and fold.load_weights(2, "b")["w"] == -2
    for epoch, identity in ((12, "b"), (1, "a")):  # of another training, and none
        with pytest.raises(UserError, match=rf"epoch{epoch}\.pt is missing, or of a training with other .* anew"):
            coarse.load_weights(epoch, identity)
    assert sorted(path.name for path in tmp_path.glob("coarse.*")) == ["coarse.epoch12.pt"]
    coarse.remove()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"coarse-fold0.epoch{epoch}.pt" for epoch in (1, 12, 2)]
