"""What the commands of ``fgclep`` do, one module per group; ``fgclep.cli`` parses their arguments."""
