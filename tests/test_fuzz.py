"""Whatever a file or a server from outside says: an error for the user that names it, and no harm.

No traceback of another kind escapes, nothing is written or read outside of the folder in work, nothing hangs or asks
for gigabytes. FGCLEP_FUZZ_EXAMPLES sets the number of examples per reader; .ci/run takes more than pytest.
"""

import io
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from edfio import Edf, EdfSignal
from fuzzing import ROOT, fuzzed, mutated, outcome
from hypothesis import given
from wfdb_files import heart, write_record

from fgclep.archive import ArchiveReader
from fgclep.config import load
from fgclep.evaluation.tasks import PublishedSplit, load_task
from fgclep.leads import LEADS
from fgclep.listing import CHECKSUMS, RECORDS, iterate_checksums, listed_records
from fgclep.manifest import build_manifest
from fgclep.recordings.read import read_recording
from fgclep.recovery.prompt import Prompt
from fgclep.report.review_score import read_answers
from fgclep.sources import get_source
from fgclep.stage import UserError
from fgclep.stages.fetch_split import record_ids
from fgclep.vocabulary import load_vocabulary
from fgclep.wfdb_reader import read_record

SHORT = heart(seconds=6)
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
    "subject_id,study_id,cart_id,ecg_time," + ",".join(f"report_{i}" for i in range(18)) + ",bandwidth,filtering,"
    "rr_interval,p_onset,p_end,qrs_onset,qrs_end,t_end,p_axis,qrs_axis,t_axis\n"
    "10,40,6,2180-07-23 08:44:00,Sinus rhythm,Normal ECG"
    + 16 * ","
    + ",0.005-150 Hz,filter,659,40,128,170,258,518,81,77,65\n"
)
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


def record_files(suffix: str) -> bytes:
    return (_folder_of_record() / f"r{suffix}").read_bytes()


def _folder_of_record() -> Path:
    import tempfile

    folder = Path(tempfile.mkdtemp())
    write_record(folder, "r", SHORT, comments=["Age: 71", "Sex: Female", "Dx: 427172004,10370003"])
    return folder


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


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, SHORT.astype(np.float32))
    return buffer.getvalue()


def table(values: np.ndarray) -> bytes:
    lines = [
        ",".join(["time [ms]", *LEADS]),
        *(f"{2 * i}," + ",".join(f"{v:.3f}" for v in row) for i, row in enumerate(values.T)),
    ]
    return "\n".join(lines).encode()


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
            archive.extract([name], target)


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
    header, signal = record_files(".hea"), record_files(".dat")
    lists = ((CHECKSUMS, SUMS.encode()), (RECORDS, b"files/1\nfiles/2\n"))
    split = PublishedSplit("path", ())
    return {
        "header": Reader("r.hea", header, lambda f: read_record(f / "r"), ValueError, (("r.dat", signal),)),
        "signal": Reader("r.dat", signal, lambda f: read_record(f / "r"), ValueError, (("r.hea", header),)),
        "predict-wfdb": Reader("r.hea", header, lambda f: read_recording(f / "r"), ValueError, (("r.dat", signal),)),
        "predict-edf": Reader("r.edf", edf(), lambda f: read_recording(f / "r.edf"), ValueError),
        "predict-csv": Reader("r.csv", table(SHORT), lambda f: read_recording(f / "r.csv"), ValueError),
        "predict-npy": Reader("r.npy", npy(), lambda f: read_recording(f / "r.npy", fs=500), ValueError),
        "checksums": Reader(CHECKSUMS, SUMS.encode(), lambda f: list(iterate_checksums(f / CHECKSUMS))),
        "records": Reader(RECORDS, b"files/1\nfiles/3.hea\nfiles/\n", lambda f: listed_records(f, "files"), others=lists[:1]),
        "mimic-list": Reader("record_list.csv", MIMIC_LIST.encode(), manifest_of("mimic-iv-ecg"), others=(*lists, ("machine_measurements.csv", MIMIC_MACHINE.encode()))),
        "mimic-machine": Reader("machine_measurements.csv", MIMIC_MACHINE.encode(), manifest_of("mimic-iv-ecg"), others=(*lists, ("record_list.csv", MIMIC_LIST.encode()))),
        "ptb-xl": Reader("ptbxl_database.csv", PTB_XL.encode(), manifest_of("ptb-xl"), others=lists),
        "ludb": Reader("ludb.csv", LUDB.encode(), manifest_of("ludb"), others=lists),
        "local": Reader("records.csv", LOCAL.encode(), manifest_of("local"), others=lists),
        "cpsc2018": Reader(CHECKSUMS, SUMS.replace("files/", "training/cpsc_2018/g1/").encode(), manifest_of("cpsc2018"), others=lists[1:]),
        "archive": Reader("chunk.tar", archive(), extract_all),
        "split": Reader("split.csv", b"path,x\nWFDB/01/JS1.mat,1\nWFDB/02/JS2,2\n", lambda f: list(record_ids(f / "split.csv", split, get_source("csn")))),
        "config": Reader("config.yaml", (ROOT / "workflow/config/real.yaml").read_bytes(), lambda f: load(f / "config.yaml")),
        "task": Reader("task.yaml", TASK.encode(), lambda f: load_task(f / "task.yaml")),
        "features": Reader("features.yaml", FEATURES.encode(), load_vocabulary, others=(("diagnoses.yaml", DIAGNOSES.encode()), ("administrative.yaml", b"patterns: ['^unconfirmed']\n"))),
        "diagnoses": Reader("diagnoses.yaml", DIAGNOSES.encode(), load_vocabulary, others=(("features.yaml", FEATURES.encode()), ("administrative.yaml", b"patterns: ['^unconfirmed']\n"))),
        "administrative": Reader("administrative.yaml", b"patterns: ['^unconfirmed']\n", load_vocabulary, others=(("features.yaml", FEATURES.encode()), ("diagnoses.yaml", DIAGNOSES.encode()))),
        "prompt": Reader("recover.txt", (ROOT / "resources/prompts/recover.txt").read_bytes(), lambda f: Prompt(f / "recover.txt", ["a", "b"])),
        "review": Reader("review.csv", REVIEW.encode(), lambda f: read_answers(f / "review.csv")),
    }  # fmt: skip


READERS = _readers()
NAMES_NO_FILE = {"predict-wfdb", "predict-edf", "predict-csv", "predict-npy"}  # the command puts the name before it


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
