"""The stage ``pretrain`` on made-up ECGs, in a process of its own that can be stopped and killed."""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
from training_data import SETTINGS, TEXTS, write_shards

import fgclep
from fgclep.language.statements import Statement
from fgclep.schemas.reports import REPORTS
from fgclep.schemas.reports import TEXTS as TEXTS_SCHEMA
from fgclep.similarity.matrix import DENSE
from fgclep.tables import write_table


class PretrainRun:
    """One training in a folder; ``start`` again continues it."""

    def __init__(self, folder: Path, **changes):
        self.folder = folder
        self.settings = {**SETTINGS, **changes}
        folder.mkdir(parents=True)
        self.shards = write_shards(folder)
        rows = [{"text_id": i, "count": 21, **vars(Statement(text, "feature"))} for i, text in enumerate(TEXTS)]
        write_table(rows, folder / "texts.parquet", TEXTS_SCHEMA)
        reports = [
            {"source": "made-up", "record_id": f"{number:03d}", "text_ids": [number % 2]} for number in range(42)
        ]
        write_table(reports, folder / "reports.parquet", REPORTS)
        (folder / "similarity").mkdir()
        np.save(folder / "similarity" / DENSE, np.eye(2, dtype=np.float16))

    def start(self) -> subprocess.Popen[str]:
        processes = self.settings["processes"]
        torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m", "--"]
        launcher = ["-m", *(torchrun if processes > 1 else [])]
        options = {
            "--name": "coarse", "--texts": self.folder / "texts.parquet", "--reports": self.folder / "reports.parquet",
            "--similarity": self.folder / "similarity", "--settings": json.dumps(self.settings),
            "--metrics": self.folder / "metrics", "--log": self.folder / "log.txt",
            "--output": self.folder / "models/coarse",
        }  # fmt: skip
        arguments = [str(part) for option in options.items() for part in option]
        return subprocess.Popen(
            [sys.executable, *launcher, "fgclep.stages.pretrain", *arguments, "--shards", *map(str, self.shards)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(fgclep.__file__).parents[1]), "OMP_NUM_THREADS": "1"},
        )

    def finish(self) -> "PretrainRun":
        process = self.start()
        output = process.communicate(timeout=300)[0]
        assert process.returncode == 0, output
        return self

    def steps(self) -> list[dict]:
        """Rows of ``steps.csv``; the last may be incomplete while the training runs."""
        path = self.folder / "metrics/steps.csv"
        if not path.exists():
            return []
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def wait_for_step(self, process: subprocess.Popen[str], step: int) -> None:
        """Return when the process has done so many steps, or has ended."""
        while process.poll() is None and not any(int(row["step"]) >= step for row in self.steps()):
            time.sleep(0.005)

    def kill(self, process: subprocess.Popen[str]) -> None:
        """Kill -9 a training with all of its processes, which torchrun leaves alone when it is killed itself."""
        children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        for one in [process, *children]:
            one.kill()
        process.communicate()
        psutil.wait_procs(children)

    @property
    def weights(self) -> bytes:
        return (self.folder / "models/coarse/model.safetensors").read_bytes()
