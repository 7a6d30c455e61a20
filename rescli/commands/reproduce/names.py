"""Words that the commands of `rescli reproduce` share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from rescli.commands.options import option

Out = Annotated[Path, option("--out", help="The study: a folder of run stores.")]
Scale = Annotated[
    float | None,
    option(metavar="X", help="Part of the paper's 64k iterations; marked everywhere.", default="1, or the study's"),
]
Dataset = Annotated[
    str | None,
    option(help="cifar10, or synthetic to try it out; marked everywhere.", default="cifar10, or the study's"),
]


def complete_element(incomplete: str) -> Iterator[str]:
    """What a shell may offer."""
    from rescli.reproduce.elements import ELEMENTS

    yield from (name for name in ELEMENTS if name.startswith(incomplete))


def given(**values: Any) -> dict[str, Any]:
    """What was set on purpose."""
    return {name: value for name, value in values.items() if value is not None}
