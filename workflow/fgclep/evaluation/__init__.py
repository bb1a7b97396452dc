"""Tasks, metrics, zero-shot and linear-probe evaluation."""
