"""What studies found as small files that can be committed: enough to redo figures, tables and verdicts without the stores."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rescli.analysis.collect import only_cifar
from rescli.analysis.figures import figure_bytes
from rescli.analysis.gradients import Gradients
from rescli.analysis.measured import Measured
from rescli.analysis.responses import Responses
from rescli.analysis.run import Run
from rescli.errors import RescliError, StoreError, UsageError
from rescli.reproduce.chapters import chapters
from rescli.reproduce.codec import (
    SCHEMA,
    dumps,
    gradients_to_dict,
    no_number,
    reading,
    responses_to_dict,
    run_from_dict,
    run_to_dict,
)
from rescli.reproduce.gather import gather, told
from rescli.reproduce.measuring import known, layers_from_dict, outdated
from rescli.reproduce.study import MANIFEST
from rescli.store.replace import install

TABLE = "runs.csv"
COLUMNS = (
    *("name", "net", "dataset", "seed", "iterations", "done", "status", "train_error", "test_error"),
    *("warmup_ended", "seconds", "precision", "backend", "device", "rescli", "torch"),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Summaries:
    """Runs read back from summaries, and what was measured of their layers."""

    runs: tuple[Run, ...]
    layers: Measured


@dataclass(kw_only=True)
class Done:
    """What `summarize` has written, by name."""

    runs: list[str] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)


def summarize(studies: Sequence[Path], out: Path, tell: Callable[[str], None] = lambda _: None) -> Done:
    """Write a summary of every run of these studies, a table of all summaries in `out`, and their figures.

    Summaries of other studies in `out` stay. Raises `StoreError` where there is no run, nothing can be written or `out` holds
    what is no summary, and `UsageError` for two runs of one name or one run of two names, here or in `out`, and where `out`
    is a study itself. Nothing is written then.
    """
    if (out / MANIFEST).exists():
        raise UsageError(f"{out} is a study: summaries are no part of it", "Name a folder of their own with --out.")
    runs, skipped = gather(studies, only_cifar)
    done = Done(skipped=[one.to_dict() for one in skipped])
    told(skipped, tell)
    names = [run.path.stem for run in runs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"two of these runs are called {twice[0]}", "Name one of their studies.")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{out}: cannot be made: {error.strerror}", "Name another folder with --out.") from error
    there = {path: _read_one(path) for path in _files(out)}
    found = [(run, _known(run, tell), out / f"{run.path.stem}.json") for run in runs]
    better = [_knows_more(there, path, run, layers) for run, layers, path in found]  # of all, before any is written
    for (run, layers, path), why in zip(found, better, strict=True):
        if why is not None:
            tell(f"{path} stays as it is: {why}")
            continue
        install(path, dumps(document(run, layers)), keep=None)
        done.runs.append(run.path.stem)
    done.figures += draw(read(out), out)
    return done


def document(run: Run, layers: Measured) -> dict[str, Any]:
    """The summary of a run."""
    found = run_to_dict(run)
    if layers.responses:
        found["responses"] = responses_to_dict(layers.responses[0])
    if layers.gradients:
        found["gradients"] = gradients_to_dict(layers.gradients[0])
    return found


def read(folder: Path) -> Summaries:
    """The summaries in a folder, by name.

    Raises `StoreError` where there is none, one makes no sense, or two are of one run: a copy is no second seed.
    """
    runs: list[Run] = []
    responses: list[Responses] = []
    gradients: list[Gradients] = []
    seen: dict[Any, Path] = {}
    for path in _files(folder):
        run, layers = _read_one(path)
        first = seen.setdefault(_key(run), path)
        if first is not path:
            raise StoreError(f"{first} and {path} are of the same recipe and seed", "Remove one of them.")
        runs.append(run)
        responses += layers.responses
        gradients += layers.gradients
    if not runs:
        raise StoreError(
            f"{folder}: there are no summaries", "`rescli reproduce summarize STUDY --out DIR` writes them."
        )
    return Summaries(runs=tuple(runs), layers=Measured(responses=tuple(responses), gradients=tuple(gradients)))


def draw(found: Summaries, folder: Path) -> list[str]:
    """The figures of all elements of which there are runs, as SVG, and a table of all runs; returns the figures' names."""
    install(folder / TABLE, as_csv(found.runs).encode(), keep=None)
    drawn = []
    for chapter in chapters(found.runs, found.layers):
        for one in chapter.results:
            if one.plot is not None:
                name = chapter.figure(one.element)
                install(folder / name, figure_bytes(one.plot, "svg", salt=name), keep=None)
                drawn.append(name)
    return drawn


def as_csv(runs: Iterable[Run]) -> str:
    """A line for each run; errors in %."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(COLUMNS)
    for run in runs:
        lines.writerow(
            (
                *(run.path.stem, run.label, run.recipe.dataset, run.recipe.seed, run.recipe.iterations, run.iteration),
                *(run.status, run.train_error, run.error, run.warmup_ended, run.seconds, run.recipe.precision),
                *("; ".join(_values(run, name)) for name in ("backend", "device", "rescli", "torch")),
            )
        )
    return text.getvalue()


def _values(run: Run, name: str) -> list[str]:
    """What a run's sessions say of themselves, each thing once."""
    return list(dict.fromkeys(str(session[name]) for session in run.sessions if name in session))


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


def _key(run: Run) -> Any:
    """Equal for one run, whatever its name."""
    return run.experiment(), run.recipe.seed


def _read_one(path: Path) -> tuple[Run, Measured]:
    with reading(path, "the summary of a run", "Move it away, or name another folder."):
        values = json.loads(path.read_bytes(), parse_constant=no_number)
        if values["schema"] != SCHEMA:
            raise StoreError(f"{path}: written by another rescli (schema {values['schema']})", "Upgrade rescli.")
        if values["name"] != path.stem:
            raise ValueError(f"it is called {values['name']}")
        run = run_from_dict(values)
        return run, layers_from_dict(values, run)


def _knows_more(there: Mapping[Path, tuple[Run, Measured]], path: Path, run: Run, layers: Measured) -> str | None:
    """Why the summary at `path`, of the same run, is worth more than a new one; None where it is not, or not there.

    Raises `UsageError` where it is of another run, or another one is of this run.
    """
    for other, (before, _) in there.items():
        if other != path and _key(before) == _key(run):
            raise UsageError(
                f"{other} is of the same recipe and seed as {run.path}",
                "Name another folder with --out, rename the run, or remove the summary.",
            )
    if path not in there:
        return None
    before, measured = there[path]
    if _key(before) != _key(run):
        raise UsageError(
            f"{path} is of a run with another recipe than {run.path}",
            "Name another folder with --out, or rename the run.",
        )
    if before.iteration > run.iteration:
        return f"it is of iteration {before.iteration:,}, the run of {run.iteration:,}"
    lost = [what for what in ("responses", "gradients") if getattr(measured, what) and not getattr(layers, what)]
    if lost and before.iteration == run.iteration:
        return f"it has the run's {' and '.join(lost)}, which are not there any more. Remove it to write it anew"
    return None


def _known(run: Run, tell: Callable[[str], None]) -> Measured:
    try:
        if outdated(run):
            tell(f"{run.path.stem}: its layers were measured with other weights than it has now: left out")
        return known(run)
    except RescliError as error:
        tell(f"Left out: {error.message}")
        return Measured()
