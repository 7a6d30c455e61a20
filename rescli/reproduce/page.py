"""docs/reproduction.md: the paper beside what came out, generated from summaries alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from rescli.analysis.groups import Group, group
from rescli.analysis.recipes import word
from rescli.analysis.run import Run
from rescli.analysis.table import Footnotes, spread
from rescli.analysis.table6 import paper_error
from rescli.console import duration
from rescli.recipes.cifar import PAPER_ITERATIONS
from rescli.reproduce.chapters import Chapter, chapters
from rescli.reproduce.lacking import differing, not_run
from rescli.reproduce.results import Result
from rescli.reproduce.settings import PAPER_DATASET
from rescli.reproduce.summaries import Summaries
from rescli.reproduce.tables import markdown_row

COLUMNS = ("element", "command", "net", "paper", "ours", "differs", "device", "time of a run")


def page(found: Summaries, summaries: Path, out: Path) -> str:
    """The page as Markdown, to stand at `out`, with the figures in the folder `summaries`."""
    folder = Path(os.path.relpath(summaries, out.parent)).as_posix()
    parts = [
        "# The paper's CIFAR results, from our own runs",
        f"Written by `rescli reproduce page {summaries.as_posix()} --out {out.as_posix()}` from the summaries in "
        f"[{folder}]({folder}), which `rescli reproduce summarize` has made of the run stores: nothing here is typed in. "
        "Errors are in %; a result is the mean±standard deviation of the sample over n seeds. Test errors are of the last "
        "evaluation of a run, training errors the mean over its last 1/64. [analysis.md](analysis.md) says how verdicts come "
        "about.",
    ]
    for chapter in chapters(found.runs, found.layers):
        parts += _chapter(chapter, folder)
    parts += ["## What differs from the paper", "\n".join(differing(found.runs))]
    parts += ["## What has not been run", "\n".join(not_run(found.runs))]
    return "\n\n".join(parts) + "\n"


def _chapter(chapter: Chapter, folder: str) -> list[str]:
    notes = Footnotes()
    rows = [row for one in chapter.results for row in _rows(one, chapter, notes)]
    table = "\n".join([markdown_row(COLUMNS), "|" + "---|" * len(COLUMNS), *map(markdown_row, rows)])
    remarks = "\n".join(f"- {line}" for line in notes.lines())
    said = tuple(mark for run in chapter.runs if run.finished for mark in run.marks())
    parts = [f"## {chapter.title}", table, *([remarks] if remarks else [])]
    for one in chapter.results:
        figure = f"{folder}/{chapter.figure(one.element)}"
        parts.append(one.markdown(figure, heading="###", said=said, tables=False).rstrip())
    return parts


def _rows(one: Result, chapter: Chapter, notes: Footnotes) -> list[tuple[str, ...]]:
    """A row for each net of an element that there are runs of, finished ones if there are any."""
    rows: list[tuple[str, ...]] = []
    for net in one.element.nets:
        groups = group(run for run in one.runs if net.is_of(run.recipe))
        for these in [found for found in groups if found.first.finished] or groups[:1]:
            first = not rows
            rows.append(
                (
                    one.element.where if first else "",
                    f"`{command(one, chapter)}`" if first else "",
                    net.label,
                    _paper(one, these),
                    _ours(one, these),
                    notes.mark(_differences(these.runs)),
                    ", ".join(dict.fromkeys(_device(run) for run in these.runs)),
                    duration(sum(run.seconds for run in these.runs) / len(these.runs)),
                )
            )
    return rows


def command(one: Result, chapter: Chapter) -> str:
    """What makes this element as far as it is there."""
    words = ["rescli reproduce", one.element.name]
    there = [net for net in one.element.nets if any(net.is_of(run.recipe) for run in one.runs)]
    if len(there) < len(one.element.nets):
        words += [f"--depth {depth}" for depth in dict.fromkeys(net.depth for net in there)]
    counts = {net: len({run.recipe.seed for run in one.runs if net.is_of(run.recipe)}) for net in there}
    if any(count != net.runs for net, count in counts.items()):
        words.append(f"--seeds {max(counts.values())}")
    first = min((run.recipe.seed for run in one.runs), default=0)
    words += [f"--seed {first}"] if first else []
    if chapter.iterations != PAPER_ITERATIONS:
        words.append(f"--scale {chapter.iterations / PAPER_ITERATIONS:g}")
    precisions = {run.recipe.precision for run in one.runs}
    words += [f"--precision {precision}" for precision in precisions if len(precisions) == 1]
    if chapter.dataset != PAPER_DATASET:
        words.append(f"--dataset {chapter.dataset}")
    return " ".join(words)


def _paper(one: Result, these: Group) -> str:
    if {"responses", "gradients"} & set(one.element.shows):
        return "no number"
    return paper_error(these) or "no number"


def _ours(one: Result, these: Group) -> str:
    """The test error; of layers, what the figure shows of them in one number."""
    if one.table is None:
        return "not measured"
    if "responses" in one.element.shows:
        return next(
            (f"median std {row['median_std']:.3f}" for row in one.table.exact if _is(row, these)), "not measured"
        )
    if "gradients" in one.element.shows:
        cells = (f"smallest {row['of_the_largest']:.2g} of the largest" for row in one.table.exact if _is(row, these))
        return next(cells, "not measured")
    return f"{spread(these.errors)} (n = {len(these.errors)})" if these.errors else "no test yet"


def _is(row: dict[str, object], these: Group) -> bool:
    return row["run"] in {str(run.path) for run in these.runs}


def _differences(runs: Sequence[Run]) -> list[str]:
    """What of these runs is not the paper's: marks, and forks of the implementation."""
    forks = [
        f"{name} {word(ours)} (paper: {word(paper)})" for run in runs for name, (paper, ours) in run.forks().items()
    ]
    return list(dict.fromkeys([mark for run in runs for mark in run.marks()] + forks))


def _device(run: Run) -> str:
    last = run.sessions[-1] if run.sessions else {}
    threads = last.get("threads")
    return str(last.get("device", "unknown")) + (f", {threads} thread{'s' if threads > 1 else ''}" if threads else "")
