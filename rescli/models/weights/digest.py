"""Which weights are meant: a digest over all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt


def digest(tensors: Mapping[str, npt.NDArray[Any]]) -> str:
    """SHA-256 over names and bytes of all tensors, in hexadecimal; their order does not matter."""
    found = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        found.update(name.encode() + b"\0" + np.ascontiguousarray(value).tobytes())
    return found.hexdigest()
