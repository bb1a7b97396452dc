"""Which recovered features hold for an ECG: the checks, and the audit of every decision."""
