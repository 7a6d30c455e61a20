"""Where a step runs: a small protocol (`base`), a registry over entry points (`registry`), cpu and cuda."""
