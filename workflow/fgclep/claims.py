"""Claims: of several processes and threads that want to do the same thing, one does it."""

import fcntl
import os
from pathlib import Path
from types import TracebackType


class Claim:
    """A file that this process alone has locked; it goes when the claim is released.

    The lock belongs to the open file, so the system releases it when the process ends, however it ends: nobody waits
    for a process that was killed.
    """

    def __init__(self, path: Path, descriptor: int):
        self._path = path
        self._descriptor = descriptor

    def __enter__(self) -> "Claim":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Let others claim the file."""
        self._path.unlink(missing_ok=True)  # before the lock goes, see below
        os.close(self._descriptor)


def claim(path: Path) -> Claim | None:
    """Claim ``path``; ``None`` if another thread or process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        if _is_at(path, descriptor):
            return Claim(path, descriptor)
        os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the open file is still the one at ``path``: the holder before may have removed it after it was opened."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
