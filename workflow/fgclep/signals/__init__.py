"""Signals as they are stored, judged, prepared, and loaded."""
