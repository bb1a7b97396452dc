"""Outputs are there whole or not at all, and nothing that a killed process leaves is read or stays."""

import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors import SafetensorError

from fgclep.documents import check_last_line, read_json
from fgclep.errors import UserError
from fgclep.files import scratch_folder, whole_file, whole_folder, write_text
from fgclep.recordings.memory_folder import memory_folder
from fgclep.stage import run_stage, stage_parser


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_keeps_its_content_until_the_new_one_is_whole(tmp_path):
    write_text(tmp_path / "new" / "a.txt", "first")
    with pytest.raises(ZeroDivisionError), whole_file(tmp_path / "new/a.txt") as partial:
        partial.write_text("half")
        raise ZeroDivisionError
    assert (tmp_path / "new/a.txt").read_text() == "first"
    assert names(tmp_path / "new") == ["a.txt"]


def test_a_folder_is_replaced_with_all_that_was_in_it(tmp_path):
    for content in ("first", "second"):
        with whole_folder(tmp_path / "a") as partial:
            (partial / content).write_text(content)
            assert not (tmp_path / "a/second").exists()
    with pytest.raises(ZeroDivisionError), whole_folder(tmp_path / "a") as partial:
        (partial / "half").write_text("half")
        raise ZeroDivisionError
    assert names(tmp_path) == ["a"] and names(tmp_path / "a") == ["second"]


KILLED = """
import os, signal, sys
from pathlib import Path
from fgclep.files import scratch_folder, whole_file, whole_folder
from fgclep.recordings.memory_folder import memory_folder
folder = Path(sys.argv[1])
with whole_file(folder / "a") as a, whole_folder(folder / "b") as b, scratch_folder(folder / "a") as c:
    with memory_folder() as memory:
        for place in (a, b / "half", c / "half", memory / "half"):
            place.write_text("half")
        print(memory, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_leaves_is_deleted_by_the_next_that_writes_the_same(tmp_path):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert killed.returncode == -signal.SIGKILL
    memory = Path(killed.stdout.strip())
    assert len(names(tmp_path)) == 3 and (memory / "half").exists()
    (tmp_path / ".ab.1.part").write_text("of another output")
    (tmp_path / ".a.part").write_text("a download to be continued")
    write_text(tmp_path / "a", "whole")
    with whole_folder(tmp_path / "b"), scratch_folder(tmp_path / "a") as scratch, memory_folder() as folder:
        assert not list(scratch.iterdir()) and not list(folder.iterdir())
        with memory_folder() as other:  # of a process that lives
            assert folder != other
        assert folder.exists()
    assert names(tmp_path) == [".a.part", ".ab.1.part", "a", "b"]
    assert not memory.exists() and not memory.with_suffix(".lock").exists() and not folder.exists()


def test_of_two_writers_one_is_told_of_the_other(tmp_path):
    with pytest.raises(UserError, match="a is being written by another process"), whole_file(tmp_path / "a") as partial:
        partial.touch()
        partial.unlink()
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "full"), r"out/a cannot be written: the disk of .* is full .* free\. Make room"),
        (SafetensorError(f"I/O error: {os.strerror(errno.ENOSPC)} (os error 28)"), "is full .* Make room there"),
        (OSError(errno.EDQUOT, "quota"), r"Disk quota exceeded.* Make room"),
        (OSError(errno.EROFS, "read-only", "x/y"), "x/y: Read-only file system.* mount it for writing"),
        (PermissionError(errno.EACCES, "no", "x/y"), "x/y: Permission denied. Give yourself the right"),
    ],
)
def test_a_stage_says_what_to_do_about_a_disk(tmp_path, monkeypatch, capsys, error, said):
    def stage(args):
        with whole_file(tmp_path / "out/a"):
            raise error

    monkeypatch.setattr(sys, "argv", ["stage"])
    with pytest.raises(SystemExit) as stop:
        run_stage(stage, stage_parser(None))
    shown = capsys.readouterr().err
    assert stop.value.code == 1 and "Traceback" not in shown
    assert re.search(said, shown), shown


def test_a_text_that_was_cut_is_named(tmp_path):
    (tmp_path / "a.json").write_text('{"a": [1, 2')
    with pytest.raises(UserError, match=r"a\.json is truncated or damaged .* Delete it and run snakemake again"):
        read_json(tmp_path / "a.json")
    for content in ("", "a,b\n1,2\n3"):
        (tmp_path / "a.csv").write_text(content)
        with pytest.raises(UserError, match=r"a\.csv is truncated or damaged"):
            check_last_line(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("a,b\n")
    check_last_line(tmp_path / "a.csv")
