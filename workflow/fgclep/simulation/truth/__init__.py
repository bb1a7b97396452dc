"""What is true of a simulated recording."""
