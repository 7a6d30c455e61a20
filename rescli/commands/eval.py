"""`rescli eval`: the error of a trained net."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rescli import console
from rescli.commands.networks import Layout, Net, Normalize, Padding, Pool, Shortcut, StrideIn
from rescli.commands.options import Backend, Debug, Json, Precision, Split, Threads, option, plain
from rescli.commands.scores import show_evaluation, show_graded
from rescli.data.names import DATASETS
from rescli.errors import RescliError, UsageError

if TYPE_CHECKING:
    from rescli.engine.graded import Graded

ENSEMBLE = "ensemble"


class Average(str, Enum):
    """What is averaged over views."""

    softmax = "softmax"
    logits = "logits"


class Pooling(str, Enum):
    """What a fully-convolutional net averages before its classifier."""

    windows = "windows"
    whole = "global"


def evaluate(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ensemble] FILE...",
            help="A run store, a file of weights, or saved predictions; several behind the word ensemble.",
            show_default=False,
        ),
    ] = None,
    # Weights without a run
    net: Net = None,
    weights: Annotated[Path | None, option(help="The file of weights, in place of FILE.", default="none")] = None,
    shortcut: Shortcut = None,
    stride_in: StrideIn = None,
    padding: Padding = None,
    pool: Pool = None,
    normalize: Normalize = None,
    layout: Layout = None,
    # The images
    split: Annotated[
        Split | None, option(help="val: the images that the run held out.", default="test; val for ImageNet nets")
    ] = None,
    data: Annotated[
        str | None,
        option(
            metavar="NAME|FOLDER",
            help="A data set (cifar10, cifar100, synthetic) for weights without a run, or the folder that holds them.",
            default="RESCLI_DATA, then a per-user cache",
        ),
    ] = None,
    # ImageNet, Sec. 3.4
    crops: Annotated[int | None, option(help="Crops of an image: 1 or 10.", default="1, the center")] = None,
    shorter: Annotated[int | None, option(help="Shorter side before cropping.", default="256 for crops of 224")] = None,
    scales: Annotated[
        str | None, option(help="Whole images with these shorter sides: 224,256,384,480,640.", default="crops")
    ] = None,
    mirrored: Annotated[
        bool | None,
        option("--mirrored/--not-mirrored", help="Mirror images of whole images, too.", default="mirrored"),
    ] = None,
    average: Annotated[
        Average | None, option(help="What is averaged over views and networks.", default="softmax")
    ] = None,
    pooling: Annotated[
        Pooling | None,
        option(help="Of whole images: 7x7 windows, a score at every position, or the whole map.", default="windows"),
    ] = None,
    truth: Annotated[
        Path | None,
        option(
            help="Classes of images that lie in no folders of classes: NAME CLASS a line, or the devkit.",
            default="none",
        ),
    ] = None,
    class_list: Annotated[
        Path | None,
        option(help="The network's classes in order, a folder's name a line.", default="the folders, by name"),
    ] = None,
    skip_damaged: Annotated[
        bool, option("--skip-damaged", help="Leave out images that cannot be decoded, and name them.")
    ] = False,
    predictions: Annotated[
        Path | None,
        option(
            help="Write every image's scores as .h5 or .csv, or answers as .txt (--devkit).",
            default="none",
        ),
    ] = None,
    devkit: Annotated[
        Path | None,
        option(
            help="ILSVRC2012_devkit_t12.tar.gz, or its folder: by its numbers the test server knows classes.",
            default="none",
        ),
    ] = None,
    save: Annotated[
        bool, option("--save", help="Keep the errors in the run store: `rescli analyze table3` takes them from there.")
    ] = False,
    # The device
    backend: Backend = "auto",
    precision: Annotated[
        Precision | None, option(help="Of the arithmetic.", default="as trained on CIFAR; else fp32")
    ] = None,
    threads: Threads = None,
    compile: Annotated[
        bool | None,
        option("--compile/--no-compile", help="Compile the blocks of the net, once a shape.", default="not compiled"),
    ] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Error (%) of a run or of weights: on CIFAR with loss and error per class, on ImageNet top-1 and top-5.

    CIFAR nets see the single original view of each image. ImageNet nets see a center crop, ten crops, or whole images at
    several scales. FILE is a run store, a file that `rescli build` wrote, weights from elsewhere (.pth, .safetensors, .npz,
    .h5), or predictions that were saved before.
    """
    together, paths = _members(files or [], weights)
    views = {"crops": crops, "shorter": shorter, "scales": _scales(scales), "mirrored": mirrored}
    views |= {"average": plain(average), "pooling": plain(pooling)}
    photographs: dict[str, Any] = {"truth": truth, "class_list": class_list, "skip_damaged": skip_damaged or None}
    forks = {"shortcut": plain(shortcut), "stride_in": plain(stride_in), "padding": plain(padding), "pool": plain(pool)}
    if together and (net or any(value is not None for value in forks.values())):
        raise UsageError(
            "an ensemble is of several nets, which say themselves what they are", "Leave --net and forks out."
        )
    from rescli.console.progress import watch  # what follows loads PyTorch, which a mistyped line need not wait for
    from rescli.data.devkit import read_devkit
    from rescli.engine.graded import Graded, check_name
    from rescli.engine.graded import save as write
    from rescli.engine.keep import ELSEWHERE, check_keeps
    from rescli.engine.score import Scoring, score, score_ensemble

    if predictions is not None:
        check_name(predictions, numbered=devkit is not None)
    elif devkit is not None:
        raise UsageError("--devkit is for --predictions FILE.txt", "Name that, too. True classes are --truth.")
    if devkit is not None and skip_damaged:
        raise UsageError("the test server wants an answer for every image", "Leave --skip-damaged out.")
    kit = None if devkit is None else read_devkit(devkit)
    if save and together:
        raise UsageError("an ensemble is no run, and --save keeps a test in a run store", ELSEWHERE)
    if save:
        check_keeps(paths[0])
    asked = [
        Scoring(
            path=path,
            name=net,
            forks=forks,
            normalize=plain(normalize),
            layout=plain(layout) or "auto",
            dataset=data if data in DATASETS else None,
            split=plain(split),
            data=None if data is None or data in DATASETS else Path(data),
            backend=backend,
            precision=plain(precision),
            threads=threads,
            compile=compile,
            views=_given(views),
            photographs=_given(photographs),
            predicts=predictions is not None,
            devkit=kit,
        )
        for path in paths
    ]
    result = score_ensemble(asked, watch()) if together else score(asked[0], watch())
    if isinstance(result, Graded):
        unsaved = [] if predictions is None else _attempted(lambda: write(predictions, result.predictions, kit))
        unsaved += _attempted(lambda: _keep(paths[0], result)) if save else []
        show_graded(result, json=json)
        if unsaved:
            raise unsaved[0]
        return
    show_evaluation(result, json=json)


def _attempted(save: Callable[[], None]) -> list[RescliError]:
    """What goes wrong is handed back: what was computed is shown, and kept elsewhere, all the same."""
    try:
        save()
    except RescliError as error:
        return [error]
    return []


def _keep(path: Path, result: Graded) -> None:
    from rescli.engine.keep import keep

    console.note(f"Kept in {path} as {keep(path, result)}.")


def _members(files: list[str], weights: Path | None) -> tuple[bool, list[Path]]:
    """Whether it is an ensemble, and of what."""
    together = files[:1] == [ENSEMBLE]
    paths = [Path(file) for file in files[together:]] + ([weights] if weights is not None else [])
    if together and len(paths) < 2:
        raise UsageError("an ensemble needs two members or more", "`rescli eval ensemble A B ...`")
    if not together and len(paths) != 1:
        what = "no file to test" if not paths else f"{len(paths)} files to test, and one is tested at a time"
        raise UsageError(what, "`rescli eval FILE`, or `rescli eval ensemble FILE FILE ...` for their mean.")
    return together, paths


def _scales(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(sorted(int(part) for part in text.split(",")))  # their mean is meant, in whatever order
    except ValueError:
        raise UsageError(f"--scales {text}: must be whole numbers with commas between", "As in 224,256,384.") from None


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
