"""How the paper trained: frozen dataclasses and schedules. No torch."""
