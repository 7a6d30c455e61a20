"""Training and test error against iterations: Figs. 1, 4 and 6."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rescli.analysis.plot import Line, Panel, Plot
from rescli.analysis.recipes import LOOKS, word
from rescli.analysis.run import Run
from rescli.errors import RescliError

TOP = 20.0
"""Figs. 1 and 6 show errors up to 20 %."""
FIGURE_4 = (20.0, 60.0)
"""Fig. 4 shows errors from 20 to 60 %."""


def curves(runs: Sequence[Run], *, bottom: float | None = None, top: float | None = None) -> Plot:
    """As Figs. 1 and 6: "Dashed lines denote training error, and bold lines denote testing error."

    As Fig. 4 where all are ImageNet runs: "Thin curves denote training error, and bold curves denote validation error of the
    center crops." Runs of one net share a colour. The axis goes from `bottom` to `top`: to 20 % (or from 20 to 60 %) as in the
    paper, or further where a run ends outside (the paper leaves plain-110 out). Raises `RescliError` where no run has a point
    yet.
    """
    lines: list[Line] = []
    # Shallow nets first: their order decides the colours, whatever order the files came in.
    for run in sorted(runs, key=lambda run: (not run.recipe.plain, run.recipe.depth, run.recipe.seed)):
        name = _name(run, runs)
        for split, style in (("train", "dashed"), (run.tested, "bold")):
            x, y = run.curve(split)
            if len(x):
                lines.append(
                    Line(
                        label=f"{name} {split}",
                        group=name,
                        what=f"{'training' if split == 'train' else split} error",
                        source=str(run.path),
                        x=x,
                        y=y,
                        style="bold" if style == "bold" else "dashed",
                    )
                )
    if not lines:
        raise RescliError(
            "none of these runs has a curve yet", "Wait for their first rows: `rescli runs watch RUN.h5`."
        )
    longest = max(run.recipe.iterations for run in runs)
    power = 4 if longest >= 20_000 else 3 if longest >= 2_000 else 0
    tested = " and ".join(dict.fromkeys(_tested(run) for run in runs))
    low, high = _limits(runs)
    if bottom is not None:
        low, high = bottom, high if high > bottom else 100.0
    elif top is not None and top <= low:
        low = 0.0
    panel = Panel(
        name="error",
        x_label=f"iter. (1e{power})" if power else "iterations",
        y_label="error (%)",
        lines=tuple(lines),
        x_limits=(0, longest),
        y_limits=(low, top or high),
        unit=10.0**power,
    )
    return Plot(panels=(panel,), key={"dashed": "training error", "bold": f"{tested} error"})


def _name(run: Run, runs: Sequence[Run]) -> str:
    """What a run is called beside these others: its net, and what else tells them apart."""
    alike = [one for one in runs if one.label == run.label]
    bare = not run.recipe.warms_up and any(one.recipe.warms_up for one in alike)
    several = len({one.recipe.dataset for one in runs}) > 1
    apart = "".join(f", {name} {word(value)}" for name, value in _apart(run, alike).items())
    return run.label + (", no warm-up" if bare else "") + apart + (f" ({run.recipe.dataset})" if several else "")


def _apart(run: Run, alike: Sequence[Run]) -> dict[str, Any]:
    """What of its recipe is not the same in all of these runs of one net; what is told otherwise, or follows, is left out."""
    recipes = [one.recipe.to_dict() for one in alike]
    names = [name for name in recipes[0] if any(recipe.get(name) != recipes[0][name] for recipe in recipes)]
    told = {"seed", "dataset", *LOOKS, *({"milestones"} if "iterations" in names else ())}
    own = run.recipe.to_dict()
    return {name: own.get(name) for name in names if name not in told and not name.startswith("warmup")}


def _tested(run: Run) -> str:
    return "center-crop validation" if run.imagenet else "validation" if run.tested == "val" else run.tested


def _limits(runs: Sequence[Run]) -> tuple[float, float]:
    """The paper's, or enough for where the runs come to rest: the medians of their last quarters. Finished runs decide."""
    decisive = [run for run in runs if run.finished] or runs
    errors = [run.curve(split)[1] for run in decisive for split in ("train", run.tested)]
    rests = [float(np.median(values[-max(1, len(values) // 4) :])) for values in errors if len(values)]
    imagenet = all(run.imagenet for run in runs)
    low, high = FIGURE_4 if imagenet else (0.0, TOP)
    low = low if min(rests, default=low) > low else 0.0
    return low, min(100.0, max(high, 10.0 * float(np.ceil(1.5 * max(rests, default=0.0) / 10))))
