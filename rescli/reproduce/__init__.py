"""Every table, figure and claim of the paper as one command: which runs it needs, running them, and what came out."""
