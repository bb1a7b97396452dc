"""Every way in which a server of a language model may fail, and what then happens: no fault is silent."""

import json
import socket
import threading
import time

import pytest
from language_servers import (
    answer,
    body,
    chat,
    half,
    hang_up,
    late,
    reset,
    silence,
    status,
    trickle,
    trickle_head,
)
from recovery_setup import clock, language_model, parse, propose, run_stage, server, settings

from fgclep.errors import UserError
from fgclep.recovery.backend import Candidate
from fgclep.recovery.language_model import HOPELESS
from fgclep.recovery.retries import Clock

__all__ = ["clock", "language_model", "propose", "server", "settings"]
OLLAMA = pytest.mark.parametrize("backend", ["ollama"])
OPENAI = pytest.mark.parametrize("backend", ["openai"])

GOOD = answer("absent p waves")


@pytest.fixture(params=["ollama", "openai"])
def backend(request):
    return request.param


# -- no reply: wait and ask again --------------------------------------------------------------------------------------

TRANSIENT = {
    "500 JSON": status(500, {"error": "llama runner process has terminated"}),
    "500 HTML": status(500),
    "502 from a gateway": status(502),
    "503 busy": status(503, {"error": "server busy"}),
    "429": status(429, {"error": "too many"}),
    "408": status(408),
    "200 truncated JSON": body('{"model": "llama3:8b", "mess'),
    "200 without a body": body(""),
    "200 list": body("[]"),
    "200 null": body("null"),
    "200 error": body('{"error": "unexpected"}'),
    "200 HTML": status(200),
    "200 no text": body(b"\xff\xfe\x00"),
    "200 broken compression": body(b"no gzip", Content_Encoding="gzip"),
    "200 without a message": body('{"model": "llama3:8b", "done": true, "choices": []}'),
    "200 message null": body('{"model": "llama3:8b", "done": true, "message": null, "choices": [{"message": null}]}'),
    "reset": reset,
    "closed without a reply": hang_up,
    "closed amid a reply": half,
}


@pytest.mark.parametrize("broken", TRANSIENT.values(), ids=TRANSIENT)
def test_what_passes_is_waited_for(propose, server, clock, broken):
    server.script = [broken, broken, GOOD]
    assert [c.feature for c in propose()] == ["absent_p"]
    assert clock.waits == [1.0, 2.0]
    assert len(server.asked) == 3


TOO_LONG = {"silence": silence, "trickle": trickle, "trickling header": trickle_head, "too late": late(3, chat(GOOD))}


@pytest.mark.parametrize("broken", TOO_LONG.values(), ids=TOO_LONG)
def test_a_call_ends_after_its_time_and_is_repeated(propose, server, clock, broken):
    server.script = [broken, GOOD]
    begun = time.monotonic()
    assert [c.feature for c in propose(timeout_seconds=0.3)] == ["absent_p"]
    assert time.monotonic() - begun < 2
    assert len(server.asked) == 2 and len(clock.waits) == 1


@pytest.mark.parametrize("broken", [trickle, trickle_head])
def test_a_reply_that_trickles_in_is_named_in_the_log(propose, server, clock, caplog, broken):
    server.script = [broken, GOOD]
    propose(timeout_seconds=0.3)
    assert "the reply is not complete after 0.3 s" in caplog.text


@pytest.mark.parametrize("broken", [trickle, trickle_head])
def test_the_connection_of_a_call_that_takes_too_long_is_closed(propose, server, broken):
    ended = threading.Event()

    def watched(handler):
        broken(handler)
        ended.set()

    server.script = [watched, GOOD]
    propose(timeout_seconds=0.3)
    assert ended.wait(5)


def test_a_slow_first_byte_within_the_time_is_waited_for(propose, server, clock):
    server.script = [late(0.5, chat(GOOD))]
    assert [c.feature for c in propose(timeout_seconds=5)] == ["absent_p"]
    assert clock.waits == []


def test_a_server_that_stays_broken_ends_the_run_with_a_way_out(propose, server, clock, settings):
    server.script = [status(500, {"error": "no memory"})]
    with pytest.raises(UserError) as error:
        propose(patience_seconds=60)
    for part in ("no memory", "recovery:\n      host:", "backend: knowledge", "will not be asked for again"):
        assert part in str(error.value)
    assert clock.waits == [1.0, 2.0, 4.0, 8.0, 16.0]  # the next, of 30 s, would be too long
    start = {"ollama": "ollama serve", "openai": "vllm serve"}[settings["backend"]]
    assert start in str(error.value)


def test_three_attempts_are_made_without_patience(propose, server, clock):
    server.script = [status(500)]
    with pytest.raises(UserError):
        propose(patience_seconds=0)
    assert len(server.asked) == 3


@OPENAI
def test_the_pause_that_the_server_wants_is_made(propose, server, clock):
    server.script = [status(429, {"error": "slow down"}, Retry_After="7"), GOOD]
    propose()
    assert clock.waits == [7.0]


def test_a_refused_connection_at_the_start_shows_what_to_do(propose, clock):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(UserError, match=r"(?s)no usable reply.*recovery:\n      host:.*backend: knowledge"):
            propose(host=f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert clock.waits == []  # nothing to wait for yet


def test_a_server_that_never_speaks_at_the_start_shows_what_to_do(propose):
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        with pytest.raises(UserError, match=r"(?s)no usable reply.*backend: knowledge"):
            propose(host=f"http://127.0.0.1:{mute.getsockname()[1]}", timeout_seconds=0.2)


# -- an unusable answer: another seed, then a reason per statement -----------------------------------------------------

UNUSABLE = {
    "cut": (chat('{"statement_1": ["absent', finish="length"), "cut at recovery.max_tokens"),
    "looping until cut": (chat('{"statement_1": ["' + "delta wave " * 500, finish="length"), "cut at recovery.max"),
    "looping within the limit": (answer(*["delta wave"] * 200), "names 200 features"),
    "half JSON": ('{"statement_1": ["absent', "not the JSON"),
    "prose": ("The ECG shows absent P waves.", "not the JSON"),
    "prose around JSON": ('Sure! {"statement_1": []} Anything else?', "not the JSON"),
    "extra key": ('{"statement_1": [], "note": "x"}', "the keys"),
    "key twice": ('{"statement_1": [], "statement_1": ["delta wave"]}', "given twice"),
    "wrong type": ('{"statement_1": "absent p waves"}', "no list"),
    "other schema": ('{"findings": []}', "the keys"),
    "control character": ('{"statement_1": ["absent\x00 p waves"]}', "not the JSON"),
    "not a number": ("NaN", "the keys"),
    "empty": (chat(""), "empty"),
    "null": (chat(None), "empty"),
}


@pytest.mark.parametrize("reply", [reply for reply, _ in UNUSABLE.values()], ids=UNUSABLE)
def test_an_unusable_answer_is_asked_for_with_another_seed(propose, server, clock, reply):
    server.script = [reply, GOOD]
    assert [c.feature for c in propose()] == ["absent_p"]
    assert server.options() == [(0, 0.0), (1000, 0.5)]
    assert clock.waits == []
    assert [c.feature for c in propose()] == ["absent_p"]
    assert len(server.asked) == 2  # the answer of the second attempt is in the cache


@pytest.mark.parametrize(("reply", "reason"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_statement_without_a_usable_answer_is_set_aside_with_the_reason(propose, server, reply, reason):
    server.script = [reply]
    (candidate,) = propose()
    assert len(server.asked) == 3
    assert candidate == Candidate(candidate.answer, None, 1, 1, "no_usable_answer")
    assert reason in candidate.answer


@OLLAMA
def test_an_answer_that_ollama_has_not_finished_is_unusable(propose, server):
    server.script = [chat(GOOD, done=False), GOOD]
    assert [c.feature for c in propose()] == ["absent_p"]
    assert len(server.asked) == 2


@OPENAI
@pytest.mark.parametrize("content", [7, ["absent p waves"], {"statement_1": ["absent p waves"]}])
def test_content_that_is_no_text_is_unusable(propose, server, content):
    server.script = [chat(content), GOOD]
    assert [c.feature for c in propose()] == ["absent_p"]
    assert len(server.asked) == 2


@OPENAI
def test_an_answer_that_was_filtered_is_unusable(propose, server):
    server.script = [chat(GOOD, finish="content_filter")]
    (candidate,) = propose()
    assert candidate.reason == "no_usable_answer"
    assert "ended before it was done: content_filter" in candidate.answer


def test_an_item_outside_of_the_schema_is_rejected_by_itself(propose, server):
    server.script = [answer("zork wave", "absent p waves")]
    assert [(c.feature, c.reason) for c in propose()] == [(None, "not_in_vocabulary"), ("absent_p", "")]


def test_one_failed_sample_of_three_leaves_two_votes(propose, server):
    server.script = [GOOD, chat(""), chat(""), chat(""), GOOD]
    first, failed = propose(samples=3, temperature=0.7)
    assert (first.feature, first.votes, first.samples) == ("absent_p", 2, 3)
    assert failed == Candidate("the answer is empty", None, 1, 3, "no_usable_answer")


def test_a_model_that_never_answers_by_schema_ends_the_run_early(language_model, server):
    server.script = ["I am a poet."]
    statements = parse(*(f"zork {i}" for i in range(100)))
    with pytest.raises(UserError, match=r"(?s)none of the first 20 questions.*not the JSON.*recovery:\n      model:"):
        language_model().propose(statements)
    assert len(server.asked) == 3 * HOPELESS


def test_unusable_answers_do_not_end_a_run_that_had_a_good_one(language_model, server):
    server.script = [GOOD, "I am a poet."]
    found = language_model().propose(parse(*(f"zork {i}" for i in range(30))))
    assert sum(bool(c.feature) for candidates in found for c in candidates) == 1


# -- the server refuses: the run ends, with what to do -----------------------------------------------------------------


@OLLAMA
def test_a_missing_model_says_how_to_get_it(propose, server):
    with pytest.raises(
        UserError, match=r"does not have the model 'mistral:7b' \(it has llama3:8b\).*ollama pull mistral"
    ):
        propose(model="mistral:7b")
    server.models = []
    with pytest.raises(UserError, match=r"\(it has none\).*ollama pull llama3:8b"):
        propose()
    assert server.asked == []


@OPENAI
def test_a_missing_model_shows_the_yaml_of_one_that_is_there(propose):
    with pytest.raises(UserError, match=r"the model 'mistral:7b' \(it has llama3:8b\).*\n\n.*\n      model: llama3:8b"):
        propose(model="mistral:7b")


def test_a_model_removed_during_the_run_ends_it(propose, server, settings):
    server.script = [status(404, {"error": "model 'llama3:8b' not found"})]
    way_out = {"ollama": "ollama pull llama3:8b", "openai": "Is 'llama3:8b' its model"}[settings["backend"]]
    with pytest.raises(UserError, match=way_out):
        propose()
    assert len(server.asked) == 1


def test_a_refused_question_is_not_repeated(propose, server):
    server.script = [status(400, {"error": "invalid option"})]
    with pytest.raises(UserError, match="invalid option"):
        propose()
    assert len(server.asked) == 1


@OPENAI
def test_a_wrong_address_is_named(propose, server):
    with pytest.raises(UserError, match=r"no such path(?s:.*)/other/v1/ its address\?"):
        propose(host=f"{server.url}/other")


@OLLAMA
def test_a_prompt_that_ollama_would_cut_is_refused(propose, server):
    server.script = [chat(GOOD, prompt_eval_count=3700)]
    with pytest.raises(UserError, match=r"3700 tokens and an answer of 512(?s:.*)context_tokens: 5120"):
        propose()


# -- the model changes -------------------------------------------------------------------------------------------------


def test_a_model_that_changes_during_the_run_ends_it_and_its_answer_is_not_kept(language_model, server):
    def swap(request):
        if len(server.asked) == 3:
            server.models = [{**server.models[0], "digest": "another"}]

    server.before = swap
    server.script = [GOOD]
    texts = parse("atrial fibrillation", "atrial flutter", "sinus tachycardia")
    model = language_model()
    with pytest.raises(UserError, match=rf"has changed during the run, from {model.model_digest} to \w+"):
        model.propose(texts)
    server.before = lambda request: None
    server.models[0]["digest"] = "365c0bd3c000"
    language_model().propose(texts)
    assert len(server.asked) == 4  # the first two are kept, the third was asked again
    server.models[0]["digest"] = "another"
    language_model().propose(texts)
    assert len(server.asked) == 7


# -- the deadline ------------------------------------------------------------------------------------------------------


def test_at_the_deadline_the_run_says_how_much_is_left_and_goes_on_next_time(language_model, server, clock):
    def take_half_an_hour(request):
        clock.now += 1800

    clock._deadline = 3600
    server.before = take_half_an_hour
    texts = parse("atrial fibrillation", "atrial flutter", "sinus tachycardia", "sinus bradycardia")
    with pytest.raises(UserError) as error:
        language_model(deadline_hours=1.0).propose(texts)
    assert "2 of 4 answers are missing at the end of recovery.deadline_hours (1)" in str(error.value)
    assert "Run again" in str(error.value) and "    recovery:\n      deadline_hours: null" in str(error.value)
    clock.now = 0
    assert len(language_model(deadline_hours=2.0).propose(texts)) == 4
    assert len(server.asked) == 4


def test_the_deadline_ends_the_waiting_for_a_server_that_is_away(language_model, server, tmp_path):
    server.script = [GOOD, status(503)]
    model = language_model(deadline_hours=1.0, patience_seconds=1000)
    model._clock = Clock(1.5)
    model._patience._clock = model._clock
    begun = time.monotonic()
    with pytest.raises(UserError, match="1 of 2 answers are missing"):
        model.propose(parse("atrial fibrillation", "atrial flutter"))
    assert time.monotonic() - begun < 4


def test_an_error_ends_the_waiting_of_the_other_calls(language_model, server):
    server.script = [GOOD, status(503), status(503), late(0.2, status(400, {"error": "stop"})), status(503)]
    model = language_model(patience_seconds=1000, concurrency=3)
    model._clock = model._patience._clock = Clock()
    begun = time.monotonic()
    with pytest.raises(UserError, match="stop"):  # the first question is asked alone
        model.propose(parse("sinus rhythm", "atrial fibrillation", "atrial flutter", "sinus tachycardia"))
    assert time.monotonic() - begun < 4


# -- the stage ---------------------------------------------------------------------------------------------------------


def test_a_run_that_was_ended_by_its_server_goes_on_where_it_was(tmp_path, settings, server):
    report = ["Atrial fibrillation", "suggests zork"]
    server.script = [GOOD, status(400, {"error": "gone"})]
    with pytest.raises(UserError, match="gone"):
        run_stage(tmp_path, settings, report)
    assert not (tmp_path / "candidates.parquet").exists()
    server.script = [answer("fibrillatory waves")]
    rows = run_stage(tmp_path, settings, report)
    assert [row["feature"] for row in rows] == ["absent_p", "fibrillatory_waves"]
    assert len(server.asked) == 3


def test_the_version_of_the_server_and_the_cost_are_kept_with_each_answer(propose, server, settings, tmp_path):
    server.script = [chat(GOOD, prompt_eval_count=900, eval_count=12)]
    propose()
    (path,) = (tmp_path / "cache").glob("*/*.json")
    record = json.loads(path.read_text())
    assert record["question"]["text"] == "atrial fibrillation" and record["answer"] == ["absent p waves"]
    assert record["more"]["prompt_version"] == 3
    if settings["backend"] == "ollama":
        assert record["more"]["server_version"] == "0.12.6"
        assert (record["more"]["prompt_tokens"], record["more"]["answer_tokens"]) == (900, 12)
    server.version = "0.13"
    propose()
    assert len(server.asked) == 1  # the same model on a newer server
