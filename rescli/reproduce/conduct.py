"""A study from what was asked for to its figures: write it down, train, measure, draw."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rescli.data.locate import find
from rescli.data.names import info
from rescli.engine.stopping import StopSignals
from rescli.errors import Interrupted, RescliError, StoppedEarly, StoreError, UsageError
from rescli.reproduce.element import Element
from rescli.reproduce.places import places
from rescli.reproduce.plan import Planned
from rescli.reproduce.runner import Ledger, Runner
from rescli.reproduce.settings import Settings
from rescli.reproduce.study import record, state_of

if TYPE_CHECKING:  # the rest is loaded when there is something to draw
    from rescli.analysis.run import Run
    from rescli.reproduce.results import Result

FOREIGN = "RESCLI_TRAIN_CIFAR_"


@dataclass(frozen=True, kw_only=True)
class Order:
    """What was asked for: elements with the runs that they need, side by side in so many `jobs`."""

    elements: Mapping[Element, Sequence[Planned]]
    settings: Settings
    folder: Path
    jobs: int = 1
    wait: bool = False

    @property
    def runs(self) -> list[Planned]:
        """Every run once, by seed: all nets first, then all of them again."""
        found = dict.fromkeys(run for runs in self.elements.values() for run in runs)
        return sorted(found, key=lambda run: run.seed)


def conduct(order: Order, stop: StopSignals, tell: Callable[[str], None]) -> tuple[Ledger, list[Result]]:
    """Train what is not finished, then draw and tabulate what is. After a signal nothing is drawn.

    Raises `DataError` where something is to be trained and the images are missing, `UsageError` and `StoreError` as `record`
    does.
    """
    if any(state_of(run).word != "finished" for run in order.runs):
        check(order.settings)
    record(order.folder, order.settings, {one.name: [run.name for run in runs] for one, runs in order.elements.items()})
    spots = places(order.jobs, order.settings.backend)
    ledger = Runner(order.runs, spots, stop, tell, wait=order.wait).carry_out()
    if stop.received is not None:
        return ledger, []
    results = []
    for one in order.elements:
        made = _concluded(one, order, stop, tell)
        if isinstance(made, str):
            ledger.undrawn[one.name] = made
        elif made is None:
            break
        else:
            results.append(made)
    return ledger, results


def check(settings: Settings) -> None:
    """Whether images and backend are there, and nothing in the environment makes other runs. Raises a `RescliError`."""
    check_environment()
    if info(settings.dataset).needs_files:
        find(settings.dataset, settings.data)
    if settings.backend != "auto":
        from rescli.backends.registry import choose  # it loads torch

        choose(settings.backend)


def check_environment() -> None:
    """Raises `UsageError` for a variable that is an option of every run, those whose lines are printed too."""
    foreign = sorted(name for name in os.environ if name.startswith(FOREIGN))
    if foreign:
        raise UsageError(
            f"the environment variable {foreign[0]} would change every run of the study", f"Unset it: {foreign[0]}."
        )


def conclude(element: Element, order: Order, stop: StopSignals, tell: Callable[[str], None]) -> Result | None:
    """The figure, the table and the verdicts of an element, from all its runs in the study's folder, written into it.

    None after a signal: what was written before is more than what was measured until then.
    """
    from rescli.analysis.subject import Wishes
    from rescli.reproduce.measuring import measure
    from rescli.reproduce.results import result

    settings = order.settings
    found = [run for run in _runs_in(order.folder, tell) if settings.covers(run.recipe.dataset, run.recipe.iterations)]
    wishes = Wishes(data=settings.data, backend=settings.backend, threads=settings.threads)
    layers = measure(element, found, wishes, tell, lambda: stop.received is not None)
    if stop.received is not None:
        return None
    made = result(element, found, layers, settings.marks)
    for path in write(made, order.folder):
        tell(f"Written: {path}")
    return made


def _concluded(element: Element, order: Order, stop: StopSignals, tell: Callable[[str], None]) -> Result | str | None:
    """`conclude`, or why it could not: the other elements, and what became of the runs, are still to be told."""
    try:
        return conclude(element, order, stop, tell)
    except StoreError as error:
        tell(f"{element.where}: {error.message}")
        return error.message


def _runs_in(folder: Path, tell: Callable[[str], None]) -> Sequence[Run]:
    """What can be read of a study's runs; none is no error here."""
    from rescli.reproduce.gather import gather, told

    try:
        runs, skipped = gather([folder])
    except StoreError as error:
        tell(f"Nothing to draw: {error.message}")
        return ()
    told(skipped, tell)
    return runs


def write(made: Result, folder: Path) -> list[Path]:
    """The figure as .svg and .pdf, the table and the verdicts as Markdown and JSON. Returns the files."""
    from rescli.analysis.figures import figure_bytes
    from rescli.store.replace import install

    name = made.element.name
    files: dict[str, bytes] = {}
    if made.plot is not None:
        files[f"{name}.svg"] = figure_bytes(made.plot, "svg")
        files[f"{name}.pdf"] = figure_bytes(made.plot, "pdf")
    files[f"{name}.md"] = made.markdown(f"{name}.svg").encode()
    files[f"{name}.json"] = (json.dumps(made.to_dict(), indent=1) + "\n").encode()
    for file, data in files.items():
        install(folder / file, data, keep=None)
    return [folder / file for file in files]


def ending(ledger: Ledger, stop: StopSignals, again: str) -> RescliError | None:
    """What to raise when all is done that could be done; None if all of it is finished. `again` is the command."""
    total = sum(map(len, (ledger.finished, ledger.failed, ledger.elsewhere, ledger.stopped)))
    done = f"{len(ledger.finished)} of {total} runs are finished"
    if stop.received is not None:
        kind = Interrupted if stop.received.name == "SIGINT" else StoppedEarly
        return kind(f"{stop.received.name}: {done}{_left(ledger)}", f"Go on: {again}")
    if ledger.failed:
        first = next(f"{run.name}: {why}" for run, why in ledger.failed.items())
        more = f"; and {len(ledger.failed) - 1} more" if len(ledger.failed) > 1 else ""
        return RescliError(f"{done}, {len(ledger.failed)} failed: {first}{more}", f"Try again: {again}")
    if ledger.stopped:
        return StoppedEarly(f"{done}; {ledger.stopped[0].name} was stopped with a checkpoint", f"Go on: {again}")
    if ledger.elsewhere:
        run, state = next(iter(ledger.elsewhere.items()))
        return StoppedEarly(
            f"{done}, others are at work on the rest: {run.name} by {state.holder}",
            f"Ask again when it is done, or with --wait: {again}",
        )
    if ledger.undrawn:
        name, reason = next(iter(ledger.undrawn.items()))
        return StoreError(f"{done}, but {name} was not drawn: {reason}", f"Try again: {again}")
    return None


def _left(ledger: Ledger) -> str:
    """Of runs that a signal kept from their end: ", 2 have checkpoints, 1 has not begun"."""
    begun = sum(state_of(run).word != "missing" for run in ledger.stopped)
    rest = len(ledger.stopped) - begun
    words = [(begun, "a checkpoint" if begun == 1 else "checkpoints"), (rest, "not begun")]
    return "".join(f", {count} {'has' if count == 1 else 'have'} {what}" for count, what in words if count)
