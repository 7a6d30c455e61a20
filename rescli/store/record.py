"""Everything a run store holds, as plain data."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    import numpy.typing as npt

    Array: TypeAlias = npt.NDArray[Any]

JSON: TypeAlias = Any  # None, bool, int, float, str, and lists and string-keyed mappings of these
Status: TypeAlias = Literal["running", "stopped", "finished", "diverged"]

STATUSES: tuple[Status, ...] = ("running", "stopped", "finished", "diverged")
UNITS: Mapping[str, str] = {
    "iteration": "iterations",
    "loss": "nats per image",
    "error": "%",
    "learning_rate": "1",
    "seconds": "s",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class RunRecord:
    """One run at one moment.

    `metrics` maps a split (train, test, val) to columns of equal length (one number per row, in the units of `UNITS`). `model`
    and `momentum` map tensor names to arrays, `inputs` holds what the images were prepared with, such as `mean_image`
    (float32, height x width x 3). `analysis` is a tree: mappings are groups; leaves are arrays, numbers or text; the entry
    `"@key"` is an attribute of its group and `"name@key"` one of the array `name` beside it (`"depth@units": "layers"`).
    """

    status: Status
    recipe: Mapping[str, JSON]
    environment: Mapping[str, JSON]
    progress: Mapping[str, JSON]
    sessions: Sequence[Mapping[str, JSON]]
    metrics: Mapping[str, Mapping[str, Array]]
    inputs: Mapping[str, Array]
    model: Mapping[str, Array]
    momentum: Mapping[str, Array]
    analysis: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, JSON] = field(default_factory=dict)

    @property
    def last_session(self) -> Mapping[str, JSON]:
        """Of the sessions that have trained it; empty where a store tells of none."""
        return self.sessions[-1] if self.sessions else {}

    @property
    def images(self) -> str:
        """Which photographs it is trained and evaluated on: a digest of the digests; empty for data sets known by name."""
        parts = [self.inputs[name].tobytes() for name in ("images_sha256", "tested_sha256") if name in self.inputs]
        return hashlib.sha256(b"".join(parts)).hexdigest() if parts else ""

    def snapshot(self) -> RunRecord:
        """The same record with memory of its own, so that training may go on with the tensors behind the arrays."""
        names = ("recipe", "environment", "progress", "sessions", "metrics", "inputs", "model", "momentum", "analysis")
        return replace(self, **{name: _own(getattr(self, name)) for name in (*names, "summary")})


def _own(value: Any) -> Any:
    """A deep copy that turns every kind of mapping into a plain dict."""
    if isinstance(value, Mapping):
        return {key: _own(item) for key, item in value.items()}
    return copy.deepcopy(value)
