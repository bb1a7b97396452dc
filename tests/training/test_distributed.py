"""Four processes with a quarter of the batch each have the loss and the gradients of one with the whole batch."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import ROOT
from distributed_loss import CASES, PARTS

from fgclep.training.distributed import gather_rows, share_of, total, union_of_texts
from fgclep.training.text_batches import TextBank

PROGRAM = ROOT / "tests/support/distributed_loss.py"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gloo")
    jobs = [(0, 1), *((process, len(PARTS)) for process in range(len(PARTS)))]
    running = [
        subprocess.Popen([sys.executable, str(PROGRAM), str(folder), str(process), str(processes)])
        for process, processes in jobs
    ]
    assert [job.wait(timeout=300) for job in running] == [0] * len(jobs)
    return [json.loads((folder / f"{processes}-{process}.json").read_text()) for process, processes in jobs]


@pytest.mark.slow
@pytest.mark.parametrize("case", range(len(CASES)), ids=lambda case: "-".join(str(part) for part in CASES[case]))
def test_processes_have_the_loss_and_the_gradients_of_one(results, case):
    one, *several = (of_process[case] for of_process in results)
    assert any(np.abs(one["gradients"]["ecg_projection.weight"]) > 1e-3)
    for other in several:
        assert other["texts"] == one["texts"]
        assert other["loss"] == pytest.approx(one["loss"], rel=1e-10)
        for name, gradient in one["gradients"].items():
            np.testing.assert_allclose(other["gradients"][name], gradient, rtol=1e-7, atol=1e-10, err_msg=name)


def test_one_process_exchanges_nothing():
    batch = TextBank(["a", "b"], [[], []], [[0], [1]], np.eye(2)).batch("report", np.array([0, 1]), 1, 1, None)
    assert union_of_texts(batch, torch.device("cpu")) is batch
    assert share_of(3).tolist() == [0, 1, 2]
    rows = torch.randn(3, 2)
    assert gather_rows(rows) is rows and total(rows).equal(rows)
