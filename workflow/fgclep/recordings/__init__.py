"""Recordings as people have them: WFDB, EDF, CSV and NPY, checked as the workflow checks its own."""
