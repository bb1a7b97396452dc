"""Elements of inline SVG."""
