"""What a recovery has cost: in the log, and as JSON beside the candidates."""

import json
import logging

import pytest
from language_servers import answer, chat, late, status
from recovery_setup import backend, clock, language_model, parse, run_stage, server, settings

from fgclep.errors import UserError

__all__ = ["backend", "clock", "language_model", "server", "settings"]
TWO = ("atrial fibrillation", "atrial flutter")
RUN = ("calls", "answers_from_cache", "prompt_tokens", "answer_tokens", "seconds", "seconds_per_call")


def told(content, prompt_tokens, answer_tokens, finish="stop"):
    return chat(content, finish, prompt_eval_count=prompt_tokens, eval_count=answer_tokens)


def run_of(spent):
    return tuple(spent[name] for name in RUN)


@pytest.fixture
def each_call_takes_3_seconds(server, clock):
    server.before = lambda request: setattr(clock, "now", clock.now + 3)


@pytest.mark.usefixtures("each_call_takes_3_seconds")
def test_the_cost_of_a_run_is_that_of_its_calls(language_model, server):
    server.script = [told(answer("absent p waves"), 900, 12), told(answer("sawtooth flutter waves"), 901, 14)]
    model = language_model()
    model.propose(parse(*TWO))
    assert model.cost() == {
        "calls": 2,
        "answers_from_cache": 0,
        "prompt_tokens": 1801,
        "cached_tokens": 0,
        "answer_tokens": 26,
        "seconds": 6.0,
        "seconds_per_call": 3.0,
        "all_answers": {"answers": 2, "prompt_tokens": 1801, "cached_tokens": 0, "answer_tokens": 26, "seconds": 6.0},
    }


@pytest.mark.usefixtures("each_call_takes_3_seconds")
def test_answers_from_the_cache_cost_nothing_in_this_run_and_count_in_the_total(language_model, server):
    server.script = [told(answer("absent p waves"), 900, 12), told(answer(), 901, 2), told(answer(), 902, 2)]
    language_model().propose(parse(*TWO))
    model = language_model()
    model.propose(parse(*TWO, "sinus tachycardia"))
    assert run_of(model.cost()) == (1, 2, 902, 2, 3.0, 3.0)
    assert model.cost()["all_answers"] == {
        "answers": 3,
        "prompt_tokens": 2703,
        "cached_tokens": 0,
        "answer_tokens": 16,
        "seconds": 9.0,
    }


@pytest.mark.usefixtures("each_call_takes_3_seconds")
def test_calls_that_gave_no_answer_are_counted_in_this_run_only(language_model, server):
    unusable = told("I am a poet.", 900, 5)
    server.script = [status(503), unusable, told(answer("absent p waves"), 900, 12)]
    model = language_model()
    model.propose(parse("atrial fibrillation"))
    assert run_of(model.cost()) == (3, 0, 1800, 17, 9.0, 3.0)
    assert model.cost()["all_answers"]["answers"] == 1
    assert model.cost()["all_answers"]["answer_tokens"] == 12


def test_a_server_that_tells_no_tokens_has_none_counted(language_model, server):
    server.script = [chat(answer("absent p waves"))]
    model = language_model()
    model.propose(parse("atrial fibrillation"))
    assert (model.cost()["prompt_tokens"], model.cost()["all_answers"]["answer_tokens"]) == (0, 0)


@pytest.mark.usefixtures("each_call_takes_3_seconds")
def test_the_cost_is_logged_also_of_a_run_that_ends_with_an_error(language_model, server, caplog):
    caplog.set_level(logging.INFO)
    server.script = [told(answer("absent p waves"), 900, 12), status(400, {"error": "gone"})]
    with pytest.raises(UserError, match="gone"):
        language_model().propose(parse(*TWO))
    line = "2 calls, 0 answers from the cache, 900 tokens read and 12 written, 6.0 s in calls, 3.00 s per call"
    assert line in caplog.messages


def test_the_stage_writes_the_cost_beside_the_candidates(tmp_path, settings, server):
    server.script = [late(0.05, told(answer("absent p waves"), 900, 12))]
    run_stage(tmp_path, settings, ["Atrial fibrillation", "suggests zork"])
    written = json.loads((tmp_path / "cost.json").read_text())
    assert (written["calls"], written["prompt_tokens"], written["answer_tokens"]) == (2, 1800, 24)
    assert 0.1 <= written["seconds"] == pytest.approx(written["all_answers"]["seconds"])
    run_stage(tmp_path, settings, ["Atrial fibrillation", "suggests zork"])
    again = json.loads((tmp_path / "cost.json").read_text())
    assert run_of(again) == (0, 2, 0, 0, 0.0, None)
    assert again["all_answers"] == written["all_answers"]


def test_the_table_of_knowledge_costs_nothing(tmp_path):
    run_stage(tmp_path, {"backend": "knowledge"}, ["Atrial fibrillation"])
    written = json.loads((tmp_path / "cost.json").read_text())
    assert run_of(written) == (0, 0, 0, 0, 0.0, None)
    assert set(written["all_answers"].values()) == {0}
