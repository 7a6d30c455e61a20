"""`rescli eval`: the error of a trained net."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from rescli import console
from rescli.commands.options import Backend, Data, Debug, Json, Precision, Run, Threads, option


class Split(str, Enum):
    """Which images."""

    test = "test"
    train = "train"
    val = "val"


def evaluate(
    run: Run,
    split: Annotated[Split, option(help="val: the images that the run held out.")] = Split.test,
    data: Data = None,
    backend: Backend = "auto",
    precision: Annotated[Precision | None, option(help="Of the arithmetic.", default="as trained")] = None,
    threads: Threads = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Top-1 error (%), loss, and error per class of a run's net, on the single original view of each image."""
    from rescli.engine.evaluate import evaluate_run

    result = evaluate_run(
        run,
        split=split.value,
        data=data,
        backend=backend,
        precision=precision.value if precision else None,
        threads=threads,
    )
    if json:
        console.emit(result.to_dict())
        return
    console.table(
        ["class", "images", "wrong", "error"],
        [(name, images, errors, console.percent(error)) for name, images, errors, error in result.by_class()],
        right=(1, 2, 3),
    )
    console.say(f"{result.network} after {result.iteration:,} of {result.iterations:,} iterations, {result.precision}")
    console.say(f"{result.dataset} {result.split}: top-1 error {result.error:.2f} %, loss {result.loss:.4f}")
