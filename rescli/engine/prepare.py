"""From a request to a network and images on a device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from rescli.backends.base import Backend, Job, Sgd, Worker
from rescli.backends.registry import choose
from rescli.backends.team import Team, join, processes
from rescli.data.feed import ResidentImages
from rescli.data.locate import find
from rescli.data.mean import mean_image
from rescli.data.names import info
from rescli.data.read import load
from rescli.data.split import Splits, split
from rescli.engine.request import Request
from rescli.errors import BackendError, RescliError, UsageError, out_of_memory
from rescli.models.build import build
from rescli.models.spec import NetworkSpec
from rescli.profiling.cost import cost
from rescli.recipes.cifar import CifarRecipe
from rescli.recipes.recipe import Precision


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A request whose data, device and arithmetic are settled."""

    recipe: CifarRecipe
    spec: NetworkSpec
    splits: Splits
    mean: np.ndarray[Any, np.dtype[np.float32]]
    backend: Backend
    tested: str
    team: Team


def check(request: Request) -> None:
    """Whether the backend and the data are there at all. Raises as `prepare` does, sooner."""
    settle(request, choose(request.backend))
    if info(request.recipe.dataset).needs_files:
        find(request.recipe.dataset, request.data)


def prepare(request: Request) -> Prepared:
    """Find the backend and the data. Raises `BackendError`, `DataError` and `UsageError`; writes nothing."""
    team = join()
    backend = choose(request.backend)
    recipe = settle(request, backend)
    if team.size > 1:
        check_team(recipe, backend, team)
    dataset = load(recipe.dataset, data=request.data)
    splits = split(dataset, recipe.validation)
    return Prepared(
        recipe=recipe,
        spec=recipe.spec(classes=len(dataset.classes)),
        splits=splits,
        mean=mean_image(splits.train.images),
        backend=backend,
        tested="val" if recipe.validation else "test",
        team=team,
    )


def check_team(recipe: CifarRecipe, backend: Backend, team: Team) -> None:
    """Whether the processes can share this recipe's batches. Raises `BackendError` and `UsageError`."""
    if not getattr(backend, "distributed", False):
        raise BackendError(f"backend '{backend.name}' cannot share a run among {team.size} processes", "Start one.")
    if recipe.bn_groups % team.size:
        raise UsageError(
            f"{team.size} processes cannot share batches of {recipe.batch_size} images with BN over {recipe.bn_images}",
            "Each needs a whole number of BN's groups of images: fewer processes, or a smaller --bn-images.",
        )


def settle(request: Request, backend: Backend) -> CifarRecipe:
    """The recipe with nothing left open, the precision neither.

    BN over the whole batch means over what a process has of it, where several share it.
    """
    recipe, size = request.recipe, processes()
    if recipe.bn_images is None and size > 1:
        if recipe.batch_size % size:
            raise UsageError(f"{size} processes cannot share batches of {recipe.batch_size} images evenly")
        recipe = replace(recipe, bn_images=recipe.batch_size // size)
    recipe = recipe.resolved()
    return replace(recipe, precision=cast(Precision, precision_of(backend, recipe.precision)))


def precision_of(backend: Backend, asked: str) -> str:
    """What the backend makes of a precision that was asked for. Raises `BackendError`."""
    with blaming(backend):
        return backend.precision(asked)


@contextmanager
def blaming(backend: Backend) -> Iterator[None]:
    """What goes wrong in here is the backend's: raises `BackendError`, but for lack of memory."""
    try:
        yield
    except RescliError:
        raise
    except Exception as error:
        if out_of_memory(error):
            raise
        raise BackendError(
            f"backend '{backend.name}' failed: {type(error).__name__}: {error}",
            "The same command with --debug shows where; --backend names another.",
        ) from error


def describe(prepared: Prepared) -> list[str]:
    """The resolved recipe in three lines."""
    recipe, spec, counts = prepared.recipe, prepared.spec, cost(prepared.spec)
    schedule = recipe.schedule()
    option = "" if spec.shortcut is None else f" (option {spec.shortcut})"
    drops = " and ".join(f"{milestone:,}" for milestone in schedule.milestones)
    rates = f"lr {schedule.learning_rate:g}" + (f", / {schedule.divisor:g} at {drops}" if drops else "")
    if schedule.warmup_lr is not None:
        rates += f", {schedule.warmup_lr:g} until the training error is below {schedule.warmup_error:g} %"
    device = prepared.backend.device()
    return [
        f"{spec.name}{option} on {recipe.dataset}: {counts.parameters:,} parameters, {counts.macs:,} multiply-adds; "
        f"{len(prepared.splits.train.labels):,} training images, seed {recipe.seed}",
        f"{recipe.iterations:,} iterations of {recipe.batch_size} images, {rates}; momentum {recipe.momentum:g} "
        f"({recipe.momentum_form}), weight decay {recipe.weight_decay:g} ({recipe.decay}), BN over {recipe.bn_images}",
        f"{recipe.precision} on {prepared.backend.name}: {device.name}"
        + (f", {prepared.team.size} processes" if prepared.team.size > 1 else ""),
    ]


def start(request: Request, prepared: Prepared) -> tuple[Worker, ResidentImages]:
    """The network, freshly initialized, and the images on the device; and the feed of the training images."""
    recipe, splits = prepared.recipe, prepared.splits
    tested = splits.test if splits.validation is None else splits.validation
    feeds = {
        "train": ResidentImages(splits.train, prepared.mean),
        prepared.tested: ResidentImages(tested, prepared.mean),
    }
    job = Job(
        network=build(prepared.spec, seed=recipe.seed, bn_groups=recipe.bn_groups // prepared.team.size),
        feeds=feeds,
        classes=prepared.spec.classes,
        precision=recipe.precision,
        sgd=Sgd(
            momentum=recipe.momentum,
            momentum_form=recipe.momentum_form,
            weight_decay=recipe.weight_decay,
            decay=recipe.decay,
        ),
        deterministic=request.deterministic,
        threads=request.threads,
        compile=request.compile,
        checkpoint_activations=request.checkpoint_activations,
        team=prepared.team,
    )
    return start_job(prepared.backend, job), feeds["train"]


def start_job(backend: Backend, job: Job) -> Worker:
    """Put a job on a backend. Raises `BackendError`."""
    with blaming(backend):
        return backend.start(job)
