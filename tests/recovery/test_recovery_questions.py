"""What is asked about a statement, in both ways, what is proposed for every record, and the probe before it all."""

import json
import math

import pytest
from language_servers import MODEL, Action, answer, chat, send_json, statements_of, status
from recovery_setup import (
    FOLDER,
    PROMPTS,
    VOCABULARY,
    backend,
    clock,
    language_model,
    measured,
    parse,
    recovery_settings,
    run_stage,
    server,
    settings,
    verify,
)

from fgclep.errors import UserError
from fgclep.recovery.everything import EverythingBackend
from fgclep.recovery.probe import DIAGNOSES, STATEMENTS, goes_with, run_probe
from fgclep.recovery.questions import REFERENCE, asked_features, log_odds, make_questions
from fgclep.recovery.server import UnusableAnswer
from fgclep.recovery.shortlist import Shortlists

__all__ = ["backend", "clock", "language_model", "server", "settings"]
BOTH = pytest.mark.parametrize("backend", ["ollama", "openai"])
MEASURED = {f.id for f in VOCABULARY.features.values() if f.rule is not None}
IDS = {f.text: f.id for f in VOCABULARY.features.values()}
ASK = {"ask": "unmeasured", "shortlist": 16, "items": 4, "min_auroc": None}


def questions(**changes):
    section = language_model_settings(**changes)
    return make_questions(section, PROMPTS, VOCABULARY)


def language_model_settings(**changes):
    from fgclep.config.recovery import RecoverySection

    return RecoverySection.model_validate(recovery_settings(backend="ollama", **changes))


# -- what is asked -----------------------------------------------------------------------------------------------------


def test_what_is_measured_is_proposed_for_every_record_and_not_asked(tmp_path, settings, server):
    rows = run_stage(tmp_path, {**settings, **ASK}, ["Atrial fibrillation", "Sinus rhythm"])
    every = [row for row in rows if row["text_id"] is None]
    assert {row["feature"] for row in every} == MEASURED
    assert {(row["statement"], row["backend"], row["votes"], row["samples"]) for row in every} == {
        ("", "everything", 1, 1)
    }
    # all that goes with sinus rhythm is measured, so nothing is asked about it
    assert [statements_of(request)["statement_1"] for request in server.asked] == ["atrial fibrillation"]
    (asked,) = server.asked
    offered = set(asked["format"]["$defs"]["features"]["items"]["enum"]) - {"unknown"}
    assert {IDS[text] for text in offered}.isdisjoint(MEASURED) and "fibrillatory waves" in offered
    assert asked["format"]["$defs"]["features"]["maxItems"] == 4


def test_without_a_model_every_measurable_feature_is_judged_in_every_record(tmp_path):
    run_stage(tmp_path, {"backend": "everything"}, ["Sinus rhythm"])
    reports = [["Sinus rhythm"], ["Left bundle branch block"]]
    audit = verify(tmp_path, reports, [measured(i, qrs_ms=ms) for i, ms in (("0", 90.0), ("1", 150.0))])
    assert {row["record_id"] for row in audit} == {"0", "1"}
    assert {row["feature"] for row in audit} <= MEASURED and {row["statement"] for row in audit} == {""}
    wide = {row["record_id"]: row["reason"] for row in audit if row["feature"] == "wide_qrs"}
    assert wide == {"0": "refuted", "1": "supported"}
    assert len(EverythingBackend(VOCABULARY).for_every_record()) == len(MEASURED)


def test_the_votes_of_what_is_measured_are_never_too_few():
    assert {(c.votes, c.samples) for c in EverythingBackend(VOCABULARY, 3).for_every_record()} == {(3, 3)}


@pytest.mark.parametrize("text", ["left bundle branch block", "possible inferior infarct", "suggests zork", "av block"])
def test_a_shortlist_holds_what_may_go_with_the_statement(text):
    (statement,) = parse(text)
    chosen = Shortlists(VOCABULARY, list(VOCABULARY.features), 16).of(statement)
    assert 3 < len(chosen) <= 16 and len(set(chosen)) == len(chosen)
    assert not {*statement.features, *statement.negated} & set(chosen)
    diagnoses = [VOCABULARY.diagnoses[name] for name in statement.diagnoses]
    own = {name for diagnosis in diagnoses for name in goes_with(diagnosis)}
    if own:
        assert 1 <= len(own & set(chosen)) < len(chosen)  # neither all nor nothing is right
    certain = [d for d in diagnoses if d.id not in statement.possible]
    assert not {name for d in certain for name in d.incompatible} & set(chosen)


def test_each_sample_lists_the_features_in_an_order_of_its_own_that_is_the_same_in_every_run():
    (statement,) = parse("left bundle branch block")
    asked = questions(samples=3).about(statement)
    assert len({question.features for question in asked}) == 3
    assert len({frozenset(question.features) for question in asked}) == 1
    assert questions(samples=3).about(statement) == asked


def test_as_published_all_features_are_listed_in_the_order_of_the_vocabulary():
    (statement,) = parse("sinus rhythm")
    (question,) = questions(ask="all", shortlist=None, items=24).about(statement)
    assert list(question.features) == [feature.text for feature in VOCABULARY.features.values()]


def test_an_item_that_is_said_twice_counts_once_and_of_too_many_the_first_count(language_model, server):
    server.script = [answer("absent p waves", "absent p waves", "fibrillatory waves", "delta wave")]
    (candidates,) = language_model(items=2).propose(parse("atrial fibrillation"))
    assert [candidate.feature for candidate in candidates] == ["absent_p", "fibrillatory_waves"]


# -- likelihood --------------------------------------------------------------------------------------------------------


def words(**chances: float) -> Action:
    """The likeliest first words of an answer, in the API that was asked."""

    def act(handler):
        top = [{"token": word, "logprob": math.log(chance), "bytes": []} for word, chance in chances.items()]
        token = {**top[0], "top_logprobs": top}
        if handler.path == "/api/chat":
            chat("Yes", "length", logprobs=[token])(handler)
            return
        choice = {"index": 0, "finish_reason": "length", "message": {"role": "assistant", "content": "Yes"}}
        choice["logprobs"] = {"content": [token]}
        send_json(handler, {"id": "1", "object": "chat.completion", "created": 1, "model": MODEL, "choices": [choice]})

    return act


class Knowing:
    """Says yes to what goes with the diagnoses of a statement, and otherwise no, with a fixed bias to yes."""

    def __init__(self, server, sure=0.9):
        self.server, self.sure = server, sure

    def __call__(self, handler):
        request = self.server.asked[-1]
        feature = request["messages"][0]["content"].rpartition("Feature: ")[2].strip()
        (statement,) = parse(statements_of(request)["statement_1"])
        known = any(IDS[feature] in goes_with(VOCABULARY.diagnoses[name]) for name in statement.diagnoses)
        yes = self.sure if known else 0.6
        words(Yes=yes, No=1 - yes)(handler)


@BOTH
def test_a_feature_is_proposed_that_is_likelier_than_with_other_statements(language_model, server):
    server.script = [Knowing(server)]
    model = language_model(question="likelihood", **{**ASK, "items": 2})
    (candidates,) = model.propose(parse("possible left bundle branch block"))
    assert 1 <= len(candidates) <= 2  # yes is likelier than no for all
    assert {c.feature for c in candidates} <= goes_with(VOCABULARY.diagnoses["lbbb"])
    features = {request["messages"][0]["content"].rpartition("Feature: ")[2].strip() for request in server.asked}
    assert len(server.asked) == len(features) * (1 + len(REFERENCE))
    asked = len(server.asked)
    model.propose(parse("possible left bundle branch block"))
    assert len(server.asked) == asked  # the numbers are kept


@BOTH
def test_a_server_that_tells_no_probabilities_is_named_with_the_way_out(language_model, server):
    server.script = [chat("Yes")]
    with pytest.raises(UserError, match=r"tells no probabilities(?s:.*)question: list"):
        language_model(question="likelihood").propose(parse("atrial fibrillation"))


@pytest.mark.parametrize(
    ("told", "odds"),
    [
        ({"Yes": 0.6, "No": 0.2, " yes": 0.1}, math.log(0.7 / 0.2)),
        ({"no.": 0.9, "Maybe": 0.05}, math.log(0.05 / 0.9)),  # yes is at most as likely as the last word
    ],
)
def test_the_odds_are_those_of_yes_in_any_writing_against_no(told, odds):
    assert log_odds([(word, math.log(chance)) for word, chance in told.items()]) == pytest.approx(odds)


def test_an_answer_without_yes_and_no_is_unusable():
    with pytest.raises(UnusableAnswer, match="neither yes nor no"):
        log_odds([("Sure", -0.1), ("Well", -2.0)])


# -- the probe ---------------------------------------------------------------------------------------------------------


class Listing:
    """Answers a question about a list by a function of the statement and of the features that it offers."""

    def __init__(self, server, choose):
        self.server, self.choose = server, choose

    def __call__(self, handler):
        request = self.server.asked[-1]
        (statement,) = parse(statements_of(request)["statement_1"])
        offered = [text for text in request["format"]["$defs"]["features"]["items"]["enum"] if text != "unknown"]
        chat(json.dumps({"statement_1": self.choose(statement, offered)}))(handler)


def known(statement, offered):
    own = {name for diagnosis in statement.diagnoses for name in goes_with(VOCABULARY.diagnoses[diagnosis])}
    return [text for text in offered if IDS[text] in own][:4]


def probe(language_model, server, choose, **changes):
    server.script = [Listing(server, choose)]
    return run_probe(language_model(**{**ASK, **changes}), "m", VOCABULARY)


def test_a_model_that_knows_passes_the_probe_and_the_controls_stand_beside(language_model, server):
    found = probe(language_model, server, known)
    assert found.auroc > 0.85 and found.auroc_listed > 0.8 and found.auroc_reversed > 0.8
    assert found.plausible == 1 and 0.3 < found.plausible_random < 0.7 and found.plausible_constant < 0.5
    assert (found.excluded, found.loops, found.abstentions, found.failures) == (0, 0, 0, 0)
    assert f"AUROC {found.auroc:.2f}" in found.text() and "constant" in found.text()


@pytest.mark.parametrize(
    "choose",
    [lambda statement, offered: offered[:4], lambda statement, offered: ["unknown"]],
    ids=["top of the list", "abstains"],
)
def test_a_model_that_answers_without_reading_has_the_auroc_of_chance(language_model, server, choose):
    found = probe(language_model, server, choose)
    assert found.auroc == pytest.approx(0.5)
    assert found.agreement is None or found.agreement < 0.35


def test_repeated_items_are_counted_as_loops(language_model, server):
    found = probe(language_model, server, lambda statement, offered: [offered[0], offered[0]])
    assert found.loops == 1


def test_a_model_that_knows_passes_by_likelihood(language_model, server, monkeypatch):
    monkeypatch.setattr("fgclep.recovery.probe.STATEMENTS", STATEMENTS[10:12])
    server.script = [Knowing(server)]
    found = run_probe(language_model(question="likelihood", **ASK), "m", VOCABULARY)
    assert found.auroc > 0.95 and found.auroc_listed is found.agreement is None
    assert found.plausible == 1


def test_a_model_near_chance_ends_the_run_before_its_first_question(tmp_path, settings, server):
    server.script = [Listing(server, lambda statement, offered: offered[:4])]
    with pytest.raises(UserError, match=r"AUROC 0\.50(?s:.*)min_auroc: 0"):
        run_stage(tmp_path, {**settings, **ASK, "min_auroc": 0.6}, ["suggests zork"])
    assert "suggests zork" not in {statements_of(request)["statement_1"] for request in server.asked}
    run_stage(tmp_path, {**settings, **ASK, "min_auroc": 0}, ["suggests zork"])
    assert json.loads((tmp_path / "cost.json").read_text())["probe"]["auroc"] == 0.5


def test_the_questions_of_the_probe_are_known_to_the_vocabulary():
    assert set(DIAGNOSES) <= set(VOCABULARY.diagnoses) and len(set(STATEMENTS)) == 20
    assert all(statement.diagnoses for statement in parse(*STATEMENTS))
    assert all(statement.diagnoses for statement in parse(*REFERENCE))
    assert len(asked_features(language_model_settings(), VOCABULARY)) == len(VOCABULARY.features) - len(MEASURED)
    assert FOLDER.is_dir()


# -- servers -----------------------------------------------------------------------------------------------------------


def test_a_server_that_is_still_loading_is_waited_for(language_model, server, clock, monkeypatch):
    from fgclep.recovery import ollama
    from fgclep.recovery.server import NoReply

    told = [NoReply("Loading model", loading=True), NoReply("Loading model", loading=True)]
    real = ollama.OllamaServer.model

    def model(self):
        if told:
            raise told.pop()
        return real(self)

    monkeypatch.setattr(ollama.OllamaServer, "model", model)
    assert language_model().model_digest
    assert clock.waits == [1.0]


@BOTH
def test_a_status_503_says_that_the_server_is_loading(settings, server):
    from recovery_setup import SERVERS

    from fgclep.config.recovery import RecoverySection
    from fgclep.recovery.server import NoReply, Options

    section = RecoverySection.model_validate(settings)
    server.script = [status(503, {"error": {"message": "Loading model"}})]
    with pytest.raises(NoReply) as error:
        SERVERS[section.backend](section).ask("x", {"type": "object"}, Options(0.0, 0, 16, 256))
    assert error.value.loading


@pytest.mark.parametrize("backend", ["openai"])
def test_a_model_served_with_another_context_is_the_same_model(language_model, server, monkeypatch):
    first = language_model().model_digest
    server.says = json.dumps(
        {"object": "list", "data": [{"id": MODEL, "object": "model", "meta": {"n_ctx": 4096, "size": 7}}]}
    ).encode()
    small = language_model().model_digest
    server.says = server.says.replace(b"4096", b"8192")
    assert language_model().model_digest == small
    server.says = server.says.replace(b"7", b"9")
    assert language_model().model_digest not in (small, first)
