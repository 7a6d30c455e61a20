"""Going on in the ordinary way where a faster one fails."""

from __future__ import annotations

import warnings

from rescli.backends.registry import BackendWarning
from rescli.errors import out_of_memory


def fall_back(what: str, error: Exception) -> str:
    """Warn of `what` and say why, in a line. Raises `error` itself where memory ran out: no other way would help."""
    if out_of_memory(error):
        raise error
    reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
    warnings.warn(f"{what} ({reason})", BackendWarning, stacklevel=4)
    return reason
