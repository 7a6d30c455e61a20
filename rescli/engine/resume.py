"""Going on with a stored run, exactly as it would have gone on by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rescli.backends.base import State, Totals, Worker
from rescli.backends.registry import choose
from rescli.data.listing import sorted_into_classes
from rescli.engine.prepare import Prepared, precision_of
from rescli.engine.progress import Metrics, Progress
from rescli.engine.request import Request
from rescli.errors import BackendError, UsageError
from rescli.program import processes
from rescli.recipes.imagenet import ImageNetRecipe
from rescli.recipes.recipe import Recipe
from rescli.recipes.stored import recipe_of
from rescli.store.record import RunRecord

MATTERS = ("backend", "device", "threads", "deterministic", "torch", "processes", "compile", "accumulate")
"""What may change the last bits of a run when it differs between two sessions."""

IMAGES = ("data", "decoder")
"""What may change pixels: another file may hold images that were encoded anew."""


def resumed(request: Request, record: RunRecord) -> Request:
    """The request with the stored recipe, and with the backend, the threads and the determinism of the last session.

    As many processes as then have its threads each; others have what they have by themselves. Raises `UsageError` where
    the user now asks for another recipe, and `BackendError` where the backend is not there.
    """
    stored = recipe_of(record.recipe)
    last = record.last_session
    if request.backend == "auto":
        request = replace(request, backend=str(last.get("backend", "auto")))
    changed = _changes(request, stored, finished=record.status == "finished")
    if changed:
        listed = "; ".join(f"{name} was {before}, now {now}" for name, (before, now) in changed.items())
        raise UsageError(
            f"{request.path} was trained with another recipe: {listed}",
            "Leave these options out to go on as before, or start a new run with another --out.",
        )
    return replace(
        request,
        recipe=stored,
        threads=request.threads or (last.get("threads") if last.get("processes", 1) == processes() else None),
        deterministic=request.deterministic or bool(last.get("deterministic")),
        compile=last.get("compile")
        if request.compile is None and not request.checkpoint_activations
        else request.compile,
        checkpoint_activations=request.checkpoint_activations
        or (bool(last.get("checkpoint_activations")) and not request.compile),  # the two exclude one another
        accumulate=last.get("accumulate") if request.accumulate is None else request.accumulate,
        decode=request.decode or last.get("decode"),
        data=request.data or _remembered(stored, last, "data"),
        truth=request.truth or (None if _knows_itself(request.data, last) else _remembered(stored, last, "truth")),
    )


def _knows_itself(data: Path | None, last: Mapping[str, Any]) -> bool:
    """Whether the true classes are where the images are now: in another file than before, or in folders of classes."""
    if data is not None and data.is_file() and data.resolve() != Path(str(last.get("data"))).resolve():
        return True
    return sorted_into_classes(data or Path(str(last.get("data"))), "val")


def _remembered(stored: Recipe, last: Mapping[str, Any], what: str) -> Path | None:
    """Where the photographs, or their true classes, were; data sets that have names are looked for as in a new run."""
    return Path(last[what]) if stored.dataset == "imagenet" and last.get(what) else None


def _changes(request: Request, stored: Recipe, *, finished: bool) -> dict[str, tuple[Any, Any]]:
    """What was given and is not as stored, each with both values."""
    given = dict(request.given)
    precision = given.get("precision", "auto")
    if precision == "auto" or finished:  # where a finished run could be trained does not matter any more
        given.pop("precision", None)
    else:
        given["precision"] = precision_of(choose(request.backend), precision)
    if isinstance(stored, ImageNetRecipe) and "model" in given:
        given |= _named(str(given["model"]))
    before = stored.to_dict()
    now = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items() if name in before}
    return {name: (before[name], value) for name, value in now.items() if before[name] != value}


def _named(model: str) -> dict[str, Any]:
    """What a name of an ImageNet net says, as stores say it: `ResNet-34` is resnet34, `resnet34-b` that with option B."""
    said = ImageNetRecipe(model=model).resolved()
    usual = ImageNetRecipe(model=said.model).resolved()
    forks = [name for name in ("shortcut", "stride_in") if getattr(said, name) != getattr(usual, name)]
    return {"model": said.model, **{name: getattr(said, name) for name in forks}}


def check_same(request: Request, prepared: Prepared, record: RunRecord) -> None:
    """Whether device and data allow to go on. Raises `BackendError` and `DataError`."""
    precision = record.recipe["precision"]
    if prepared.recipe.precision != precision:
        raise BackendError(
            f"{request.path} was trained in {precision}, which {prepared.backend.device().name} does not have",
            "Go on with it where it began, or name another --backend.",
        )
    prepared.source.check_same(request, record)


def restore(worker: Worker, record: RunRecord) -> tuple[Progress, Metrics]:
    """Give the worker its weights, momentum and sums back. Raises `StoreError` where they do not fit."""
    stored = {name: value for name, value in record.progress.items() if name != "diverged_at"}
    totals = Totals(**stored.pop("totals"))
    worker.load(State(model=record.model, momentum=record.momentum, totals=totals))
    return Progress.from_dict(stored), Metrics(record.metrics)


def inexact(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Why this session may not be bit for bit what the last one would have been; None if it is."""
    changed = [
        f"{name} was {before[name]}, now {now[name]}"
        for name in (*MATTERS, *IMAGES)
        if name in before and before[name] != now[name]
    ]
    return f"the last bits may differ from an uninterrupted run: {'; '.join(changed)}" if changed else None
