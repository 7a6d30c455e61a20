"""`rescli reproduce ELEMENT...`: plan, train, draw and tabulate."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Collection
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rescli import console
from rescli.commands import configuration
from rescli.commands.formats import say_verdicts
from rescli.commands.options import Backend, Data, Debug, Json, Precision, Threads, option, plain
from rescli.commands.reproduce.names import Dataset, Out, Scale, complete_element, given
from rescli.errors import UsageError

if TYPE_CHECKING:
    from rescli.reproduce.conduct import Order
    from rescli.reproduce.element import Element
    from rescli.reproduce.results import Result

Names = Annotated[
    list[str],
    typer.Argument(
        metavar="ELEMENT...",
        help="fig1, fig6-left, table6, ...: see `rescli reproduce list`.",
        show_default=False,
        autocompletion=complete_element,
    ),
]


def run(
    context: typer.Context,
    names: Names,
    # Which runs
    out: Out = Path("study"),
    seeds: Annotated[
        int | None, option(min=1, max=10_000, help="Runs of every net.", default="as many as the paper's")
    ] = None,
    seed: Annotated[int, option(min=0, help="The first seed.")] = 0,
    depth: Annotated[
        list[int] | None, option("--depth", help="Only nets with so many layers; repeatable.", default="all")
    ] = None,
    scale: Scale = None,
    dataset: Dataset = None,
    data: Data = None,
    # How they are computed
    backend: Backend = "auto",
    precision: Annotated[Precision | None, option(help="Of the convolutions.", default="auto, or the study's")] = None,
    threads: Threads = None,
    jobs: Annotated[
        int, option(min=1, help="Runs side by side: one to a GPU, or each with its part of the cores.")
    ] = 1,
    checkpoint_every: Annotated[
        float | None,
        option(min=0.0, or_inf=True, help="Seconds between checkpoints.", default="as `rescli train cifar`"),
    ] = None,
    wait: Annotated[bool, option("--wait", help="Wait for runs that other processes are at work on.")] = False,
    # Instead of running
    print: Annotated[bool, option("--print", help="Print a shell line for every run, and do nothing.")] = False,
    slurm: Annotated[
        Path | None, option(help="Write an array job for Slurm, and do nothing.", default="no file")
    ] = None,
    dry_run: Annotated[
        bool, option("--dry-run", help="Time some steps of every net; tell time, memory and disk; write nothing.")
    ] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Train what these elements of the paper need, then draw their figures, fill their tables and judge their claims.

    The word `run` may be left out. Runs that are finished are skipped, others go on from their last checkpoint, and elements
    share runs. Ctrl-C, SIGTERM, SIGUSR1 and SIGHUP are passed on to the runs, which write checkpoints; the same command goes
    on.
    """
    if print + (slurm is not None) + dry_run > 1:
        raise UsageError("--print, --slurm and --dry-run exclude one another", "Choose one of them.")
    if wait and (print or slurm is not None or dry_run):
        raise UsageError("--wait is for runs that this command trains itself", "Leave it out.")
    if jobs > 1 and (print or slurm is not None):
        raise UsageError("--jobs is for runs that this command trains itself", "Leave it out.")
    from rescli.reproduce.elements import element
    from rescli.reproduce.study import settle

    elements = list(dict.fromkeys(element(name) for name in names))
    elsewhere = [one for one in elements if print and not one.runnable]
    commands = [line for one in elsewhere for line in one.commands]
    if len(elsewhere) == len(elements):
        about_runs = [name for name in configuration.given(context) if name not in ("names", "print", "json", "debug")]
        if about_runs:
            listed = " and ".join(f"--{name.replace('_', '-')}" for name in about_runs)
            raise UsageError(f"{listed}: no effect on commands that are printed as they are", "Leave it out.")
        _print(elements, commands, json=json)
        return
    settings = settle(
        out,
        given(dataset=dataset, scale=scale, precision=plain(precision)),
        data=data,
        backend=backend,
        threads=threads,
        checkpoint_every=checkpoint_every,
    )
    for mark in settings.marks:
        console.note(f"Not the paper's: {mark}")
    from rescli.reproduce.conduct import Order, check_environment
    from rescli.reproduce.plan import check_depths, plan, script

    check_depths([one for one in elements if one not in elsewhere], depth or ())
    wanted = {
        one: plan([one], settings, out, seeds=seeds, first_seed=seed, depths=depth or ())
        for one in elements
        if one not in elsewhere
    }
    order = Order(elements=wanted, settings=settings, folder=out, jobs=jobs, wait=wait)
    if print or slurm is not None:
        check_environment()
    if print:
        lines = [*(one.line for one in order.runs), *commands]
        _print(elements, lines, then=_command(without=[one.name for one in elsewhere]), json=json)
    elif slurm is not None:
        _write_script(slurm, script(order.runs), len(order.runs), then=_command(), json=json)
    elif dry_run:
        _estimate(order, json=json)
    else:
        _carry_out(order, json=json)


_PLACES = ("--out", "--data")
"""Options whose values people choose: a folder may be called like an element."""


def _command(without: Collection[str] = ()) -> str:
    """What was typed, less these elements and what made it print or write a script: it draws, and trains what is left."""
    kept = []
    words = iter(sys.argv[1:])
    for word in words:
        if word == "--slurm":
            next(words, None)  # its file
        elif word in _PLACES:
            kept += [word, *islice(words, 1)]
        elif word not in ("--print", "--json", *without) and not word.startswith("--slurm="):
            kept.append(word)
    return shlex.join(["rescli", *kept])


def _print(elements: list[Element], lines: list[str], *, json: bool, then: str = "") -> None:
    """`then` is the command that draws what these lines have found, where there is one."""
    if json:
        console.emit({"elements": [one.name for one in elements], "commands": lines, "then": then or None})
        return
    for line in lines:
        console.say(line)
    for one in elements:
        if one.why:
            console.note(f"{one.name}: {one.why}")
    if then:
        console.note(f"When they have ended, this draws: {then}")


def _write_script(path: Path, text: str, runs: int, *, then: str, json: bool) -> None:
    """`then` is the command that draws what the runs of the script have found."""
    from rescli.store.target import check_target, put

    check_target(path, "--slurm")
    put(path, text.encode())
    if json:
        console.emit({"script": str(path), "runs": runs, "then": then})
    else:
        console.say(f"{path}: an array of {runs} runs. Next: sbatch {shlex.quote(str(path))}")
        console.note(f"When its jobs have ended, this draws: {then}")


def _estimate(order: Order, *, json: bool) -> None:
    from rescli.reproduce.estimate import estimate

    found = estimate(order, console.note)
    if json:
        console.emit(found.to_dict())
        return
    console.table(
        ["run", "iterations", "step", "evaluation", "time", "memory", "disk"],
        [
            (
                one.name,
                f"{one.iterations:,}",
                f"{1000 * one.step:.1f} ms",
                f"{one.evaluations} x {one.evaluation:.1f} s",
                console.duration(one.seconds),
                f"{one.memory / 1e9:.1f} GB",
                f"{one.disk / 1e6:.1f} MB",
            )
            for one in found.runs
        ],
        right=(1, 2, 3, 4, 5, 6),
    )
    for one in found.runs:
        if one.error:
            console.note(f"{one.name} cannot be trained: {one.error}")
    console.pairs(
        {
            "runs": f"{len(found.runs)}, {found.jobs} side by side, {found.iterations:,} iterations to do",
            "time": f"about {console.duration(found.seconds)} on {found.device}",
            "memory": f"about {found.memory / 1e9:.1f} GB of {found.memory_free / 1e9:.1f} GB free"
            + (": too little, try --precision bf16 or fewer --jobs" if found.memory > found.memory_free else ""),
            "disk": f"about {found.disk / 1e6:,.1f} MB in {order.folder} of {found.disk_free / 1e9:,.1f} GB free",
        }
    )


def _carry_out(order: Order, *, json: bool) -> None:
    from rescli.engine.stopping import StopSignals
    from rescli.reproduce.conduct import conduct, ending

    with StopSignals() as stop:
        ledger, results = conduct(order, stop, console.note)
    if json:
        console.emit(
            {
                "study": str(order.folder),
                "scale": order.settings.scale,
                "not_the_papers": list(order.settings.marks),
                "runs": ledger.to_dict(),
                "elements": [one.to_dict() for one in results],
            }
        )
    else:
        for one in results:
            _show(one)
    error = ending(ledger, stop, shlex.join(["rescli", *sys.argv[1:]]))
    if error is not None:
        raise error


def _show(made: Result) -> None:
    console.say(made.title)
    if made.table is not None:
        console.table(made.table.columns, made.table.rows, right=made.table.right)
        for line in made.table.notes:
            console.say(line)
    say_verdicts(made.verdicts)
    for line in made.lacking:
        console.say(f"not there: {line}")
    console.say()
