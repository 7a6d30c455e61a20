"""`rescli data`: the data sets and whether they are whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from rescli import console
from rescli.commands.options import Data, Debug, Json, option
from rescli.data.names import DATASETS
from rescli.errors import DataError, UsageError

if TYPE_CHECKING:
    from rescli.data.read import Verification

app = typer.Typer(no_args_is_help=True)

IMAGENET = "imagenet"

Truth = Annotated[
    Path | None,
    option(
        help="Classes of a val/ that is not sorted into folders: NAME CLASS a line, or the devkit.",
        default="none",
    ),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="cifar10 or cifar100.", show_default=False)]
Verified = Annotated[
    str, typer.Argument(metavar="NAME", help="cifar10, cifar100, synthetic, or imagenet.", show_default=False)
]


@app.callback()
def data() -> None:
    """Verify, fetch and pack data sets."""


@app.command(short_help="Check files against published checksums, and every image.")
def verify(name: Verified, data: Data = None, truth: Truth = None, json: Json = False, debug: Debug = False) -> None:
    """Check a data set's files against their published checksums, and its images; exit 3 if anything is amiss.

    Of imagenet, a folder with train/ and val/ of any number of classes or a file of `rescli data pack`, every image is decoded.
    """
    _check_name(name, (*DATASETS, IMAGENET))
    if name == IMAGENET:
        _verify_folder(data, truth, json=json)
        return
    if data is not None and not DATASETS[name].needs_files:
        raise UsageError(f"{name} is built in: --data has no effect", "Leave it out.")
    if truth is not None:
        raise UsageError(f"{name}'s classes are in its files: --truth has no effect", "Leave it out.")
    from rescli.data.read import verify as check

    found = check(name, data)
    if json:
        console.emit(asdict(found))
    else:
        where = f"in {found.root}" if found.root else "built in"
        console.say(f"{found.name}: {'whole' if found.ok else 'not whole'}, {where}")
        if found.files:
            rows = [(one.file, "" if one.bytes is None else f"{one.bytes:,}", one.state) for one in found.files]
            console.table(["file", "bytes", "state"], rows, right=(1,))
        if found.ok:
            console.pairs(_facts(found))
    if not found.ok:
        wrong = ", ".join(f"{one.file} {one.state}" for one in found.files if one.state != "ok")
        hint = f"`rescli data fetch {name} --data {quote(str(found.root))}` replaces it."
        raise DataError(f"{name} in {found.root} is not whole: {wrong}", hint)


def _check_name(name: str, known: Sequence[str]) -> None:
    """Raises `UsageError` for a name that is not among these."""
    if name not in known:
        near = get_close_matches(name.lower(), known, n=1, cutoff=0.5)
        meant = f"Did you mean {near[0]}? " if near else ""
        raise UsageError(f"no data set here is called {name!r}", f"{meant}There are: {', '.join(known)}.")


def _verify_folder(data: Path | None, truth: Path | None, *, json: bool) -> None:
    from rescli.console.progress import watch
    from rescli.data.locate import photographs
    from rescli.engine.look import look_at

    root = photographs(data)
    found = look_at(root, watch(), truth=truth)
    if json:
        console.emit(
            {
                "name": IMAGENET,
                "root": str(root),
                "ok": found.ok,
                "splits": [asdict(one) for one in found.splits],
                "remarks": list(found.remarks),
            }
        )
    else:
        console.table(
            ["split", "classes", "images", "a class", "grey", "not decoded"],
            [(one.name, one.classes, f"{one.images:,}", one.each, one.grey, len(one.damaged)) for one in found.splits],
            right=(1, 2, 3, 4, 5),
        )
        for one in found.splits:
            for line in one.damaged:
                console.say(line)
        for line in found.remarks:
            console.say(line)
    if not found.ok:
        amiss = [line for one in found.splits for line in one.damaged] + list(found.remarks)
        more = f", and {len(amiss) - 1} more" if len(amiss) > 1 else ""
        raise DataError(
            f"the images in {root} are not whole: {amiss[0]}{more}", "Fetch these files anew, or take them out."
        )


def _facts(found: Verification) -> dict[str, str]:
    def counts(images: int, per_class: Sequence[int]) -> str:
        each = (
            f"{per_class[0]:,} a class"
            if len(set(per_class)) == 1
            else f"{min(per_class):,} to {max(per_class):,} a class"
        )
        return f"{images:,} images, {each}"

    return {
        "training": counts(found.train_images, found.train_per_class),
        "test": counts(found.test_images, found.test_per_class),
        "classes": str(len(found.classes)),
        "mean": ", ".join(f"{value:.8f}" for value in found.mean),
        "std": ", ".join(f"{value:.8f}" for value in found.std),
    }


@app.command(short_help="Download a data set from where it is published.")
def fetch(name: Name, data: Data = None, json: Json = False, debug: Debug = False) -> None:
    """Download a data set from where it is published, with its checksums, into --data or a per-user cache."""
    if name == IMAGENET:
        raise UsageError(
            "imagenet is given to those who ask for it at image-net.org: it cannot be fetched",
            f"`rescli data verify {IMAGENET} --data FOLDER` checks what you have.",
        )
    if name not in DATASETS or DATASETS[name].needs_files:  # what is built in has a word of its own
        _check_name(name, [one for one, info in DATASETS.items() if info.needs_files])
    from rescli.data.fetch import fetch as download

    root = download(name, data, note=console.note)
    if json:
        console.emit({"name": name, "root": str(root)})
    else:
        console.say(f"{name} is in {root}")


@app.command(short_help="Put ImageNet's photographs into one HDF5 file.")
def pack(
    out: Annotated[Path, option(help="The file to be made; one that exists is refused.")],
    data: Annotated[
        Path | None, option(help="Folder that holds train/ or val/ or both.", default="imagenet in RESCLI_DATA")
    ] = None,
    shorter: Annotated[
        int, option(min=32, max=8192, help="Pixels; a training image with a longer shorter side is resized to it.")
    ] = 480,
    quality: Annotated[int, option(min=1, max=100, help="Of JPEG, for images that are encoded anew.")] = 95,
    truth: Truth = None,
    skip_damaged: Annotated[
        bool, option("--skip-damaged", help="Leave out images that cannot be decoded; they are named and counted.")
    ] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """One HDF5 file of ImageNet's photographs, for disks that are slow with a million small files.

    JPEGs stay as they are, to the byte; training images that are larger than needed, or no grey or RGB JPEG, are encoded anew.
    Every command that takes a folder of images takes the file: --data FILE.
    """
    from rescli.console.progress import watch
    from rescli.data.locate import photographs
    from rescli.engine.pack import Packing
    from rescli.engine.pack import pack as write

    asked = Packing(
        data=photographs(data), out=out, shorter=shorter, quality=quality, truth=truth, skip_damaged=skip_damaged
    )
    made = write(asked, watch())
    if json:
        console.emit({"file": str(out), **asdict(made)})
        return
    rows = [
        (one.name, f"{one.images:,}", f"{one.bytes:,}", f"{one.kept:,}", f"{one.encoded:,}", f"{len(one.skipped):,}")
        for one in made.splits
    ]
    console.table(["split", "images", "bytes", "kept", "encoded anew", "left out"], rows, right=(1, 2, 3, 4, 5))
    console.say(f"{out}: {made.bytes:,} bytes, {made.classes:,} classes")
