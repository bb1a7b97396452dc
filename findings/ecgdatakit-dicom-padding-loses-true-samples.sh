#!/usr/bin/env bash
# ecgdatakit 2.0.3: of a DICOM waveform, samples that equal Waveform Padding Value become NaN wherever they stand, and only
# the first group of channels is read.
#
# Guessed before: padding is what follows the last sample, and a value in the middle of an ECG is one; leads that stand in
#   two groups of the same time, as limb and chest leads do, are all leads of the ECG.
# Seen: a file of a group of I and II and one of V1 and V2, whose padding value is 0, as ECGToolkit writes it. Of I, each
#   crossing of 0 is NaN; V1 and V2 are not there, which one warning tells.
#
#       written       I: 0 1 2 1 0 -1 -2 -1 ...     leads I, II, V1, V2
#       ecgdatakit    I: NaN 1 2 1 NaN -1 -2 -1     leads I, II
#       pydicom       as written (waveform_array)   both groups
#
# Who is hurt: whoever reads ECGs of carts through DICOM: 58 to 180 of 5,000 samples of a lead are lost in a real one, and a
#   filter spreads each of them over the whole lead.
# Exits with another status than 0 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ecgdatakit==2.0.3 pydicom==3.0.2
cd "$folder"
venv/bin/python - <<'PYTHON'
import sys
import warnings

import numpy as np
import pydicom
from ecgdatakit import FileParser
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, TwelveLeadECGWaveformStorage, generate_uid

wave = np.tile(np.array([0, 1, 2, 1, 0, -1, -2, -1], dtype="<i2"), 100)


def item(**elements):
    made = Dataset()
    for name, value in elements.items():
        setattr(made, name, value)
    return made


def group(leads):
    channels = [
        item(
            ChannelSourceSequence=[item(CodeValue="x", CodingSchemeDesignator="x", CodeMeaning=f"Lead {lead}")],
            ChannelSensitivity=5,
            ChannelSensitivityCorrectionFactor=1,
            ChannelSensitivityUnitsSequence=[item(CodeValue="uV")],
        )
        for lead in leads
    ]
    made = item(
        NumberOfWaveformChannels=len(leads),
        NumberOfWaveformSamples=len(wave),
        SamplingFrequency=500,
        ChannelDefinitionSequence=channels,
        WaveformBitsAllocated=16,
        WaveformSampleInterpretation="SS",
    )
    made.add_new("WaveformData", "OW", np.stack([wave] * len(leads), axis=1).tobytes())
    made.add_new("WaveformPaddingValue", "OW", b"\0\0")
    return made


data = item(SOPClassUID=TwelveLeadECGWaveformStorage, SOPInstanceUID=generate_uid())
data.WaveformSequence = [group(["I", "II"]), group(["V1", "V2"])]
data.file_meta = FileMetaDataset()
data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
data.save_as("r.dcm", enforce_file_format=True)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    leads = FileParser.parse("r.dcm").leads
read = pydicom.dcmread("r.dcm")
written = [read.waveform_array(group)[:, 0] for group in range(2)]
lost = np.isnan(leads[0].samples)
print("ecgdatakit", [lead.label for lead in leads], "NaN in I:", int(lost.sum()), "of", len(lost))
print("pydicom", [row[:8].tolist() for row in written], "NaN:", int(np.isnan(written).sum()))
as_seen = [lead.label for lead in leads] == ["I", "II"] and np.array_equal(lost, wave == 0)
as_seen &= all(np.array_equal(row, 5.0 * wave) for row in written)
sys.exit(0 if as_seen else "changed: samples equal to the padding value, or the second group, are read")
PYTHON
