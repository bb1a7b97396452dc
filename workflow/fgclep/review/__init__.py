"""The sheet on which a clinician judges decisions of the filter."""
