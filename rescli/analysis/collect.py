"""From files, folders and patterns to runs and predictions: those that can be used, and the others each with the reason."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from typing import TypeAlias

from rescli.analysis.predicted import Predicted, read_predicted
from rescli.analysis.run import Run, read
from rescli.errors import RescliError, StoreError
from rescli.store.files import store_of
from rescli.store.listing import list_runs
from rescli.store.predictions import holds_predictions
from rescli.store.problems import ForeignFile


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A file that was left out."""

    path: Path
    why: str

    def to_dict(self) -> dict[str, str]:
        """As a JSON document."""
        return {"path": str(self.path), "why": self.why}


Refuse: TypeAlias = Callable[["Run | Predicted"], "str | None"]
"""Why a command cannot use something that was read; None where it can."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Collection:
    """The runs and saved predictions that were found, in the order they were named in, and what was skipped."""

    runs: tuple[Run, ...]
    skipped: tuple[Skipped, ...]
    predictions: tuple[Predicted, ...] = ()


def collect(
    sources: Iterable[Path | str],
    *,
    strict: bool = False,
    predictions: bool = False,
    refuse: Refuse = lambda _: None,
) -> Collection:
    """What is in `sources`: run stores, folders (with all below them) and patterns such as "runs/plain*.h5".

    A file that cannot be read, that holds no run (nor, with `predictions`, scores), or that `refuse` has a reason against, is
    skipped and named. With `strict` that is a `StoreError`; so is, always, that nothing is left.
    """
    found: list[Run | Predicted] = []
    skipped: list[Skipped] = []
    paths = files(sources)
    for path in paths:
        try:
            one = _read(path, predictions)
            why = refuse(one)
        except RescliError as error:
            why = error.message.removeprefix(f"{path}: ")
        store = store_of(str(path))
        if store is not None and Path(store) in paths:  # as a shell has it of runs/*
            why = f"belongs to {store} and is no other run"
        if why is None:
            found.append(one)
        else:
            skipped.append(Skipped(path=path, why=why))
    if skipped and (strict or not found):
        reasons = "; ".join(f"{one.path}: {one.why}" for one in skipped[:3])
        raise StoreError(
            reasons + (f"; and {len(skipped) - 3} more" if len(skipped) > 3 else ""),
            "Leave out --strict to go on without." if found else "`rescli runs list DIR` shows the runs in a folder.",
        )
    return Collection(
        runs=tuple(one for one in found if isinstance(one, Run)),
        skipped=tuple(skipped),
        predictions=tuple(one for one in found if isinstance(one, Predicted)),
    )


def only_cifar(one: Run | Predicted) -> str | None:
    """For Table 6."""
    return "an ImageNet net's: Table 6 is of CIFAR nets" if isinstance(one, Predicted) or one.imagenet else None


def _read(path: Path, predictions: bool) -> Run | Predicted:
    try:
        return read(path)
    except ForeignFile:
        if not predictions or not holds_predictions(path):
            raise
    return read_predicted(path)


def files(sources: Iterable[Path | str]) -> list[Path]:
    """The files that `sources` mean, each once, links or not. Raises `StoreError` for a folder or pattern with none."""
    found: dict[str, Path] = {}
    for source in sources:
        these = list(_of(str(source)))
        if not these:
            raise StoreError(f"{source}: no run stores there", "`rescli runs list DIR` shows the runs in a folder.")
        for path in these:
            key = os.path.realpath(path)
            if key not in found or found[key].is_symlink():  # the file's own name rather than that of a link to it
                found[key] = path
    return list(found.values())


def expand(nets: Iterable[str]) -> list[str]:
    """Folders and patterns as the files they mean; every other word as it is, less the companions of a named store.

    Raises `StoreError` as `files` does.
    """
    found: dict[str, None] = {}
    nets = list(nets)
    for net in nets:
        if store_of(net) in nets and not Path(net).is_dir():  # as a shell has it of runs/*
            continue
        several = Path(net).is_dir() or (has_magic(net) and not Path(net).exists())
        found.update(dict.fromkeys(str(path) for path in files([net])) if several else {net: None})
    return list(found)


def _of(source: str) -> Iterator[Path]:
    path = Path(source)
    if os.path.isdir(path):  # noqa: PTH112 - False, where it may not be looked at: the reading says why
        yield from (listed.path for listed in list_runs(path) if listed.status != "images")
    elif has_magic(source) and not os.path.exists(path):  # noqa: PTH110 - as above
        names = set(glob(source, recursive=True))  # noqa: PTH207 - the whole pattern, wherever it begins
        for name in sorted(names):
            # A generation of a run that is there is no other run.
            if os.path.isdir(name) or store_of(name) not in names:  # noqa: PTH112 - as above
                yield from _of(name)
    else:
        yield path
