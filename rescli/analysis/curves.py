"""Training and test error against iterations: Figs. 1, 4 and 6."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rescli.analysis.plot import Line, Panel, Plot
from rescli.analysis.run import Run
from rescli.errors import RescliError

TOP = 20.0
"""Figs. 1 and 6 show errors up to 20 %."""


def curves(runs: Sequence[Run], *, bottom: float = 0.0, top: float | None = None) -> Plot:
    """As Figs. 1 and 6: "Dashed lines denote training error, and bold lines denote testing error."

    Runs of one net share a colour. The axis goes from `bottom` to `top`: 20 % as in the paper, or further where a run ends
    above that (the paper leaves plain-110 out). Raises `RescliError` where no run has a point yet.
    """
    several = len({run.recipe.dataset for run in runs}) > 1
    lines: list[Line] = []
    # Shallow nets first: their order decides the colours, whatever order the files came in.
    for run in sorted(runs, key=lambda run: (not run.recipe.plain, run.recipe.depth, run.recipe.seed)):
        name = run.label + (f" ({run.recipe.dataset})" if several else "")
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
    tested = " and ".join(dict.fromkeys("validation" if run.tested == "val" else run.tested for run in runs))
    panel = Panel(
        name="error",
        x_label=f"iter. (1e{power})" if power else "iterations",
        y_label="error (%)",
        lines=tuple(lines),
        x_limits=(0, longest),
        y_limits=(bottom, top or _top(runs)),
        unit=10.0**power,
    )
    return Plot(panels=(panel,), key={"dashed": "training error", "bold": f"{tested} error"})


def _top(runs: Sequence[Run]) -> float:
    """20 %, or enough for where the runs come to rest: the median of their last quarter. Finished runs decide."""
    decisive = [run for run in runs if run.finished] or runs
    errors = [run.curve(split)[1] for run in decisive for split in ("train", run.tested)]
    rest = max(float(np.median(values[-max(1, len(values) // 4) :])) for values in errors if len(values))
    return min(100.0, max(TOP, 10.0 * float(np.ceil(1.5 * rest / 10))))
