"""What `rescli eval` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rescli import console

if TYPE_CHECKING:
    from rescli.engine.evaluation import Evaluation
    from rescli.engine.graded import Graded

SHOWN = 100
"""A table of more classes than this is not for reading: --json has it."""


def show_evaluation(result: Evaluation, *, json: bool) -> None:
    """A CIFAR net's result: error per class, then the whole."""
    if json:
        console.emit(result.to_dict())
        return
    _by_class(result.by_class())
    after = "" if result.iteration is None else f" after {result.iteration:,} of {result.iterations:,} iterations"
    console.say(f"{result.network}{after}, {result.precision}; inputs: {result.inputs}")
    console.say(f"{result.dataset} {result.split}: top-1 error {result.error:.2f} %, loss {result.loss:.4f}")


def show_graded(result: Graded, *, json: bool) -> None:
    """An ImageNet net's or an ensemble's: error per class where these are few, then the whole."""
    if json:
        console.emit(result.to_dict())
        return
    if len(classes := result.by_class()) <= SHOWN:
        _by_class(classes)
    about = result.predictions.about
    how = ", ".join(str(about[name]) for name in ("precision", "views") if about.get(name))
    console.say(
        f"{result.title}{_reached(result)}; {how}" + (f"; inputs: {about['inputs']}" if "inputs" in about else "")
    )
    top1, top5 = result.error(1), result.error(5)
    errors = "no labels" if top1 is None else f"top-1 error {top1:.2f} %"
    errors += "" if top5 is None else f", top-5 error {top5:.2f} %"
    rate = "" if result.images_per_second is None else f", {result.images_per_second:,.1f} images/s"
    left = f", {result.left_out:,} left out" if result.left_out else ""
    console.say(f"{result.data}: {result.images:,} images{left}: {errors}{rate}")


def _reached(result: Graded) -> str:
    """How far a run had got; of an ensemble, how many of its networks were of unfinished runs."""
    from rescli.engine.about import networks_in

    networks = networks_in(result.predictions.about)
    if len(result.runs) == networks == 1:
        ((iteration, iterations),) = result.runs
        return f" after {iteration:,} of {iterations:,} iterations"
    unfinished = sum(iteration < iterations for iteration, iterations in result.runs)
    return f" ({unfinished} of {networks} unfinished)" if unfinished else ""


def _by_class(rows: list[tuple[str, int, int, float]]) -> None:
    if rows:
        console.table(
            ["class", "images", "wrong", "error"],
            [(name, images, errors, console.percent(error)) for name, images, errors, error in rows],
            right=(1, 2, 3),
        )
