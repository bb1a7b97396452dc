"""The vocabulary of findings, and reports read with it."""
