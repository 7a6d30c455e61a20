"""`rescli reproduce`: the paper's results, an element a command."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from rescli.commands.reproduce import listing, publish, run
from rescli.commands.reproduce.names import complete_element


class _Elements(TyperGroup):
    """A group whose subcommand `run` may be left out: `rescli reproduce fig1`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `run` in front of a line that names no subcommand."""
        if args and args[0] not in ("-h", "--help") and args[0] not in self.commands:
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Subcommands, and the names of elements."""
        offered: list[Any] = super().shell_complete(ctx, incomplete)
        item: Any = type(super().shell_complete(ctx, "")[0])  # of click, which some Typers bring under another name
        return [*offered, *(item(name) for name in complete_element(incomplete))]


app = typer.Typer(
    cls=_Elements, short_help="Reproduce the paper's results: `rescli reproduce fig1`.", no_args_is_help=True
)


@app.callback()
def reproduce() -> None:
    """Reproduce the paper's tables, figures and claims: a study is a folder of runs, an element of the paper a command."""


app.command("run", short_help="Train what elements need, draw and tabulate them.")(run.run)
app.command("list", short_help="Every table, figure and claim: its runs, their cost, their state.")(listing.list_)
app.command("summarize", short_help="Small files of what a study found, without weights.")(publish.summarize)
app.command("page", short_help="The page of a reproduction, from its summaries alone.")(publish.page)
