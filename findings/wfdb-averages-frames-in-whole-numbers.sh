#!/usr/bin/env bash
# wfdb 4.3.1: of a signal with several samples per frame, rdrecord gives the frames' averages cut to whole numbers of the
# converter, towards zero, even where it returns millivolts in floating point.
#
# Guessed before: rdrecord averages the samples of a frame by default (smooth_frames), as documented; of 1 and 2 it is 1.5,
#   and in physical units nothing keeps it from being told.
# Seen: 1 and 2 give 1, -1 and -2 give -1, 3 and 4 give 3, in digital and in physical units alike. A small signal comes out
#   nearer to zero by up to one step, positive and negative parts both, so that it is distorted and not shifted.
#
#       frames (gain 1/mV)   1 2    -1 -2   3 4   -3 -4
#       average              1.5    -1.5    3.5   -3.5
#       rdrecord             1.0    -1.0    3.0   -3.0
#       smooth_frames=False gives all samples as they are
#
# Who is hurt: whoever reads databases with oversampled leads, or compares what was read with the samples: the first value
#   and the checksum of the header do not fit either.
# Exits with another status than 0 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet wfdb==4.3.1
cd "$folder"
venv/bin/python - <<'PYTHON'
import sys

import numpy as np
import wfdb

samples = np.array([1, 2, -1, -2, 3, 4, -3, -4], dtype="<i2")
samples.tofile("r.dat")
with open("r.hea", "w") as header:
    header.write("r 1 250 4\nr.dat 16x2 1/mV 16 0 1 0 0 ECG\n")
means = samples.reshape(4, 2).mean(axis=1)
physical = wfdb.rdrecord("r").p_signal[:, 0]
digital = wfdb.rdrecord("r", physical=False).d_signal[:, 0]
every = wfdb.rdrecord("r", smooth_frames=False, physical=False).e_d_signal[0]
print("wfdb", wfdb.__version__)
print("averages", means.tolist(), "physical", physical.tolist(), "digital", digital.tolist(), "all", every.tolist())
as_seen = physical.tolist() == digital.tolist() == [1, -1, 3, -3] and every.tolist() == samples.tolist()
sys.exit(0 if as_seen else "changed: the averages are others")
PYTHON
