"""Headers of WFDB records (https://wfdb.io/spec/header-files.html), read as recorders and people write them.

wfdb's own parser knows neither names with dots or spaces, nor folders before a record's name, nor dates in another
order; it takes a gain of 0 for 200, and needs pandas for every field.
"""

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

_LONGEST = 2000  # characters of a line
DEFAULT_RATE = 250.0  # Hz, of a header that does not say it
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RECORD = re.compile(  # behind the name
    rf"(?P<signals>\d+)(?:\s+(?P<rate>{_NUMBER})(?:/\S*)?(?:\s+(?P<frames>\d+)(?:\s.*)?|\s+\S*:\S*(?:\s.*)?)?)?"
)
_FIELDS = (  # behind the file's name
    r"\s+(?P<format>\d+)(?:x(?P<per_frame>\d+))?(?::(?P<skew>\d+))?(?:\+(?P<offset>\d+))?"
    rf"(?:\s+(?P<gain>{_NUMBER})(?:\((?P<baseline>[-+]?\d+)\))?(?:/(?P<unit>\S+))?)?(?P<rest>\s.*)?"
)
# with an extension, without spaces, or anything: the first that fits
_SIGNAL = [re.compile(rf"(?P<file>{name}){_FIELDS}") for name in (r"\S.*?\.\w+", r"\S+", r"\S.*?")]
_INTEGERS = re.compile(r"(?:\s+([-+]?\d+)(?=\s|$))?" * 5)  # resolution, zero, first sample, checksum, block


@dataclass(frozen=True)
class Signal:
    """A line of a header.

    Attributes
    ----------
    file
        Name of the signal file, relative to the header's folder.
    format
        Number of the format of its samples.
    per_frame
        Samples in each frame of the record.
    skew
        Frames by which the signal is late in its file.
    offset
        Bytes before its first sample, in the FLAC formats samples.
    gain
        ADC units per physical unit; 0 if it is absent or stands for "not calibrated".
    baseline
        ADC value of 0.
    unit
        Physical unit.
    first, checksum
        The first sample, and the sum of all samples modulo 2**16; ``None`` if they are not stated.
    label
        What the signal is; empty if it is not said.
    """

    file: str
    format: str
    per_frame: int = 1
    skew: int = 0
    offset: int = 0
    gain: float = 0.0
    baseline: int = 0
    unit: str = "mV"
    first: int | None = None
    checksum: int | None = None
    label: str = ""


@dataclass(frozen=True)
class Header:
    """What a header says.

    Attributes
    ----------
    signals
        In the order of the file.
    rate
        Frames per second in Hz; ``None`` if it is not said, which stands for ``DEFAULT_RATE``.
    frames
        Length; ``None`` if it is absent or 0, which stand for "as long as the signal files".
    comments
        Lines behind ``#``.
    """

    signals: tuple[Signal, ...]
    rate: float | None
    frames: int | None
    comments: tuple[str, ...]

    @property
    def files(self) -> list[str]:
        """Names of the signal files, each once."""
        return list(dict.fromkeys(signal.file for signal in self.signals))


def read_header(path: Path) -> Header:
    """Read a header file; raises ``ValueError`` with the reason, and ``OSError``."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return parse_header(text, path.stem)


@lru_cache(maxsize=8)  # who looks for its signal files reads it before who reads the signals
def parse_header(text: str, stem: str) -> Header:
    """Parse the text of a header file.

    Parameters
    ----------
    text
        Of the file. Its dates and times are not looked at.
    stem
        Name of the file without extension, which tells a folder before the record's name from a number of segments.

    Raises
    ------
    ValueError
        With the reason: no header, several segments, no signals, an unknown format, or another number of lines than
        announced. A name that leads out of the header's folder is refused.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    comments = tuple(line.lstrip("#").strip() for line in lines if line.startswith("#"))
    lines = [line for line in lines if not line.startswith("#")]
    if not lines:
        raise ValueError("its header is empty")
    if long := [line for line in lines if len(line) > _LONGEST]:
        raise ValueError(f"its header is unreadable: a line of {len(long[0])} characters")
    described = lines[1:]
    name, found = _record_line(lines[0], len(described), stem)
    _, slash, last = name.rpartition("/")
    if slash and last.isdecimal() and last != stem and all(len(line.split()) == 2 for line in described):
        raise ValueError("it consists of several segments, which are not supported")
    if int(found["signals"]) != len(described):
        raise ValueError(f"its header announces {found['signals']} signals and lists {len(described)}")
    if not described:
        raise ValueError("the header lists no signals")
    rate = None if found["rate"] is None else float(found["rate"])
    return Header(tuple(map(_signal, described)), rate, int(found["frames"] or 0) or None, comments)


def _record_line(line: str, signals: int, stem: str) -> tuple[str, re.Match[str]]:
    """Name and the fields behind it; of one with spaces and numbers, what fits the lines below and the file's name."""
    readings = []
    for gap in re.finditer(r"\s+", line):
        if found := _RECORD.fullmatch(line, gap.end()):
            name = line[: gap.start()]
            fits = found["signals"] == str(signals), name.rpartition("/")[2] == stem
            readings.append((fits, name, found))
    if not readings:
        raise ValueError(f"its header is unreadable: {line[:80]!r} is not '<name> <signals> <rate> <samples>'")
    _, name, found = max(readings, key=lambda reading: reading[0])
    return name, found


def _signal(line: str) -> Signal:
    found = next((found for pattern in _SIGNAL if (found := pattern.fullmatch(line))), None)
    if found is None:
        raise ValueError(f"its header is unreadable: {line[:80]!r} is not '<file> <format> <gain> ...'")
    rest = found["rest"] or ""
    integers = _INTEGERS.match(rest)
    assert integers is not None  # it matches nothing as well
    _, zero, first, checksum, _ = (None if text is None else int(text) for text in integers.groups())
    gain = float(found["gain"] or 0)
    return Signal(
        file=found["file"],
        format=found["format"],
        per_frame=int(found["per_frame"] or 1) or 1,
        skew=int(found["skew"] or 0),
        offset=int(found["offset"] or 0),
        gain=gain if math.isfinite(gain) else 0.0,
        baseline=int(found["baseline"]) if found["baseline"] else zero or 0,
        unit=found["unit"] or "mV",
        first=first,
        checksum=checksum,
        label=rest[integers.end() :].strip(),
    )


def signal_path(file: str) -> PurePosixPath:
    """Path of a signal file below its header's folder; raises ``ValueError`` for one that leads elsewhere."""
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts or "\\" in file or ":" in file or not file.isprintable():
        raise ValueError(
            f"its header names the signal file {file!r}, in another folder; put it beside the header, and write its "
            "mere name there"
        )
    return path


def spellings(name: str) -> list[str]:
    """Return a file's name, and the same in upper and lower case as other systems write it.

    >>> spellings("r1.dat")
    ['r1.dat', 'r1.DAT', 'R1.dat', 'R1.DAT']
    """
    stem, dot, suffix = name.rpartition(".")
    stems, suffixes = ((part, part.lower(), part.upper()) for part in (stem, dot + suffix))
    return list(dict.fromkeys(one + other for one in stems for other in suffixes))


def found_file(folder: Path, path: str | PurePosixPath) -> Path | None:
    """Return the file of this name, else that of the same name in upper or lower case; ``None`` if there is none."""
    place = folder / path
    return next((place.with_name(name) for name in spellings(place.name) if place.with_name(name).is_file()), None)


def header_names(path: str) -> list[str]:
    """Return the names that the header of a record may have, given its path without extension."""
    return [f"{path}.hea", f"{path}.HEA"]


def header_file(path: Path) -> Path | None:
    """Return the header of a record, given its path with or without ``.hea``; ``None`` if there is none."""
    if path.suffix.lower() == ".hea" and path.is_file():
        return path
    return found_file(path.parent, f"{path.name.removesuffix('.hea')}.hea")
