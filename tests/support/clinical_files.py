"""One ECG in files of recorders and clinics, written without the libraries that read them, but for DICOM."""

import base64
from pathlib import Path

import numpy as np
from wfdb_files import RATE, heart

from fgclep.leads import LEADS

ECG = heart(6.0)
EIGHT = ("I", "II", *LEADS[6:])
STEP_UV = 5.0
COUNTS = np.round(ECG * 1000 / STEP_UV).astype("<i2")
COUNTS[2], COUNTS[3] = COUNTS[1] - COUNTS[0], -(COUNTS[0] + COUNTS[1]) // 2  # without noise of their own
COUNTS[4], COUNTS[5] = COUNTS[0] - COUNTS[1] // 2, COUNTS[1] - COUNTS[0] // 2


def muse(leads=EIGHT, base="500", exponent="0", unit="MICROVOLTS") -> bytes:
    data = "".join(
        f"<LeadData><LeadID>{lead}</LeadID><LeadAmplitudeUnitsPerBit>{STEP_UV}</LeadAmplitudeUnitsPerBit>"
        f"<LeadAmplitudeUnits>{unit}</LeadAmplitudeUnits>"
        f"<WaveFormData>{base64.b64encode(COUNTS[LEADS.index(lead)].tobytes()).decode()}</WaveFormData></LeadData>"
        for lead in leads
    )
    return (
        "<RestingECG><PatientDemographics><PatientAge>61</PatientAge><AgeUnits>YEARS</AgeUnits><Gender>FEMALE</Gender>"
        "</PatientDemographics><Waveform><WaveformType>Rhythm</WaveformType>"
        f"<SampleBase>{base}</SampleBase><SampleExponent>{exponent}</SampleExponent>{data}</Waveform></RestingECG>"
    ).encode()


def aecg(names=LEADS, seconds="0.002", unit="uV", above="") -> bytes:
    def sequence(code: str, value: str) -> str:
        return f'<component><sequence><code code="{code}"/>{value}</sequence></component>'

    stated = f' unit="{unit}"' if unit else ""
    leads = "".join(
        sequence(
            f"MDC_ECG_LEAD_{name}",
            f'<value xsi:type="SLIST_PQ"><origin value="0"{stated}/><scale value="{STEP_UV}"{stated}/>'
            f"<digits>{' '.join(map(str, row))}</digits></value>",
        )
        for name, row in zip(names, COUNTS.tolist(), strict=True)
    )
    time = sequence("TIME_RELATIVE", f'<value xsi:type="GLIST_PQ"><increment value="{seconds}" unit="s"/></value>')
    return (
        f'{above}<AnnotatedECG xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><component>'
        f'<series><code code="RHYTHM"/><component><sequenceSet>{time}{leads}</sequenceSet></component></series>'
        "</component></AnnotatedECG>"
    ).encode()


def mortara(rate="500") -> bytes:
    channels = "".join(
        f'<CHANNEL NAME="{lead}" SAMPLE_FREQ="{rate}" UNITS_PER_MV="{1000 / STEP_UV:g}" BITS="16" FORMAT="SIGNED" '
        f'DURATION="{len(row)}" DATA="{base64.b64encode(row.tobytes()).decode()}"/>'
        for lead, row in zip(LEADS, COUNTS, strict=True)
    )
    return f'<ECG ACQUISITION_TIME="20200101120000">{channels}</ECG>'.encode()


def sierra(pulse_seconds=1.0, rate="500") -> bytes:
    """Philips Sierra 1.03, not compressed, at whose end stands a calibration pulse of 1 mV and 0.2 s in every lead."""
    pulse = np.zeros((len(LEADS), round(pulse_seconds * RATE)), dtype="<i2")
    pulse[:, len(pulse[0]) - round(0.3 * RATE) : len(pulse[0]) - round(0.1 * RATE)] = round(1000 / STEP_UV)
    data = base64.b64encode(np.hstack([COUNTS, pulse]).tobytes()).decode()
    milliseconds = (COUNTS.shape[1] + pulse.shape[1]) * 1000 // RATE
    return (
        "<restingecgdata><documentinfo><documenttype>SierraECG</documenttype><documentversion>1.03</documentversion>"
        f"</documentinfo><dataacquisition><signalcharacteristics><samplingrate>{rate}</samplingrate>"
        f"<signalresolution>{STEP_UV:g}</signalresolution><numberchannelsallocated>12</numberchannelsallocated>"
        "<numberchannelsvalid>12</numberchannelsvalid><acquisitiontype>STD-12</acquisitiontype></signalcharacteristics>"
        f'</dataacquisition><waveforms><parsedwaveforms dataencoding="Base64" compressflag="False" numberofleads="12" '
        f'durationperchannel="{milliseconds}" nbitspersample="16" leadlabels="{" ".join(LEADS)}">{data}'
        "</parsedwaveforms></waveforms></restingecgdata>"
    ).encode()


def write_dicom(
    path: Path, groups=(LEADS,), rate=RATE, padding=None, unit="uV", correction=1.0, offsets=(0, 0)
) -> Path:
    """Write groups of leads; ``padding`` is the value that the file says to stand for no sample."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, TwelveLeadECGWaveformStorage, generate_uid

    def item(**elements: object) -> Dataset:
        made = Dataset()
        for name, value in elements.items():
            setattr(made, name, value)
        return made

    def group(leads: tuple[str, ...], offset: float) -> Dataset:
        rows = COUNTS[[LEADS.index(lead.lstrip("-")) for lead in leads]]
        channels = [
            item(
                ChannelSourceSequence=[item(CodeValue="x", CodingSchemeDesignator="x", CodeMeaning=f"Lead {lead}")],
                ChannelSensitivity=STEP_UV / correction,
                ChannelSensitivityCorrectionFactor=correction,
                ChannelBaseline=0,
                **({"ChannelSensitivityUnitsSequence": [item(CodeValue=unit)]} if unit else {}),
            )
            for lead in leads
        ]
        made = item(
            WaveformOriginality="ORIGINAL",
            MultiplexGroupTimeOffset=offset,
            NumberOfWaveformChannels=len(leads),
            NumberOfWaveformSamples=rows.shape[1],
            SamplingFrequency=rate,
            ChannelDefinitionSequence=channels,
            WaveformBitsAllocated=16,
            WaveformSampleInterpretation="SS",
        )
        made.add_new("WaveformData", "OW", rows.T.tobytes())
        if padding is not None:
            made.add_new("WaveformPaddingValue", "OW", np.array(padding, dtype="<i2").tobytes())
        return made

    data = item(
        PatientAge="018M", PatientSex="F", SOPClassUID=TwelveLeadECGWaveformStorage, SOPInstanceUID=generate_uid()
    )
    data.WaveformSequence = [group(leads, offset) for leads, offset in zip(groups, offsets, strict=False)]
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.save_as(path, enforce_file_format=True)
    return path


def ishne() -> bytes:
    """Header and samples of 12 leads: https://thew-project.org/papers/Badilini.ISHNE.Holter.Standard.pdf."""
    header = bytearray(512)
    header[0:4] = (0).to_bytes(4, "little")  # no variable block
    header[4:8] = COUNTS.shape[1].to_bytes(4, "little")
    header[8:12] = (522).to_bytes(4, "little", signed=True)
    header[12:16] = (522).to_bytes(4, "little", signed=True)
    header[16:18] = (1).to_bytes(2, "little")
    header[146:148] = len(LEADS).to_bytes(2, "little")
    numbers = [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]
    for place, number in enumerate(numbers):
        header[148 + 2 * place : 150 + 2 * place] = number.to_bytes(2, "little")
        header[196 + 2 * place : 198 + 2 * place] = round(STEP_UV * 1000).to_bytes(2, "little")
    header[262:264] = RATE.to_bytes(2, "little")
    crc = 0  # none stored
    return b"ISHNE1.0" + crc.to_bytes(2, "little") + bytes(header) + COUNTS.T.tobytes()
