"""`rescli reproduce list`."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rescli import console
from rescli.commands.options import Debug, Json
from rescli.commands.reproduce.names import Dataset, Out, Scale, given

if TYPE_CHECKING:
    from rescli.reproduce.element import Element
    from rescli.reproduce.plan import Planned
    from rescli.reproduce.settings import Settings
    from rescli.reproduce.study import State


def list_(
    out: Out = Path("study"), scale: Scale = None, dataset: Dataset = None, json: Json = False, debug: Debug = False
) -> None:
    """Every table, figure and claim of the paper: the runs it needs, what they cost, and how they stand in the study.

    The cost is of all runs of an element, forwards and backwards, in multiply-adds; elements share runs. Elements that a study
    does not run have their commands in --json, and `rescli reproduce ELEMENT --print` prints them.
    """
    from rescli.reproduce.elements import ELEMENTS
    from rescli.reproduce.study import asked_before, settle

    settings = settle(out, given(dataset=dataset, scale=scale))
    asked = asked_before(out)
    documents = [_document(one, settings, out, asked.get(one.name, ())) for one in ELEMENTS.values()]
    claims: dict[str, list[str]] = {}
    for one in ELEMENTS.values():
        for claim in one.claims:
            claims.setdefault(claim, []).append(one.name)
    if json:
        console.emit(
            {
                "study": str(out),
                "scale": settings.scale,
                "iterations": settings.iterations,
                "not_the_papers": list(settings.marks),
                "elements": documents,
                "claims": [{"claim": claim, "elements": names} for claim, names in claims.items()],
            }
        )
        return
    for mark in settings.marks:
        console.say(f"{out}: {mark}")
    console.table(
        ["element", "where", "what", "runs", "multiply-adds", "state"],
        [
            (
                one["element"],
                one["where"],
                one["title"],
                len(one["runs"]) or len(one["trains"]) or "",
                f"{one['macs']:.1e}" if one["macs"] else "",
                one["state"],
            )
            for one in documents
        ],
        right=(3, 4),
    )
    console.say()
    console.table(["claim", "judged by"], [(claim, ", ".join(names)) for claim, names in claims.items()])


def _document(element: Element, settings: Settings, folder: Path, asked: Sequence[str]) -> dict[str, Any]:
    """`asked`: names of runs that commands have asked for, which may be more than the paper has."""
    from rescli.reproduce.elsewhere import macs_of
    from rescli.reproduce.plan import named, plan
    from rescli.reproduce.study import state_of

    papers = plan([element], settings, folder) if element.runnable else ()
    more = named(element, settings, folder, asked) if element.runnable else ()
    runs = tuple(dict.fromkeys((*papers, *more)))
    states = [state_of(run) for run in runs]
    return {
        "element": element.name,
        "where": element.where,
        "title": element.title,
        "claims": list(element.claims),
        "runs": [
            {"name": run.name, "state": state.word, "iteration": state.iteration}
            for run, state in zip(runs, states, strict=True)
        ],
        "iterations": settings.iterations * len(runs),
        "trains": list(element.trains),
        "macs": _macs(runs) + sum(map(macs_of, element.trains)),
        "commands": list(element.commands) or [_command(element, settings, folder)],
        "why_not_run": element.why or None,
        "state": _state(states) if runs else _unlike(element),
    }


def _command(element: Element, settings: Settings, folder: Path) -> str:
    """What goes on with the study, or begins it."""
    from rescli.reproduce.settings import PAPER_DATASET

    words = ["rescli", "reproduce", element.name, "--out", str(folder)]
    words += ["--dataset", settings.dataset] if settings.dataset != PAPER_DATASET else []
    words += ["--scale", f"{settings.scale:g}"] if settings.scale != 1 else []
    return shlex.join(words)


def _macs(runs: Sequence[Planned]) -> int:
    """Of training: forwards once, backwards twice that, for every image."""
    return sum(3 * run.net.macs * run.net.recipe().batch_size * run.settings.iterations for run in runs)


def _state(states: Sequence[State]) -> str:
    counts = Counter(state.word for state in states)
    if set(counts) == {"missing"}:
        return "not begun"
    return ", ".join(f"{count} {word}" for word, count in counts.items())


def _unlike(element: Element) -> str:
    return element.why.partition(":")[0]
