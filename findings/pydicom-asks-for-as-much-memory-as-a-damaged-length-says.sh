#!/usr/bin/env bash
# pydicom 3.0.2: dcmread of a small file asks for as much memory as a length in it says, up to 4 GB; of bytes, it does not.
#
# Guessed before: a file of a few hundred bytes takes as much to read, and one that is cut short or damaged is refused.
# Seen: four changed bytes in the length of an element; under a limit of 2 GB dcmread ends in MemoryError, and without one
#   it allocates 3.9 GB for the moment. The same bytes in io.BytesIO are read within the limit.
#
#       dcmread("r.dcm")                MemoryError under 2 GB
#       dcmread(io.BytesIO(content))    read, or refused, within it
#
# Who is hurt: whoever reads files of others: one damaged file of a folder, or one that was made for it, ends a program for
#   want of memory, which is no error of that file for those who tell the two apart.
# Exits with another status than 0 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pydicom==3.0.2
cd "$folder"
venv/bin/python - <<'PYTHON'
import io
import resource
import sys
import warnings
from pathlib import Path

import pydicom

warnings.simplefilter("ignore")
# explicit VR little endian, and one element, WaveformData (5400,1010) OW, that says to have 3.9 GB
syntax = b"1.2.840.10008.1.2.1\0"
meta = b"\x02\x00\x10\x00UI" + len(syntax).to_bytes(2, "little") + syntax
length = b"\x02\x00\x00\x00UL\x04\x00" + len(meta).to_bytes(4, "little")
element = b"\x00\x54\x10\x10OW\0\0" + (3_900_000_000).to_bytes(4, "little") + bytes(100)
content = bytes(128) + b"DICM" + length + meta + element
Path("r.dcm").write_bytes(content)
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))


def outcome(source):
    try:
        pydicom.dcmread(source)
    except MemoryError:
        return "MemoryError"
    except Exception as error:
        return type(error).__name__
    return "read"


of_file, of_bytes = outcome("r.dcm"), outcome(io.BytesIO(content))
print(f"{len(content)} bytes: as a file {of_file}, as bytes {of_bytes}")
sys.exit(0 if of_file == "MemoryError" and of_bytes != "MemoryError" else "changed: what a length may ask for")
PYTHON
