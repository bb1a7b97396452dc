"""The stage pretrain, killed and stopped and started again, with one process and with two."""

import csv
import random
import signal

import pytest
from pretrain_run import PretrainRun

pytestmark = pytest.mark.slow

EPOCHS = 20  # of 4 batches, so many that a signal after the first step comes long before the last
STEPS = 4 * EPOCHS
SMALL = {"epochs": EPOCHS, "checkpoint_seconds": 1e-9, "workers": 2, "select_by": "loss"}


@pytest.fixture(
    scope="module",
    params=[pytest.param(1, id="one process"), pytest.param(2, id="two processes", marks=pytest.mark.nightly)],
)
def whole(request, tmp_path_factory):
    """A run that nothing has disturbed."""
    return PretrainRun(tmp_path_factory.mktemp("whole") / "run", processes=request.param, **SMALL).finish()


def throughput(run: PretrainRun) -> list[dict]:
    with (run.folder / "models/coarse/throughput.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_run_killed_at_random_steps_ends_with_the_same_weights_bit_for_bit(whole, tmp_path):
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    steps = sorted(random.Random(seed).sample(range(1, STEPS), 2))
    run = PretrainRun(tmp_path / "run", **whole.settings)
    for step in steps:
        process = run.start()
        run.wait_for_step(process, step)
        run.kill(process)
    run.finish()
    assert run.weights == whole.weights, f"seed {seed}, killed after steps {steps}"
    assert (run.folder / "models/coarse/training.csv").read_bytes() == (
        whole.folder / "models/coarse/training.csv"
    ).read_bytes()
    assert len(throughput(run)) == EPOCHS
    assert [row["step"] for row in run.steps()] == [str(number + 1) for number in range(STEPS)]
    assert [row["loss"] for row in run.steps()] == [row["loss"] for row in whole.steps()]
    assert not list((run.folder / "models/.checkpoints").iterdir())


def test_a_run_stopped_by_the_scheduler_says_so_and_goes_on_when_started_again(whole, tmp_path):
    run = PretrainRun(tmp_path / "run", **{**whole.settings, "checkpoint_seconds": 3600})
    process = run.start()
    run.wait_for_step(process, 1)
    process.send_signal(signal.SIGTERM)
    output = process.communicate()[0]
    if whole.settings["processes"] == 1:
        assert process.returncode == 128 + signal.SIGTERM, output
        assert "Traceback" not in output
    assert process.returncode != 0
    assert "stopped in epoch" in output and "the same command continues from" in output, output
    assert (run.folder / "models/.checkpoints/coarse.pt").exists()
    run.finish()
    assert run.weights == whole.weights


def test_the_selected_epoch_is_marked(whole):
    with (whole.folder / "models/coarse/training.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    losses = [float(row["validation_loss"]) for row in rows]
    assert [row["selected"] for row in rows] == ["1" if loss == min(losses) else "0" for loss in losses]
    assert all(0 <= float(row["validation_recall"]) <= 1 for row in rows)


def test_the_speed_of_every_epoch_is_kept_beside_the_model(whole):
    rows = throughput(whole)
    assert [(row["name"], row["epoch"]) for row in rows] == [("coarse", str(epoch + 1)) for epoch in range(EPOCHS)]
    assert all(float(row["ecg_per_s"]) > 0 and 0 <= float(row["waiting_share"]) <= 1 for row in rows)


def test_only_the_first_process_writes_the_log(whole):
    lines = (whole.folder / "log.txt").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if f"epoch {EPOCHS}: loss" in line]) == 1
    assert len([line for line in lines if "ECG/s" in line and "waiting for data" in line]) == EPOCHS
