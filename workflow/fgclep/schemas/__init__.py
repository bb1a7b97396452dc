"""Every table that crosses a rule: column names, types and units, a module for each file."""
