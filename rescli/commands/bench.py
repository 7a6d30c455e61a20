"""`rescli bench`: images a second, beside the loop that everyone writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rescli import console
from rescli.commands.options import Backend, Debug, Json, Precision, Threads, option
from rescli.errors import UsageError

if TYPE_CHECKING:
    from rescli.bench.run import Setting
    from rescli.bench.versus import Versus

app = typer.Typer(short_help="Measure speed against a plain PyTorch loop, side by side.", no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Measure speed against a plain PyTorch loop, side by side in one process, in turns."""


More = Annotated[
    list[int] | None, typer.Argument(metavar="[DEPTH]...", help="More depths: --depth 20 56 110.", show_default=False)
]
Depths = Annotated[list[int] | None, option("--depth", help="Layers of the CIFAR net, 6n+2.", default="20")]
Batch = Annotated[int, option(min=2, help="Images a batch.")]
Pairs = Annotated[int, option(min=1, help="Samples of each side; one more of each warms up.")]
Workers = Annotated[int, option(min=0, help="Processes that prepare the plain loop's images.")]
Decoders = Annotated[
    int, option(min=0, help="Processes that prepare the rival's images; of photographs our threads, too (0: all).")
]
Dataset = Annotated[str, option(help="cifar10, cifar100 or synthetic, which needs no files.")]
PrecisionOption = Annotated[Precision, option(help="Of our side; the plain loop's is fp32.")]


@app.command(short_help="Training steps: crops, flips, forward, backward, SGD.")
def train(
    more: More = None,
    depth: Depths = None,
    batch_size: Batch = 128,
    steps: Annotated[int, option(min=1, help="Training steps a sample.")] = 10,
    pairs: Pairs = 7,
    workers: Workers = 2,
    dataset: Dataset = "synthetic",
    backend: Backend = "auto",
    precision: PrecisionOption = Precision.auto,
    threads: Threads = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Training steps: crops, flips, forward, backward, SGD."""
    from rescli.bench.run import Setting

    setting = Setting(
        what="train",
        batch_size=batch_size,
        steps=steps,
        pairs=pairs,
        workers=workers,
        dataset=dataset,
        backend=backend,
        precision=precision.value,
        threads=threads,
    )
    _measure([*(depth or []), *(more or [])] or [20], setting, json=json)


@app.command("eval", short_help="Evaluation of test images.")
def eval_(
    more: More = None,
    depth: Depths = None,
    batch_size: Batch = 128,
    images: Annotated[int, option(min=1, help="Test images a sample.")] = 2000,
    pairs: Pairs = 7,
    workers: Workers = 2,
    dataset: Dataset = "synthetic",
    backend: Backend = "auto",
    precision: PrecisionOption = Precision.auto,
    threads: Threads = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Evaluation of test images; --batch-size is the plain loop's, ours is the backend's own."""
    from rescli.bench.run import Setting

    setting = Setting(
        what="eval",
        batch_size=batch_size,
        images=images,
        pairs=pairs,
        workers=workers,
        dataset=dataset,
        backend=backend,
        precision=precision.value,
        threads=threads,
    )
    _measure([*(depth or []), *(more or [])] or [20], setting, json=json)


@app.command(short_help="Training batches beside a DataLoader's, without a network.")
def data(
    batch_size: Batch = 128,
    batches: Annotated[int, option(min=1, help="Batches a sample.")] = 50,
    pairs: Pairs = 7,
    workers: Decoders = 2,
    dataset: Dataset = "synthetic",
    folder: Annotated[
        Path | None,
        option(
            "--data",
            help="A folder or packed file of ImageNet's images: their scale, crop, mirror and colour.",
            default="none",
        ),
    ] = None,
    beside: Annotated[
        Path | None, option(help="The folder that the DataLoader reads meanwhile.", default="--data, if a folder")
    ] = None,
    cold: Annotated[
        bool,
        option("--cold", help="Have the page cache forget the files before each sample, as a set that is too large."),
    ] = False,
    backend: Backend = "auto",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Augmented training batches without a network, beside a DataLoader with PIL transforms."""
    if folder is not None:
        if dataset != "synthetic" or backend != "auto":
            raise UsageError("--dataset and --backend are for CIFAR's images", "Leave them out, or --data.")
        from rescli.bench.photographs import measure_photographs

        found = measure_photographs(
            folder, beside=beside, cold=cold, batch_size=batch_size, batches=batches, pairs=pairs, workers=workers
        )
    elif beside is not None or cold:
        name = "--cold" if beside is None else "--beside"
        raise UsageError(f"{name} is for photographs", "Name them with --data, or leave it out.")
    else:
        from rescli.bench.data import measure_data

        found = measure_data(
            dataset=dataset, backend=backend, batch_size=batch_size, batches=batches, pairs=pairs, workers=workers
        )
    _versus([found], json=json)


@app.command(short_help="Writing and reading a run store, beside torch.save.")
def store(
    more: More = None,
    depth: Depths = None,
    pairs: Pairs = 7,
    folder: Annotated[Path, option(help="Where the files go; they are removed again.", default="here")] = Path(),
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Writing and reading a run store, beside torch.save and torch.load of the same tensors."""
    from rescli.bench.store import measure_store

    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", "Name one that exists with --folder.")
    _versus(list(measure_store([*(depth or []), *(more or [])] or [20], folder=folder, pairs=pairs)), json=json)


def _versus(found: Sequence[Versus], *, json: bool) -> None:
    if json:
        console.emit([one.to_dict() for one in found])
        return
    rows = []
    for one in found:
        ours, theirs = one.duel.rates(one.amount)
        ratio = one.duel.ratio()
        rows.append(
            (
                f"{one.extra.get('network', '')} {one.what}".strip(),
                f"{ours.median:,.0f} {one.unit}",
                f"{theirs.median:,.0f} {one.unit}",
                one.rival,
                f"{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})",
                f"{1000 * one.amount / ours.median:,.1f}",
            )
        )
    console.table(["", "rescli", "rival", "which is", "ratio (quartiles)", "ms"], rows, right=(1, 2, 4, 5))


def _measure(depths: list[int], setting: Setting, *, json: bool) -> None:
    from rescli.bench.run import measure

    found = []
    for result in measure(depths, setting):
        console.note(f"{result.network}: {result.duel.ratio().median:.2f} times the plain loop")
        found.append(result)
    if json:
        console.emit([one.to_dict() for one in found])
        return
    rows = []
    for one in found:
        ratio, ours = one.duel.ratio(), one.ours
        rows.append(
            (
                one.network,
                f"{ours.median:,.0f}",
                f"{one.theirs.median:,.0f}",
                f"{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})",
                f"{1000 * setting.batch_size / ours.median:.1f}" if setting.what == "train" else "",
                f"{100 * one.share:.0f} %",
                f"{100 * one.share_of_bandwidth:.0f} %",
                "" if one.memory is None else f"{one.memory / 1e6:,.0f} MB",
            )
        )
    columns = [
        "net",
        "images/s",
        "plain loop",
        "ratio (quartiles)",
        "ms a step",
        "of matrix rate",
        "of bandwidth",
        "memory",
    ]
    console.table(columns, rows, right=(1, 2, 3, 4, 5, 6, 7))
    last = found[-1]
    console.say(
        f"{last.precision} on {last.backend}: {last.device}; the plain loop: fp32, {setting.workers} workers; "
        f"{setting.pairs} pairs of {last.images:,} images"
    )
