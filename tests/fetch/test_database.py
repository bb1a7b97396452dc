import hashlib
import tarfile
import time
from email.utils import formatdate

import httpx
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from fgclep.config.transfer import TransferSection
from fgclep.errors import UserError
from fgclep.fetch.archive import ArchiveReader, archive_writer
from fgclep.fetch.database import FileUnavailable, WebDatabase, open_database
from fgclep.fetch.http import _retry_after
from fgclep.fetch.lists import safe_path
from fgclep.fetch.progress import TransferProgress

TRANSFER = TransferSection(parallel=2, timeout_seconds=5, retries=2)
CONTENT = b"ecg" * 1000
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def database(httpserver: HTTPServer):
    with open_database("csn", httpserver.url_for("/files/"), "db", "1.0", TRANSFER) as opened:
        assert isinstance(opened, WebDatabase)
        opened.pause = 0.001
        yield opened


def _answers(httpserver: HTTPServer, *responses: Response) -> list[Request]:
    """Answer requests for a.dat with these responses, one after the other; returns the requests."""
    waiting, seen = list(responses), []

    def answer(request: Request) -> Response:
        seen.append(request)
        return waiting.pop(0)

    httpserver.expect_request("/files/db/1.0/x/a.dat").respond_with_handler(answer)
    return seen


def test_a_file_is_fetched_and_checked(httpserver, database, tmp_path):
    seen = _answers(httpserver, Response(CONTENT))
    place = database.get("x/a.dat", tmp_path, SHA)
    assert place == tmp_path / "x/a.dat" and place.read_bytes() == CONTENT
    database.get("x/a.dat", tmp_path, SHA)  # already there and right
    assert len(seen) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_failure_is_retried(httpserver, database, tmp_path, status):
    seen = _answers(httpserver, Response(status=status), Response(status=status), Response(CONTENT))
    assert database.get("x/a.dat", tmp_path, SHA).read_bytes() == CONTENT
    assert len(seen) == 3


def test_the_server_says_how_long_to_wait(httpserver, database, tmp_path, monkeypatch):
    waits: list[float] = []
    monkeypatch.setattr("fgclep.fetch.http.time.sleep", waits.append)
    _answers(httpserver, Response(status=429, headers={"Retry-After": "7"}), Response(CONTENT))
    database.get("x/a.dat", tmp_path, SHA)
    assert len(waits) == 1 and 7 <= waits[0] <= 9


def test_a_server_that_keeps_failing_is_an_error_for_the_user(httpserver, database, tmp_path):
    seen = _answers(httpserver, *[Response(status=503)] * 3)
    with pytest.raises(UserError, match=r"no answer after 3 attempts \(status 503\).*data.base"):
        database.get("x/a.dat", tmp_path, SHA)
    assert len(seen) == 3


def test_a_dropped_connection_is_retried(httpserver, database, tmp_path):
    short = Response(CONTENT[:10], headers={"Content-Length": str(len(CONTENT))})
    _answers(httpserver, short, Response(CONTENT))
    assert database.get("x/a.dat", tmp_path, SHA).read_bytes() == CONTENT


def test_nobody_listening_is_an_error_for_the_user(tmp_path):
    settings = TransferSection(timeout_seconds=5, retries=0)
    with (
        open_database("csn", "http://127.0.0.1:9", "db", "1.0", settings) as opened,
        pytest.raises(UserError, match="no answer after 1 attempts"),
    ):
        opened.get("x/a.dat", tmp_path)


def test_a_wrong_checksum_is_fetched_once_more(httpserver, database, tmp_path):
    seen = _answers(httpserver, Response(b"wrong"), Response(CONTENT))
    assert database.get("x/a.dat", tmp_path, SHA).read_bytes() == CONTENT
    assert len(seen) == 2


def test_a_checksum_that_stays_wrong_is_reported_and_nothing_is_left(httpserver, database, tmp_path):
    _answers(httpserver, Response(b"wrong"), Response(b"wrong"))
    with pytest.raises(FileUnavailable, match=r"x/a.dat: wrong checksum, fetched twice"):
        database.get("x/a.dat", tmp_path, SHA)
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_a_missing_file_is_reported_without_retries(httpserver, database, tmp_path):
    seen = _answers(httpserver, Response(status=404))
    with pytest.raises(FileUnavailable, match="does not exist"):
        database.get("x/a.dat", tmp_path, SHA)
    assert len(seen) == 1


def test_a_refusal_is_an_error_for_the_user(httpserver, database, tmp_path):
    _answers(httpserver, Response(status=403))
    with pytest.raises(UserError, match="refuses with status 403"):
        database.get("x/a.dat", tmp_path, SHA)


def test_a_server_that_wants_a_password_gets_that_of_the_netrc_file(httpserver, monkeypatch, tmp_path):
    file = tmp_path / "netrc"
    monkeypatch.setenv("NETRC", str(file))
    seen = _answers(httpserver, Response(status=401), Response(CONTENT))
    address = httpserver.url_for("/files/")
    with (
        open_database("csn", address, "db", "1.0", TRANSFER) as opened,
        pytest.raises(UserError, match=r"status 401(?s:.*)\.netrc\n\n    machine localhost login NAME"),
    ):
        opened.get("x/a.dat", tmp_path, SHA)
    file.write_text("machine localhost login me password s3cret\nmachine example.org login me password other\n")
    with open_database("csn", address, "db", "1.0", TRANSFER) as opened:
        assert opened.get("x/a.dat", tmp_path, SHA).read_bytes() == CONTENT
    assert [request.authorization and request.authorization.password for request in seen] == [None, "s3cret"]
    file.write_text("machine\n")
    with pytest.raises(UserError, match="netrc cannot be read"), open_database("csn", address, "db", "1.0", TRANSFER):
        pass


def test_a_password_in_an_address_is_refused_before_anything_is_sent():
    address = "https://me:s3cret@example.org/files"
    with pytest.raises(UserError) as error, open_database("csn", address, "db", "1.0", TRANSFER):
        pass
    assert "user name or password" in str(error.value) and "s3cret" not in str(error.value)


def test_a_redirect_within_the_host_is_followed(httpserver, database, tmp_path):
    _answers(httpserver, Response(status=302, headers={"Location": "/elsewhere/a.dat"}))
    httpserver.expect_request("/elsewhere/a.dat").respond_with_data(CONTENT)
    assert database.get("x/a.dat", tmp_path, SHA).read_bytes() == CONTENT


def test_a_redirect_to_another_host_is_refused(httpserver, database, tmp_path):
    _answers(httpserver, Response(status=302, headers={"Location": "http://example.org/a.dat"}))
    with pytest.raises(UserError, match=r"redirects to another host, http://example.org/a.dat"):
        database.get("x/a.dat", tmp_path, SHA)


def test_endless_redirects_end(httpserver, database, tmp_path):
    _answers(httpserver, *[Response(status=302, headers={"Location": "/files/db/1.0/x/a.dat"})] * 5)
    with pytest.raises(UserError, match="redirects more than 5 times"):
        database.get("x/a.dat", tmp_path, SHA)


@pytest.mark.parametrize("path", ["/etc/passwd", "../a", "a/../../b", "a//b", "", "C:/a", "a\\b", "a/\n", "./a"])
def test_paths_that_lead_elsewhere_are_refused(path, tmp_path):
    with pytest.raises(ValueError, match="not a plain relative path"):
        safe_path(path)
    (tmp_path / "db/1.0").mkdir(parents=True)
    with open_database("csn", str(tmp_path), "db", "1.0", TRANSFER) as opened, pytest.raises(ValueError):
        opened.get(path, tmp_path)


def test_a_folder_is_read_in_place(tmp_path):
    file = tmp_path / "files/db/1.0/x/a.dat"
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    with open_database("csn", str(tmp_path / "files"), "db", "1.0", TRANSFER) as opened:
        assert opened.get("x/a.dat", tmp_path / "scratch", SHA) == file
        with pytest.raises(FileUnavailable, match=r"a\.dat: wrong checksum"):
            opened.get("x/a.dat", tmp_path / "scratch", "0" * 64)
        with pytest.raises(FileUnavailable, match=r"b\.dat does not exist"):
            opened.get("x/b.dat", tmp_path / "scratch", SHA)
    assert not (tmp_path / "scratch").exists()


def test_a_folder_that_does_not_exist_names_the_config_key(tmp_path):
    with (
        pytest.raises(UserError, match=r"(?s)nowhere/db/1.0 does not exist.*csn:\n +base: https://physionet.org/files"),
        open_database("csn", str(tmp_path / "nowhere"), "db", "1.0", TRANSFER),
    ):
        pass


def _through(answer, **options) -> WebDatabase:
    """A database behind a function from request to response."""
    client = httpx.Client(transport=httpx.MockTransport(answer))
    return WebDatabase("https://example.org/db", client, retries=2, pause=0.001, **options)


class _Breaks(httpx.SyncByteStream):
    """A body after which the connection drops."""

    def __init__(self, body: bytes):
        self.body = body

    def __iter__(self):
        yield self.body
        raise httpx.ReadError("dropped")


def test_a_file_that_broke_off_is_continued_if_it_is_still_the_same(tmp_path):
    seen = []

    def answer(request):
        seen.append(request.headers)
        if len(seen) == 1:
            return httpx.Response(200, headers={"ETag": '"v1"'}, stream=_Breaks(CONTENT[:100]))
        headers = {"Content-Range": f"bytes 100-{len(CONTENT) - 1}/{len(CONTENT)}"}
        return httpx.Response(206, headers=headers, stream=httpx.ByteStream(CONTENT[100:]))

    assert _through(answer).get("a", tmp_path).read_bytes() == CONTENT
    assert "range" not in seen[0]
    assert (seen[1]["range"], seen[1]["if-range"]) == ("bytes=100-", '"v1"')


def test_two_versions_of_a_file_are_never_joined(tmp_path):
    seen = []

    def answer(request):
        seen.append(request.headers)
        stream = _Breaks(b"the old version")
        return (
            httpx.Response(200, stream=stream)
            if len(seen) == 1
            else httpx.Response(200, stream=httpx.ByteStream(CONTENT))
        )

    # without a checksum, from a server that names no version
    assert _through(answer).get("a", tmp_path).read_bytes() == CONTENT
    assert "range" not in seen[1]


@pytest.mark.parametrize("left", [b"of another version", CONTENT + b"more", CONTENT[:-1] + b"x"])
def test_what_an_earlier_run_left_of_another_version_is_replaced(tmp_path, left):
    (tmp_path / ".a.part").write_bytes(left)
    seen = []

    def answer(request):
        seen.append(request.headers.get("range"))
        start = int(seen[-1].removeprefix("bytes=").removesuffix("-")) if seen[-1] else 0
        if start >= len(CONTENT):
            return httpx.Response(416)
        headers = {"Content-Range": f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"}
        return httpx.Response(206 if start else 200, headers=headers, stream=httpx.ByteStream(CONTENT[start:]))

    assert _through(answer).get("a", tmp_path, SHA).read_bytes() == CONTENT
    assert seen == [f"bytes={len(left)}-", None]


def test_a_complete_file_without_its_name_is_not_fetched_again(tmp_path):
    (tmp_path / ".a.part").write_bytes(CONTENT)
    assert _through(lambda request: 1 / 0).get("a", tmp_path, SHA).read_bytes() == CONTENT


def test_another_part_than_asked_for_is_not_used(tmp_path, caplog):
    (tmp_path / ".a.part").write_bytes(CONTENT[:10])

    def answer(request):
        if "range" in request.headers:
            return httpx.Response(206, headers={"Content-Range": "bytes 0-2999/3000"}, stream=httpx.ByteStream(CONTENT))
        return httpx.Response(200, stream=httpx.ByteStream(CONTENT))

    assert _through(answer).get("a", tmp_path, SHA).read_bytes() == CONTENT
    assert "wrong checksum" not in caplog.text


def test_a_part_of_the_range_is_continued(tmp_path):
    def answer(request):
        start = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        end = min(start + 500, len(CONTENT))
        if not start:
            return httpx.Response(200, headers={"Content-Length": "3000"}, stream=_Breaks(CONTENT[:500]))
        headers = {"Content-Range": f"bytes {start}-{end - 1}/{len(CONTENT)}"}
        return httpx.Response(206, headers=headers, stream=httpx.ByteStream(CONTENT[start:end]))

    assert _through(answer).get("a", tmp_path, SHA).read_bytes() == CONTENT


def test_what_has_come_is_on_its_way_to_the_disk_before_more_is_read(tmp_path):
    sizes = []

    class Slow(httpx.SyncByteStream):
        def __iter__(self):
            for start in range(0, len(CONTENT), 1000):
                sizes.append((tmp_path / ".a.part").stat().st_size)
                yield CONTENT[start : start + 1000]

    _through(lambda request: httpx.Response(200, stream=Slow())).get("a", tmp_path, SHA)
    assert sizes == [0, 1000, 2000]


def test_an_empty_file_is_a_file(tmp_path):
    empty = hashlib.sha256(b"").hexdigest()
    assert _through(lambda request: httpx.Response(200)).get("a", tmp_path, empty).read_bytes() == b""


@pytest.mark.parametrize(("seconds", "waited"), [(30, (28, 38)), (-30, (0, 0)), (7200, (600, 750))])
def test_the_server_says_until_when_to_wait(tmp_path, monkeypatch, seconds, waited):
    waits: list[float] = []
    monkeypatch.setattr("fgclep.fetch.http.time.sleep", waits.append)
    until = formatdate(time.time() + seconds, usegmt=True)
    answers = [
        httpx.Response(503, headers={"Retry-After": until}),
        httpx.Response(200, stream=httpx.ByteStream(CONTENT)),
    ]
    _through(lambda request: answers.pop(0)).get("a", tmp_path, SHA)
    assert waited[0] <= waits[0] <= waited[1]


def test_what_is_neither_seconds_nor_a_date_is_no_time_to_wait():
    assert _retry_after(httpx.Response(503, headers=[(b"Retry-After", b"\xb2")])) is None


def test_a_redirect_from_https_to_http_is_refused(tmp_path):
    moved = httpx.Response(302, headers={"Location": "http://example.org/db/a"})
    with pytest.raises(UserError, match=r"redirects from https to http://example.org/db/a"):
        _through(lambda request: moved).get("a", tmp_path, SHA)


@pytest.fixture
def archive(tmp_path):
    names = [f"r/{number}.hea" for number in range(3)]
    with archive_writer(tmp_path / "0.tar") as add:
        for name in names:
            (tmp_path / "file").write_bytes(name.encode() * 100)
            add(name, tmp_path / "file")
    return tmp_path / "0.tar"


def test_a_file_taken_from_an_archive_lands_in_the_folder(archive, tmp_path):
    (tmp_path / "out").mkdir()
    with ArchiveReader(archive) as tar:
        assert "r/1.hea" in tar and "r/9.hea" not in tar
        assert tar.extract("r/1.hea", tmp_path / "out/1.hea") == tmp_path / "out/1.hea"
    assert (tmp_path / "out/1.hea").read_bytes() == b"r/1.hea" * 100


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("/etc/passwd", tarfile.REGTYPE, "'/etc/passwd' is not a plain relative path"),
        ("../secret", tarfile.REGTYPE, "'../secret' is not a plain relative path"),
        ("a/../../secret", tarfile.REGTYPE, "'a/../../secret' is not a plain relative path"),
        ("r/link", tarfile.SYMTYPE, "'r/link' is no plain file"),
        ("r/link", tarfile.LNKTYPE, "'r/link' is no plain file"),
        ("r/device", tarfile.CHRTYPE, "'r/device' is no plain file"),
        ("r/pipe", tarfile.FIFOTYPE, "'r/pipe' is no plain file"),
        ("r", tarfile.DIRTYPE, "'r' is no plain file"),
    ],
)
def test_an_archive_that_leads_out_of_the_folder_is_refused(tmp_path, name, kind, reason):
    path = tmp_path / "0.tar"
    with tarfile.open(path, "w") as tar:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "/etc/passwd"
        tar.addfile(member)
    with pytest.raises(UserError, match=rf"0.tar: {reason}.*Delete it and run snakemake again"):
        ArchiveReader(path)


@pytest.mark.parametrize("size", [0, 300, 700, 1536, 2000, 3072, 4608, 5000])
def test_a_cut_archive_is_refused(archive, size):
    archive.write_bytes(archive.read_bytes()[:size])
    with pytest.raises(UserError, match=r"0.tar is cut or damaged .*delete it and run snakemake again"):
        ArchiveReader(archive)


@pytest.mark.parametrize("place", [10, 1536 + 10, 2 * 1536 + 10])
def test_an_archive_with_a_damaged_header_is_refused(archive, place):
    content = bytearray(archive.read_bytes())
    content[place] ^= 255
    archive.write_bytes(content)
    with pytest.raises(UserError, match=r"0\.tar is cut or damaged"):
        ArchiveReader(archive)


def test_an_archive_appears_only_when_it_is_complete(tmp_path):
    with pytest.raises(ZeroDivisionError), archive_writer(tmp_path / "0.tar"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_the_expected_size_comes_from_the_publication_and_then_from_what_came():
    with TransferProgress("csn 0", 4, 100.0) as counted:
        assert counted.estimated_bytes() == 400
        counted.add(60)
        assert counted.estimated_bytes() == 240
        counted.fail()
        assert counted.estimated_bytes() == 180
        counted.add(50)
        counted.add(70)
        assert counted.estimated_bytes() == counted.bytes == 180


def test_without_a_terminal_there_is_a_line_a_minute(caplog):
    seconds = [0.0]
    with caplog.at_level("INFO"), TransferProgress("csn 0", 300, None, clock=lambda: seconds[0]) as counted:
        for _ in range(300):
            seconds[0] += 1
            counted.add(1_000_000)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 5
    assert lines[0] == "csn 0: 60 of 300 records, 60.0 of about 300.0 MB, 1.00 MB/s"
