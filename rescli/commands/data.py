"""`rescli data`: the data sets and whether they are whole."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rescli import console
from rescli.commands.options import Data, Debug, Json
from rescli.errors import DataError

app = typer.Typer(help="Verify and fetch data sets.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="cifar10, cifar100 or synthetic.", show_default=False)]


@app.callback()
def data() -> None:
    """Verify and fetch data sets."""


@app.command()
def verify(name: Name, data: Data = None, json: Json = False, debug: Debug = False) -> None:
    """Check a data set's files against their published checksums, and its images; exit 3 if anything is amiss."""
    from rescli.data.read import verify as check

    found = check(name, data=data)
    if json:
        console.emit(found.to_dict())
    else:
        console.say(f"{found.name}: {'whole' if found.ok else 'damaged'}, in {found.root}")
        console.table(["file", "bytes", "state"], [(f.name, f"{f.bytes:,}", f.state) for f in found.files], right=(1,))
        console.pairs({f"  {key}": value for key, value in found.facts().items()})
    if not found.ok:
        raise DataError(f"{name} in {found.root} is damaged", f"Delete its folder, then `rescli data fetch {name}`.")


@app.command()
def fetch(name: Name, data: Data = None, json: Json = False, debug: Debug = False) -> None:
    """Download a data set from where it is published, with its checksums, into --data or a per-user cache."""
    from rescli.data.fetch import fetch as download

    root: Any = download(name, data)
    if json:
        console.emit({"name": name, "root": str(root)})
    else:
        console.say(f"{name} is in {root}")
