"""What all tests share."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadlines: the machines that run this are shared. In CI the same examples every time: a change is judged, not chance.
settings.register_profile("rescli", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("rescli")
