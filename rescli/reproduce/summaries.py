"""What studies found as small files that can be committed: enough to redo figures, tables and verdicts without the stores."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rescli.analysis.collect import only_cifar
from rescli.analysis.figures import figure_bytes
from rescli.analysis.gradients import Gradients
from rescli.analysis.responses import Responses
from rescli.analysis.run import Run
from rescli.errors import RescliError, StoreError, UsageError
from rescli.reproduce.chapters import chapters
from rescli.reproduce.codec import (
    SCHEMA,
    dumps,
    gradients_to_dict,
    reading,
    responses_to_dict,
    run_from_dict,
    run_to_dict,
)
from rescli.reproduce.gather import gather, told
from rescli.reproduce.measuring import Layers, known, layers_from_dict, outdated
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
    layers: Layers


@dataclass(kw_only=True)
class Done:
    """What `summarize` has written, by name."""

    runs: list[str] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)


def summarize(studies: Sequence[Path], out: Path, tell: Callable[[str], None] = lambda _: None) -> Done:
    """Write a summary of every run of these studies, a table of all summaries in `out`, and their figures.

    Summaries of other studies in `out` stay. Raises `StoreError` where there is no run or nothing can be written, and
    `UsageError` for two runs of one name, here or in `out`, and where `out` is a study itself.
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
    found = [(run, _known(run, tell), out / f"{run.path.stem}.json") for run in runs]
    better = [_knows_more(path, run, layers) for run, layers, path in found]  # of all, before any is written
    for (run, layers, path), why in zip(found, better, strict=True):
        if why is not None:
            tell(f"{path} stays as it is: {why}")
            continue
        install(path, dumps(document(run, layers)), keep=None)
        done.runs.append(run.path.stem)
    everything = read(out)
    install(out / TABLE, as_csv(everything.runs).encode(), keep=None)
    done.figures += draw(everything, out)
    return done


def document(run: Run, layers: Layers) -> dict[str, Any]:
    """The summary of a run."""
    found = run_to_dict(run)
    if layers.responses:
        found["responses"] = responses_to_dict(layers.responses[0])
    if layers.gradients:
        found["gradients"] = gradients_to_dict(layers.gradients[0])
    return found


def read(folder: Path) -> Summaries:
    """The summaries in a folder, by name. Raises `StoreError` where there is none, or one makes no sense."""
    runs: list[Run] = []
    responses: list[Responses] = []
    gradients: list[Gradients] = []
    for path in sorted(folder.glob("*.json")):
        run, layers = _read_one(path)
        runs.append(run)
        responses += layers.responses
        gradients += layers.gradients
    if not runs:
        raise StoreError(
            f"{folder}: there are no summaries", "`rescli reproduce summarize STUDY --out DIR` writes them."
        )
    return Summaries(runs=tuple(runs), layers=Layers(responses=tuple(responses), gradients=tuple(gradients)))


def draw(found: Summaries, folder: Path) -> list[str]:
    """The figures of all elements of which there are runs, as SVG; returns their names."""
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
        last = run.sessions[-1] if run.sessions else {}
        lines.writerow(
            (
                *(run.path.stem, run.label, run.recipe.dataset, run.recipe.seed, run.recipe.iterations, run.iteration),
                *(run.status, run.train_error, run.error, run.warmup_ended, run.seconds, run.recipe.precision),
                *(last.get(name) for name in ("backend", "device", "rescli", "torch")),
            )
        )
    return text.getvalue()


def _read_one(path: Path) -> tuple[Run, Layers]:
    with reading(path, "the summary of a run"):
        values = json.loads(path.read_bytes())
        if values["schema"] != SCHEMA:
            raise StoreError(f"{path}: written by another rescli (schema {values['schema']})", "Upgrade rescli.")
        run = run_from_dict(values)
        return run, layers_from_dict(values, run)


def _knows_more(path: Path, run: Run, layers: Layers) -> str | None:
    """Why the summary at `path`, of the same run, is worth more than a new one; None where it is not, or not there.

    Raises `UsageError` where it is of another run.
    """
    if not path.exists():
        return None
    there, measured = _read_one(path)
    if (there.experiment(), there.recipe.seed) != (run.experiment(), run.recipe.seed):
        raise UsageError(
            f"{path} is of a run with another recipe than {run.path}",
            "Name another folder with --out, or rename the run.",
        )
    if there.iteration > run.iteration:
        return f"it is of iteration {there.iteration:,}, the run of {run.iteration:,}"
    lost = [what for what in ("responses", "gradients") if getattr(measured, what) and not getattr(layers, what)]
    if lost and there.iteration == run.iteration:
        return f"it has the run's {' and '.join(lost)}, which are not there any more. Remove it to write it anew"
    return None


def _known(run: Run, tell: Callable[[str], None]) -> Layers:
    try:
        if outdated(run):
            tell(f"{run.path.stem}: its layers were measured with other weights than it has now: left out")
        return known(run)
    except RescliError as error:
        tell(f"Left out: {error.message}")
        return Layers()
