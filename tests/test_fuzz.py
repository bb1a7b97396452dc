"""Whatever a file or a server from outside says: an error for the user that names it, and no harm.

No traceback of another kind escapes, nothing is written or read outside of the folder in work, nothing hangs or asks
for gigabytes. FGCLEP_FUZZ_EXAMPLES sets the number of examples per reader; `.ci/run nightly` takes more than pytest.
"""

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from clinical_files import aecg, write_dicom
from edfio import Edf, EdfSignal
from fuzzing import ROOT, fuzzed, mutated, outcome
from hypothesis import example, given
from hypothesis import strategies as st
from language_servers import MODEL, ScriptedServer, body
from recovery_setup import PROMPT, SERVERS, recovery_settings
from wfdb_files import heart, write_record

from fgclep.config.load import load
from fgclep.config.recovery import RecoverySection
from fgclep.errors import UserError
from fgclep.evaluation.tasks import PublishedSplit, load_task
from fgclep.fetch.archive import ArchiveReader
from fgclep.fetch.lists import CHECKSUMS, RECORDS, iterate_checksums, listed_records
from fgclep.fetch.manifest import build_manifest
from fgclep.language.vocabulary import load_vocabulary
from fgclep.leads import LEADS
from fgclep.recordings.read import read_recording
from fgclep.recordings.wfdb_file import read_record
from fgclep.recovery.cache import AnswerCache
from fgclep.recovery.prompt import Prompt
from fgclep.recovery.server import NoReply, Options, UnusableAnswer
from fgclep.review.score import read_answers
from fgclep.sources import get_source
from fgclep.stages.fetch_split import record_ids

SHORT = heart(seconds=6)
CLINICAL = find_spec("ecgdatakit") and find_spec("pydicom")  # of the extra 'clinical', which the extra 'test' has
SUMS = "".join(f"{number:064x} {name}\n" for number, name in enumerate(("files/1.hea", "files/1.dat", "files/2.hea")))
TASK = """name: task
source: csn
label_set: two
overlapping: [[AF, SR]]
classes:
  - {name: AF, title: fibrillation, codes: ["1", "2"], prompts: [atrial fibrillation]}
  - {name: SR, title: rhythm, codes: ["3"], prompts: [sinus rhythm]}
split:
  column: path
  files:
    test: {path: test.csv, sha256: %s}
""" % ("a" * 64)
FEATURES = """version: 1
features:
  - {id: long_pr, text: prolonged pr interval, source: x, wave: pr, rule: {measure: pr_ms, above: 200, margin: 10}}
  - {id: st_up, text: st elevation, source: x, rule: {all: [{measure: st_mv, leads: [II], count: 1, above: 0.1}]}}
"""
DIAGNOSES = """version: 1
shared_codes: []
diagnoses:
  - {id: av_block, text: av block, group: rhythm, source: x, required: [long_pr], incompatible: [st_up]}
"""

PTB_XL = (
    "ecg_id,patient_id,age,sex,report,scp_codes,strat_fold,filename_lr,filename_hr\n"
    "1,15709.0,56.0,1,sinusrhythmus,\"{'NORM': 100.0, 'SR': 0.0}\",3,records100/00001_lr,records500/00001_hr\n"
)
MIMIC_LIST = "subject_id,study_id,file_name,ecg_time,path\n10,40,40,2180-07-23 08:44:00,files/p10/s40/40\n"
MIMIC_MACHINE = (
    f"subject_id,study_id,cart_id,ecg_time,{','.join(f'report_{i}' for i in range(18))},bandwidth,filtering,"
    "rr_interval,p_onset,p_end,qrs_onset,qrs_end,t_end,p_axis,qrs_axis,t_axis\n"
    f"10,40,6,2180-07-23 08:44:00,Sinus rhythm,Normal ECG{16 * ','},0.005-150 Hz,filter,"
    "659,40,128,170,258,518,81,77,65\n"
)
MIMIC = ("record_list.csv", "machine_measurements.csv")
SPLIT = b"path,x\nWFDB/01/JS1.mat,1\nWFDB/02/JS2,2\n"
LUDB = (
    "ID,Sex,Age,Rhythms,Electric axis of the heart,Conduction abnormalities,Extrasystolies,Hypertrophies,"
    'Cardiac pacing,Ischemia,Non-specific repolarization abnormalities,Other states\n1,"F\n","51\n",Sinus,,,,,,,,\n'
)
LOCAL = (
    "id,patient,report,age,sex,split,codes,path\nr1,p1,Sinus rhythm; Left axis,61,F,train,1;2,a/r1\nr2,p2,AF,,M,,,\n"
)
REVIEW = (
    "source,record_id,statement,feature,decision,weight,answer,blind,comment\n"
    "m,1,atrial fibrillation,absent p waves,accepted,1.5,accept,yes,none\n"
)


def record_files() -> tuple[bytes, bytes]:
    """Return the header and the signal file of a record."""
    with TemporaryDirectory() as folder:
        write_record(Path(folder), "r", SHORT, comments=["Age: 71", "Sex: Female", "Dx: 427172004,10370003"])
        return (Path(folder) / "r.hea").read_bytes(), (Path(folder) / "r.dat").read_bytes()


def archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("files/1.hea", "files/1.dat", f"files/{'n' * 120}.dat"):
            info = tarfile.TarInfo(name)
            info.size = 700
            tar.addfile(info, io.BytesIO(b"x" * 700))
    return buffer.getvalue()


def edf() -> bytes:
    edf = Edf([EdfSignal(mv, 500, label=lead, physical_dimension="mV") for lead, mv in zip(LEADS, SHORT, strict=True)])
    return edf.to_bytes()


def dicom() -> bytes:
    with TemporaryDirectory() as folder:
        return write_dicom(Path(folder) / "r.dcm").read_bytes()


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, SHORT.astype(np.float32))
    return buffer.getvalue()


def table(values: np.ndarray) -> bytes:
    rows = (",".join([f"{2 * number}", *(f"{value:.3f}" for value in row)]) for number, row in enumerate(values.T))
    return "\n".join([",".join(["time [ms]", *LEADS]), *rows]).encode()


def manifest_of(key: str) -> Callable[[Path], object]:
    """Read the tables of a source as the stage does, and its intervals."""

    def read(folder: Path) -> None:
        source = get_source(key)
        build_manifest(source, folder, 3)[0].to_arrow()
        if source.intervals is not None:
            source.intervals(folder)

    return read


def extract_all(folder: Path) -> None:
    target = folder / "work"
    target.mkdir(exist_ok=True)
    with ArchiveReader(folder / "chunk.tar") as archive:
        for name in list(archive._members):
            archive.extract(name, target / Path(name).name)


@dataclass(frozen=True)
class Reader:
    """A reader of a file from outside.

    Parameters
    ----------
    file
        What is mutated.
    valid
        Its content as it should be.
    read
        Takes the folder with the file.
    expected
        What a reader may raise: ``UserError`` is shown to the user, ``ValueError`` of recordings becomes a row of the
        quarantine or a line of ``fgclep predict``.
    others
        Files beside it.
    """

    file: str
    valid: bytes
    read: Callable[[Path], object]
    expected: type[Exception] = UserError
    others: tuple[tuple[str, bytes], ...] = ()


def _readers() -> dict[str, Reader]:
    header, signal = record_files()
    lists = ((CHECKSUMS, SUMS.encode()), (RECORDS, b"files/1\nfiles/2\n"))
    cpsc = SUMS.replace("files/", "training/cpsc_2018/g1/").encode()
    words = {"features": FEATURES.encode(), "diagnoses": DIAGNOSES.encode()}
    words["administrative"] = b"patterns: ['^unconfirmed']\n"
    split = PublishedSplit("path", ())

    def record(file: str, valid: bytes, *others: tuple[str, bytes]) -> Reader:
        return Reader(file, valid, lambda folder: read_record(folder / "r"), ValueError, others)

    def recording(file: str, valid: bytes, *others: tuple[str, bytes], fs: float | None = None) -> Reader:
        return Reader(file, valid, lambda folder: read_recording(folder / file, fs=fs), ValueError, others)

    def tables(key: str, file: str, text: str, *others: tuple[str, bytes]) -> Reader:
        return Reader(file, text.encode(), manifest_of(key), others=(*lists, *others))

    def one(file: str, valid: bytes, read: Callable[[Path], object], *others: tuple[str, bytes]) -> Reader:
        return Reader(file, valid, lambda folder: read(folder / file), others=others)

    return {
        "header": record("r.hea", header, ("r.dat", signal)),
        "signal": record("r.dat", signal, ("r.hea", header)),
        "predict-wfdb": recording("r.hea", header, ("r.dat", signal)),
        "predict-edf": recording("r.edf", edf()),
        "predict-csv": recording("r.csv", table(SHORT)),
        "predict-npy": recording("r.npy", npy(), fs=500),
        **(
            {"predict-aecg": recording("r.xml", aecg()), "predict-dicom": recording("r.dcm", dicom())}
            if CLINICAL
            else {}
        ),
        "checksums": one(CHECKSUMS, SUMS.encode(), lambda path: list(iterate_checksums(path))),
        "records": one(RECORDS, b"files/1\nfiles/3.hea\n", lambda path: listed_records(path.parent, ""), lists[0]),
        "mimic-list": tables("mimic-iv-ecg", MIMIC[0], MIMIC_LIST, (MIMIC[1], MIMIC_MACHINE.encode())),
        "mimic-machine": tables("mimic-iv-ecg", MIMIC[1], MIMIC_MACHINE, (MIMIC[0], MIMIC_LIST.encode())),
        "ptb-xl": tables("ptb-xl", "ptbxl_database.csv", PTB_XL),
        "ludb": tables("ludb", "ludb.csv", LUDB),
        "local": tables("local", "records.csv", LOCAL),
        "cpsc2018": Reader(CHECKSUMS, cpsc, manifest_of("cpsc2018"), others=lists[1:]),
        "archive": Reader("chunk.tar", archive(), extract_all),
        "split": one("split.csv", SPLIT, lambda path: list(record_ids(path, split, get_source("csn")))),
        "config": one("config.yaml", (ROOT / "workflow/config/real.yaml").read_bytes(), load),
        "task": one("task.yaml", TASK.encode(), load_task),
        "prompt": one("recover.txt", PROMPT.read_bytes(), Prompt),
        "review": one("review.csv", REVIEW.encode(), read_answers),
        **{
            name: Reader(
                f"{name}.yaml", text, load_vocabulary, others=tuple((f"{n}.yaml", t) for n, t in words.items())
            )
            for name, text in words.items()
        },
    }


READERS = _readers()
# the command puts the name before it
NAMES_NO_FILE = {f"predict-{kind}" for kind in ("wfdb", "edf", "csv", "npy", "aecg", "dicom")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("work")


def try_it(name: str, content: bytes, folder: Path) -> Exception | None:
    reader, place = READERS[name], folder / name
    place.mkdir(exist_ok=True)
    for file, other in (*reader.others, (reader.file, content)):
        (place / file).write_bytes(other)
    error = outcome(place, lambda: reader.read(place), reader.expected)
    if error is not None and name not in NAMES_NO_FILE:
        known = (
            [reader.file, Path(reader.file).stem, str(place)]
            if reader.expected is ValueError
            else [str(place), "config:"]
        )
        assert any(part in str(error) for part in known), f"{error!r} does not name the file"
    return error


@pytest.mark.parametrize("name", READERS)
def test_what_is_fuzzed_is_read_as_it_is(name, folder):
    assert try_it(name, READERS[name].valid, folder) is None


@pytest.mark.parametrize("name", READERS)
def test_a_broken_file_is_an_error_for_the_user(name, folder):
    @fuzzed
    @given(mutated(READERS[name].valid))
    def check(content: bytes) -> None:
        try_it(name, content, folder)

    check()


# -- found so far ------------------------------------------------------------------------------------------------------

LAUGHS = b"x0: &x0 [a]\n" + b"".join(
    b"x%d: &x%d [%s*x%d]\n" % (i, i, 9 * (b"*x%d," % (i - 1)), i - 1) for i in range(1, 10)
)
FOUND = {
    "checksums: no UTF-8": ("checksums", b"\x80", "line 1"),
    "RECORDS: no UTF-8": ("records", b"\xff/1\nfiles/3.hea\n", None),
    "a row without an id": ("mimic-list", MIMIC_LIST.encode() + b"11\n", "a row has no record_id"),
    "a code that is a number": ("ptb-xl", PTB_XL.replace("'SR'", "7").encode(), "the code 7 is no text"),
    "a fold without end": ("ptb-xl", PTB_XL.replace(",3,", ",1e309,").encode(), "ecg_id 1: OverflowError"),
    "codes without end": ("ptb-xl", PTB_XL.replace("{'NORM'", 5000 * "-" + "{'NORM'").encode(), "ecg_id 1"),
    "split: no UTF-8": ("split", b"path,x\n\x80,1\n", "no text in UTF-8"),
    "split: no path": ("split", b"path,x\nJS1,1\n..,2\n/,3\n", "line 4: no path in the column"),
    "split: a short row": ("split", b"x,path\n1\n", "line 2: no path in the column"),
    "config: no UTF-8": ("config", b"\x80", "no text in UTF-8"),
    "config: no date": ("config", b"seed: 2024-99-99", "is not YAML"),
    "config: itself": ("config", b"evaluation: &a {b: *a}", "holds itself"),
    "config: a billion laughs": ("config", LAUGHS, "1,000,000 values"),
    "config: without a floor": ("config", b"evaluation: " + 5000 * b"[" + 5000 * b"]", "more than 100 levels"),
    "task: overlapping null": ("task", TASK.replace("[[AF, SR]]", "null").encode(), "overlapping must be a list"),
    "vocabulary: empty": ("features", b"", "a list under the key features"),
    "vocabulary: a number for a rule": ("features", FEATURES.replace("200", "[]").encode(), "above is [], no number"),
    "vocabulary: a text for a list": ("diagnoses", DIAGNOSES.replace("[long_pr]", "0").encode(), "required is 0, not "),
    "vocabulary: no entry": ("diagnoses", b"version: 1\ndiagnoses: [1]\n", "is no mapping"),
    "vocabulary: shared_codes": ("diagnoses", DIAGNOSES.replace("[]", "0").encode(), "must be a list of texts"),
    "vocabulary: no pattern": ("administrative", b"patterns: ['(']\n", "is no pattern"),
    "prompt: no UTF-8": ("prompt", b"# version: 1\n\x80", "no text in UTF-8"),
}  # fmt: skip


@pytest.mark.parametrize("case", FOUND)
def test_what_fuzzing_found_is_an_error_for_the_user(case, folder):
    name, content, message = FOUND[case]
    error = try_it(name, content, folder)
    assert (error is None) if message is None else message in str(error)


HEADERS = {
    "a signal file elsewhere": ("r.dat", "../../../etc/passwd"),
    "a signal file by its path": ("r.dat", "/etc/passwd"),
    "a signal file on the network": ("r.dat", "http://localhost:9/r.dat"),
    "ten billion samples": (" 3000\n", " 10000000000\n"),
    "a billion samples per frame": ("r.dat 16 ", "r.dat 16x1000000000 "),
    "a billion leads": ("r 12 ", "r 1000000000 "),
    "a skew of a billion": ("r.dat 16 ", "r.dat 16:1000000000 "),
    "an offset of a billion": ("r.dat 16 ", "r.dat 16+1000000000000 "),
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_header_leads_nowhere_and_takes_no_memory(case, folder):
    header, (old, new) = READERS["header"].valid.decode(), HEADERS[case]
    assert old in header
    assert try_it("header", header.replace(old, new).encode(), folder) is not None


# -- language models ---------------------------------------------------------------------------------------------------

ANSWER = json.dumps({"statement_1": ["absent p waves", "unknown"]})
OPTIONS = Options(0.0, 0, 100, 4096)


@pytest.fixture(scope="module")
def server():
    server = ScriptedServer()
    yield server
    server.close()


@fuzzed
@given(mutated(ANSWER.encode()))
def test_a_broken_answer_is_unusable_and_no_more(content):
    prompt = Prompt(PROMPT)
    try:
        answer = prompt.read(content.decode("utf-8", errors="replace"))
    except UnusableAnswer:
        return
    assert all(text.isprintable() and len(text) <= 200 for text in answer)


@fuzzed
@given(st.data())
def test_a_broken_entry_of_the_cache_is_asked_again(folder, data):
    place, question = folder / "cache", {"text": "a", "sample": 0}
    cache = AnswerCache(place)
    cache.put(question, ["absent p waves"], {"seconds": 1.0})
    (file,) = place.glob("??/*.json")
    valid = file.read_bytes()
    file.write_bytes(data.draw(mutated(valid)))
    found: list = []
    outcome(place, lambda: found.append(cache.get(question)), UserError)
    assert found[0] is None or (found[0]["answer"], found[0]["more"]) == (["absent p waves"], {"seconds": 1.0})


REPLIES = {
    "ollama": {
        "model": MODEL, "created_at": "2024-01-01T00:00:00Z", "done": True, "done_reason": "stop",
        "message": {"role": "assistant", "content": ANSWER}, "prompt_eval_count": 20, "eval_count": 10,
    },
    "openai": {
        "id": "1", "object": "chat.completion", "created": 1, "model": MODEL, "system_fingerprint": "b1",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": ANSWER}}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30},
    },
}  # fmt: skip
LISTS = {
    "ollama": {"models": [{"name": MODEL, "model": MODEL, "digest": "365c0bd3c000", "size": 1}]},
    "openai": {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 1, "owned_by": "x"}]},
}


@pytest.mark.parametrize("backend", SERVERS)
def test_a_broken_reply_is_one_of_the_three_faults_of_a_server(backend, server):
    settings = recovery_settings(backend=backend, model=MODEL, host=server.url, timeout_seconds=5)
    client = SERVERS[backend](RecoverySection.model_validate(settings))

    @fuzzed
    @given(mutated(json.dumps(REPLIES[backend]).encode()))
    @example(json.dumps(REPLIES[backend]).replace("20", "0.50").encode())
    @example(json.dumps(REPLIES[backend]).replace('"b1"', "[1]").encode())
    def ask(content: bytes) -> None:
        server.script = [body(content)]
        try:
            reply = client.ask("?", {}, OPTIONS)
        except (NoReply, UnusableAnswer, UserError):
            return
        assert isinstance(reply.content, str) and isinstance(reply.server_version, str)
        assert all(type(number) in {int, type(None)} for number in (reply.prompt_tokens, reply.answer_tokens))

    @fuzzed
    @given(mutated(json.dumps(LISTS[backend]).encode()))
    @example(b'{"object": "list", "data": [{"0": "llama3:8b", "object": "model", "created": 1}]}')
    @example(b'{"object": "list", "data": [{"id": "llama3:8b", "\xed\xa0\x80": "model", "created": 1}]}')
    def look(content: bytes) -> None:
        server.says = content
        try:
            model = client.model()
        except (NoReply, UserError):
            return
        assert isinstance(model.digest, str) and isinstance(model.server_version, str)

    ask()
    look()
    server.says = None
