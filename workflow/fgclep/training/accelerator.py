"""The processes that train together, and the device and precision of each."""

import os
from datetime import timedelta

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs

from fgclep.config.pretraining import PretrainingSection
from fgclep.device import choose_device
from fgclep.errors import UserError


def new_accelerator(settings: PretrainingSection) -> Accelerator:
    """Join the processes that train together, and choose this one's device and precision.

    Parameters
    ----------
    settings
        ``device``, ``precision``, ``processes`` and ``threads`` of the section ``pretraining``. Processes are started
        by ``torchrun``, which tells each its number by environment variables.

    Raises
    ------
    UserError
        If the machine lacks what the settings ask for, or ``torchrun`` has started another number of processes.
    """
    device, precision = choose_device(settings.device), settings.precision
    if precision == "fp16" and device.type == "cpu":
        raise UserError(
            "pretraining.precision is fp16, which needs a CUDA device, and the training runs on the CPU; "
            "set pretraining: {precision: bf16} or {precision: fp32}"
        )
    if precision == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise UserError(
            f"pretraining.precision is bf16, which {torch.cuda.get_device_name()} lacks; "
            "set pretraining: {precision: fp16}"
        )
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if started != settings.processes:
        raise UserError(
            f"pretraining.processes is {settings.processes}, and this run has {started}; start it by Snakemake, or "
            f"with torchrun --nproc-per-node {settings.processes} -m -- fgclep.stages.pretrain"
        )
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if device.type == "cuda" and here > torch.cuda.device_count():
        raise UserError(
            f"{here} processes on this machine need a CUDA device each, and it has {torch.cuda.device_count()}; "
            f"set pretraining: {{processes: {torch.cuda.device_count()}}}"
        )
    accelerator = Accelerator(
        mixed_precision="no" if precision == "fp32" else precision,
        cpu=device.type == "cpu",
        kwargs_handlers=[
            DistributedDataParallelKwargs(gradient_as_bucket_view=True),
            InitProcessGroupKwargs(timeout=timedelta(hours=1)),  # one process may wait for another that reads shards
        ],
    )
    torch.set_num_threads(settings.threads)
    return accelerator
