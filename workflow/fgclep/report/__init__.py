"""The report: one HTML file with everything a reader needs to judge a run."""
