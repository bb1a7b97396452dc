"""Answers on disk: what was answered once is never asked again, whatever happens to the runs."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from language_servers import answer, chat, late, statements_of
from recovery_setup import (
    FOLDER,
    PROMPTS,
    ROOT,
    VOCABULARY,
    backend,
    clock,
    language_model,
    parse,
    propose,
    server,
    settings,
)

from fgclep.errors import UserError
from fgclep.language.reports import parse_reports
from fgclep.recovery.cache import AnswerCache, _checksum
from fgclep.schemas.reports import TEXTS
from fgclep.tables import write_table

__all__ = ["backend", "clock", "language_model", "propose", "server", "settings"]

# -- nothing is asked twice --------------------------------------------------------------------------------------------


def test_nothing_is_asked_twice(propose, server):
    first = propose(samples=2)
    assert len(server.asked) == 2
    assert propose(samples=2) == first
    assert len(server.asked) == 2
    propose(samples=3)
    assert len(server.asked) == 3  # only the new sample


@pytest.mark.parametrize("changes", [{"temperature": 0.5}, {"max_tokens": 100}, {"text": "atrial flutter"}])
def test_another_question_is_asked_anew(propose, server, changes):
    propose()
    propose(**changes)
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "changes", [{"concurrency": 4}, {"timeout_seconds": 9}, {"patience_seconds": 9}, {"deadline_hours": 1.0}]
)
def test_what_changes_the_speed_only_asks_nothing_anew(propose, server, changes):
    propose()
    propose(**changes)
    assert len(server.asked) == 1


def test_another_model_behind_the_same_name_is_asked_anew(propose, server):
    propose()
    server.models[0]["digest"] = "another"
    propose()
    assert len(server.asked) == 2


def test_a_statement_that_is_given_twice_is_asked_about_once(language_model, server):
    first, second = language_model().propose(parse("atrial fibrillation", "atrial fibrillation"))
    assert first == second and len(server.asked) == 1


def test_a_question_is_stored_with_all_that_determines_its_answer(propose, tmp_path):
    propose()
    (path,) = (tmp_path / "cache").glob("*/*.json")
    question = json.loads(path.read_text())["question"]
    assert sorted(question) == [
        *("backend", "features", "model", "model_digest", "options", "prompt_hash", "sample", "text"),
    ]
    assert question["options"] == {"context_tokens": 4096, "max_tokens": 512, "seed": 0, "temperature": 0.0}


# -- damaged files -----------------------------------------------------------------------------------------------------


def another_answer(record):
    record["answer"] = ["delta wave"]
    return json.dumps(record).encode()


def another_question(record):
    record = {"question": {**record["question"], "text": "x"}, "answer": [], "more": {}}
    return json.dumps({**record, "checksum": _checksum(record)}).encode()


DAMAGE = {
    "empty": lambda record: b"",
    "cut": lambda record: json.dumps(record).encode()[:-20],
    "zeros": lambda record: bytes(500),
    "no text": lambda record: b"\xff\xfe\x00",
    "another form": lambda record: b"[]",
    "a number": lambda record: b"7",
    "a changed answer": another_answer,
    "another question": another_question,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_named_and_its_question_asked_again(propose, server, tmp_path, caplog, damage):
    first = propose()
    (path,) = (tmp_path / "cache").glob("*/*.json")
    path.write_bytes(damage(json.loads(path.read_text())))
    caplog.clear()
    assert propose() == first
    assert str(path) in caplog.text and "asked again" in caplog.text
    assert len(server.asked) == 2
    caplog.clear()
    assert propose() == first
    assert len(server.asked) == 2 and str(path) not in caplog.text  # mended


def test_a_cache_that_cannot_be_written_is_named(propose, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"(?s)cannot keep answers in .*file.*recovery:\n      cache:"):
        propose(cache=str(tmp_path / "file"))


# -- several processes -------------------------------------------------------------------------------------------------

STATEMENTS = [f"zork {i}" for i in range(12)]


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}


def start_stage(folder, settings, name):
    """The stage in a process of its own."""
    arguments = ["--texts", str(folder / "texts.parquet"), "--vocabulary", str(FOLDER), "--prompts", str(PROMPTS)]
    arguments += [
        "--output",
        str(folder / f"{name}.parquet"),
        "--cost",
        str(folder / f"{name}.json"),
        "--settings",
        json.dumps(settings),
    ]
    return subprocess.Popen(
        [sys.executable, "-m", "fgclep.stages.recover_features", *arguments],
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def texts(tmp_path):
    write_table(parse_reports([("m", "1", STATEMENTS)], VOCABULARY, 1).texts, tmp_path / "texts.parquet", TEXTS)
    return tmp_path


def asked_texts(server):
    return [text for request in server.asked for text in statements_of(request).values()]


def test_two_processes_at_once_may_ask_the_same_and_get_the_same(texts, settings, server):
    server.script = [late(0.2, chat(answer("absent p waves")))]
    processes = [start_stage(texts, settings, name) for name in ("one", "two")]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert set(asked_texts(server)) == set(STATEMENTS)
    assert (texts / "one.parquet").read_bytes() == (texts / "two.parquet").read_bytes()
    kept = [path for path in (texts / "cache").rglob("*") if path.is_file()]
    assert len(kept) == len(STATEMENTS) and all(path.suffix == ".json" for path in kept)


def test_writers_of_the_same_answer_do_no_harm_to_each_other(tmp_path):
    cache, question = AnswerCache(tmp_path), {"text": "a", "sample": 0}

    def write_and_read(number):
        for _ in range(50):
            cache.put(question, ["absent p waves"], {"seconds": number})
            assert cache.get(question)["answer"] == ["absent p waves"]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write_and_read, range(8)))
    assert [path.suffix for path in tmp_path.glob("*/*")] == [".json"]


def test_a_killed_run_goes_on_where_it_was(texts, settings, server):
    server.script = [late(0.1, chat(answer("absent p waves")))]
    process = start_stage(texts, settings, "one")
    while len(server.asked) < 5:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (texts / "one.parquet").exists()
    again = start_stage(texts, settings, "one")
    _, errors = again.communicate(timeout=60)
    assert again.returncode == 0, errors
    assert set(asked_texts(server)) == set(STATEMENTS)
    assert len(server.asked) in (len(STATEMENTS), len(STATEMENTS) + 1)  # what was under way when it was killed
