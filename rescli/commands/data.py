"""`rescli data`: the data sets and whether they are whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rescli import console
from rescli.commands.options import Data, Debug, Json
from rescli.errors import DataError

if TYPE_CHECKING:
    from rescli.data.read import Verification

app = typer.Typer(help="Verify and fetch data sets.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="cifar10, cifar100 or synthetic.", show_default=False)]


@app.callback()
def data() -> None:
    """Verify and fetch data sets."""


@app.command()
def verify(name: Name, data: Data = None, json: Json = False, debug: Debug = False) -> None:
    """Check a data set's files against their published checksums, and its images; exit 3 if anything is amiss."""
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
        hint = f"`rescli data fetch {name}` replaces it."
        raise DataError(f"{name} in {found.root} is not whole: {wrong}", hint)


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


@app.command()
def fetch(name: Name, data: Data = None, json: Json = False, debug: Debug = False) -> None:
    """Download a data set from where it is published, with its checksums, into --data or a per-user cache."""
    from rescli.data.fetch import fetch as download

    root = download(name, data, note=console.note)
    if json:
        console.emit({"name": name, "root": str(root)})
    else:
        console.say(f"{name} is in {root}")
