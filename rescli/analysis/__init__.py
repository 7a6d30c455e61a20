"""Questions asked of run stores."""
