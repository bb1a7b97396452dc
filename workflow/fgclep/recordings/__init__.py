"""Recordings as people have them: WFDB, EDF, CSV and NPY, checked as the workflow checks its own."""


def __getattr__(name: str) -> object:
    if name == "read_recording":  # loaded on demand: a stage that reads WFDB needs no other reader
        from fgclep.recordings.read import read_recording

        return read_recording
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
