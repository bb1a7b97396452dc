"""One WFDB record as integers with gain and baseline, leads in canonical order."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from fgclep.errors import of_the_machine
from fgclep.header import DEFAULT_RATE, Header, Signal, found_file, header_file, read_header, signal_path
from fgclep.leads import LEADS, read_labels
from fgclep.recordings.labels import MILLIVOLTS, leads_of, unit_of
from fgclep.signals.record import MISSING, Record, middle_part

# Value that stands for a missing sample, by format: https://wfdb.io/spec/signal-files.html
_MISSING_OF_FORMAT = {
    "80": -128,
    "508": -128,
    "16": -32768,
    "61": -32768,
    "160": -32768,
    "516": -32768,
    "212": -2048,
    "310": -512,
    "311": -512,
    "24": -(2**23),
    "524": -(2**23),
    "32": -(2**31),
}
_NEVER = 2**40  # a value that no format holds
_LIMIT_OF_FORMAT = {"24": 2**23 - 1, "524": 2**23 - 1, "32": 2**31 - 1}  # of those that may not fit 16 bits
_FLAC = {"508", "516", "524"}
# samples and bytes of a block, which the end of a file may leave unfilled
_BLOCKS = {"8": (1, 1), "80": (1, 1), "16": (1, 2), "61": (1, 2), "160": (1, 2), "212": (2, 3), "310": (3, 4),
           "311": (3, 4), "24": (1, 3), "32": (1, 4)}  # fmt: skip
_AT_ONCE = 2**21  # samples that are read together: memory does not grow with the record
_WIDEST = 32765  # steps to either side of the middle to which values beyond 16 bits are brought
_SEX = {"f": "F", "female": "F", "m": "M", "male": "M"}


def read_record(
    path: str | Path,
    longest: float | None = None,
    rescale: bool = True,
    leads: Sequence[str] | None = None,
    units: str | None = None,
    fs: float | None = None,
) -> Record:
    """Read a record from a folder.

    Signals that the header shifts (skew) are brought together, and those with several samples in each frame are read
    at the rate that they were stored at. Memory grows with what is kept of a record, not with its length.

    Parameters
    ----------
    path
        Path of the header file, with or without ``.hea``; the signal files that it names stand beside it or below.
    longest
        Seconds that are kept, from the middle of a longer record; ``None``: all. The whole is compared with the header.
    rescale
        Whether values beyond 16 bits are brought into them: their offset is subtracted, and if that is not enough,
        their steps become larger. ``False``: they are refused, as where a documented gain counts the file's own steps.
    leads
        Those of a record whose signals are none by their names, in their order.
    units
        mV, uV or V, for signals whose unit is none of these.
    fs
        Sampling rate in Hz, for a header that says none.

    Raises
    ------
    ValueError
        With the record's name and the reason: not readable, an unknown or doubled lead, no calibration, values that do
        not fit 16 bits, leads of different sampling rates, or a header that contradicts the signal file: another
        length, another first sample, another checksum. A header that names signal files in other folders is refused.
    OSError, MemoryError
        Of the machine, as a full disk: what is no record's trouble.
    """
    path = Path(path)
    name = path.stem if path.suffix.lower() == ".hea" else path.name
    try:
        header = header_file(path)
        if header is None:
            raise ValueError(f"the file {name}.hea is missing")
        return _read(header, longest, rescale, leads, units, fs)
    # wfdb lets whatever a broken file provokes escape: IndexError, KeyError, TypeError, its own types
    except Exception as error:
        if of_the_machine(error):
            raise
        reason = str(error) if type(error) is ValueError else f"unreadable ({type(error).__name__}: {error})"
        raise ValueError(f"record {name}: {reason}") from error


@dataclass
class _File:
    """A signal file: its place, its signals and their positions in the header, and how many frames it has."""

    place: Path
    signals: list[Signal]
    positions: list[int]
    frames: int
    remark: str = ""


def _read(
    path: Path,
    longest: float | None,
    rescale: bool,
    given: Sequence[str] | None,
    units: str | None,
    fs: float | None,
) -> Record:
    header = read_header(path)
    labels = [signal.label for signal in header.signals]
    named, left_out = leads_of(labels, read_labels(labels), given, "signals")
    leads = tuple(lead for lead in LEADS if lead in named)
    positions = [named.index(lead) for lead in leads]
    chosen = [header.signals[position] for position in positions]
    gain = _gain(chosen, units)
    files = _files(header, path.parent, {signal.file for signal in chosen})
    frames = min(file.frames for file in files)
    skew = max(signal.skew for signal in chosen)
    if skew >= frames:
        raise ValueError(f"a signal is shifted by {skew} samples, and the record has {frames}")
    per_frame = chosen[0].per_frame
    rate = header.rate
    if rate is None:
        rate = DEFAULT_RATE if fs is None else fs / per_frame
    part, remarks = middle_part(frames - skew, rate, longest)
    if header.rate is None and fs is None:
        default = f"its header says no sampling rate, which stands for {rate:g} Hz"
        remarks.append(f"{default}; write it there, or give --fs, if it is another")
    start, stop = part.start, part.stop
    if skew:
        remarks.append(f"its leads are shifted in the file by up to {skew} samples, by which the end is cut")
    remarks += [file.remark for file in files if file.remark]

    values = np.empty((len(chosen), (stop - start) * per_frame), dtype=np.int32)
    rows = {position: row for row, position in enumerate(positions)}
    for file in files:
        sums, firsts = np.zeros(len(file.signals), dtype=np.int64), [0] * len(file.signals)
        for at, block in _blocks(file, frames):
            for number, (position, signal, samples) in enumerate(zip(file.positions, file.signals, block, strict=True)):
                # modulo 2**16, as checksums are
                sums[number] += samples.sum(dtype=np.int16 if samples.dtype == np.int16 else np.int64)
                firsts[number] = int(samples[0]) if at == 0 else firsts[number]
                if position in rows:
                    first = at - signal.skew
                    low, high = max(first, start), min(first + len(samples) // signal.per_frame, stop)
                    if low < high:
                        values[rows[position], (low - start) * per_frame : (high - start) * per_frame] = samples[
                            (low - first) * per_frame : (high - first) * per_frame
                        ]
        _check_values(header, file.signals, firsts, sums)
    digital, gain, baseline, remark = _in_16_bits(values, leads, chosen, gain, rescale)
    return Record(
        digital=digital,
        gain=gain,
        baseline=baseline,
        sampling_rate=rate * per_frame,
        leads=leads,
        age=_age(_comment(header.comments, "age")),
        sex=_SEX.get((_comment(header.comments, "sex") or "").lower()),
        codes=codes_of(header),
        remarks=(*remarks, *remark, *left_out),
    )


def _gain(chosen: Sequence[Signal], units: str | None) -> np.ndarray:
    """Return ADC units per mV of the leads, float64; raises ``ValueError`` if they are not known, or rates differ."""
    if bad := [signal.label for signal in chosen if not signal.gain]:
        raise ValueError(f"gain is 0 or absent in {', '.join(bad)}")
    stated = [unit_of(signal.label, signal.unit, units) or "mV" for signal in chosen]
    if len({signal.per_frame for signal in chosen}) > 1:
        counts = ", ".join(f"{signal.label} {signal.per_frame}" for signal in chosen)
        raise ValueError(f"its leads have different sampling rates (samples in each frame: {counts})")
    return np.array([signal.gain / MILLIVOLTS[unit.lower()] for signal, unit in zip(chosen, stated, strict=True)])


def _files(header: Header, folder: Path, wanted: set[str]) -> list[_File]:
    """Find the signal files of the leads, and compare their sizes with the header; wfdb reads a part in silence."""
    files = []
    for name in header.files:
        if name not in wanted:
            continue
        place = found_file(folder, signal_path(name))
        if place is None:
            raise ValueError(f"the file {name} is missing")
        positions = [position for position, signal in enumerate(header.signals) if signal.file == name]
        signals = [header.signals[position] for position in positions]
        file = _File(place, signals, positions, header.frames or 0)
        found, least, most, unit = _sizes(file)
        if header.frames is None:
            per_frame = sum(signal.per_frame for signal in signals)
            file.frames = most // per_frame
            if rest := most - file.frames * per_frame:
                file.remark = f"{name} ends within a sample of its {len(signals)} signals: {rest} values are left out"
        elif not least <= found <= most:
            raise ValueError(f"{name} has {found} {unit}, its header describes {least}")
        files.append(file)
    if len({file.frames for file in files}) > 1:
        lengths = ", ".join(f"{file.place.name} {file.frames}" for file in files)
        raise ValueError(f"its header does not say its length, and its signal files differ in it ({lengths} samples)")
    if not files[0].frames:
        raise ValueError(f"{files[0].place.name} holds no samples")
    return files


def _sizes(file: _File) -> tuple[int, int, int, str]:
    """Size that a file has, the least and the most that its frames take, and in what.

    Of a file without a known length the third number is that of the samples that it has room for.
    """
    signal = file.signals[0]
    kind, offset = signal.format, signal.offset
    if any(other.format != kind for other in file.signals):
        raise ValueError(f"the signals of {signal.file} have different formats")
    if kind in _FLAC:
        if len({other.per_frame for other in file.signals}) > 1:
            raise ValueError(f"the signals of {signal.file} have different sampling rates, which FLAC cannot hold")
        found = _flac_samples(file.place)
        if not file.frames:
            return found, 0, max(0, found - offset) * len(file.signals), ""
        described = offset + file.frames * signal.per_frame
        return found, described, described, "samples"
    if kind not in _BLOCKS:
        raise ValueError(f"the format {kind} of {signal.file} is not known")
    samples, size = _BLOCKS[kind]
    found = file.place.stat().st_size
    if not file.frames:
        return found, 0, max(0, found - offset) * samples // size, ""
    total = file.frames * sum(other.per_frame for other in file.signals)
    return found, offset + -(-total * size // samples), offset + -(-total // samples) * size, "bytes"


def _flac_samples(place: Path) -> int:
    """Samples of each channel, as the head of a FLAC file says: https://www.rfc-editor.org/rfc/rfc9639#section-8.2."""
    with place.open("rb") as file:
        head = file.read(26)
    if len(head) < 26 or head[:4] != b"fLaC":
        raise ValueError(f"{place.name} is no FLAC file")
    return int.from_bytes(head[18:26]) & (2**36 - 1)


def _blocks(file: _File, frames: int) -> Iterator[tuple[int, list[np.ndarray]]]:
    """Yield the first frame of each part of a signal file, and the samples of its signals."""
    per_frame = [signal.per_frame for signal in file.signals]
    together = max(1, _AT_ONCE // sum(per_frame))
    kind, offset = file.signals[0].format, file.signals[0].offset
    if kind == "16":  # nearly all there is: numbers as they are
        bounds = np.cumsum([0, *per_frame]).tolist()
        for start in range(0, frames, together):
            size = sum(per_frame) * (min(start + together, frames) - start)
            values = np.fromfile(file.place, "<i2", size, offset=offset + 2 * sum(per_frame) * start)
            frame = values.astype(np.int16, copy=False).reshape(-1, sum(per_frame))
            yield start, [frame[:, first:last].ravel() for first, last in pairwise(bounds)]
        return
    from wfdb.io import _signal  # a second of imports that most records do without

    before = [signal.first or 0 for signal in file.signals]  # to which format 8 adds its differences
    for start in range(0, frames, together):
        block = _signal._rd_dat_signals(
            file_name=file.place.name,
            dir_name=str(file.place.parent),
            pn_dir=None,
            fmt=kind,
            n_sig=len(file.signals),
            sig_len=frames,
            byte_offset=offset,
            samps_per_frame=per_frame,
            skew=[0] * len(file.signals),
            init_value=before,
            sampfrom=start,
            sampto=min(start + together, frames),
        )
        yield start, block
        before = [int(samples[-1]) for samples in block]


def _check_values(header: Header, signals: Sequence[Signal], firsts: Sequence[int], sums: np.ndarray) -> None:
    """Compare first samples and checksums (the sum of all samples modulo 2**16) with the header, where it has them.

    Headers made by hand have 0 for all first samples, or all checksums, and mean nothing by it.
    """
    stated = any(signal.first for signal in header.signals), any(signal.checksum for signal in header.signals)
    for signal, first, total in zip(signals, firsts, sums.tolist(), strict=True):
        if stated[0] and signal.first is not None and first != signal.first:
            raise ValueError(f"lead {signal.label} starts with {first}, its header says {signal.first}")
        if stated[1] and signal.checksum is not None and (total - signal.checksum) % 2**16:
            raise ValueError(
                f"the checksum of lead {signal.label} is not the one in the header; one of the files is damaged"
            )


def _in_16_bits(
    values: np.ndarray, leads: Sequence[str], chosen: Sequence[Signal], gain: np.ndarray, rescale: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Bring int32 (leads, samples) into 16 bits: digital, gain per mV, baseline, and a remark if they did not fit."""
    stated = np.array([signal.baseline for signal in chosen])
    if all(_MISSING_OF_FORMAT.get(signal.format) == MISSING for signal in chosen) and np.abs(stated).max() < 2**31:
        return values.astype(np.int16), gain.copy(), stated.astype(np.int32), []
    digital = np.empty(values.shape, dtype=np.int16)
    gain = gain.copy()
    baseline = np.zeros(len(chosen), dtype=np.int64)
    steps = {}
    for row, signal in enumerate(chosen):
        missing = values[row] == _MISSING_OF_FORMAT.get(signal.format, _NEVER)
        known = values[row][~missing]
        low, high = (int(known.min()), int(known.max())) if len(known) else (0, 0)
        offset, factor = 0, 1
        if low <= MISSING or high > 32767:
            if not rescale:
                raise ValueError(f"values from {low} to {high} do not fit 16 bits")
            factor = max(1, math.ceil((high - low) / (2 * _WIDEST)))
            offset = signal.baseline + factor * round(((low + high) / 2 - signal.baseline) / factor)
        moved = known.astype(np.int64) - offset
        digital[row, missing] = MISSING
        digital[row, ~missing] = moved if factor == 1 else np.round(moved / factor)
        if factor > 1 and (limit := _LIMIT_OF_FORMAT.get(signal.format)):
            digital[row, values[row] >= limit], digital[row, ~missing & (values[row] <= -limit)] = 32767, -32767
        baseline[row] = (signal.baseline - offset) // factor
        gain[row] /= factor
        if offset or factor > 1:
            steps[leads[row]] = 1000 / abs(gain[row])
    if np.abs(baseline).max() >= 2**31:
        raise ValueError(f"its baseline is {np.abs(baseline).max()}, beyond 32 bits")
    remark = [] if not steps else [
        f"values beyond 16 bits in {', '.join(steps)}: an offset was subtracted; steps of up to "
        f"{max(steps.values()):.2g} uV"
    ]  # fmt: skip
    return digital, gain, baseline.astype(np.int32), remark


def _comment(comments: Sequence[str], key: str) -> str | None:
    for comment in comments:
        name, colon, value = comment.partition(":")
        if colon and name.strip(" #<>").lower() == key:
            return value.strip()
    return None


def _age(text: str | None) -> float | None:
    try:
        age = float(text or "nan")
    except ValueError:  # 'Unknown'
        return None
    return age if math.isfinite(age) and 0 <= age <= 130 else None


def codes_of(header: Header) -> tuple[str, ...]:
    """Return the codes in the comment ``Dx`` of a header; none if it has no such comment."""
    codes = [code.strip() for code in (_comment(header.comments, "dx") or "").split(",")]
    return tuple(code for code in codes if code and code.lower() not in {"unknown", "nan"})
