"""A trained model at work: what it says of an ECG, and which ECGs fit a text."""
