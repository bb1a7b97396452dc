"""The formats that are read, and what each says of itself: ``python -m fgclep.recordings.formats`` prints the table.

The table stands in docs/using-the-model.md, and the readers of ``fgclep.recordings.read`` have these names.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Parameters
    ----------
    title
        Name and extensions, in words.
    extensions
        By which a file is known, in small letters.
    leads, rate, units
        Where they come from.
    """

    title: str
    extensions: tuple[str, ...]
    leads: str
    rate: str
    units: str


_STATED = (
    "by name; of a file that names none, `--leads`",
    "file, fractions of 1 Hz as well",
    "file; where it states none, `--units`",
)
FORMATS = {
    "wfdb": Format(
        "WFDB, `.hea` with the signal files that it names (`.dat`, `.mat`, ...; formats 8 to 524, FLAC included); the "
        "record's name with or without extension",
        (".hea", ".dat", ".mat"),
        "by name; of a record that names none, `--leads`",
        "header, times the samples in each frame; where it says none, `--fs`, else 250 Hz, which is said",
        "header; where it is none that is known (`adu`), `--units`",
    ),
    "edf": Format(
        "EDF, EDF+C, `.edf`; BDF, BDF+C, `.bdf`",
        (".edf", ".bdf"),
        "by name; of a file that names none, `--leads`",
        "header; one for all leads",
        "header; where it is blank, as CSV",
    ),
    "csv": Format(
        "CSV, `.csv`, `.tsv`: one column per lead, separated by comma, semicolon, tab, bar or spaces",
        (".csv", ".tsv"),
        "header, in any order; without a header, or of one that names none, `--leads`",
        "first column `time`, `t`, `s`, `ms`, ..., or `--fs`, which overrules it with a remark",
        "header (`V1 (uV)`, or a line of units below the names), which `--units` overrules with a remark; else guessed",
    ),
    "npy": Format(
        "NumPy, `.npy`: (leads, samples) or (samples, leads), whichever side has as many entries as there are leads",
        (".npy",),
        "`--leads`, else the usual twelve, which is said",
        "`--fs`",
        "`--units`, else guessed; integers are never guessed",
    ),
    "xml": Format(
        "GE MUSE, Philips Sierra, HL7 aECG and Mortara, `.xml`, told apart by content \\*",
        (".xml",),
        *_STATED,
    ),
    "dicom": Format("DICOM waveforms, `.dcm`, `.dicom`: all groups of one time \\*", (".dcm", ".dicom"), *_STATED),
    "scp": Format("SCP-ECG, `.scp` \\*", (".scp",), *_STATED),
    "ishne": Format("ISHNE, `.ecg` \\*", (".ecg",), *_STATED),
}


def table() -> str:
    """What is read, as a table in Markdown."""
    lines = ["| format | leads | sampling rate | unit |", "|---|---|---|---|"]
    lines += [f"| {kind.title} | {kind.leads} | {kind.rate} | {kind.units} |" for kind in FORMATS.values()]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
