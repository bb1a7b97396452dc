"""A file system of a few kilobytes, in a mount namespace of its own: no other process sees it, and it ends with it."""

import os
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

PAGE = os.sysconf("SC_PAGESIZE")  # what a file on it takes at least


class SmallDisk:
    """A tmpfs mounted at ``folder`` for the commands that ``start`` runs."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True)
        rootless = os.geteuid() != 0
        mount = 'mount -t tmpfs tmpfs "$0" && echo ready && exec sleep 1d'
        self._holder = subprocess.Popen(
            ["unshare", "--mount", *(["--map-root-user"] if rootless else []), "sh", "-c", mount, str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        namespaces = ["--mount", *(["--user", "--preserve-credentials"] if rootless else [])]
        self._enter = ["nsenter", f"--target={self._holder.pid}", *namespaces]
        assert self._holder.stdout is not None and self._holder.stderr is not None
        if self._holder.stdout.readline() != "ready\n":
            pytest.skip(f"needs the right to mount a small file system: {self._holder.stderr.read()}")
        self.seen = Path(f"/proc/{self._holder.pid}/root{folder}")  # from outside

    def __enter__(self) -> "SmallDisk":
        return self

    def __exit__(self, *_: object) -> None:
        self._holder.kill()
        self._holder.communicate()

    def start(self, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[str]:
        """Start a command in ``folder``, as the leader of a process group."""
        inside = f"cd {shlex.quote(str(folder))} && exec {shlex.join(command)}"
        return subprocess.Popen(
            [*self._enter, "bash", "-c", inside],
            env=environment,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def remount(self, options: str) -> None:
        subprocess.run([*self._enter, "mount", "-o", f"remount,{options}", str(self.folder)], check=True)

    def fill(self, free: int) -> None:
        """Leave room for about so many bytes, in whole pages."""
        self.remount(f"rw,size={PAGE + free // PAGE * PAGE}")
        (self.seen / "fill").write_bytes(bytes(PAGE))

    def make_room(self) -> None:
        self.remount("rw,size=1g")
        (self.seen / "fill").unlink(missing_ok=True)


def kill_group(process: subprocess.Popen[str]) -> None:
    """Kill -9 a leader with all of its processes, as far as they have not ended."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
