"""How fast it is, beside the loop that everyone writes, measured side by side."""
