"""What is measured of the nets of some runs: responses and gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rescli.analysis.gradients import Gradients, gradients
from rescli.analysis.groups import group
from rescli.analysis.responses import Responses, responses
from rescli.analysis.run import Run
from rescli.analysis.subject import Wishes
from rescli.data.names import info
from rescli.errors import failure


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """What was measured, and what could not be, with the reason."""

    responses: tuple[Responses, ...] = ()
    gradients: tuple[Gradients, ...] = ()
    notes: tuple[str, ...] = ()


def measure(runs: Sequence[Run], wishes: Wishes, tell: Callable[[str], None] = lambda _: None) -> Measured:
    """Responses and gradients of one run of every experiment: a finished one with the smallest seed.

    Responses that a run store holds are taken from there. `tell` hears what is being measured.
    """
    found: list[Responses] = []
    norms: list[Gradients] = []
    notes: list[str] = []
    for one in (one.first for one in group(runs) if one.first.finished):
        tell(f"{one.label}: responses and gradients of {one.path}")
        # The folder is for the other runs, where this one's images are built in.
        here = wishes if one.imagenet or info(one.recipe.dataset).needs_files else replace(wishes, data=None)
        try:
            found.append(responses(str(one.path), here))
            norms.append(gradients(str(one.path), Wishes(split="train", **_where(here)), batches=4, batch_size=64))
        except Exception as error:
            if (why := failure(error)) is None:
                raise
            notes.append(f"{one.label} was not measured: {why.message}")
    return Measured(responses=tuple(found), gradients=tuple(norms), notes=tuple(notes))


def _where(wishes: Wishes) -> dict[str, Any]:
    return {name: getattr(wishes, name) for name in ("data", "backend", "precision", "threads")}
