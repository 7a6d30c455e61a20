"""Speed, memory and endurance: what takes too long, or is too noisy, for the tests."""
