"""Fixtures for recovery with a language model; import those that a test module needs."""

import json

import pytest
from conftest import ROOT
from language_servers import MODEL, ScriptedServer

from fgclep.config.load import validate_config
from fgclep.config.recovery import RecoverySection
from fgclep.language.parser import StatementParser
from fgclep.language.reports import parse_reports
from fgclep.language.statements import clean_statement
from fgclep.language.vocabulary import load_vocabulary
from fgclep.recovery.language_model import LanguageModel
from fgclep.recovery.ollama import OllamaServer
from fgclep.recovery.openai import OpenAIServer
from fgclep.recovery.retries import Clock
from fgclep.schemas.audit import AUDIT
from fgclep.schemas.candidates import CANDIDATES
from fgclep.schemas.manifest import MANIFEST
from fgclep.schemas.measurements import MEASUREMENTS
from fgclep.schemas.reports import REPORTS, TEXTS
from fgclep.schemas.scores import SCORES
from fgclep.stages import recover_features, verify_features
from fgclep.tables import read_table, write_table

FOLDER = ROOT / "resources" / "vocabulary"
PROMPTS = ROOT / "resources" / "prompts"
PROMPT = PROMPTS / "recover.txt"
PUBLISHED = {"ask": "all", "shortlist": None, "items": 24, "min_auroc": None}  # all features in one list, no probe
VOCABULARY = load_vocabulary(FOLDER)
PARSER = StatementParser(VOCABULARY)
SERVERS = {"ollama": OllamaServer, "openai": OpenAIServer}


class FakeClock(Clock):
    """Waiting takes no time, and is noted in ``waits``."""

    def __init__(self, deadline=None):
        super().__init__(deadline)
        self.now = 0.0
        self.waits = []

    def seconds(self):
        return self.now

    def wait(self, seconds):
        self.waits.append(seconds)
        self.now += seconds


def recovery_settings(**changes):
    """The config's section with some changes."""
    return validate_config({"recovery": changes}).recovery.model_dump(mode="json")


def parse(*texts):
    return [PARSER.parse(clean_statement(text)) for text in texts]


@pytest.fixture
def server():
    server = ScriptedServer()
    yield server
    server.close()


@pytest.fixture
def backend():
    """To be parametrized where a test is about both kinds of server."""
    return "ollama"


@pytest.fixture
def settings(backend, server, tmp_path):
    return recovery_settings(
        backend=backend, model=MODEL, host=server.url, timeout_seconds=5, cache=str(tmp_path / "cache"), **PUBLISHED
    )


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def language_model(settings, clock):
    """A language model with changes to its settings."""

    def make(**changes):
        clock._stop.clear()
        # not validated: the scripted server's answers differ without a temperature, and are short
        section = RecoverySection.model_validate(settings).model_copy(update=changes)
        return LanguageModel(SERVERS[section.backend](section), section, PROMPTS, VOCABULARY, clock)

    return make


@pytest.fixture
def propose(language_model):
    """Candidates of one statement."""

    def run(text="atrial fibrillation", **changes):
        (candidates,) = language_model(**changes).propose(parse(text))
        return candidates

    return run


def run_stage(folder, settings, report):
    """Run the stage on the statements of one report and return its candidates."""
    write_table(parse_reports([("m", "1", report)], VOCABULARY, 3).texts, folder / "texts.parquet", TEXTS)
    arguments = ["--texts", str(folder / "texts.parquet"), "--vocabulary", str(FOLDER), "--prompts", str(PROMPTS)]
    arguments += [
        "--output",
        str(folder / "candidates.parquet"),
        "--cost",
        str(folder / "cost.json"),
        "--settings",
        json.dumps(settings),
    ]
    recover_features.main(recover_features.arguments().parse_args(arguments))
    return read_table(folder / "candidates.parquet", CANDIDATES).to_pylist()


SEEN = 10.0  # logit


def measured(record_id, **values):
    row = dict.fromkeys(MEASUREMENTS.names) | {"source": "m", "record_id": record_id, "intervals_from": "database"}
    return row | values


def verify(folder, reports, measurements):
    """Run the stage; the reader sees every second feature of the vocabulary in every record."""
    rows = [("m", str(i), texts) for i, texts in enumerate(reports)]
    parsed = parse_reports(rows, VOCABULARY, 1)
    empty = dict.fromkeys(MANIFEST.names)
    manifest = [
        {
            **empty,
            "source": "m",
            "record_id": i,
            "patient_id": i,
            "path": "x",
            "chunk": 0,
            "split": "train",
            "report": t,
        }
        for _, i, t in rows
    ]
    seen = [SEEN if number % 2 else -SEEN for number in range(len(VOCABULARY.features))]
    scores = [{"source": "m", "record_id": i, "fold": 0, "scores": seen} for _, i, _ in rows]
    for name, table, schema in (
        ("scores", scores, SCORES),
        ("manifest", manifest, MANIFEST),
        ("reports", parsed.reports, REPORTS),
        ("measurements", measurements, MEASUREMENTS),
    ):
        write_table(table, folder / f"{name}.parquet", schema)
    files = ("candidates", "texts", "reports", "measurements", "scores")
    arguments = [f"--{name}={folder / name}.parquet" for name in files]
    arguments += [f"--manifests={folder}/manifest.parquet", f"--output={folder}/audit.parquet"]
    settings = {"folds": 2, "min_votes": 1, "measurement": True, "contradiction": True, "reader": "coarse"}
    settings |= {"threshold": 0.95, "target_fdr": 0.1}
    arguments += ["--vocabulary", str(FOLDER), "--settings", json.dumps(settings)]
    verify_features.main(verify_features.arguments().parse_args(arguments))
    return read_table(folder / "audit.parquet", AUDIT).to_pylist()
