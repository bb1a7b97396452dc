"""Marks of the waves of simulated recordings, as cardiologists set them in LUDB."""

from dataclasses import replace

import numpy as np
import pytest
import wfdb
from conftest import ROOT
from simulated import example

from fgclep.leads import INDEX
from fgclep.simulation.recorder.annotations import annotate
from fgclep.simulation.truth.measures import measure


@pytest.fixture
def clean(monkeypatch):
    """Simulate without noise, filters and steps."""
    monkeypatch.setattr("fgclep.simulation.recorder.recording.record", lambda signal, *rest: signal)
    return example


def test_marks_lie_on_the_waves_of_the_noise_free_signal(clean):
    recording = clean(3, rate=66.0)
    leads, marks = recording.twelve(), annotate(recording)
    onsets = [time for time, _ in recording.timeline.qrs]
    whole = sum(0.02 < time < 9.85 for time in onsets)
    for lead in ("I", "II", "V2", "V5"):
        course, seen = leads[INDEX[lead]], marks[INDEX[lead]]
        assert abs(len(seen.qrs) - whole) <= 1
        for onset, peak, offset in seen.qrs:
            assert np.abs(course[onset - 5 : offset + 6]).argmax() == pytest.approx(peak - onset + 5, abs=1)
            assert abs(course[onset - 1]) < 0.08 * abs(course[peak]) + 0.02
        for onset, peak, offset in seen.t:
            assert onset < peak < offset
            top = np.sign(course[peak]) * course[peak - 10 : peak + 11]
            assert top.max() - top[10] < 0.01
            assert abs(course[offset]) < 0.35 * abs(course[peak])
        for onset, peak, offset in seen.p:
            assert abs(course[peak]) >= max(abs(course[onset]), abs(course[offset])) - 0.01


def test_marked_intervals_are_those_of_the_truth(clean):
    recording = clean(3, rate=66.0)
    measures, _ = measure(recording)
    marks = annotate(recording)
    qrs = np.max([lead.qrs[1:5, 2] for lead in marks], axis=0) - np.min([lead.qrs[1:5, 0] for lead in marks], axis=0)
    assert np.median(qrs) * 2 == pytest.approx(measures["qrs_ms"], abs=8)
    p, r = marks[INDEX["II"]].p, marks[INDEX["II"]].qrs
    following = [r[r[:, 0] > onset][0, 0] - onset for onset in p[:5, 0]]
    assert np.median(following) * 2 == pytest.approx(measures["pr_ms"], abs=16)
    t = marks[INDEX["II"]].t
    qt = [end - r[r[:, 0] < peak][-1, 0] for _, peak, end in t[1:6]]
    assert np.median(qt) * 2 == pytest.approx(measures["qt_ms"] + 10, abs=8)  # the eye sees T end after the tangent


def test_fibrillation_has_no_p_marks_and_a_flat_wave_has_none_in_its_lead(clean):
    assert all(len(lead.p) == 0 for lead in annotate(clean(5, rhythm="afib", rate=95.0)))
    recording = clean(6)
    isoelectric = replace(recording, connection=np.diag([0.0] + [1.0] * 7).astype(np.float32))  # lead I off
    marks = annotate(isoelectric)
    assert len(marks[INDEX["I"]].qrs) == 0 < len(marks[INDEX["II"]].qrs)


def test_marks_are_written_in_the_form_of_ludb(tmp_path):
    samples, symbols = annotate(example(3))[INDEX["II"]].wfdb()
    folder = ROOT.parent / "shared" / "physionet" / "files" / "ludb" / "1.0.1" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs LUDB at {folder}")
    first = next(iter(sorted(folder.glob("*.hea")))).with_suffix("")
    theirs = wfdb.rdann(str(first), "ii")
    assert set(symbols) == set(theirs.symbol)
    wfdb.wrann("ours", "ii", samples, symbols, write_dir=str(tmp_path))
    again = wfdb.rdann(str(tmp_path / "ours"), "ii")
    assert again.symbol == symbols and (again.sample == samples).all()
    for written in (symbols, theirs.symbol):  # onset, wave, offset
        waves = [i for i, symbol in enumerate(written) if symbol == "N"]
        assert all(written[i - 1] == "(" and written[i + 1] == ")" for i in waves)
