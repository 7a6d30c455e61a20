"""Runs side by side: only what differs, and how they ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rescli.analysis.recipes import word
from rescli.analysis.run import Run
from rescli.analysis.table import Table


def compare(runs: Sequence[Run]) -> Table:
    """A column for each run; a row for every part of the recipe that is not the same in all, then the outcome of each.

    The environment (device, versions) is there too where it differs, for it may explain a difference.
    """
    recipes = [run.recipe.to_dict() for run in runs]
    rows: list[tuple[str, list[Any], list[str]]] = []
    # A CIFAR run beside an ImageNet run: what only one of the recipes knows is none in the other.
    for name in dict.fromkeys(name for recipe in recipes for name in recipe):
        values = [recipe.get(name) for recipe in recipes]
        if any(value != values[0] for value in values):
            rows.append((name, values, [word(value) for value in values]))
    images = [run.images[:8] for run in runs]
    if len(set(images)) > 1:
        rows.append(("images", images, images))
    differing = len(rows)
    rows += _outcome(runs)
    rows += [row for row in _environment(runs) if any(value != row[1][0] for value in row[1])]
    paths = [str(run.path) for run in runs]
    return Table(
        title="Runs compared",
        columns=("", *paths),
        rows=tuple((name, *printed) for name, _, printed in rows),
        exact=tuple({"what": name, "values": values} for name, values, _ in rows),
        flat=tuple({"what": name, **dict(zip(paths, values, strict=True))} for name, values, _ in rows),
        notes=() if differing else ("the recipes are equal",),
        right=tuple(range(1, len(runs) + 1)),
    )


def _outcome(runs: Sequence[Run]) -> list[tuple[str, list[Any], list[str]]]:
    def row(name: str, values: Sequence[Any], form: str, unit: str = "") -> tuple[str, list[Any], list[str]]:
        return name, list(values), ["" if value is None else f"{value:{form}}{unit}" for value in values]

    return [
        row("net", [run.label for run in runs], ""),
        row("status", [run.status for run in runs], ""),
        row("iterations done", [run.iteration for run in runs], ",d"),
        row("parameters", [run.parameters for run in runs], ",d"),
        row("training error", [run.train_error for run in runs], ".2f", " %"),
        *(
            row(f"{split} error", [run.error if run.tested == split else None for run in runs], ".2f", " %")
            for split in ("test", "val")
            if any(run.tested == split for run in runs)
        ),
        row("time", [run.seconds for run in runs], ".0f", " s"),
    ]


def _environment(runs: Sequence[Run]) -> list[tuple[str, list[Any], list[str]]]:
    sessions: list[Mapping[str, Any]] = [run.last_session for run in runs]
    names = ("backend", "device", "threads", "deterministic", "rescli", "torch", "python")
    return [
        (name, [one.get(name) for one in sessions], [word(one.get(name, "")) for one in sessions])
        for name in names
        if any(name in one for one in sessions)
    ]
