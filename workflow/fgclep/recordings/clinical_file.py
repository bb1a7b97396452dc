"""An ECG in a format of recorders and clinics: MUSE, Sierra, HL7 aECG, Mortara, SCP-ECG, ISHNE and DICOM.

The extra ``fgclep[clinical]`` has what reads them. What that rounds, takes for missing or leaves out is mended here.
"""

import io
import logging
import re
import threading
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from fgclep.errors import of_the_machine
from fgclep.leads import read_labels
from fgclep.recordings.labels import leads_of, unit_of
from fgclep.recordings.volts import to_record
from fgclep.signals.record import LONGEST_SECONDS, Record

_NEEDED = "reading it needs the extra 'clinical': pip install 'fgclep[clinical]'"
_DICOM = {".dcm", ".dicom"}
_MOST_BYTES = 2**28
_MOST_BYTES_OF_XML = 2**26  # whose elements take many times as much memory
_HEAD = 4096  # bytes in which the root of an XML file stands
_ROOTS = re.compile(rb"<(RestingECG|MuseInfo|restingecgdata|ECG|([A-Za-z_][\w.-]*:)?AnnotatedECG)[\s>]", re.IGNORECASE)
# readers of ecgdatakit, which tells them apart by content
_READ = {
    ".xml": {"GEMuseXMLParser", "SierraXMLParser", "HL7aECGParser", "MortaraEL250Parser"},
    ".scp": {"SCPECGParser"},
    ".ecg": {"ISHNEHolterParser"},
}
_NAMES = {
    ".xml": "XML of GE MUSE, Philips Sierra, HL7 aECG or Mortara",
    ".scp": "SCP-ECG",
    ".ecg": "ISHNE",
}
# Codes of leads, in MDC after "2:" and in SCPECG after "5.6.3-9-": DICOM PS3.16, CID 3001
_CODES = {1: "I", 2: "II", 61: "III", 62: "aVR", 63: "aVL", 64: "aVF", **{n + 2: f"V{n}" for n in range(1, 7)}}
_CODE = re.compile(r"(?:2:|5\.6\.3-9-)(\d+)")
_PREAMBLE = 132  # bytes before the first element, with the letters DICM
_DEFLATED = b"1.2.840.10008.1.2.1.99"  # transfer syntax, which no file can have without naming it
_AVERAGED = ("MEDIAN", "REPRESENTATIVE", "AVERAGE")  # in labels of groups that hold one beat
_WARNINGS = threading.Lock()  # what is done with warnings is a setting of the whole process


@dataclass
class Channels:
    """What a file holds.

    Parameters
    ----------
    labels, units
        As the file has them; an empty unit is one that it does not state.
    rows
        float64 (samples,) of each channel, in its unit.
    rates
        Of each channel, Hz.
    age, sex, remarks
        As in ``Record``.
    """

    labels: list[str] = field(default_factory=list)
    units: list[str] = field(default_factory=list)
    rows: list[np.ndarray] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    age: float | None = None
    sex: str | None = None
    remarks: list[str] = field(default_factory=list)

    def add(self, label: str, unit: str, row: np.ndarray, rate: float) -> None:
        """Add a channel."""
        self.labels.append(label)
        self.units.append(unit)
        self.rows.append(row)
        self.rates.append(rate)


def is_ecg_xml(path: Path) -> bool:
    """Whether an XML file is by its beginning of a kind that is read, or cannot be read, of which reading says why."""
    try:
        with path.open("rb") as file:
            return _ROOTS.search(file.read(_HEAD).replace(b"\0", b"")) is not None  # UTF-16
    except OSError:
        return True


def read_clinical(path: Path, leads: Sequence[str] | None, units: str | None) -> Record:
    """Read the leads of a file at the rate and in the units that it states; other channels are left out with a remark.

    Parameters
    ----------
    path
        XML (of MUSE, Sierra, HL7 aECG or Mortara, told apart by content), SCP-ECG, ISHNE or DICOM.
    leads
        Those of a file whose channels are none by their names.
    units
        Of leads for which the file states no unit that is known.

    Returns
    -------
    Record
        In steps of 1 uV, with age and sex; of a longer one the middle 60 s.

    Raises
    ------
    ValueError
        With the reason; also if the extra is not installed.
    OSError, MemoryError
        Of the machine, as ``read_record``.
    """
    return _record(read_channels(path), leads, units)


def read_channels(path: Path) -> Channels:
    """Return all channels of a file as it has them; arguments and errors as for ``read_clinical``."""
    extension, size = path.suffix.lower(), path.stat().st_size
    most = _MOST_BYTES_OF_XML if extension == ".xml" else _MOST_BYTES
    if size > most:
        raise ValueError(f"it has {size / 1e6:,.0f} MB, and up to {most / 1e6:,.0f} MB are read; cut the ECG out of it")
    try:
        return _dicom(path) if extension in _DICOM else _by_ecgdatakit(path, extension)
    except Exception as error:  # whatever a broken file provokes in these libraries
        if of_the_machine(error) or type(error) is ValueError or isinstance(error, OSError):
            raise
        raise ValueError(f"it is damaged, or of a kind that is not read ({type(error).__name__}: {error})") from error


def _library(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise ValueError(_NEEDED) from error


def _record(channels: Channels, given: Sequence[str] | None, units: str | None) -> Record:
    named, remarks = leads_of(channels.labels, read_labels(channels.labels), given, "channels")
    places = [place for place, lead in enumerate(named) if lead]
    for what, found in (
        ("sampling rates", {f"{channels.rates[place]:g}" for place in places}),
        ("lengths", {str(len(channels.rows[place])) for place in places}),
    ):
        if len(found) > 1:
            raise ValueError(f"its leads have different {what}: {', '.join(sorted(found))}")
    stated = []
    for place in places:
        label = channels.labels[place]
        unit = unit_of(repr(label), channels.units[place], units)
        if unit is None:
            raise ValueError(f"lead {label!r} has no unit: the file does not say how large a step is; give --units")
        stated.append(unit)
    leads = [lead for lead in named if lead]
    rows = np.stack([channels.rows[place] for place in places])
    rate = channels.rates[places[0]]
    record = to_record(rows, leads, rate, stated, [*channels.remarks, *remarks], longest=LONGEST_SECONDS)
    return replace(record, age=channels.age, sex=channels.sex)


def _by_ecgdatakit(path: Path, extension: str) -> Channels:
    parser = _library("ecgdatakit").FileParser
    kind = parser.detect_format(path)
    if kind is None or kind["parser"] not in _READ[extension]:
        raise ValueError(f"by its content it is no {_NAMES[extension]}")
    with _WARNINGS, warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        found = parser.parse(path, auto_scale=True)
    channels = Channels(age=_age(found.patient.age), sex=_sex(found.patient.sex))
    exact = _exact_rate(found, path, kind["parser"])
    for lead in found.leads:
        rate = exact if exact is not None and round(exact) == lead.sampling_rate else float(lead.sampling_rate)
        unit = lead.resolution_unit if lead.is_raw else lead.units
        channels.add(lead.label, unit, np.asarray(lead.samples, dtype=np.float64), rate)
    if found.raw_metadata.get("checksum_valid") is False:
        if extension != ".xml":
            raise ValueError("its checksum is not that of its content; the file is damaged")
        channels.remarks.append("the checksums of its leads are not those of their samples")
    told = (str(warning.message) for warning in raised if warning.category is UserWarning)
    # of raw samples the unit tells, and the rate is the exact one
    channels.remarks += [text for text in told if "raw" not in text and "rounded to" not in text]
    return channels


def _exact_rate(found: Any, path: Path, parser: str) -> float | None:
    """Return the sampling rate in Hz as the file states it, where ecgdatakit rounds it to a whole number."""
    known = found.raw_metadata
    if parser == "HL7aECGParser":
        return known.get("rhythm_time", {}).get("sampling_rate_exact")
    if parser == "SCPECGParser":
        interval = known.get("rhythm_sample_interval_us")
        return 1e6 / interval if interval else None
    if parser == "ISHNEHolterParser":  # which has whole ones only
        return None
    root = import_module("ecgdatakit.parsing.helpers.xml").parse_xml_root(path.read_bytes())
    if parser == "GEMuseXMLParser":
        kinds = {wave: wave.findtext("WaveformType", "").strip().lower() for wave in root.iter("Waveform")}
        rhythm = next(wave for wave, kind in kinds.items() if kind != "median")
        return float(rhythm.findtext("SampleBase", "nan")) * 10 ** float(rhythm.findtext("SampleExponent") or "0")
    if parser == "MortaraEL250Parser":
        return float(next(root.iter("CHANNEL")).get("SAMPLE_FREQ", "nan"))
    parsed = next(root.iter("parsedwaveforms"))
    return float(parsed.get("samplespersecond") or next(root.iter("samplingrate")).text or "nan")


def _dicom(path: Path) -> Channels:
    """Read all groups of channels that belong together. Padding is not looked for: some writers pad with 0, as 0 mV."""
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of dates and names that the standard would have otherwise
        reader = _library("pydicom").filereader
        logging.getLogger("pydicom").setLevel(logging.ERROR)  # in which they are told once more
        content = path.read_bytes()  # of a file, pydicom would ask for as much memory as a damaged length says
        _refuse_inflating(content, reader)
        data = reader.dcmread(io.BytesIO(content))
        groups = list(data.get("WaveformSequence") or [])
        if not groups:
            raise ValueError("it holds no waveforms, as DICOM files of images do not")
        channels = Channels(age=_dicom_age(str(data.get("PatientAge", ""))), sex=_sex(str(data.get("PatientSex", ""))))
        first: tuple | None = None
        for index, group in enumerate(groups):
            name = str(group.get("MultiplexGroupLabel") or f"number {index + 1}")
            if any(word in name.upper() for word in _AVERAGED):
                continue
            time = (
                float(group.SamplingFrequency),
                int(group.NumberOfWaveformSamples),
                float(group.get("MultiplexGroupTimeOffset") or 0),
            )
            labels = [_dicom_label(channel, place) for place, channel in enumerate(group.ChannelDefinitionSequence)]
            first = first or time
            if time != first or set(labels) & set(channels.labels):
                channels.remarks.append(f"left out the group of channels {name!r}, of another time or with leads anew")
                continue
            if group.WaveformSampleInterpretation in {"MB", "AB"}:
                raise ValueError("its samples are companded (mu-law or A-law), which is not read")
            if len(labels) != int(group.NumberOfWaveformChannels):
                raise ValueError(f"it describes {len(labels)} of {group.NumberOfWaveformChannels} channels")
            values = data.waveform_array(index)  # sensitivity, its correction and baseline applied
            for place, channel in enumerate(group.ChannelDefinitionSequence):
                channels.add(labels[place], _dicom_unit(channel), values[:, place], time[0])
    return channels


def _refuse_inflating(content: bytes, reader: ModuleType) -> None:
    """Raise ``ValueError`` if a deflated file is larger than what is read; pydicom inflates it to whatever size."""
    if _DEFLATED not in content:
        return
    file = io.BytesIO(content)
    file.seek(_PREAMBLE)
    reader.read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)  # up to what is deflated
    try:
        inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(file.read(), _MOST_BYTES + 1)
    except zlib.error:
        return  # reading says what is wrong, and one that only mentions the syntax is not deflated
    if len(inflated) > _MOST_BYTES:
        raise ValueError(f"it inflates to more than {_MOST_BYTES / 1e6:,.0f} MB, which are read; cut the ECG out of it")


def _dicom_label(channel: Any, place: int) -> str:
    source = (channel.get("ChannelSourceSequence") or [None])[0]
    if source is not None:
        code = _CODE.fullmatch(str(source.get("CodeValue", "")).strip())
        if code and int(code[1]) in _CODES:
            return _CODES[int(code[1])]
        if meaning := str(source.get("CodeMeaning", "")).partition(",")[0].strip():  # "aVR, augmented voltage, right"
            return meaning
    return str(channel.get("ChannelLabel") or f"channel {place + 1}").strip()


def _dicom_unit(channel: Any) -> str:
    """Return the unit of what sensitivity and baseline make of the samples; empty if the file does not state both."""
    unit = (channel.get("ChannelSensitivityUnitsSequence") or [None])[0]
    if unit is None or channel.get("ChannelSensitivity") is None:
        return ""
    return str(unit.get("CodeValue") or unit.get("CodeMeaning") or "").strip()


def _dicom_age(text: str) -> float | None:
    found = re.fullmatch(r"(\d{1,3})([YMWD])", text.strip())
    return _age(int(found[1]) / {"Y": 1, "M": 12, "W": 52.18, "D": 365.25}[found[2]]) if found else None


def _age(years: float | None) -> float | None:
    return float(years) if years is not None and 0 <= years <= 130 else None


def _sex(text: str) -> str | None:
    return text if text in {"F", "M"} else None
