"""One file per command: parse, call, print. No logic, and no torch at import."""
