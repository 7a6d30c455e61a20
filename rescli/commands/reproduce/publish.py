"""`rescli reproduce summarize` and `page`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from rescli import console
from rescli.commands.options import Debug, Json, option


def summarize(
    studies: Annotated[
        list[Path],
        typer.Argument(metavar="STUDY...", help="Folders of studies, of whatever length.", show_default=False),
    ],
    out: Annotated[Path, option(help="Folder of the summaries.")] = Path("docs/reproduction"),
    json: Json = False,
    debug: Debug = False,
) -> None:
    """What studies found as small files: a JSON file for each run, runs.csv with a line for each, the figures as SVG.

    A summary holds recipe, versions, device, seconds, curves, final errors, and what was measured of layers: enough for every
    figure, table and verdict. No weights, no names of hosts, no paths.
    """
    from rescli.reproduce.summaries import summarize as write

    done = write(studies, out, console.note)
    if json:
        console.emit({"summaries": str(out), "runs": done.runs, "figures": done.figures, "skipped": done.skipped})
    else:
        counted = [
            f"{n} {what}{'' if n == 1 else 's'}" for n, what in ((len(done.runs), "run"), (len(done.figures), "figure"))
        ]
        console.say(f"{out}: {', '.join(counted)}")
        console.note(f"Next: {shlex.join(['rescli', 'reproduce', 'page', str(out), '--out', f'{out}.md'])}")


def page(
    summaries: Annotated[
        Path, typer.Argument(metavar="SUMMARIES", help="Folder that `summarize` wrote.", show_default=False)
    ],
    out: Annotated[Path, option(help="The page to write.")] = Path("docs/reproduction.md"),
    json: Json = False,
    debug: Debug = False,
) -> None:
    """The page of a reproduction in Markdown, from summaries alone: the paper beside ours, figures, verdicts, what is lacking.

    The figures and runs.csv, in the folder of the summaries, are made anew. Equal summaries give an equal page.
    """
    from rescli.reproduce.page import page as text
    from rescli.reproduce.summaries import draw, read
    from rescli.store.target import check_target, put

    check_target(out)
    found = read(summaries)
    written = text(found, summaries, out).encode()
    figures = draw(found, summaries)
    put(out, written)
    if json:
        console.emit({"page": str(out), "runs": [run.path.stem for run in found.runs], "figures": figures})
    else:
        console.say(f"The page: {out}")
