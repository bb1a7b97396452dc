import hashlib

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from fgclep.download import FileUnavailable, WebDatabase, open_database
from fgclep.listing import safe_path
from fgclep.stage import UserError

TRANSFER = {"parallel": 2, "timeout_seconds": 5, "retries": 2}
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
    monkeypatch.setattr("fgclep.download.time.sleep", waits.append)
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
    settings = {**TRANSFER, "retries": 0}
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
