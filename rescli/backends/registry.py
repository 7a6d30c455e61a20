"""Which backends there are: cpu and cuda, and what other packages name in the entry-point group `rescli.backends`."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

import rescli
from rescli.errors import BackendError

if TYPE_CHECKING:
    from rescli.backends.base import Backend, Device

GROUP = "rescli.backends"
BUILT_IN = (
    EntryPoint("cpu", "rescli.backends.cpu:CpuBackend", GROUP),
    EntryPoint("cuda", "rescli.backends.cuda:CudaBackend", GROUP),
)
PREFERRED = ("cuda", "cpu")  # what `auto` tries, in this order; another package's backend is used when named


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A registered backend: where it comes from, and why it does not work here (None: it works, on `device`)."""

    name: str
    source: str
    unavailable: str | None
    backend: Backend | None = None
    device: Device | None = None


class BackendWarning(UserWarning):
    """A backend was left out, or goes on more slowly than it could."""


@lru_cache(maxsize=1)
def registered() -> dict[str, EntryPoint]:
    """The entry points by name. Where two packages use one name the first wins, and rescli's own before all others."""
    found = {entry.name: entry for entry in BUILT_IN}
    for entry in entry_points(group=GROUP):
        taken = found.setdefault(entry.name, entry)
        if taken.value != entry.value:
            _warn(f"backend '{entry.name}' of {_source(entry)} is left out: the name is taken by {_source(taken)}")
    return found


def available() -> list[Listed]:
    """Every registered backend, and whether it works here. Broken ones warn and are listed with the reason."""
    return [_look(entry) for entry in registered().values()]


def choose(name: str) -> Backend:
    """The backend called `name`; `auto` is the first of cuda and cpu that works here.

    Raises `BackendError` for an unknown name, listing what there is, and for one that does not work here.
    """
    known = registered()
    if name == "auto":
        listed = [_look(known[preferred]) for preferred in PREFERRED if preferred in known]
        for candidate in listed:
            if candidate.unavailable is None and candidate.backend is not None:
                return candidate.backend
        reasons = "; ".join(f"{one.name}: {one.unavailable}" for one in listed) or "none is registered"
        raise BackendError(f"no backend works here ({reasons})", "`rescli backends` lists them all.")
    if name not in known:
        listed = available()
        near = get_close_matches(name, known)
        there = "; ".join(one.name + (f" (not here: {one.unavailable})" if one.unavailable else "") for one in listed)
        raise BackendError(
            f"there is no backend '{name}'" + (f"; did you mean '{near[0]}'?" if near else ""), f"There are: {there}."
        )
    one = _look(known[name])
    if one.backend is None or one.unavailable is not None:
        raise BackendError(
            f"backend '{name}' does not work here: {one.unavailable}", "`rescli backends` lists them all."
        )
    return one.backend


def _look(entry: EntryPoint) -> Listed:
    try:
        backend: Backend = entry.load()()
        reason = backend.unavailable()
        device = None if reason else backend.device()
    except Exception as error:  # another package's code may fail in any way, and must not stop ours
        reason = f"broken: {type(error).__name__}: {error}"
        _warn(f"backend '{entry.name}' of {_source(entry)} is left out, it is {reason}")
        return Listed(name=entry.name, source=_source(entry), unavailable=reason)
    return Listed(name=entry.name, source=_source(entry), unavailable=reason, backend=backend, device=device)


def _source(entry: EntryPoint) -> str:
    if entry in BUILT_IN:
        return f"rescli {rescli.__version__}"
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else entry.value


def _warn(message: str) -> None:
    warnings.warn(message, BackendWarning, stacklevel=3)
