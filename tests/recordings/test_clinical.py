"""Formats of recorders and clinics: generated ones, and samples of makers beside readers of our own."""

import base64
import sys
import xml.etree.ElementTree as ET
from importlib.util import find_spec

import edfio
import numpy as np
import pytest
from clinical_files import COUNTS, ECG, STEP_UV, aecg, ishne, mortara, muse, sierra, write_dicom
from conftest import ROOT
from wfdb_files import RATE

from fgclep.leads import LEADS
from fgclep.recordings.clinical_file import read_channels
from fgclep.recordings.find import find_recordings
from fgclep.recordings.labels import MILLIVOLTS
from fgclep.recordings.read import READERS, read_file, read_recording

SAMPLES = ROOT.parent / "shared" / "recordings"
samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="needs the recordings of ../shared")
clinical = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("ecgdatakit", "pydicom")),
    reason="needs the extra 'clinical', which the extra 'test' has",
)
pytestmark = clinical


def refusal(path, **options) -> str:
    with pytest.raises(ValueError) as error:
        read_recording(path, **options)
    assert type(error.value) is ValueError
    return str(error.value)


def written(path, content):
    path.write_bytes(content)
    return path


def assert_is_ecg(record, rate=RATE):
    assert record.leads == LEADS and record.sampling_rate == rate
    np.testing.assert_allclose(record.millivolts(), COUNTS * 0.005, atol=0.0051)  # computed leads have a step's half


FILES = {"muse.xml": muse(), "aecg.xml": aecg(), "mortara.xml": mortara(), "r.ecg": ishne()}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_a_recorder_is_read(name, tmp_path):
    record = read_recording(written(tmp_path / name, FILES[name]))
    assert_is_ecg(record)
    assert [text for text in record.remarks if not text.startswith("III, aVR")] == []
    if name == "muse.xml":
        assert (record.age, record.sex) == (61, "F")


def test_bdf_is_read_with_its_24_bits_and_its_offset(tmp_path):
    signals = [
        edfio.BdfSignal(row * 1000 + 90_000, RATE, label=lead, physical_dimension="uV", physical_range=(-2e5, 2e5))
        for lead, row in zip(LEADS, ECG, strict=True)
    ]
    edfio.Bdf(signals).write(tmp_path / "r.bdf")
    away = read_recording(tmp_path / "r.bdf").millivolts() - ECG
    np.testing.assert_allclose(away - np.median(away, axis=1, keepdims=True), 0, atol=0.0011)
    (tmp_path / "r.edf").write_bytes((tmp_path / "r.bdf").read_bytes())
    assert refusal(tmp_path / "r.edf") == "it is no EDF file"


def test_dicom_keeps_samples_that_equal_the_padding_and_reads_all_groups_of_one_time(tmp_path):
    record = read_recording(write_dicom(tmp_path / "zero.dcm", padding=0))
    assert_is_ecg(record)
    assert (record.age, record.sex, record.remarks) == (1.5, "F", ())
    assert (COUNTS == 0).any()
    assert_is_ecg(read_recording(write_dicom(tmp_path / "two.dcm", (LEADS[:6], LEADS[6:]), correction=4.88)))
    record = read_recording(write_dicom(tmp_path / "later.dcm", (LEADS, LEADS[:2]), offsets=(0, 2500)))
    assert_is_ecg(record)
    assert record.remarks == ("left out the group of channels 'number 2', of another time or with leads anew",)


def test_the_calibration_pulse_of_sierra_is_cut(tmp_path):
    path = written(tmp_path / "sierra.xml", sierra())
    channels = read_channels(path)
    assert channels.labels == list(LEADS) and len(channels.rows[0]) == COUNTS.shape[1] + RATE
    stored = np.stack(channels.rows)[:, : COUNTS.shape[1]] * np.array(
        [[MILLIVOLTS[unit.lower()]] for unit in channels.units]
    )
    np.testing.assert_allclose(stored, COUNTS * STEP_UV / 1000, atol=1e-9)
    record = read_recording(path)
    assert record.leads == LEADS and record.sampling_rate == RATE
    kept = record.digital.shape[1]
    assert COUNTS.shape[1] - RATE < kept <= COUNTS.shape[1] + 0.7 * RATE
    assert [text for text in record.remarks if "a calibration pulse of 1.0 mV" in text]
    assert read_recording(written(tmp_path / "odd.xml", sierra(rate="499.5"))).sampling_rate == 499.5


def test_a_fraction_of_a_rate_is_kept(tmp_path):
    files = {
        "r.dcm": (lambda path: write_dicom(path, rate=499.5), 499.5),
        "muse.xml": (lambda path: written(path, muse(base="4995", exponent="-1")), 499.5),
        "mortara.xml": (lambda path: written(path, mortara("499.5")), 499.5),
        "aecg.xml": (lambda path: written(path, aecg(seconds="0.00390625")), 256),
        "odd.xml": (lambda path: written(path, aecg(seconds="0.003")), 1000 / 3),
    }
    for name, (write, rate) in files.items():
        assert read_recording(write(tmp_path / name)).sampling_rate == pytest.approx(rate, rel=1e-12), name
    assert refusal(tmp_path / "r.dcm", fs=500) == "the sampling rate is 499.5 Hz by its header; leave --fs 500 out"


def test_a_lead_without_a_unit_is_refused_unless_it_is_given(tmp_path):
    for path in (
        written(tmp_path / "a.xml", aecg(unit="")),
        written(tmp_path / "m.xml", muse(unit="")),
        write_dicom(tmp_path / "r.dcm", unit=""),
    ):
        assert "has no unit: the file does not say how large a step is; give --units" in refusal(path)
    assert_is_ecg(read_recording(write_dicom(tmp_path / "r.dcm", unit=""), units="uV"))
    assert "is in 'mmHg', not in mV" in refusal(write_dicom(tmp_path / "r.dcm", unit="mmHg"))


def test_an_inverted_lead_is_not_read_as_the_lead(tmp_path):
    names = tuple("-aVR" if lead == "aVR" else lead for lead in LEADS)
    for path in (
        written(tmp_path / "a.xml", aecg(names)),
        write_dicom(tmp_path / "r.dcm", (names,)),
    ):
        record = read_file(path)
        assert "aVR" not in record.leads
        assert [text for text in record.remarks if "inverted" in text and "-aVR" in text], record.remarks


def test_what_is_none_of_the_formats_is_refused(tmp_path):
    for name in ("x.xml", "x.scp", "x.ecg", "x.dcm"):
        assert refusal(written(tmp_path / name, b"<a/>" * 50)).startswith(
            ("by its content it is no ", "it is damaged, or of a kind that is not read (InvalidDicomError")
        )
    swapped = written(tmp_path / "muse.scp", muse())
    assert refusal(swapped) == "by its content it is no SCP-ECG"


@pytest.mark.parametrize("kind", ["aecg", "muse"])
def test_entities_are_refused(kind, tmp_path):
    lines = "".join(f'<!ENTITY x{n} "{9 * f"&x{n - 1};"}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE a [<!ENTITY x0 "aaaaaaaaaa">{lines}]>'.encode()
    content = aecg() if kind == "aecg" else muse()
    content = content.replace(b"</component>", b"&x9;</component>", 1).replace(b"FEMALE", b"&x9;")
    assert "entity declarations are not allowed" in refusal(written(tmp_path / "r.xml", bomb + content))


def test_deflated_dicom_is_read_up_to_the_size_of_others(tmp_path, monkeypatch):
    import pydicom

    data = pydicom.dcmread(write_dicom(tmp_path / "r.dcm"))
    data.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    data.save_as(tmp_path / "r.dcm")
    assert_is_ecg(read_recording(tmp_path / "r.dcm"))
    monkeypatch.setattr("fgclep.recordings.clinical_file._MOST_BYTES", COUNTS.nbytes)  # more than it has deflated
    assert (tmp_path / "r.dcm").stat().st_size < COUNTS.nbytes
    assert refusal(tmp_path / "r.dcm").startswith("it inflates to more than 0 MB, which are read")


def test_a_file_too_large_for_memory_is_refused(tmp_path):
    with (tmp_path / "r.xml").open("wb") as file:
        file.truncate(2**26 + 1)
    assert refusal(tmp_path / "r.xml") == "it has 67 MB, and up to 67 MB are read; cut the ECG out of it"


@pytest.mark.parametrize("name", ["r.xml", "r.dcm"])
def test_without_the_extra_its_name_is_told(name, tmp_path, monkeypatch):
    path = write_dicom(tmp_path / name) if name == "r.dcm" else written(tmp_path / name, muse())
    for module in ("ecgdatakit", "pydicom"):
        monkeypatch.setitem(sys.modules, module, None)
    assert refusal(path) == "reading it needs the extra 'clinical': pip install 'fgclep[clinical]'"


def test_a_folder_holds_ecgs_of_xml_and_leaves_out_other_xml(tmp_path):
    written(tmp_path / "a.xml", muse())
    written(tmp_path / "b.XML", "<?xml version='1.0'?><AnnotatedECG >".encode("utf-16"))
    written(tmp_path / "c.xml", b"<order/>")
    found, remarks = find_recordings(tmp_path)
    assert [path.name for path in found] == ["a.xml", "b.XML"]
    assert remarks == ["left out 1 files of other kinds (.xml)"]
    assert {"xml", "dicom", "scp", "ishne"} < set(READERS)


# -- samples of makers -------------------------------------------------------------------------------------------------


def assert_equals(name, expected):
    """Compare with (leads, samples) in mV of a reader of our own: what is read exactly, what is stored to its step."""
    channels, record = read_channels(SAMPLES / name), read_file(SAMPLES / name)
    for lead, row in expected.items():
        place = channels.labels.index(lead)
        mv = channels.rows[place] * MILLIVOLTS[channels.units[place].lower()]
        np.testing.assert_allclose(mv, row, rtol=0, atol=1e-12, err_msg=f"{name} {lead}")
        np.testing.assert_allclose(record.mv[record.leads.index(lead)], row, rtol=0, atol=0.0015)
    return record


@samples
@pytest.mark.parametrize(("name", "rate"), [("Example.dcm", 500), ("anonymous_ecg.dcm", 1000)])
def test_dicom_of_makers(name, rate):
    import pydicom

    data = pydicom.dcmread(SAMPLES / name)
    group = data.WaveformSequence[0]
    raw = np.frombuffer(group.WaveformData, "<i2").reshape(-1, int(group.NumberOfWaveformChannels)).T
    scale = [float(channel.ChannelSensitivity) for channel in group.ChannelDefinitionSequence]
    microvolts = {channel.ChannelSensitivityUnitsSequence[0].CodeValue for channel in group.ChannelDefinitionSequence}
    assert microvolts == {"uV"}
    expected = {lead: raw[place] * scale[place] / 1000 for place, lead in enumerate(LEADS)}
    record = assert_equals(name, expected)
    assert record.sampling_rate == rate and not np.isnan(record.mv).any()


@samples
@pytest.mark.parametrize("name", ["Example.xml", "fda_subject1_0.xml"])
def test_aecg_of_makers(name):
    space = "{urn:hl7-org:v3}"
    path = "/".join(space + part for part in ("component", "series", "component", "sequenceSet"))
    rhythm = ET.parse(SAMPLES / name).getroot().find(path)
    expected = {}
    for sequence in rhythm.iter(f"{space}sequence"):
        code = sequence.find(f"{space}code").get("code")
        if code.startswith("MDC_ECG_LEAD_"):
            value = sequence.find(f"{space}value")
            scale, origin = value.find(f"{space}scale"), value.find(f"{space}origin")
            assert scale.get("unit") == "uV" and float(origin.get("value")) == 0
            digits = np.array(value.find(f"{space}digits").text.split(), float)
            lead = code.rpartition("_")[2].replace("AV", "aV")
            expected[lead] = digits * float(scale.get("value")) / 1000
    assert set(expected) == set(LEADS)
    assert assert_equals(name, expected).sampling_rate == 500


@samples
def test_the_least_aecg_is_read_as_it_is_and_refused_as_an_ecg():
    channels = read_channels(SAMPLES / "minimum_aecg.xml")
    digits = np.array([-2, -2, -2, -2, -3, -4, -3, -5, -5, -4, -6, -9, -9])
    assert (channels.labels, channels.units, channels.rates) == (["II"], ["mV"], [500])
    np.testing.assert_allclose(channels.rows[0], digits * 0.0025, atol=1e-12)
    assert "is none of an ECG" in refusal(SAMPLES / "minimum_aecg.xml")


@samples
def test_scp_has_the_samples_that_aecg_and_dicom_have_of_the_same_ecg():
    scp, dicom = read_file(SAMPLES / "Example.scp"), read_file(SAMPLES / "Example.dcm")
    np.testing.assert_allclose(scp.mv, dicom.mv, atol=1.1e-3)


@samples
def test_a_changed_scp_is_refused(tmp_path):
    content = bytearray((SAMPLES / "Example.scp").read_bytes())
    content[20_000] ^= 1
    reason = refusal(written(tmp_path / "r.scp", bytes(content)))
    assert reason.startswith(("its checksum is not that of its content", "it is damaged"))


@samples
def test_muse_of_a_maker():
    root = ET.parse(SAMPLES / "synthetic_muse.xml").getroot()
    (rhythm,) = [wave for wave in root.iter("Waveform") if wave.findtext("WaveformType") == "Rhythm"]
    expected = {
        lead.findtext("LeadID"): np.frombuffer(base64.b64decode(lead.findtext("WaveFormData")), "<i2")
        * float(lead.findtext("LeadAmplitudeUnitsPerBit"))
        / 1000
        for lead in rhythm.iter("LeadData")
    }
    assert len(expected) == 8
    assert assert_equals("synthetic_muse.xml", expected).sampling_rate == 500
    record = read_recording(SAMPLES / "synthetic_muse.xml")
    assert record.leads == LEADS and record.age == 45


@samples
def test_sierra_of_a_maker():
    sierraecg = pytest.importorskip("sierraecg")
    file = sierraecg.read_file(str(SAMPLES / "philips_1_03.xml"))
    expected = {lead.label.replace("AV", "aV"): np.asarray(lead.samples, float) * 5 / 1000 for lead in file.leads}
    assert_equals("philips_1_03.xml", expected)
    record = read_recording(SAMPLES / "philips_1_03.xml")
    assert 5000 <= record.digital.shape[1] < 5350 and record.leads == LEADS
    assert "a calibration pulse of 1.0 mV" in " ".join(record.remarks)
