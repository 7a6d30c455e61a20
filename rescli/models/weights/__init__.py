"""Weights exchanged with the rest of the world, together with the forks they were trained for."""
