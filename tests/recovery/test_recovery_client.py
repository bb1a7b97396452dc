"""What leaves for a language server, and what may come back from one."""

import gzip
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from language_servers import ScriptedServer, answer, body, chat, send_json, status
from recovery_setup import PROMPT, SERVERS, clock, language_model, parse, propose, server, settings

from fgclep.config.recovery import RecoverySection
from fgclep.errors import UserError
from fgclep.recovery.client import LONGEST_REPLY
from fgclep.recovery.prompt import Prompt
from fgclep.recovery.server import NoReply, Options, UnusableAnswer

__all__ = ["clock", "language_model", "propose", "server", "settings"]
GOOD = answer("absent p waves")
OLLAMA = pytest.mark.parametrize("backend", ["ollama"])


@pytest.fixture(params=["ollama", "openai"])
def backend(request):
    return request.param


@pytest.fixture
def other():
    server = ScriptedServer()
    yield server
    server.close()


def ask(settings):
    section = RecoverySection.model_validate(settings)
    return SERVERS[section.backend](section).ask("why", {"type": "object"}, Options(0.0, 0, 100, 4096))


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed_with_a_statement(propose, server, other, code):
    server.script = [status(code, Location=f"{other.url}/api/chat")]
    with pytest.raises(UserError, match=rf"redirects /\S+ to {other.url}/api/chat \(status {code}\)(?s:.*)host: "):
        propose()
    assert len(server.asked) == 1 and other.asked == []


def test_no_redirect_is_followed_within_the_server(propose, server):
    server.script = [status(307, Location="/elsewhere"), GOOD]
    with pytest.raises(UserError, match=r"redirects /.* to /elsewhere"):
        propose()
    assert len(server.asked) == 1


def test_only_the_key_that_the_docs_name_is_sent(settings, server, monkeypatch):
    for name in ("OLLAMA_API_KEY", "OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, "of-somebody-else")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Token: of-somebody-else")
    ask(settings)
    assert "of-somebody-else" not in str(server.headers) and "authorization" not in server.headers[-1]
    monkeypatch.setenv("FGCLEP_API_KEY", "of-this-server\n")
    ask(settings)
    assert server.headers[-1]["authorization"] == "Bearer of-this-server"


def test_a_wrong_key_is_not_shown(settings, server, monkeypatch):
    monkeypatch.setenv("FGCLEP_API_KEY", "my-key")
    server.script = [status(401, {"error": "no such key: my-key"})]
    with pytest.raises(UserError, match=r"wants another key: (?s:.*)export FGCLEP_API_KEY") as error:
        ask(settings)
    assert "my-key" not in str(error.value)
    monkeypatch.setenv("FGCLEP_API_KEY", "my\tkey")
    with pytest.raises(UserError, match="the key in FGCLEP_API_KEY holds a space"):
        ask(settings)


ENDLESS = {
    "plain": body(b" " * (LONGEST_REPLY + 1)),
    "packed": body(gzip.compress(b" " * (LONGEST_REPLY + 1)), Content_Encoding="gzip"),
}


@pytest.mark.parametrize("reply", ENDLESS.values(), ids=ENDLESS)
def test_a_reply_is_read_up_to_a_limit(settings, server, reply):
    server.script = [reply]
    with pytest.raises(NoReply, match="the reply is longer than 4 MB"):
        ask(settings)


def test_a_packed_reply_is_read(settings, server):
    def packed(handler):
        whole = handler.wfile.write
        replies = []
        handler.wfile.write = replies.append
        chat(GOOD)(handler)
        handler.wfile.write = whole
        content = b"".join(replies).partition(b"\r\n\r\n")[2]
        body(gzip.compress(content), Content_Encoding="gzip")(handler)

    server.script = [packed]
    assert ask(settings).content == GOOD


def test_a_packing_that_was_not_asked_for_is_named(settings, server):
    server.script = [body(b"?", Content_Encoding="br")]
    with pytest.raises(NoReply, match="packed as 'br'"):
        ask(settings)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Certificate and key of a server on this machine, which nobody has signed."""
    folder = tmp_path_factory.mktemp("authority")
    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "ca.pem"),
        ],
        capture_output=True,
    )
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture
def secure(authority):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/api/chat":
                chat(GOOD)(self)
            else:
                message = {"role": "assistant", "content": GOOD}
                choices = [{"index": 0, "finish_reason": "stop", "message": message}]
                reply = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": choices}
                send_json(self, reply)

        def log_message(self, *_):
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "ca.pem", authority / "key.pem")
    http = HTTPServer(("127.0.0.1", 0), Handler)
    http.handle_error = lambda *_: None  # who breaks the connection off is the client
    http.socket = context.wrap_socket(http.socket, server_side=True)
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"https://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()


def test_a_certificate_of_ones_own_is_named_and_can_be_trusted(settings, secure, authority, monkeypatch):
    settings = settings | {"host": secure}
    with pytest.raises(UserError, match=r"the certificate of https://127\S+ is not trusted(?s:.*)export SSL_CERT_FILE"):
        ask(settings)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority / "ca.pem"))
    assert ask(settings).content == GOOD
    monkeypatch.setenv("SSL_CERT_FILE", str(authority / "missing.pem"))
    with pytest.raises(UserError, match="SSL_CERT_FILE"):
        ask(settings)


# -- what a model wraps around its answer ------------------------------------------------------------------------------

WRAPPED = {
    "fence": f"```json\n{GOOD}\n```",
    "fence without a name": f"\n```\n{GOOD}\n```\n",
    "fence on one line": f"```{GOOD}```",
    "words around a fence": f"Here it is:\n\n```json\n{GOOD}\n```\nAnything else?",
    "a long fence": f"`````json\n{GOOD}\n`````",
    "tildes": f"~~~ JSON\n{GOOD}\n~~~",
    "thoughts": f"<think>\nNo {{P}} waves.\n</think>\n\n{GOOD}",
}


@pytest.mark.parametrize("reply", WRAPPED.values(), ids=WRAPPED)
def test_json_is_taken_out_of_what_a_model_wraps_around_it(propose, server, reply):
    server.script = [reply]
    assert [c.feature for c in propose()] == ["absent_p"]
    assert len(server.asked) == 1


@pytest.mark.parametrize("reply", [f"```\n{GOOD}\n```\n```\n{GOOD}\n```", f"Sure: {GOOD}", f"</think>{GOOD}"])
def test_words_and_two_answers_are_no_answer(propose, server, reply):
    server.script = [reply]
    (candidate,) = propose()
    assert candidate.reason == "no_usable_answer"


@pytest.mark.parametrize("content", ["```" + "a" * 400_000, "`" * 400_000, "```a" * 99_999, "~~~`" * 99_999])
def test_an_answer_of_any_length_is_read_in_a_moment(content):
    with pytest.raises(UnusableAnswer, match="is not the JSON asked for"):  # hours, if by the square of the length
        Prompt(PROMPT, ["absent p waves"]).read(content)


def test_a_statement_that_fits_into_no_context_is_its_own_trouble(language_model, server):
    server.script = [GOOD]
    long, short = language_model().propose(parse("atrial fibrillation, " * 200, "atrial fibrillation"))
    assert [candidate.reason for candidate in long] == ["no_usable_answer"]
    assert "the statement has 4," in long[0].answer and "up to 2,000" in long[0].answer
    assert [candidate.feature for candidate in short] == ["absent_p"] and len(server.asked) == 1


def test_the_first_200_characters_of_a_broken_answer_are_shown(propose, server):
    server.script = ["The \x1b[2J ECG " + "x" * 1000]
    (candidate,) = propose()
    assert "it begins 'The \\x1b[2J ECG xxx" in candidate.answer
    assert "x" * 180 in candidate.answer and "x" * 200 not in candidate.answer


@OLLAMA
def test_whether_a_model_thinks_is_a_setting_and_old_answers_stay(propose, language_model, server):
    def key(model):
        (question,) = model.questions.about(parse("atrial fibrillation")[0])
        return model.key(question)

    assert "think" not in key(language_model())
    propose()
    assert server.asked[-1]["think"] is False
    propose(think=None)
    assert "think" not in server.asked[-1] or server.asked[-1]["think"] is None
    assert len(server.asked) == 2
    assert key(language_model(think=None)) != key(language_model())
