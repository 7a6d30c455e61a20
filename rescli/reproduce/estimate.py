"""`--dry-run`: what the runs of some elements would take on this device, from a few steps of every net."""

from __future__ import annotations

import heapq
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from rescli.engine.request import Request
from rescli.engine.resume import resumed
from rescli.engine.timing import Timing, time_loading, time_run
from rescli.models.operators import operators
from rescli.profiling.cost import cost
from rescli.reproduce.conduct import Order, check
from rescli.reproduce.element import Element, Net
from rescli.reproduce.measuring import kept_of
from rescli.reproduce.places import places
from rescli.reproduce.plan import Planned
from rescli.reproduce.study import State, check_recipe, state_of
from rescli.store.reader import read_run

FLOATS = 4
GENERATIONS = 2
"""A store and the one before it."""
CURVES = 100_000
"""Bytes of a store that are neither weights nor momentum."""
DATASET = 340
"""Bytes that HDF5 takes for an array by itself."""
DRAWING = 3.0
"""Seconds for a figure."""


@dataclass(frozen=True, kw_only=True)
class Estimated:
    """One run: what is left of it. Seconds, bytes; `disk` is what it does not occupy yet.

    `error` says why it cannot be trained, where something else has its place, or a store that cannot be read.
    """

    name: str
    iterations: int
    step: float
    evaluations: int
    evaluation: float
    seconds: float
    memory: int
    disk: int
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """All runs. `seconds` with so many `jobs` side by side, measuring and drawing included; `memory` on one device."""

    runs: tuple[Estimated, ...]
    jobs: int
    iterations: int
    seconds: float
    device: str
    memory: int
    memory_free: int
    disk: int
    disk_free: int

    def to_dict(self) -> dict[str, Any]:
        """As a JSON document."""
        return asdict(self)


def estimate(order: Order, tell: Callable[[str], None] = lambda _: None) -> Estimate:
    """Time some steps and an evaluation of every net, and add up. Raises as the runs would."""
    check(order.settings)
    loading = time_loading()
    timings: dict[tuple[Net, Any, Any, str], Timing] = {}
    timed: list[tuple[Planned, State, Timing, int | None]] = []
    for run in order.runs:
        state = state_of(run)
        request = _request(run, state, order)
        how = (run.net, request.backend, request.threads, request.recipe.precision)
        if how not in timings:
            tell(f"{run.net.label}: timing some steps")
            timings[how] = time_run(request)
        timed.append((run, state, timings[how], request.threads))
    runs = tuple(_left(run, state, timing, loading) for run, state, timing, _ in timed)
    after = sum(_afterwards(element, [one[:3] for one in timed]) for element in order.elements)
    first = timed[0][2]
    place = next(parent for parent in (order.folder, *order.folder.absolute().parents) if parent.exists())
    jobs = max(1, min(order.jobs, sum(one.iterations > 0 for one in runs)))
    memory = sorted((one.memory for one in runs if one.iterations), reverse=True)[: _sharing(order, jobs)]
    return Estimate(
        runs=runs,
        jobs=order.jobs,
        iterations=sum(one.iterations for one in runs),
        seconds=side_by_side(
            [_slower(order, jobs, threads) * one.seconds for one, (*_, threads) in zip(runs, timed, strict=True)], jobs
        )
        + after,
        device=first.device,
        memory=sum(memory),
        memory_free=first.memory_free,
        disk=sum(one.disk for one in runs),
        disk_free=shutil.disk_usage(place).free,
    )


def side_by_side(seconds: list[float], jobs: int) -> float:
    """When the last one ends, each begun in turn by the first job that is free."""
    ends = [0.0] * jobs
    for one in seconds:
        heapq.heapreplace(ends, ends[0] + one)
    return max(ends)


def store_bytes(net: Net) -> int:
    """What a run occupies: parameters and momentum in fp32, BN's statistics, curves; two generations."""
    spec = net.recipe().spec(classes=10)
    parts = list(operators(spec))
    statistics = sum(2 * one.channels for one in parts if one.kind == "bn")
    tensors = sum({"bn": 6}.get(one.kind, 2 + 2 * one.bias) for one in parts if one.parameters)
    return GENERATIONS * (FLOATS * (2 * cost(spec).parameters + statistics) + DATASET * tensors + CURVES)


def _sharing(order: Order, jobs: int) -> int:
    """How many of the jobs share the device with the most of them."""
    spots = places(jobs, order.settings.backend)
    return max(Counter(tuple(sorted(one.variables.items())) for one in spots).values())


def _slower(order: Order, jobs: int, threads: int | None) -> float:
    """How much slower a run is than by itself: jobs that share a GPU, or threads that share a processor, take turns."""
    spots = places(order.jobs, order.settings.backend)
    if any(one.variables for one in spots):
        return _sharing(order, jobs)
    processors = len(os.sched_getaffinity(0))
    return max(1.0, jobs * min(threads or 1, processors) / processors)


def _request(run: Planned, state: State, order: Order) -> Request:
    """As the run's own process will have it: one that goes on does so on the backend and with the threads that it had."""
    settings = order.settings
    recipe = run.net.recipe(
        dataset=settings.dataset, iterations=settings.iterations, precision=settings.precision, seed=run.seed
    )
    request = Request(
        recipe=recipe, path=run.path, data=settings.data, backend=settings.backend, threads=settings.threads
    )
    if state.ends or not run.path.exists():
        return replace(request, threads=settings.threads or places(order.jobs, settings.backend)[0].threads)
    check_recipe(run)
    return resumed(request, read_run(run.path, tensors=False))


def _left(run: Planned, state: State, timing: Timing, loading: float) -> Estimated:
    """What is still to be done of a run. Writing checkpoints takes less than 1 % of it."""
    total = run.settings.iterations
    iterations = 0 if state.ends else total - state.iteration
    evaluations = -(-timing.evaluations * iterations // total)
    beginning = loading + timing.beginning if iterations else 0.0
    return Estimated(
        name=run.name,
        iterations=iterations,
        step=timing.step,
        evaluations=evaluations,
        evaluation=timing.evaluation,
        seconds=beginning + 1.01 * iterations * timing.step + evaluations * timing.evaluation,
        memory=timing.memory,
        disk=0 if run.path.exists() else store_bytes(run.net),
        error=state.error if state.word in ("other", "unreadable") else "",
    )


def _afterwards(element: Element, timed: Iterable[tuple[Planned, State, Timing]]) -> float:
    """Measuring in fp32, with hooks, takes about twice as long as an evaluation; 8 batches of gradients as 16 steps.

    One run of each net is measured, unless one that has ended has been.
    """
    timings: dict[Net, Timing] = {}
    known: dict[Net, frozenset[str]] = {}
    for run, state, timing in timed:
        if run.net in element.nets:
            timings[run.net] = timing
            known[run.net] = known.get(run.net, frozenset()) | (kept_of(run.path) if state.ends else frozenset())
    responses = sum(2 * one.evaluation for net, one in timings.items() if "responses" not in known[net])
    gradients = sum(16 * one.step for net, one in timings.items() if "gradients" not in known[net])
    return DRAWING + ("responses" in element.shows) * responses + ("gradients" in element.shows) * gradients
