"""What the commands of ``fgclep`` load, and when."""

import gc
import subprocess
import sys

from wfdb_files import heart, write_record

from fgclep.commands.loading import loading

MISTAKES = """
import sys
from fgclep.cli import main

record, folder = sys.argv[1:]
for arguments in (
    ["predict", "no"],
    ["predict", record, "--fs", "5"],
    ["predict", record, "--leads", "I,X"],
    ["predict", record, "--model", "no"],
    ["predict", record, "--task", "no"],
    ["predict", record, "--output", folder],
    ["retrieve", "x", "--shards", "no"],
    ["retrieve", "x", "--output", folder],
    ["score-recovery", "--audit", "no"],
    ["score-review", "no"],
):
    try:
        main(arguments)
    except SystemExit as stop:
        assert stop.code == 1, arguments
    else:
        raise AssertionError(arguments)
loaded = {"torch", "transformers", "scipy", "wfdb", "pandas"} & set(sys.modules)
assert not loaded, loaded
"""


def test_mistakes_are_told_before_what_takes_seconds_is_loaded(tmp_path):
    write_record(tmp_path, "r", heart(6.0))
    command = [sys.executable, "-c", MISTAKES, str(tmp_path / "r"), str(tmp_path)]
    finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert len(finished.stderr.splitlines()) == 10


def test_garbage_is_collected_again_once_all_is_loaded():
    frozen = gc.get_freeze_count()
    try:
        with loading():
            assert not gc.isenabled()
            with loading():
                assert not gc.isenabled()
            assert not gc.isenabled() and gc.get_freeze_count() <= frozen
        assert gc.isenabled() and gc.get_freeze_count() > frozen
    finally:
        gc.unfreeze()
