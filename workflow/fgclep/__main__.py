"""``python -m fgclep`` is the command ``fgclep``."""

from fgclep.cli import main

main()
