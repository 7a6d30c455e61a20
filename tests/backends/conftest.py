"""What tests of backends share."""

from __future__ import annotations

from tests.backends.jobs import images as images
