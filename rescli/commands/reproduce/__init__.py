"""`rescli reproduce`: the paper's results, an element a command."""

from __future__ import annotations

import typer

from rescli.commands.groups import with_default
from rescli.commands.reproduce import listing, publish, run
from rescli.commands.reproduce.names import complete_element

app = typer.Typer(
    cls=with_default("run", complete_element),  # rescli reproduce fig1
    short_help="Reproduce the paper's results: `rescli reproduce fig1`.",
    no_args_is_help=True,
)


@app.callback()
def reproduce() -> None:
    """Reproduce the paper's tables, figures and claims: a study is a folder of runs, an element of the paper a command."""


app.command("run", short_help="Train what elements need, draw and tabulate them.")(run.run)
app.command("list", short_help="Every table, figure and claim: its runs, their cost, their state.")(listing.list_)
app.command("summarize", short_help="Small files of what a study found, without weights.")(publish.summarize)
app.command("page", short_help="The page of a reproduction, from its summaries alone.")(publish.page)
