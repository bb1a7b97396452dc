"""ECGs as drawings."""
