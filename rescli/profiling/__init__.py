"""What a spec costs. No torch."""
