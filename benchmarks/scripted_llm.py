"""A language model with a known share of errors, behind Ollama's API: what a filter is to be judged on.

For each statement it holds a list of features that it believes in: six in ten are features that ECGs with one of the
statement's diagnoses show (typical or alternative in the vocabulary), four in ten are plausible and wrong: features
that a diagnosis of the statement excludes, that belong to another diagnosis of the same group, or the same finding in
another place. One in eight of the wrong ones is no feature at all, but a diagnosis or an invented name. Each answer
leaves out a fifth of the list at random and adds one more hallucination, so that votes tell what is believed from what
is said once.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from fgclep.folds import stable_bucket
from fgclep.language.parser import StatementParser
from fgclep.language.statements import Statement
from fgclep.language.vocabulary import Vocabulary

MODEL, DIGEST = "scripted:60-right", "0" * 12
RIGHT = 0.6
MOST_RIGHT = 9  # features of an answer
LEFT_OUT = 0.2
NO_FEATURE = 1 / 8
INVENTED = ("spiky waves", "camel hump sign", "reversed qt morphology")


class ScriptedModel:
    """Answers about statements; the same seed gives the same answers.

    Parameters
    ----------
    vocabulary
        What is right about a diagnosis.
    seed
        Of its beliefs and its slips.
    """

    def __init__(self, vocabulary: Vocabulary, seed: int = 0):
        self._vocabulary = vocabulary
        self._parser = StatementParser(vocabulary)
        self._seed = seed

    def answer(self, text: str, sample: int) -> list[str]:
        """Return the features named in one answer about a statement, in words."""
        statement = self._parser.parse(text)
        right, wrong = self.right(statement), self.wrong(statement)
        if not right:
            return ["unknown"]
        rng = np.random.default_rng([self._seed, stable_bucket(text, 2**31)])
        believed = [str(name) for name in rng.permutation(right)[:MOST_RIGHT]]
        errors = round(len(believed) * (1 - RIGHT) / RIGHT)
        believed += [self._slip(rng, wrong) for _ in range(errors)]
        words = self._vocabulary.features
        said = np.random.default_rng([self._seed, stable_bucket(text, 2**31), sample])
        named = [name for name in believed if said.random() > LEFT_OUT] + [self._slip(said, wrong)]
        return list(dict.fromkeys(words[name].text if name in words else name for name in named))

    def right(self, statement: Statement) -> list[str]:
        """Features that go with the statement's diagnoses."""
        diagnoses = [self._vocabulary.diagnoses[name] for name in statement.diagnoses]
        return sorted({name for d in diagnoses for name in (*d.typical, *d.alternative)})

    def wrong(self, statement: Statement) -> list[str]:
        """Plausible features that do not go with them."""
        vocabulary = self._vocabulary
        mine = [vocabulary.diagnoses[name] for name in statement.diagnoses]
        groups = {d.group for d in mine}
        others = [d for d in vocabulary.diagnoses.values() if d.group in groups and d not in mine]
        implied = {name for d in mine for name in (*d.typical, *d.alternative)}
        general = {vocabulary.features[name].general for name in implied} - {None}
        found = {name for d in mine for name in d.incompatible} | {name for d in others for name in d.typical}
        found |= {feature.id for feature in vocabulary.features.values() if feature.general in general}
        return sorted(found - implied - {name for d in mine for name in d.seldom})

    def _slip(self, rng: np.random.Generator, wrong: list[str]) -> str:
        if not wrong or rng.random() < NO_FEATURE:
            return str(rng.choice([*INVENTED, *(d.text for d in self._vocabulary.diagnoses.values())]))
        return str(rng.choice(wrong))


class ScriptedOllama:
    """The model behind as much of Ollama's API as a client needs, on a free port of this machine."""

    def __init__(self, model: ScriptedModel):
        self.calls = 0
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else 40 ms a reply

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                tags = {"models": [{"name": MODEL, "model": MODEL, "digest": DIGEST}]}
                self._reply(tags if self.path == "/api/tags" else {"version": "0"})

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                prompt = asked["messages"][0]["content"]
                statements = json.loads(prompt.split("<statements>\n")[1].split("\n</statements>")[0])
                answers = {key: model.answer(text, asked["options"]["seed"]) for key, text in statements.items()}
                content = json.dumps(answers)
                with lock:
                    owner.calls += 1
                message = {"role": "assistant", "content": content}
                tokens = {"prompt_eval_count": len(prompt.split()), "eval_count": len(content.split())}
                self._reply({"model": MODEL, "message": message, "done": True, "done_reason": "stop", **tokens})

            def _reply(self, reply: dict[str, Any]) -> None:
                content = json.dumps(reply).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        owner = self
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self._http.shutdown()
        self._http.server_close()
