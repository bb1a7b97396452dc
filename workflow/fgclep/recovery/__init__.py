"""Recovery of the waveform features that reports leave out."""
