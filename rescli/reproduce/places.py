"""Where runs side by side are trained: one to a GPU, or each with its part of the processor. No torch for a single job."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Place:
    """One of the jobs: `variables` are added to the environment of its processes, `threads` are for a new run."""

    variables: Mapping[str, str] = field(default_factory=dict)
    threads: int | None = None


def places(jobs: int, backend: str, *, gpus: Sequence[str] | None = None, processors: int | None = None) -> list[Place]:
    """A place for each job. With more jobs than GPUs, several share one. Backends of other packages are not told anything."""
    if jobs == 1 or backend not in ("auto", "cpu", "cuda"):
        return [Place() for _ in range(jobs)]
    if gpus is None and backend != "cpu":
        from rescli.backends.visible import gpus as visible

        gpus = visible()
    if gpus and backend != "cpu":
        return [Place(variables={"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]}) for number in range(jobs)]
    threads = max(1, (processors or len(os.sched_getaffinity(0))) // jobs)
    return [Place(threads=threads) for _ in range(jobs)]
