"""Simulated recordings in the native layout of each database."""
