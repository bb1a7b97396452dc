"""From the heart to a recording."""
