"""One module per rule of the workflow, named like it; each also runs by hand with ``python -m``."""
