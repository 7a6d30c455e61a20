"""The runs in the folders of studies, each seed of a recipe once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rescli.analysis.collect import Refuse, Skipped, collect
from rescli.analysis.run import Run
from rescli.errors import StoreError
from rescli.reproduce.element import Net
from rescli.reproduce.plan import name_of


def gather(studies: Iterable[Path], refuse: Refuse = lambda _: None) -> tuple[tuple[Run, ...], tuple[Skipped, ...]]:
    """The run stores directly in these folders, and what was left out, with the reason.

    A copy of a run is no second seed: of several stores with one recipe and seed the one that got furthest counts, of those the
    one with the planned name, else the first. Raises `StoreError` for a folder without stores, and where nothing is left.
    """
    paths: list[Path] = []
    folders: list[Path] = []
    for study in studies:
        if os.path.isdir(study):  # noqa: PTH112 - False, where it may not be looked at: the reading says why
            named = sorted(study.glob("*.h5"))
            folders += [path for path in named if path.is_dir()]  # whose runs are none of the study's
            these = [path for path in named if not path.is_dir()]
        else:
            these = [study]
        if not these:
            raise StoreError(f"{study}: no run stores there", "`rescli runs list DIR` shows the runs in a folder.")
        paths += these
    found = collect(paths, refuse=refuse)
    chosen: dict[Any, Run] = {}
    skipped = [*found.skipped, *(Skipped(path=path, why="a folder, not a run store") for path in folders)]
    for run in sorted(found.runs, key=lambda run: (not run.finished, -run.iteration, not as_planned(run))):
        first = chosen.setdefault((run.experiment(), run.recipe.seed), run)
        if first is not run:
            skipped.append(Skipped(path=run.path, why=f"the same recipe and seed as {first.path}"))
    kept = set(map(id, chosen.values()))
    return tuple(run for run in found.runs if id(run) in kept), tuple(skipped)


def as_planned(run: Run) -> bool:
    """Whether it has the name that a study gives a run of its recipe."""
    recipe: Any = run.recipe
    if run.imagenet:
        return False
    usual = Net(depth=recipe.depth, plain=recipe.plain)
    net = usual if usual.is_of(recipe) else replace(usual, warmup=False)
    return run.path.stem == name_of(net, recipe.seed, dataset=recipe.dataset, iterations=recipe.iterations)


def told(skipped: Iterable[Skipped], tell: Callable[[str], None]) -> None:
    """A line for each."""
    for one in skipped:
        tell(f"Left out: {one.path}: {one.why}")
