"""From a request to a network and images on a device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import cast

from rescli.backends.base import Backend, Job, Sgd, Worker
from rescli.backends.registry import choose
from rescli.backends.team import Team, join
from rescli.data.gpu import JpegDevice
from rescli.data.locate import find, training_photographs
from rescli.data.names import info
from rescli.engine.observer import Observer, Silent
from rescli.engine.photograph_source import Streamed
from rescli.engine.request import Request
from rescli.engine.source import Resident, Source
from rescli.engine.stopping import StopSignals
from rescli.errors import BackendError, RescliError, UsageError, out_of_memory
from rescli.models.build import build
from rescli.models.operators import VGG_MAP, last_map
from rescli.models.spec import Spec, VggSpec
from rescli.profiling.cost import cost
from rescli.program import processes
from rescli.recipes.cifar import CifarRecipe
from rescli.recipes.imagenet import SIZE, ImageNetRecipe
from rescli.recipes.recipe import Precision, Recipe


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A request whose images, device and arithmetic are settled."""

    recipe: Recipe
    spec: Spec
    source: Source
    backend: Backend
    team: Team


def check(request: Request) -> None:
    """Whether the backend and the data are there at all. Raises as `prepare` does, sooner."""
    backend = choose(request.backend)
    settle(request, backend)
    if isinstance(request.recipe, ImageNetRecipe):
        decoding_device(request, backend)
        training_photographs(request.data)
    elif info(request.recipe.dataset).needs_files:
        find(request.recipe.dataset, request.data)


def prepare(
    request: Request, observer: Observer | None = None, stop: StopSignals | None = None, *, quick: bool = False
) -> Prepared:
    """Find the backend and the images. Raises `BackendError`, `DataError` and `UsageError`; writes nothing.

    `stop` may have heard a signal while many images are looked at: raises `StoppedEarly` or `Interrupted`. `quick`: only to
    time some steps.
    """
    team = join()
    backend = choose(request.backend)
    recipe = settle(request, backend)
    check_parts(recipe, backend, team, request.parts)
    check_deterministic(recipe, request, backend)
    source = source_of(recipe, request, backend, team, observer or Silent(), stop or StopSignals(), quick=quick)
    return Prepared(recipe=recipe, spec=recipe.spec(classes=source.classes), source=source, backend=backend, team=team)


def source_of(
    recipe: Recipe,
    request: Request,
    backend: Backend,
    team: Team,
    observer: Observer,
    stop: StopSignals,
    *,
    quick: bool,
) -> Source:
    """The images that a recipe is about."""
    if isinstance(recipe, ImageNetRecipe):
        decoder = decoding_device(request, backend)
        return Streamed(recipe, request, team, observer, stop, quick=quick, decoder=decoder)
    assert isinstance(recipe, CifarRecipe)
    return Resident(recipe, request, team)


def decoding_device(request: Request, backend: Backend) -> JpegDevice | None:
    """The device that decodes training images; None: the host. Raises `BackendError` where the backend's cannot."""
    if request.decode != "gpu":
        return None
    ask = getattr(backend, "jpeg_decoder", None)
    if ask is None:
        raise BackendError(
            f"backend '{backend.name}' decodes no JPEGs", "Name --decode cpu, or train with --backend cuda."
        )
    device: JpegDevice = ask()
    return device


def check_parts(recipe: Recipe, backend: Backend, team: Team, accumulate: int = 1) -> None:
    """Whether processes, and parts one after the other, can share this recipe's batches.

    Raises `BackendError` and `UsageError`.
    """
    if team.size > 1 and not getattr(backend, "distributed", False):
        raise BackendError(f"backend '{backend.name}' cannot share a run among {team.size} processes", "Start one.")
    if recipe.bn_images is not None and recipe.bn_groups % (team.size * accumulate):
        raise UsageError(
            f"{_sharing(team.size, accumulate)} cannot share batches of {recipe.batch_size} images "
            f"with BN over {recipe.bn_images}",
            "Each needs a whole number of BN's groups of images: fewer of them, or a smaller --bn-images.",
        )


def check_deterministic(recipe: Recipe, request: Request, backend: Backend) -> None:
    """Raises `UsageError` for VGG on CUDA at a size whose last map is averaged to 7x7: PyTorch has no such gradient there."""
    if not (request.deterministic and backend.name == "cuda" and isinstance(recipe, ImageNetRecipe)):
        return
    spec = recipe.spec(classes=2)
    if isinstance(spec, VggSpec) and last_map(spec) != VGG_MAP:
        raise UsageError(
            f"at {recipe.size} pixels the last map of {spec.name} is averaged to {VGG_MAP}x{VGG_MAP}, "
            "of which PyTorch computes no gradient on CUDA that is the same every time",
            f"Leave out --deterministic, or train at {SIZE} pixels.",
        )


def settle(request: Request, backend: Backend) -> Recipe:
    """The recipe with nothing left open, the precision neither.

    BN over the whole batch means over what goes through the network together, where several processes or parts share it.
    """
    recipe, parts = request.recipe, processes() * request.parts
    if recipe.bn_images is None and recipe.resolved().bn_images is not None:
        if recipe.batch_size % parts:
            raise UsageError(
                f"{_sharing(processes(), request.parts)} cannot share batches of {recipe.batch_size} images evenly"
            )
        recipe = replace(recipe, bn_images=recipe.batch_size // parts)
    recipe = recipe.resolved()
    return replace(recipe, precision=cast(Precision, precision_of(backend, recipe.precision)))


def _sharing(processes: int, parts: int) -> str:
    shared = f"{processes} processes" if processes > 1 else ""
    return " with ".join(filter(None, (shared, f"{parts} parts" if parts > 1 else "")))


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
    schedule, option = recipe.schedule(), "" if recipe.shortcut is None else f" (option {recipe.shortcut})"
    drops = " and ".join(f"{milestone:,}" for milestone in schedule.milestones)
    rates = f"lr {schedule.learning_rate:g}" + (f", / {schedule.divisor:g} at {drops}" if drops else "")
    if schedule.warmup_lr is not None:
        rates += f", {schedule.warmup_lr:g} until the training error is below {schedule.warmup_error:g} %"
    evaluations = -(-recipe.iterations // (recipe.eval_every or recipe.iterations))
    if (rule := schedule.plateau) and not rule.within(evaluations):
        rates += f" (evaluations: {evaluations}, too few for a plateau; --milestone or --eval-every)"
    elif rule:
        rates += f", / {schedule.divisor:g} at a plateau of {rule.patience} evaluations, {rule.drops} times at most"
    over = "" if recipe.bn_images is None else f", BN over {recipe.bn_images}"
    device = prepared.backend.device()
    return [
        f"{spec.name}{option} on {recipe.dataset}: {counts.parameters:,} parameters, {counts.macs:,} multiply-adds; "
        f"{prepared.source.images:,} training images, seed {recipe.seed}",
        f"{recipe.iterations:,} iterations of {recipe.batch_size} images, {rates}; momentum {recipe.momentum:g} "
        f"({recipe.momentum_form}), weight decay {recipe.weight_decay:g} ({recipe.decay}){over}",
        f"{recipe.precision} on {prepared.backend.name}: {device.name}"
        + (f", {prepared.team.size} processes" if prepared.team.size > 1 else ""),
    ]


def start(request: Request, prepared: Prepared) -> Worker:
    """The network, freshly initialized, on the device."""
    recipe, parts = prepared.recipe, prepared.team.size * request.parts
    job = Job(
        network=build(prepared.spec, seed=recipe.seed, bn_groups=max(1, recipe.bn_groups // parts)),
        feeds=prepared.source.feeds(),
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
        accumulate=request.parts,
        seed=recipe.seed,
        checkpoint_activations=request.checkpoint_activations,
        team=prepared.team,
    )
    return start_job(prepared.backend, job)


def start_job(backend: Backend, job: Job) -> Worker:
    """Put a job on a backend. Raises `BackendError`."""
    with blaming(backend):
        return backend.start(job)
