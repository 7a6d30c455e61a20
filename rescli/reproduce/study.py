"""A study: a folder of run stores and a small manifest, `study.json`. How its runs stand, the stores say themselves."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import rescli
from rescli.analysis.recipes import word
from rescli.errors import RescliError, StoreError, UsageError
from rescli.recipes.stored import recipe_of
from rescli.reproduce.plan import Planned
from rescli.reproduce.settings import FIXED, Settings
from rescli.store.files import previous_of
from rescli.store.listing import look
from rescli.store.lock import RunLock, holder
from rescli.store.owner import Holder
from rescli.store.replace import install

MANIFEST = "study.json"
SCHEMA = 1
PATIENCE = 50
"""Tenths of a second that another process may take to write the manifest."""

Word: TypeAlias = Literal["missing", "stopped", "running", "finished", "diverged", "other", "unreadable"]


@dataclass(frozen=True, kw_only=True)
class State:
    """How a run stands. stopped: a checkpoint is there to go on from; other: the file holds another run."""

    word: Word
    iteration: int = 0
    error: str = ""
    summary: Mapping[str, Any] = field(default_factory=dict)
    holder: Holder | None = None

    @property
    def at_work(self) -> bool:
        """Whether a process trains it; one on another machine is only believed to."""
        return self.holder is not None

    @property
    def ends(self) -> bool:
        """Whether there is nothing that training could do about it."""
        return self.word in ("finished", "other", "unreadable")


def state_of(run: Planned) -> State:
    """How a run stands, by its store's header and by who holds it. Reads 4 KiB, of a finished run all of it.

    `check_recipe` holds one that is to go on against its recipe.
    """
    if not run.path.exists():
        at_work = holder(run.path)  # one that has begun writes its first store after some seconds
        return State(word="missing" if at_work is None else "running", holder=at_work)
    listed = look(run.path)
    offer = f"; `rescli runs restore {shlex.quote(str(run.path))}` may help" if previous_of(run.path).exists() else ""
    if listed.status == "unreadable":
        return State(word="unreadable", error=f"{listed.error}{offer}", holder=listed.holder)
    summary = listed.summary
    facts = {
        "network": run.net.recipe().spec(classes=10).name,
        "dataset": run.settings.dataset,
        "seed": run.seed,
        "iterations": run.settings.iterations,
        # of the others the backend decides: bf16 is fp32 where the processor has none
        **({"precision": "fp32"} if run.settings.precision == "fp32" else {}),
    }
    wrong = [f"{name} {summary.get(name)}" for name, value in facts.items() if summary.get(name) != value]
    if not wrong and listed.status == "finished":
        try:
            wrong = _strays(run)
        except RescliError as error:  # behind a header that is whole
            return State(word="unreadable", error=f"{error.message}{offer}", summary=summary, holder=listed.holder)
    if wrong:
        return State(word="other", error=_another(run, wrong), summary=summary)
    words: dict[str, Word] = {"finished": "finished", "diverged": "diverged", "running": "running"}
    return State(
        word=words.get(listed.status, "stopped"),
        iteration=int(summary.get("iteration", 0)),
        summary=summary,
        holder=listed.holder,
    )


def check_recipe(run: Planned) -> None:
    """Raises `StoreError` where a run has begun that is none of this study's, before hours go into it. Reads the store."""
    wrong: list[str] = []
    with suppress(RescliError):  # of a store that cannot be read the run itself tells
        wrong = _strays(run) if run.path.exists() else []
    if wrong:
        raise StoreError(_another(run, wrong), "Name another folder with --out, or take the run away.")


def _another(run: Planned, wrong: Sequence[str]) -> str:
    return f"{run.path} holds another run: {', '.join(wrong)}"


def _strays(run: Planned) -> list[str]:
    """Where a run is none that this study would train. Raises `RescliError` for a store that cannot be read."""
    from rescli.store.reader import (
        read_run,  # loads h5py, which whoever asks for a study that has not begun does without
    )

    recipe = recipe_of(read_run(run.path, tensors=False).recipe)
    return [f"{name} {word(its)}" for name, (_, its) in run.net.strays(recipe).items()]


def known_settings(folder: Path) -> dict[str, Any]:
    """What the study in `folder` has settled (dataset, scale, precision); empty where there is none yet."""
    found = read_manifest(folder)
    return {} if found is None else {name: found[name] for name in FIXED}


def asked_before(folder: Path) -> dict[str, list[str]]:
    """The names of all runs that commands have asked for, by element; empty where there is no study yet."""
    found = read_manifest(folder)
    return {} if found is None else dict(found["elements"])


def settle(folder: Path, given: Mapping[str, Any], **rest: Any) -> Settings:
    """The study's settings: what was `given` on purpose, else what its manifest says, else the paper's.

    Raises `UsageError` where the two disagree: runs of one study can be compared.
    """
    known = known_settings(folder)
    asked = dict(given)
    for name, value in given.items():
        if name not in known or known[name] == value:
            continue
        if name == "scale" and Settings(scale=value).iterations == Settings(scale=known[name]).iterations:
            asked[name] = known[name]  # the same runs, written with other digits
            continue
        other = folder.absolute().with_name(f"{folder.absolute().name}-{_plain(value)}")
        raise UsageError(
            f"{folder} is a study with --{name} {_plain(known[name])}, not {_plain(value)}",
            f"Leave --{name} out to go on with it, or begin another study: --out {shlex.quote(str(other))}.",
        )
    return Settings(**{**known, **asked}, **rest)


def record(folder: Path, settings: Settings, asked: Mapping[str, Sequence[str]]) -> None:
    """Write down what was asked for: elements with the names of their runs. Raises `StoreError` and `UsageError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be made: {error.strerror}", "Name another folder with --out.") from error
    with _locked(folder / MANIFEST):
        settle(folder, {name: getattr(settings, name) for name in FIXED})  # another process may have begun it meanwhile
        before = read_manifest(folder) or {"elements": {}}
        elements = dict(before["elements"])
        for name, runs in asked.items():
            elements[name] = list(dict.fromkeys((*elements.get(name, ()), *runs)))
        document = {
            "schema": SCHEMA,
            "rescli": rescli.__version__,
            **{name: getattr(settings, name) for name in FIXED},
            "iterations": settings.iterations,
            "elements": elements,
        }
        if document != before:
            install(folder / MANIFEST, (json.dumps(document, indent=1) + "\n").encode(), keep=None)


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a study; None where there is none. Raises `StoreError` for one that makes no sense."""
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_bytes())
        if found["schema"] != SCHEMA:
            raise StoreError(f"{path}: written by another rescli (schema {found['schema']})", "Upgrade rescli.")
        Settings(**{name: found[name] for name in FIXED})
        runs = [name for names in found["elements"].values() for name in _list(names)]
        if not all(isinstance(name, str) for name in runs):
            raise TypeError
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}", "Name another folder with --out.") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, UsageError) as error:
        raise StoreError(
            f"{path}: not the manifest of a study", "Remove it: the runs stay, and the next command writes it anew."
        ) from error
    return dict(found)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """With the manifest's lock held; another process needs it for a moment only."""
    lock = RunLock(path)
    for left in range(PATIENCE, -1, -1):
        try:
            lock.acquire()
            break
        except StoreError:
            if not left or not path.parent.is_dir():
                raise
            time.sleep(0.1)
    try:
        yield
    finally:
        lock.release()


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
