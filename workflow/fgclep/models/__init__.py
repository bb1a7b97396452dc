"""The ECG encoder, the text encoder, and the model that joins them."""
