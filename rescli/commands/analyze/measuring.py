"""Options of the commands that put a net on a device and look at it: `responses` and `gradients`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from rescli import console
from rescli.commands.options import option, plain
from rescli.data.names import DATASETS
from rescli.errors import RescliError, StoreError, failure

if TYPE_CHECKING:
    from rescli.analysis.collect import Skipped
    from rescli.analysis.subject import Wishes

Found = TypeVar("Found")

Dataset = Annotated[
    str | None,
    option(
        metavar="NAME|FOLDER",
        help="Whose images: cifar10, cifar100, synthetic, or a folder (of data sets; of classes for an ImageNet net).",
        default="what the net was trained on",
    ),
]
Seed = Annotated[int | None, option(min=0, help="Of the initialization, for a net without weights.", default="0")]


def wishes_of(dataset: str | None, **values: Any) -> Wishes:
    """What the options say, for `rescli.analysis.subject`."""
    from rescli.analysis.subject import Wishes

    forks = {name: plain(values.pop(name)) for name in ("shortcut", "stride_in", "padding", "pool")}
    named = dataset in DATASETS
    return Wishes(
        forks=forks,
        dataset=dataset if named else None,
        data=None if dataset is None or named else Path(dataset),
        **{name: plain(value) for name, value in values.items()},
    )


def measured(
    nets: Iterable[str], measure: Callable[[str], Found], *, strict: bool
) -> tuple[list[Found], list[Skipped]]:
    """Every net that can be measured, in turn; the others are named with the reason.

    A single net that cannot be measured is an error, and so is any with `strict`, or if none is left: with the exit code that
    all of them had, else a `StoreError`.
    """
    from rescli.analysis.collect import Skipped, expand

    whats = expand(nets)
    found: list[Found] = []
    skipped: list[Skipped] = []
    kinds: dict[int, type[RescliError]] = {}
    for number, what in enumerate(whats, start=1):
        if len(whats) > 1:
            console.note(f"{what} ({number} of {len(whats)})")
        try:
            found.append(measure(what))
        except Exception as error:
            why = failure(error)
            if why is None or strict or len(whats) == 1:
                raise
            kinds[why.exit_code] = type(why)
            skipped.append(Skipped(path=Path(what), why=why.message.removeprefix(f"{what}: ")))
            console.note(f"Skipped {what}: {skipped[-1].why}")
    if not found:
        kind = next(iter(kinds.values())) if len(kinds) == 1 else StoreError
        raise kind("none of these could be measured", "The lines above say why.")
    return found, skipped
