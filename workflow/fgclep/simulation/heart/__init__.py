"""A patient's heart: what it has, and the electricity that follows."""
