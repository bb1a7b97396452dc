"""Broken input for the readers of outside data, and a guard that sees what a reader does with it."""

import os
import re
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from conftest import ROOT
from hypothesis import settings
from hypothesis import strategies as st

# Examples per reader: some in pytest, many in .ci/run nightly
EXAMPLES = int(os.environ.get("FGCLEP_FUZZ_EXAMPLES", "50"))
SECONDS = 20.0  # an example that takes longer hangs, on a busy machine as well
MEMORY = 2 << 30  # bytes of address space that a reader may ask for
fuzzed = settings(max_examples=EXAMPLES, deadline=None, database=None)

_NUMBERS = [
    "0",
    "-1",
    "1e309",
    "nan",
    "inf",
    "-inf",
    "1_0",
    "9" * 30,
    "-" + "9" * 12,
    "2147483648",
    "4294967295",
    "0.5",
]
_PATHS = ["../../etc/passwd", "/etc/passwd", "..", ".", "~", "http://localhost:9/x", "file:///etc/passwd", "a/../../b"]
_MARKS = ["\0", "\n", "\r", "\x0b", "\x85", ",", '"', "'", ":", ";", "/", "\\", "#", "{", "}", "[", "]", "(", ")", "*"]
_YAML = ["&a [*a]", "!!python/object/apply:os.system [x]", "2024-99-99", "{a: b}", "[]", "null", "? [a]: b", "<<: x"]
_TOKENS = [text.encode() for text in (*_NUMBERS, *_PATHS, *_MARKS, *_YAML)] + [b"\xff", b"\xff\xfe", b"\xed\xa0\x80"]
token = st.sampled_from(_TOKENS)


@st.composite
def mutated(draw: st.DrawFn, valid: bytes) -> bytes:
    """Mutations of valid bytes: words replaced, parts cut, doubled or overwritten; now and then bytes of any kind."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200) | st.lists(token, max_size=8).map(b"".join))
    content = valid
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(content)))
        # the beginning says what a file is; most of what can go wrong stands there
        place = place % 400 if draw(st.booleans()) else place
        kind = draw(st.sampled_from(["word", "word", "insert", "cut", "double", "byte", "end"]))
        if kind == "word":
            words = [found.span() for found in re.finditer(rb"[^\s,;:/()\"]+", content[place : place + 200])]
            first, last = draw(st.sampled_from(words)) if words else (0, 0)
            content = content[: place + first] + draw(token) + content[place + last :]
        elif kind == "insert":
            content = content[:place] + draw(token) + content[place:]
        elif kind == "byte":
            content = content[:place] + bytes([draw(st.integers(0, 255))]) + content[place + 1 :]
        elif kind == "end":
            content = content[:place]
        else:
            length = draw(st.integers(1, 80))
            part = content[place : place + length]
            content = content[:place] + (2 * part if kind == "double" else b"") + content[place + length :]
    return content


class Hang(BaseException):
    """An example takes too long; no ``except Exception`` stops it."""


_WRITES = {
    *("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod"),
    *("shutil.rmtree", "shutil.move", "shutil.copyfile"),
}
_FORBIDDEN = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "pickle.find_class", "socket.connect"}
# What Python reads for itself: modules, time zones, the state of the process
_OWN = tuple(map(Path, {sys.prefix, sys.base_prefix, os.path.realpath(sys.prefix), "/usr", "/proc", "/sys", "/dev"}))
_folders: list[Path] = []  # in which a reader may work; empty: nobody watches
_seen: list[str] = []


def _is_below(name: object, folders: Sequence[Path]) -> bool:
    if isinstance(name, int) or name is None:
        return True
    place = Path(os.path.realpath(os.fsdecode(name)))  # type: ignore[arg-type]
    return any(place.is_relative_to(folder) for folder in folders)


def _watch(event: str, arguments: tuple) -> None:
    if not _folders:
        return
    if event == "open":
        name, _, flags = arguments
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if not _is_below(name, _folders if writes else (*_folders, *_OWN, ROOT / "workflow", ROOT / "resources")):
            _seen.append(f"{'writes' if writes else 'reads'} {name!r}")
    elif event in _WRITES and not all(_is_below(name, _folders) for name in arguments if isinstance(name, str | bytes)):
        _seen.append(f"{event} {arguments!r}")
    elif event in _FORBIDDEN:
        _seen.append(f"{event} {arguments!r}")


sys.addaudithook(_watch)  # for as long as Python runs; it looks only inside ``confined``


@contextmanager
def confined(folder: Path) -> Iterator[None]:
    """Fail if what runs inside touches files outside of a folder, takes too long, or asks for too much memory."""

    def stop(*_: object) -> None:
        raise Hang(f"more than {SECONDS:g} s")

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGALRM, stop)
    _seen.clear()
    _folders.append(Path(os.path.realpath(folder)))
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, hard))
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        _folders.clear()
    assert not _seen, _seen


def outcome(folder: Path, read: Callable[[], object], expected: type[Exception]) -> Exception | None:
    """Return the error that a reader raises, if it is of the expected type; any other fails the test."""
    with confined(folder):
        try:
            read()
        except expected as error:
            assert "MemoryError" not in str(error), error
            return error
    return None
