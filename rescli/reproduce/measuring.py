"""Responses and gradients of a study's finished runs, kept beside their stores: measured once for the same store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from rescli.analysis.gradients import Gradients, gradients
from rescli.analysis.measured import Measured
from rescli.analysis.responses import Responses, responses
from rescli.analysis.run import Run
from rescli.analysis.subject import Wishes
from rescli.errors import StoreError, failure
from rescli.models.weights.digest import digest
from rescli.reproduce.codec import (
    dumps,
    gradients_from_dict,
    gradients_to_dict,
    reading,
    responses_from_dict,
    responses_to_dict,
)
from rescli.reproduce.element import Element, Show
from rescli.reproduce.votes import nearest, votes
from rescli.store.header import read_header
from rescli.store.reader import read_run
from rescli.store.replace import install

Found = TypeVar("Found")

SUFFIX = ".measured.json"


def measure(
    element: Element,
    runs: Iterable[Run],
    wishes: Wishes,
    tell: Callable[[str], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> Measured:
    """What the element shows of layers: of each of its nets one finished run.

    That is the one nearest to the paper's of those that verdicts are about. Once `stop` says yes nothing more is measured.
    """
    found: list[Responses] = []
    norms: list[Gradients] = []
    notes: list[str] = []
    finished = nearest(votes(element, runs).runs)
    for net in element.nets:
        run = next((run for run in finished if net.is_of(run.recipe)), None)
        if run is None or stop():
            continue
        try:
            if "responses" in element.shows:
                found.append(_kept(run, "responses", partial(_look, run, wishes, tell)))
            if "gradients" in element.shows:
                norms.append(_kept(run, "gradients", partial(_differentiate, run, wishes, tell)))
        except Exception as error:
            if (why := failure(error)) is None:
                raise
            notes.append(f"{net.label} was not measured: {why.message}")
    return Measured(responses=tuple(found), gradients=tuple(norms), notes=tuple(notes))


def known(run: Run) -> Measured:
    """What was measured of a run before, and still holds. Raises `StoreError` for a file that makes no sense."""
    kept = _read(run.path)
    with reading(_beside(run.path), "what was measured of a run"):
        return layers_from_dict(kept, run)


def layers_from_dict(values: Mapping[str, Any], run: Run) -> Measured:
    """Whatever of responses and gradients of `run` is among these values."""
    return Measured(
        responses=(responses_from_dict(values["responses"], run),) if "responses" in values else (),
        gradients=(gradients_from_dict(values["gradients"], run),) if "gradients" in values else (),
    )


def _look(run: Run, wishes: Wishes, tell: Callable[[str], None]) -> Responses:
    tell(f"{run.label}, seed {run.recipe.seed}: measuring responses")
    return responses(str(run.path), wishes)


def _differentiate(run: Run, wishes: Wishes, tell: Callable[[str], None]) -> Gradients:
    tell(f"{run.label}, seed {run.recipe.seed}: measuring gradients")
    return gradients(str(run.path), replace(wishes, split="train"))


def _kept(run: Run, what: Show, look: Callable[[], Found]) -> Found:
    """What is kept beside the store, else what `look` finds; that is kept then."""
    try:
        before = getattr(known(run), what)
    except StoreError:  # a file that makes no sense is written anew
        before = ()
    if before:
        return before[0]  # type: ignore[no-any-return]
    found: Any = look()
    values = responses_to_dict(found) if what == "responses" else gradients_to_dict(found)
    facts = {"store": read_header(run.path).digest, "weights": _weights(run.path)}
    kept: dict[str, Any] = {}
    with suppress(StoreError):  # at the last moment, for another process may have measured the rest meanwhile
        known(run)  # a part that makes no sense is not kept
        kept = _read(run.path)
    install(_beside(run.path), dumps({**kept, **facts, what: values}), keep=None)
    return found  # type: ignore[no-any-return]


def kept_of(path: Path) -> frozenset[str]:
    """What need not be measured anew of the run at `path`: "responses", "gradients"."""
    with suppress(StoreError):
        return frozenset(_read(path))
    return frozenset()


def _read(path: Path) -> dict[str, Any]:
    """The file beside a store; empty where there is none, or one of other weights. All else in a store may change."""
    beside = _beside(path)
    if not beside.exists():
        return {}
    with reading(beside, "what was measured of a run"):
        kept = dict(json.loads(beside.read_bytes()))
        store, weights = kept.pop("store"), kept.pop("weights", None)
    if store == read_header(path).digest or (weights is not None and weights == _weights(path)):
        return kept
    return {}


def outdated(run: Run) -> bool:
    """Whether something was measured of the run, but when it had other weights."""
    return _beside(run.path).exists() and not _read(run.path)


def _weights(path: Path) -> str:
    return digest(read_run(path).model)


def _beside(path: Path) -> Path:
    return path.with_suffix(SUFFIX)
