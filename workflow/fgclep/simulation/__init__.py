"""Simulated 12-lead ECGs whose waveform features and diagnoses are known, in the native layout of four databases."""
