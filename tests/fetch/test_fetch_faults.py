"""The stages that fetch, against a real HTTP server that serves real records and fails in every way a server can."""

import json
import os
import random
import socket
import struct
import subprocess
import sys
import tarfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from fgclep.errors import UserError
from fgclep.schemas.quarantine import QUARANTINE
from fgclep.stages import fetch_metadata, fetch_records
from fgclep.tables import read_table

SOURCE, DATABASE = "csn", "ecg-arrhythmia/1.0.0"
KILLS = 5
BLOCK = 16384


@dataclass
class Request:
    """One request as the server saw it."""

    path: str  # below the database
    offset: int  # of the range asked for; 0 without
    sent: int = 0  # bytes of the body


class Mirror:
    """A folder behind HTTP/1.1 with ranges, which fails as told.

    Parameters
    ----------
    folder
        What it serves.

    Attributes
    ----------
    faults
        Path below the database -> what goes wrong with its requests, one after the other; then all is well. What can
        go wrong: see ``_Handler.body``. A fault named ``always wrong`` stays.
    ranges, versions
        Whether ``Range`` is answered, and whether a version (ETag) is named.
    seconds_per_block
        Pause after each block of 16 kB.
    gone_after
        Bytes of bodies after which every connection is reset and nobody listens any more.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.faults: dict[str, list] = {}
        self.ranges, self.versions = True, True
        self.seconds_per_block = 0.0
        self.gone_after: float = float("inf")
        self.requests: list[Request] = []
        self.active = 0
        self.lock = threading.Condition()
        self.released = threading.Event()  # ends every stall
        self.port = 0
        self.start()

    def start(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), _Handler)
        self._server.mirror = self
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def sent(self) -> int:
        return sum(request.sent for request in self.requests)

    def of(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    def wait_for(self, condition, seconds: float = 20) -> None:
        with self.lock:
            assert self.lock.wait_for(condition, seconds), "the server waited in vain"

    def wait_for_bytes(self, count: float) -> None:
        self.wait_for(lambda: self.sent() >= count)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def mirror(self) -> Mirror:
        return self.server.mirror

    def log_message(self, *_) -> None:
        pass

    def handle(self) -> None:
        try:
            self.count(1)
            super().handle()
        except OSError:
            pass  # the client is gone
        finally:
            self.count(-1)

    def count(self, change: int) -> None:
        with self.mirror.lock:
            self.mirror.active += change
            self.mirror.lock.notify_all()

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()
        raise ConnectionResetError

    def do_GET(self) -> None:
        mirror = self.mirror
        path = unquote(self.path).lstrip("/")
        content = (mirror.folder / path).read_bytes()
        wanted = self.headers.get("range") if mirror.ranges else None
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        request = Request(path.removeprefix(f"{DATABASE}/"), start)
        with mirror.lock:
            if mirror.sent() >= mirror.gone_after:
                self.reset()
            mirror.requests.append(request)
            waiting = mirror.faults.get(request.path)
            fault = (waiting[0] if waiting[0] == "always wrong" else waiting.pop(0)) if waiting else None
        if fault in (429, 503):
            self.send_response(fault)
            if fault == 429:
                self.send_header("Retry-After", formatdate(time.time() + 3, usegmt=True))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if start >= len(content) and wanted:
            self.send_response(416)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.body(request, content, wanted is not None, fault)

    def body(self, request: Request, content: bytes, partial: bool, fault) -> None:
        """Send the file, or part of it, or spoil it.

        ``wrong``: other bytes. ``short``: half of it, with a length that says so. ``without length``: half of it, the
        connection's end being the only sign. ``cut``: half of it, and the connection ends. ``reset``: the same with a
        reset. ``stall``: half of it, then nothing more. ``drip``: in small pieces.
        """
        body = content[request.offset :]
        if fault in ("wrong", "always wrong"):
            body = bytes(byte ^ 1 for byte in body[:100]) + body[100:]
        half = len(body) // 2
        if fault == "short":
            body = body[:half]
        self.send_response(206 if partial else 200)
        if partial:
            self.send_header("Content-Range", f"bytes {request.offset}-{len(content) - 1}/{len(content)}")
        if self.mirror.versions:
            self.send_header("ETag", f'"{len(content)}"')
        if fault == "without length":
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        pieces = 40 if fault == "drip" else 1
        self.send(request, body[:half] if fault in ("without length", "cut", "reset", "stall") else body, pieces)
        if fault == "stall":
            self.mirror.released.wait(5)
        if fault == "reset":
            threading.Event().wait(0.2)  # a reset takes what has not been read with it
            self.reset()
        if fault in ("cut", "stall"):
            self.close_connection = True

    def send(self, request: Request, body: bytes, pieces: int) -> None:
        size = BLOCK if pieces == 1 else -(-len(body) // pieces)
        for start in range(0, len(body), size):
            self.wfile.write(body[start : start + size])
            mirror = self.mirror
            with mirror.lock:
                request.sent += len(body[start : start + size])
                gone = mirror.sent() >= mirror.gone_after
                mirror.lock.notify_all()
            if gone:
                self.reset()
            if pause := 0.005 if pieces > 1 else mirror.seconds_per_block:
                threading.Event().wait(pause)


class Fetching:
    """The two stages of one source, from a base, in a folder."""

    def __init__(self, base: str, folder: Path, parallel: int = 8, retries: int = 4, timeout: float = 0.7):
        self.base, self.folder = base, folder
        self.settings = json.dumps({"parallel": parallel, "timeout_seconds": timeout, "retries": retries})
        self.archive, self.parts = folder / "0.tar", folder / ".0.tar.parts"

    def prepare(self) -> None:
        """Fetch the lists."""
        metadata = self.folder / "metadata"
        options = ["--base", self.base, "--version", "1.0.0", "--settings", self.settings, "--output", str(metadata)]
        fetch_metadata.main(fetch_metadata.arguments().parse_args(["--source", SOURCE, *options]))

    def options(self) -> list[str]:
        lists = ["--metadata", str(self.folder / "metadata")]
        outputs = ["--output", str(self.archive), "--quarantine", str(self.folder / "q-fetch.parquet")]
        origin = ["--source", SOURCE, "--base", self.base, "--version", "1.0.0", "--settings", self.settings]
        return [*origin, *lists, "--chunk", "0", "--chunks", "1", *outputs]

    def records(self) -> bytes:
        """Fetch the records; returns the archive."""
        fetch_records.main(fetch_records.arguments().parse_args(self.options()))
        assert not list(self.archive.parent.glob(".*")), "something is left beside the archive"
        return self.archive.read_bytes()

    def quarantine(self) -> dict[str, str]:
        return {
            row["record_id"]: row["reason"]
            for row in read_table(self.folder / "q-fetch.parquet", QUARANTINE).to_pylist()
        }

    def left(self) -> tuple[set[str], dict[str, int]]:
        """Complete files, and path -> size of those begun, that an interrupted run has left."""
        files = [file for file in self.parts.rglob("*") if file.is_file()]
        begun = {
            str(file.relative_to(self.parts).with_name(file.name[1:].removesuffix(".part"))): file.stat().st_size
            for file in files
            if file.name.startswith(".")
        }
        return {str(file.relative_to(self.parts)) for file in files if not file.name.startswith(".")}, begun


@pytest.fixture(scope="module")
def reference(physionet, tmp_path_factory):
    """The archive as made from the folder, and path -> size of the records' files."""
    here = Fetching(str(physionet), tmp_path_factory.mktemp("reference"))
    here.prepare()
    content = here.records()
    with tarfile.open(here.archive) as tar:
        sizes = {member.name: member.size for member in tar}
    assert len(sizes) == 130
    return content, sizes


@pytest.fixture
def mirror(physionet):
    server = Mirror(physionet)
    yield server
    server.stop()


@pytest.fixture
def short_pauses(monkeypatch):
    """Wait a fiftieth of the time between repetitions."""
    wait = time.sleep
    monkeypatch.setattr("fgclep.fetch.http.time.sleep", lambda seconds: wait(seconds / 50))


def signal_files(sizes: dict[str, int]) -> list[str]:
    return [name for name in sizes if name.endswith(".mat")]


@pytest.mark.parametrize(("ranges", "versions"), [(True, True), (True, False), (False, True)])
def test_faults_of_every_kind_leave_the_archive_as_it_should_be(
    mirror, reference, tmp_path, short_pauses, ranges, versions
):
    content, sizes = reference
    mirror.ranges, mirror.versions = ranges, versions
    kinds = [
        *([503], [503, 503, 429], [429], ["reset"], ["cut"], ["stall"], ["drip"]),
        *(["wrong"], ["short"], ["without length"], ["reset", 503, "cut", "reset"]),
    ]
    files = signal_files(sizes)
    planned = {file: kinds[number % len(kinds)] for number, file in enumerate(files[: 2 * len(kinds)])}
    mirror.faults = {file: list(kind) for file, kind in planned.items()}
    there = Fetching(mirror.url, tmp_path)
    there.prepare()
    assert there.records() == content
    assert there.quarantine() == {}
    for file in files:
        seen, kind = mirror.of(file), planned.get(file, [])
        assert len(seen) == len(kind) + (kind != ["drip"]), file
        spoiled = {"wrong", "short", "without length"} & set(kind)
        broken = sum(fault in ("reset", "cut", "stall") for fault in kind)
        if broken and ranges:
            again = sum(request.sent for request in seen) - sizes[file]
            # no byte twice, but for those that a reset took away before they were read
            assert again == 0 or ("reset" in kind and again < sizes[file]), file
        elif spoiled:
            assert [request.offset for request in seen] == [0, 0], file
        elif not broken:
            assert sum(request.sent for request in seen) == sizes[file], file


def test_a_server_that_breaks_off_again_and_again_but_delivers_is_not_given_up(
    mirror, reference, tmp_path, short_pauses
):
    content, sizes = reference
    file = signal_files(sizes)[7]
    mirror.faults = {file: ["reset"] * 8}  # each brings half of what is missing
    there = Fetching(mirror.url, tmp_path, retries=1)
    there.prepare()
    assert there.records() == content
    assert len(mirror.of(file)) == 9


def test_a_file_that_stays_wrong_is_in_the_quarantine_and_not_in_the_archive(mirror, reference, tmp_path, short_pauses):
    _, sizes = reference
    file = signal_files(sizes)[3]
    mirror.faults = {file: ["always wrong"]}
    there = Fetching(mirror.url, tmp_path)
    there.prepare()
    there.records()
    [(record, reason)] = there.quarantine().items()
    assert record == Path(file).stem
    assert reason.startswith(f"{mirror.url}/{DATABASE}/{file}: wrong checksum, fetched twice")
    with tarfile.open(there.archive) as tar:
        assert set(tar.getnames()) == set(sizes) - {file, file.replace(".mat", ".hea")}
    assert len(mirror.of(file)) == 2


def test_a_fetch_that_is_killed_again_and_again_fetches_nothing_twice(mirror, reference, tmp_path):
    content, sizes = reference
    seed = int.from_bytes(os.urandom(4))
    print(f"random seed {seed}")
    draw = random.Random(seed)
    moments = sorted(draw.uniform(0.02, 0.95) * sum(sizes.values()) for _ in range(KILLS))
    there = Fetching(mirror.url, tmp_path, parallel=4, timeout=10)
    there.prepare()
    mirror.requests.clear()
    mirror.seconds_per_block = 0.002
    command = [sys.executable, "-m", "fgclep.stages.fetch_records", *there.options()]
    complete: set[str] = set()
    begun: dict[str, int] = {}
    lost = 0  # bytes that were sent and not yet written when the process died
    for moment in [*moments, None]:
        before, stored = len(mirror.requests), sum(sizes[file] for file in complete) + sum(begun.values())
        process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, stderr=-1)
        if moment is not None:
            # what was lost before is sent again
            mirror.wait_for_bytes(moment + lost)
            process.kill()
        _, log = process.communicate(timeout=30)
        assert process.returncode == (0 if moment is None else -9), log.decode()
        mirror.wait_for(lambda: mirror.active == 0)
        for request in mirror.requests[before:]:
            assert request.path not in complete, f"{request.path} was there (seed {seed})"
            assert request.offset == begun.get(request.path, 0), f"{request.path} was begun (seed {seed})"
        if moment is not None:
            assert not there.archive.exists()
            complete, begun = there.left()
            # all bytes had come, and the name had not
            complete |= {file for file, size in begun.items() if size == sizes[file]}
            begun = {file: size for file, size in begun.items() if file not in complete}
            now_stored = sum(sizes[file] for file in complete) + sum(begun.values())
            sent = sum(request.sent for request in mirror.requests[before:])
            lost += sent - (now_stored - stored)
    assert there.archive.read_bytes() == content
    assert not list(tmp_path.glob(".*"))
    again = mirror.sent() - sum(sizes.values())
    assert again == lost <= KILLS * 4 * max(sizes.values()), f"seed {seed}"
    print(f"killed at {[f'{moment / 1e6:.1f}' for moment in moments]} MB of {sum(sizes.values()) / 1e6:.1f}; "
          f"{again / 1e3:.0f} kB sent twice")  # fmt: skip


def test_when_the_server_is_gone_what_came_is_kept(mirror, reference, tmp_path, short_pauses, caplog):
    content, sizes = reference
    there = Fetching(mirror.url, tmp_path, retries=1)
    there.prepare()
    mirror.requests.clear()
    mirror.gone_after = sum(sizes.values()) / 2
    with pytest.raises(UserError, match=r"no answer after 2 attempts .*run snakemake again: it continues"):
        there.records()
    assert not there.archive.exists()
    mirror.stop()
    there = Fetching(mirror.url, tmp_path, retries=4)
    with caplog.at_level("INFO"), pytest.raises(UserError, match=r"no answer after 5 attempts .*ConnectError"):
        there.records()
    # eight at a time, four times each, and as many as had begun before the first gave up on a busy machine; the files
    # that wait are not tried, which would be more than 200 times
    assert sum("; again in" in record.getMessage() for record in caplog.records) < 120
    complete, begun = there.left()
    assert len(complete) > 30
    before = len(mirror.requests)
    mirror.gone_after = float("inf")
    mirror.start()
    assert there.records() == content
    assert not complete & {request.path for request in mirror.requests[before:]}
    for request in mirror.requests[before:]:
        assert request.offset == begun.get(request.path, 0)
    assert max(Counter(request.path for request in mirror.requests[before:]).values()) == 1


def test_a_full_disk_is_an_error_that_says_where_and_the_next_run_continues(mirror, reference, tmp_path):
    content, _ = reference
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        there = Fetching(mirror.url, tmp_path)
        there.prepare()
        mirror.requests.clear()
        there.archive, there.parts = disk / "0.tar", disk / ".0.tar.parts"
        with pytest.raises(
            UserError, match=rf"the disk of {disk} is full .* MB are free, and chunk 0 of csn needs"
        ) as e:
            there.records()
        print(e.value)
        complete, begun = there.left()
        assert complete
        before = len(mirror.requests)
        subprocess.run(["mount", "-o", "remount,size=40m", str(disk)], check=True)
        assert there.records() == content
        assert not complete & {request.path for request in mirror.requests[before:]}
        assert all(request.offset == begun.get(request.path, 0) for request in mirror.requests[before:])
    finally:
        subprocess.run(["umount", str(disk)], check=True)
