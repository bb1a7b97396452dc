"""The processes that train together, and the device and precision of each."""

import os
from datetime import timedelta

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs

from fgclep.config.pretraining import PretrainingSection
from fgclep.device import choose_device
from fgclep.errors import UserError


def new_accelerator(settings: PretrainingSection, precision: str) -> Accelerator:
    """Join the processes that train together, and choose this one's device.

    Parameters
    ----------
    settings
        ``device``, ``processes`` and ``threads`` of the section ``pretraining``. Processes are started by ``torchrun``,
        which tells each its number by environment variables.
    precision
        Of the encoders: ``fp32``, ``bf16`` or ``fp16``.

    Raises
    ------
    UserError
        If the machine lacks what the settings ask for, or ``torchrun`` has started another number of processes.
    """
    device = choose_device(settings.device)
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
