"""The frozen similarity S between texts: its sources, how it is written in blocks, and how it is looked up."""
