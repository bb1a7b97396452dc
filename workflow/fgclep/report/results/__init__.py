"""What the report shows, as data."""
