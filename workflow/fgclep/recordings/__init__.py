"""Recordings as people have them: WFDB, EDF, CSV and NPY, checked as the workflow checks its own."""

from fgclep.recordings.find import find_recordings
from fgclep.recordings.read import read_recording

__all__ = ["find_recordings", "read_recording"]
