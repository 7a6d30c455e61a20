"""`rescli eval`: the error of a trained net."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from rescli import console
from rescli.commands.networks import Layout, Net, Normalize, Padding, Pool, Shortcut, StrideIn
from rescli.commands.options import Backend, Debug, Json, Precision, Threads, option, plain
from rescli.data.names import DATASETS


class Split(str, Enum):
    """Which images."""

    test = "test"
    train = "train"
    val = "val"


def evaluate(
    weights: Annotated[
        Path, typer.Argument(metavar="FILE", help="A run store, or a file of weights.", show_default=False)
    ],
    net: Net = None,
    shortcut: Shortcut = None,
    stride_in: StrideIn = None,
    padding: Padding = None,
    pool: Pool = None,
    normalize: Normalize = None,
    layout: Layout = None,
    split: Annotated[Split, option(help="val: the images that the run held out.")] = Split.test,
    data: Annotated[
        str | None,
        option(
            metavar="NAME|FOLDER",
            help="A data set (cifar10, cifar100, synthetic) for weights without a run, or the folder that holds them.",
            default="RESCLI_DATA, then a per-user cache",
        ),
    ] = None,
    backend: Backend = "auto",
    precision: Annotated[
        Precision | None, option(help="Of the arithmetic.", default="as trained; fp32 for weights without a run")
    ] = None,
    threads: Threads = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Top-1 error (%), loss, and error per class, on the single original view of each image.

    FILE is a run store, a file that `rescli build` wrote, or weights from elsewhere (.pth, .safetensors, .npz, .h5).
    """
    from rescli.engine.score import Scoring, score

    result = score(
        Scoring(
            path=weights,
            name=net,
            forks={
                "shortcut": plain(shortcut),
                "stride_in": plain(stride_in),
                "padding": plain(padding),
                "pool": plain(pool),
            },
            normalize=plain(normalize),
            layout=plain(layout) or "auto",
            dataset=data if data in DATASETS else None,
            split=split.value,
            data=None if data is None or data in DATASETS else Path(data),
            backend=backend,
            precision=plain(precision),
            threads=threads,
        )
    )
    if json:
        console.emit(result.to_dict())
        return
    console.table(
        ["class", "images", "wrong", "error"],
        [(name, images, errors, console.percent(error)) for name, images, errors, error in result.by_class()],
        right=(1, 2, 3),
    )
    after = "" if result.iteration is None else f" after {result.iteration:,} of {result.iterations:,} iterations"
    console.say(f"{result.network}{after}, {result.precision}; inputs: {result.inputs}")
    console.say(f"{result.dataset} {result.split}: top-1 error {result.error:.2f} %, loss {result.loss:.4f}")
