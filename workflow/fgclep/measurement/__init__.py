"""Intervals, axes and amplitudes of a signal, and the rules on them."""
