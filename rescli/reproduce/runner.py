"""Carrying out a plan: each run a process of its own, several side by side; what others are at work on is left to them."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from rescli.engine.stopping import ECHO, StopSignals
from rescli.errors import StoreError
from rescli.reproduce.children import Child, begin, died
from rescli.reproduce.places import Place
from rescli.reproduce.plan import Planned
from rescli.reproduce.study import State, check_recipe, state_of

TICK = 0.2
EVERY = 60.0
"""Seconds between two lines on runs in progress."""
AGAIN = 300.0
"""Seconds until a run of another machine's process is tried again: nobody here can see that process die."""
TRIES = 5
"""How often a run may be found locked by a process that does not say who it is."""

Tell = Callable[[str], None]


@dataclass(kw_only=True)
class Ledger:
    """What has become of the runs of a plan."""

    finished: list[Planned] = field(default_factory=list)
    failed: dict[Planned, str] = field(default_factory=dict)
    elsewhere: dict[Planned, State] = field(default_factory=dict)
    stopped: list[Planned] = field(default_factory=list)
    """What a signal kept from its end, or from its beginning."""
    undrawn: dict[str, str] = field(default_factory=dict)
    """Elements whose figure or table could not be written, with the reason."""

    def to_dict(self) -> dict[str, Any]:
        """As a JSON document."""
        return {
            "finished": [run.name for run in self.finished],
            "failed": {run.name: why for run, why in self.failed.items()},
            "elsewhere": {run.name: str(state.holder) for run, state in self.elsewhere.items()},
            "stopped": [run.name for run in self.stopped],
            "not_drawn": self.undrawn,
        }


class Runner:
    """Works through `runs`. `stop` hears signals, which are passed on; `wait`: until others have ended theirs."""

    def __init__(
        self, runs: Sequence[Planned], places: Sequence[Place], stop: StopSignals, tell: Tell, *, wait: bool = False
    ) -> None:
        self.ledger = Ledger()
        self._open = list(runs)
        self._total = len(runs)
        self._free = list(places)
        self._stop, self._tell, self._wait = stop, tell, wait
        self._children: list[Child] = []
        self._lost: Counter[Planned] = Counter()
        """Runs that another process was quicker to begin, with how often."""
        self._lost_at: dict[Planned, float] = {}
        self._said = time.monotonic()

    def carry_out(self) -> Ledger:
        """Until every run is finished, has failed, or is in other hands; or until a signal has stopped them all."""
        passed_on = 0
        try:
            while True:
                self._reap()
                if self._stop.received is None:
                    self._begin()
                elif self._stop.count > passed_on:
                    for child in self._children:  # a second Ctrl-C would be one that cannot wait, which this is not
                        child.tell(signal.SIGTERM if passed_on else self._stop.received)
                    passed_on = self._stop.count
                if not self._children and (self._stop.received or not (self._open and self._wait)):
                    break
                self._report()
                time.sleep(TICK)
        finally:
            if self._children and passed_on:
                _rest(ECHO)  # else they would take the second one for the first
            for child in self._children:  # only after an error, or a second Ctrl-C: they must not stay behind unseen
                child.tell(self._stop.received or signal.SIGTERM)
        self._settle()
        return self.ledger

    def _begin(self) -> None:
        """Start what can be started, where there is room."""
        for run in list(self._open):
            state = state_of(run)
            if state.word == "finished":
                self._close(run, f"finished already{_errors(state)}")
                self.ledger.finished.append(run)
            elif state.ends:
                self._close(run, f"cannot be trained: {state.error}")
                self.ledger.failed[run] = state.error
            elif self._free and not self._in_other_hands(run, state):
                place = self._free[0]
                try:
                    check_recipe(run)
                    child = begin(run, place, new=state.word == "missing")
                except StoreError as error:  # the others may have more luck
                    self._close(run, f"cannot be trained: {error.message}")
                    self.ledger.failed[run] = error.message
                    continue
                self._free.remove(place)
                self._open.remove(run)
                self._children.append(child)
                goes_on = f"goes on after iteration {state.iteration:,}" if state.iteration else "begins"
                self._tell(f"{run.title}: {goes_on}{_where(place)}, says more in {run.log}")

    def _in_other_hands(self, run: Planned, state: State) -> bool:
        """Whether a run is left to who holds it. Of a process on another machine only a try tells whether it still does."""
        if state.holder is None or state.holder.alive:
            return state.holder is not None
        return run in self._lost and time.monotonic() - self._lost_at[run] < AGAIN

    def _close(self, run: Planned, word: str) -> None:
        self._open.remove(run)
        self._tell(f"{run.title}: {word} {self._count(1)}")

    def _count(self, more: int = 0) -> str:
        done = len(self.ledger.finished) + len(self.ledger.failed) + more
        return f"({done} of {self._total})"

    def _reap(self) -> None:
        """See who has ended, and how: the store knows better than the exit code."""
        for child in [child for child in self._children if child.process.poll() is not None]:
            self._children.remove(child)
            self._free.insert(0, child.place)
            run, code, state = child.run, child.process.returncode, state_of(child.run)
            if state.word == "finished":
                self.ledger.finished.append(run)
                self._tell(f"{run.title}: finished{_errors(state)} {self._count()}")
            elif self._stop.received is not None and (code in (75, 130) or code < 0):
                self._open.append(run)
                self._tell(f"{run.title}: stopped after iteration {state.iteration:,}")
            elif self._was_beaten(child, state):
                self._lost[run] += 1
                self._lost_at[run] = time.monotonic()
                self._open.append(run)
                self._tell(f"{run.title}: {state.holder or 'another process'} is at work on it")
            elif code in (75, 130):  # told to stop by somebody else: that one knows why
                self.ledger.stopped.append(run)
                self._tell(f"{run.title}: {child.last_words()}")
            else:
                why = died(code) if code < 0 else (not code and state.error) or child.last_words() or died(code)
                self.ledger.failed[run] = f"{why} (exit code {code})"
                self._tell(f"{run.title}: failed: {why}; {run.log} has all it said {self._count()}")

    def _was_beaten(self, child: Child, state: State) -> bool:
        """Whether another process was quicker: it has the lock, and may say who it is a moment later.

        What a process of another machine has left beside the lock says nothing of an end that had to do with no lock.
        """
        if state.holder is not None and state.holder.alive:
            return True
        return child.locked_out() and (state.at_work or self._lost[child.run] < TRIES)

    def _report(self) -> None:
        """A line now and then on the runs in progress, from the headers of their stores."""
        now = time.monotonic()
        if now - self._said < EVERY:
            return
        self._said = now
        for child in self._children:
            state = state_of(child.run)
            self._tell(f"{child.run.title}: {state.iteration:,} of {child.run.settings.iterations:,}{_errors(state)}")

    def _settle(self) -> None:
        """What was left open: stopped by a signal, or in other hands."""
        for run in self._open:
            state = state_of(run)
            if self._stop.received is None and state.at_work:
                self.ledger.elsewhere[run] = state
            elif state.word == "finished":
                self.ledger.finished.append(run)
            else:
                self.ledger.stopped.append(run)


def _errors(state: State) -> str:
    """What the header says of errors, to stand behind other words: ", test error 8.75 %"."""
    found = [
        f"{name} error {state.summary[f'{key}_error']:.2f} %"
        for key, name in (("train", "training"), ("test", "test"))
        if state.summary.get(f"{key}_error") is not None
    ]
    return "".join(f", {one}" for one in found)


def _rest(seconds: float) -> None:
    """To the end, also where Ctrl-C is held down."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        with suppress(KeyboardInterrupt):
            time.sleep(left)


def _where(place: Place) -> str:
    gpu = place.variables.get("CUDA_VISIBLE_DEVICES")
    return "" if gpu is None else f" on GPU {gpu}"
