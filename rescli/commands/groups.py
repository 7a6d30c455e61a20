"""Groups of commands of which one may be left unnamed: `rescli reproduce fig1` for `rescli reproduce run fig1`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from typer.core import TyperGroup


def with_default(subcommand: str, complete: Callable[[str], Iterable[str]]) -> type[TyperGroup]:
    """A class of groups that take a line which names no subcommand for one of `subcommand`.

    `complete` offers a shell that subcommand's arguments beside the subcommands, given how the word begins.
    """

    class DefaultGroup(TyperGroup):
        """A group with a default."""

        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            """Put the subcommand in front where there is none."""
            if args and args[0] not in ("-h", "--help") and args[0] not in self.commands:
                args = [subcommand, *args]
            return super().parse_args(ctx, args)

        def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
            """Subcommands, and what the default takes."""
            offered: list[Any] = super().shell_complete(ctx, incomplete)
            item: Any = type(super().shell_complete(ctx, "")[0])  # of click, which some Typers bring under another name
            return [*offered, *(item(name) for name in complete(incomplete))]

    return DefaultGroup
